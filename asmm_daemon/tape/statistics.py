"""What a tape is like, in a dozen numbers: how a made-up market is set beside recorded ones.

Returns and mark-outs are in basis points; times where the book was not known are left out.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import Book, apply, is_valid, new_book, next_level, qty_at
from asmm_daemon.errors import TapeError
from asmm_daemon.events import GAP, TRADE
from asmm_daemon.kernels import kernel
from asmm_daemon.tape.columns import Tape

_NEAR_BPS = 5.0
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Statistics:
    """Measures of one tape; `nan` where there was too little to measure."""

    hours: float  # time with a known book
    spread_ticks: float  # median
    spread_bps: float  # median
    touch_usd: float  # median quantity at the best prices, in quote currency
    near_touch_ratio: float  # median quantity within 5 bps of the mid over that at the touch
    messages_per_s: float
    orders_per_s: float  # taker orders: trades of one instant and side are one
    order_usd: float  # median
    order_tail: float  # 95th percentile over median
    sign_autocorrelation_1: float
    sign_autocorrelation_10: float
    arrival_dispersion: float  # variance over mean of orders in 10 s; 1 without clustering
    sigma_1s: float  # bps per square root second
    sigma_60s: float
    kurtosis_5s: float
    clustering_5s: float  # autocorrelation of absolute 5 s returns, next interval
    clustering_60s: float  # the same, 12 intervals later
    markout_1s: float  # in the taker's favour, from the mid before
    markout_60s: float


@kernel
def _observe(
    book: Book,
    rows: NDArray[Any],
    quotes: NDArray[np.float64],
    takes: NDArray[np.float64],
    counts: NDArray[np.int64],
) -> None:
    """Appends (t, mid, spread, touch, near) a message and (t, side, price, qty, mid before) a trade.

    `counts`: quotes and takes so far. Where the book is not known a quote has a mid of nan.
    """
    head = book.head[0]
    mid = np.nan
    for row in rows:
        if row.kind == TRADE:
            if is_valid(book):
                mid = (head.bid + head.ask) / 2.0
                take = takes[counts[1]]
                take[0] = row.local_ns / 1e9
                take[1] = row.side
                take[2] = row.price
                take[3] = row.qty
                take[4] = mid
                counts[1] += 1
        else:
            apply(book, row.kind, row.side, row.price, row.qty)
        if not row.last or (row.kind == TRADE):
            continue
        quote = quotes[counts[0]]
        counts[0] += 1
        quote[0] = row.local_ns / 1e9
        quote[1] = np.nan
        if row.kind == GAP or not is_valid(book):
            continue
        mid = (head.bid + head.ask) / 2.0
        quote[1] = mid
        quote[2] = head.ask - head.bid
        quote[3] = (qty_at(book, 1, head.bid) + qty_at(book, -1, head.ask)) / 2.0
        near = 0.0
        for side in (1, -1):
            price = head.bid if side > 0 else head.ask
            while abs(price - mid) <= mid * _NEAR_BPS * 1e-4:
                near += qty_at(book, side, price) / 2.0
                price = next_level(book, side, price)
        quote[4] = near


def measure(tapes: Iterable[Tape]) -> Statistics:
    """Statistics of consecutive chunks. Raises TapeError when there is nothing to measure."""
    book = new_book()
    quotes: list[NDArray[np.float64]] = []
    takes: list[NDArray[np.float64]] = []
    usd = 0.0
    for tape in tapes:
        usd = float(tape.info.tick * tape.info.lot)
        n = tape.rows.size
        quote, take, counts = np.zeros((n, 5)), np.zeros((n, 5)), np.zeros(2, np.int64)
        _observe(book, tape.rows, quote, take, counts)
        quotes.append(quote[: counts[0]].copy())
        takes.append(take[: counts[1]].copy())
    if not quotes:
        raise TapeError("no rows to measure")
    return _statistics(np.concatenate(quotes), np.concatenate(takes), usd)


def _statistics(quotes: NDArray[np.float64], takes: NDArray[np.float64], usd: float) -> Statistics:
    known = np.isfinite(quotes[:, 1])
    lasts = np.diff(quotes[:, 0], append=quotes[-1, 0])
    seconds = float(lasts[known].sum())
    seen = quotes[known]
    grid, log_mid = _sampled(quotes)
    orders = _orders(takes)
    returns = {span: _returns(log_mid, span) for span in (1, 5, 60)}
    signs = orders[:, 1]
    value = orders[:, 3] * orders[:, 2] * usd
    return Statistics(
        hours=seconds / _HOUR_S,
        spread_ticks=_median(seen[:, 2]),
        spread_bps=_median(seen[:, 2] / seen[:, 1] * 1e4),
        touch_usd=_median(seen[:, 3] * seen[:, 1] * usd),
        near_touch_ratio=_median(seen[:, 4] / np.maximum(seen[:, 3], 1e-9)),
        messages_per_s=seen.shape[0] / max(seconds, 1e-9),
        orders_per_s=orders.shape[0] / max(seconds, 1e-9),
        order_usd=_median(value),
        order_tail=float(np.percentile(value, 95)) / _median(value) if value.size else np.nan,
        sign_autocorrelation_1=_autocorrelation(signs, 1),
        sign_autocorrelation_10=_autocorrelation(signs, 10),
        arrival_dispersion=_dispersion(orders[:, 0], grid, log_mid),
        sigma_1s=_rms(returns[1]),
        sigma_60s=_rms(returns[60]) / 60**0.5,
        kurtosis_5s=_kurtosis(returns[5][::5]),
        clustering_5s=_autocorrelation(np.abs(returns[5][::5]), 1),
        clustering_60s=_autocorrelation(np.abs(returns[5][::5]), 12),
        markout_1s=_markout(orders, grid, log_mid, 1.0),
        markout_60s=_markout(orders, grid, log_mid, 60.0),
    )


def _sampled(quotes: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Log mid in basis points at every second, nan where the book was not known."""
    grid = np.arange(np.ceil(quotes[0, 0]), quotes[-1, 0], 1.0)
    at = np.searchsorted(quotes[:, 0], grid, side="right") - 1
    return grid, np.log(quotes[at, 1]) * 1e4


