"""What the plots of a report show: series thinned to their extremes, and packed for a page.

A screen has some two thousand columns of pixels. A run with more steps than `MAX_POINTS` is cut into
equal buckets, and of each the smallest and the largest value stay, in the order in which they came: no
spike is lost, whatever the zoom.
"""

import base64
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.chain import known_equity
from asmm_daemon.backtest.periods import HOUR_S, periods
from asmm_daemon.backtest.ratios import drawdowns
from asmm_daemon.backtest.result import HORIZONS_S, Result
from asmm_daemon.backtest.trades import markouts, spread_captured_bps
from asmm_daemon.units import NS_PER_S

Floats = NDArray[np.float64]

MAX_POINTS = 40_000


def payload(run: Result) -> dict[str, Any]:
    """Everything that the page's script draws, JSON-able. Times are seconds since 1970, UTC."""
    columns = _columns(run)
    times, columns, bucket = thinned(run.steps["t_ns"] / NS_PER_S, columns)
    times, columns = _broken(times, columns, 2.5 * bucket * run.cycle_s)
    fills, rows = run.fills, periods(run, HOUR_S)
    mid = np.where(fills["mid"] > 0, fills["mid"], np.nan)
    return {
        "empty": not run.steps.size,
        "time": {"f64": _base64(times, "<f8")},
        "span": [float(times[0]), float(times[-1])] if times.size else [],
        "series": {name: _packed(values) for name, values in columns.items()},
        "fills": {
            "t": {"f64": _base64(fills["t_ns"] / NS_PER_S, "<f8")},
            "side": fills["side"].tolist(),
            "price": _packed(fills["price"]),
            "bps": _packed((fills["price"] / mid - 1.0) * 1e4),
        },
        "periods": {
            "t": (rows["start_ns"] / NS_PER_S + HOUR_S / 2).tolist(),
            "pnl": rows["pnl_net"].tolist(),
        },
        "markouts": _markout_curves(fills),
        "units": {"quote": run.info.quote, "base": run.info.base},
        "digits": max(0, -int(run.info.tick.normalize().as_tuple().exponent)),
        "step_s": bucket * run.cycle_s,
    }


def _columns(run: Result) -> dict[str, Floats]:
    steps = run.steps
    equity, mid = known_equity(steps), steps["mid"]
    columns: dict[str, Floats] = {
        "net": equity,
        "gross": equity + steps["fees"] - steps["funding"],
        "drawdown": -drawdowns(equity),
        "inventory": steps["inventory"],
        "mid": mid,
        "bid": steps["bid"],
        "ask": steps["ask"],
        "bid_bps": (steps["bid"] / mid - 1.0) * 1e4,
        "ask_bps": (steps["ask"] / mid - 1.0) * 1e4,
        "gamma": steps["gamma"],
        "skew": steps["skew"],
    }
    limit = inventory_limit(run)
    return columns if limit is None else columns | {"limit": limit}


def inventory_limit(run: Result) -> Floats | None:
    """The effective maximum inventory at each step, if the run's settings name one."""
    most, exposure = (run.settings.get(name) for name in ("max_inventory", "max_exposure"))
    if most is None:
        return None
    limit = np.full(run.steps.size, float(most))
    return limit if exposure is None else np.fmin(limit, float(exposure) / run.steps["mid"])


def thinned(
    times: Floats, columns: dict[str, Floats], most: int = MAX_POINTS
) -> tuple[Floats, dict[str, Floats], int]:
    """At most `most` points of columns (n,) with common times (n,), and how many steps a bucket holds."""
    n = times.size
    if n <= most:
        return times, columns, 1
    size = -(-n // (most // 2))
    count = -(-n // size)
    first = np.arange(count) * size
    ends = np.stack([times[first], times[np.minimum(first + size, n) - 1]], axis=1).ravel()
    return ends, {name: _extremes(values, count, size) for name, values in columns.items()}, size


def _extremes(values: Floats, count: int, size: int) -> Floats:
    """Smallest and largest of each bucket (2·count,), as they came; NaN where nothing was known."""
    padded = np.full(count * size, np.nan)
    padded[: values.size] = values
    buckets = padded.reshape(count, size)
    unknown = np.isnan(buckets)
    low = np.where(unknown, np.inf, buckets).argmin(axis=1)
    high = np.where(unknown, -np.inf, buckets).argmax(axis=1)
    rows = np.arange(count)
    kept: Floats = np.stack(
        [buckets[rows, np.minimum(low, high)], buckets[rows, np.maximum(low, high)]], axis=1
    )
    return kept.ravel()


def _broken(times: Floats, columns: dict[str, Floats], longest_s: float) -> tuple[Floats, dict[str, Floats]]:
    """With an empty point in each hole of time, so that no line bridges what was not run."""
    at = np.flatnonzero(np.diff(times) > longest_s) + 1
    if not at.size:
        return times, columns
    empty = (times[at - 1] + times[at]) / 2
    broken = {name: np.insert(values, at, np.nan) for name, values in columns.items()}
    return np.insert(times, at, empty), broken


def _markout_curves(fills: NDArray[Any]) -> list[dict[str, Any]]:
    sides = {"all": fills, "bought": fills[fills["side"] > 0], "sold": fills[fills["side"] < 0]}
    curves = {
        name: [spread_captured_bps(part), *(m.bps for m in markouts(part))] for name, part in sides.items()
    }
    names = ("fill", *(f"{horizon:g} s" for horizon in HORIZONS_S))
    return [
        {"label": label}
        | {name: curve[i] if np.isfinite(curve[i]) else None for name, curve in curves.items()}
        for i, label in enumerate(names)
    ]


def _packed(values: Floats) -> dict[str, Any]:
    """Float32 against an offset: eight digits of the range, not of the price."""
    known = values[np.isfinite(values)]
    offset = float(known[0]) if known.size else 0.0
    return {"offset": offset, "f32": _base64(np.where(np.isfinite(values), values, np.nan) - offset, "<f4")}


def _base64(values: Floats, form: str) -> str:
    return base64.b64encode(np.ascontiguousarray(values, form).tobytes()).decode()
