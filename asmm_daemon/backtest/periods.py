"""A run in rows of an hour or a day, on the edges of UTC."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.chain import changes, known_equity
from asmm_daemon.backtest.ratios import NO_SPREAD, drawdowns
from asmm_daemon.backtest.result import Result
from asmm_daemon.units import NS_PER_S

HOUR_S = 3_600
DAY_S = 86_400

PERIOD = np.dtype(
    [
        ("start_ns", np.int64),
        ("seconds", np.float64),  # observed: steps × cycle
        ("mid", np.float64),  # at its end
        ("pnl_net", np.float64),
        ("fees", np.float64),
        ("drawdown", np.float64),  # the furthest below the run's peak so far
        ("sharpe_step", np.float64),
        ("fills", np.int64),
        ("volume", np.float64),
        ("quoted_both_share", np.float64),
        ("inventory", np.float64),  # at its end
        ("inventory_max_abs", np.float64),
    ]
)


def periods(run: Result, span_s: int = HOUR_S) -> NDArray[Any]:
    """PERIOD rows of a run, or of several merged ones; periods without a step are left out.

    A step belongs to the period in which its cycle began to count: one that ends on an edge is the last
    of the period before. A fill belongs where its venue time falls.
    """
    steps = run.steps
    starts, first = np.unique(_start_ns(steps["t_ns"], span_s), return_index=True)
    rows = np.zeros(starts.size, PERIOD)
    if not starts.size:
        return rows
    counts = np.diff(first, append=steps.size)
    last = first + counts - 1
    equity = known_equity(steps)
    change = changes(equity)
    healthy_s = np.add.reduceat(steps["healthy_s"], first)
    rows["start_ns"] = starts
    rows["seconds"] = counts * run.cycle_s
    rows["mid"], rows["inventory"] = steps["mid"][last], steps["inventory"][last]
    rows["pnl_net"] = np.add.reduceat(change, first)
    rows["fees"] = np.add.reduceat(changes(steps["fees"]), first)
    rows["volume"] = np.add.reduceat(changes(steps["volume"]), first)
    rows["drawdown"] = np.maximum.reduceat(drawdowns(equity), first)
    rows["inventory_max_abs"] = np.maximum.reduceat(np.abs(steps["inventory"] - steps["target"]), first)
    rows["quoted_both_share"] = _divide(np.add.reduceat(steps["near_both_s"], first), healthy_s)
    mean = rows["pnl_net"] / counts
    squares = np.add.reduceat((change - np.repeat(mean, counts)) ** 2, first)
    deviation = np.sqrt(_divide(squares, counts - 1))
    rows["sharpe_step"] = _divide(mean, np.where(deviation > NO_SPREAD * np.abs(mean), deviation, 0.0))
    at = np.searchsorted(starts, _start_ns(run.fills["t_ns"], span_s), side="right") - 1
    rows["fills"] = np.bincount(np.maximum(at, 0), minlength=starts.size)
    return rows


def day_changes(run: Result) -> NDArray[np.float64]:
    """Net PnL (d,) of the UTC days of a run that count as one.

    A day counts when at least half as much of it was observed as of the fullest: an hour's tail would
    otherwise weigh as much as a day.
    """
    days = periods(run, DAY_S)
    seconds = days["seconds"]
    whole: NDArray[np.float64] = days["pnl_net"][seconds >= seconds.max(initial=0.0) / 2]
    return whole


def _start_ns(t_ns: NDArray[Any], span_s: int) -> NDArray[np.int64]:
    span = span_s * NS_PER_S
    starts: NDArray[np.int64] = (t_ns - 1) // span * span
    return starts


def _divide(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
    """part/whole, NaN where there is nothing to divide by."""
    shares: NDArray[np.float64] = np.full(whole.shape, np.nan)
    np.divide(part, whole, out=shares, where=whole > 0)
    return shares