def _orders(takes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Trades of one instant and side as one: time, side, first price, quantity, mid before."""
    if not takes.size:
        return np.zeros((0, 5))
    new = np.flatnonzero(np.any(np.diff(takes[:, :2], axis=0, prepend=np.nan) != 0, axis=1))
    orders = takes[new].copy()
    orders[:, 3] = np.add.reduceat(takes[:, 3], new)
    return orders


def _returns(log_mid: NDArray[np.float64], span: int) -> NDArray[np.float64]:
    """Changes over `span` seconds, overlapping, nan where an end was not known."""
    return log_mid[span:] - log_mid[:-span]


def _median(values: NDArray[np.float64]) -> float:
    return float(np.median(values)) if values.size else float("nan")


def _rms(values: NDArray[np.float64]) -> float:
    values = values[np.isfinite(values)]
    return float(np.sqrt(np.mean(values**2))) if values.size else float("nan")


def _kurtosis(values: NDArray[np.float64]) -> float:
    values = values[np.isfinite(values)]
    spread = np.mean(values**2) ** 2 if values.size else 0.0
    return float(np.mean(values**4) / spread) if spread > 0 else float("nan")


def _autocorrelation(values: NDArray[np.float64], lag: int) -> float:
    if values.size <= lag + 2:
        return float("nan")
    a, b = values[lag:], values[:-lag]
    both = np.isfinite(a) & np.isfinite(b)
    if np.count_nonzero(both) < 3 or a[both].std() == 0 or b[both].std() == 0:
        return float("nan")
    return float(np.corrcoef(a[both], b[both])[0, 1])


def _dispersion(times: NDArray[np.float64], grid: NDArray[np.float64], log_mid: NDArray[np.float64]) -> float:
    edges = grid[::10]
    if edges.size < 3:
        return float("nan")
    counts = np.histogram(times, edges)[0]
    whole = np.array([np.isfinite(log_mid[i * 10 : i * 10 + 10]).all() for i in range(counts.size)])
    counts = counts[whole]
    return float(counts.var() / counts.mean()) if counts.size and counts.mean() > 0 else float("nan")


def _markout(
    orders: NDArray[np.float64], grid: NDArray[np.float64], log_mid: NDArray[np.float64], span_s: float
) -> float:
    at = np.searchsorted(grid, orders[:, 0] + span_s)
    inside = at < grid.size
    moved = orders[inside, 1] * (log_mid[at[inside]] - np.log(orders[inside, 4]) * 1e4)
    moved = moved[np.isfinite(moved)]
    return float(moved.mean()) if moved.size else float("nan")


def table(named: dict[str, Statistics]) -> str:
    """The measures of several tapes side by side, one a line."""
    width = max(len(name) for name in named) + 2
    lines = ["measure".ljust(26) + "".join(name.rjust(max(width, 12)) for name in named)]
    for field in fields(Statistics):
        values = (f"{getattr(item, field.name):.4g}".rjust(max(width, 12)) for item in named.values())
        lines.append(field.name.ljust(26) + "".join(values))
    return "\n".join(lines)
