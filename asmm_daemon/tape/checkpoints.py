"""Checkpoints of a tape: the whole state of its market every so often, to start from anywhere at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.market import MarketState, new_market, on_rows
from asmm_daemon.core.params import Params
from asmm_daemon.events import Rows
from asmm_daemon.tape.window import border
from asmm_daemon.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class _Side:
    cells: NDArray[np.int64]
    lots: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One state: the records as they are, the book as its occupied cells."""

    row: int
    head: NDArray[Any]
    bids: _Side
    asks: _Side
    market: NDArray[Any]
    volatility: NDArray[Any]
    intensity: NDArray[Any]


class Checkpoints:
    """States at message borders; `times_ns` is the receive time of the message that follows each."""

    def __init__(self, points: list[Checkpoint], times_ns: NDArray[np.int64]) -> None:
        self._points = points
        self.times_ns = times_ns

    def __len__(self) -> int:
        return len(self._points)

    def restore(self, i: int, into: MarketState) -> int:
        """Copies state `i` into a market of the same width; returns the first row that follows it."""
        point = self._points[i]
        into.book.head[:] = point.head
        for cells, side in ((into.book.bids, point.bids), (into.book.asks, point.asks)):
            cells[:] = 0
            cells[side.cells] = side.lots
        into.market[:], into.volatility[:], into.intensity[:] = (
            point.market,
            point.volatility,
            point.intensity,
        )
        return point.row


def build(rows: Rows, params: Params, every_s: float = 60.0, *, width: int = 65536) -> Checkpoints:
    """The states of a tape every `every_s` seconds of its receive clock, and at its end."""
    state = new_market(width)
    local = rows["local_ns"]
    points, times, at = [], [], 0
    for t_ns in range(int(local[0]), int(local[-1]), round(every_s * NS_PER_S)):
        to = border(rows, t_ns)
        if to >= len(rows):
            break
        on_rows(state, params, rows[at:to])
        at = to
        points.append(_point(state, to))
        times.append(int(local[to]))
    return Checkpoints(points, np.array(times, np.int64))


def _point(state: MarketState, row: int) -> Checkpoint:
    bids, asks = (_Side(found := np.flatnonzero(cells), cells[found]) for cells in state.book[1:])
    kept = (state.book.head, state.market, state.volatility, state.intensity)
    head, market, volatility, intensity = (record.copy() for record in kept)
    return Checkpoint(row, head, bids, asks, market, volatility, intensity)
