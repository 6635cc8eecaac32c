"""Venue messages to tape rows: the hot path, one compiled call per message."""

from collections.abc import Sequence
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.events import BBO, CLEAR, DEPTH, FUNDING, GAP, MARK, ROW, TRADE, Rows
from asmm_daemon.kernels import kernel
from asmm_daemon.units import Instrument

Level = Sequence[str]
Levels = Sequence[Level]

_OFF_GRID = 1e-3
"""A price or quantity further than this share of a step from the grid is refused."""


@kernel
def _fill(
    rows: Rows,
    first: int,
    values: NDArray[np.float64],
    n_bids: int,
    per_tick: float,
    per_lot: float,
    exch_ns: int,
    local_ns: int,
    update_id: int,
) -> bool:
    """Writes DEPTH rows of (price, qty) pairs, bids first, from row `first`; False when off the grid."""
    n = values.size // 2
    for i in range(n):
        price = values[2 * i] * per_tick
        qty = values[2 * i + 1] * per_lot
        ticks = np.rint(price)
        lots = np.rint(qty)
        if not (abs(price - ticks) < _OFF_GRID and abs(qty - lots) < _OFF_GRID and ticks > 0 and lots >= 0):
            return False
        row = rows[first + i]
        row.exch_ns = exch_ns
        row.local_ns = local_ns
        row.kind = DEPTH
        row.side = 1 if i < n_bids else -1
        row.price = np.int64(ticks)
        row.qty = np.int64(lots)
        row.id = update_id
        row.last = False
    return True


class RowMaker:
    """Makes the rows of one market. Raises ValueError for numbers that no such market has."""

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._per_tick = float(1 / instrument.tick)
        self._per_lot = float(1 / instrument.lot)

    def depth(self, bids: Levels, asks: Levels, exch_ns: int, local_ns: int, update_id: int) -> Rows:
        """A diff message: absolute quantities per price. Empty diffs give no rows."""
        n = len(bids) + len(asks)
        rows = np.empty(n, ROW)
        if n:
            self._write(rows, 0, bids, asks, exch_ns, local_ns, update_id)
            rows[-1]["last"] = True
        return rows

    def snapshot(self, bids: Levels, asks: Levels, exch_ns: int, local_ns: int, update_id: int) -> Rows:
        """A whole book: both sides cleared, then every level. Raises ValueError when a side is empty."""
        if not bids or not asks:
            raise ValueError(f"{self.instrument.symbol}: a snapshot with an empty side is no book")
        rows = np.empty(2 + len(bids) + len(asks), ROW)
        local_ns = max(local_ns, exch_ns)
        rows[0] = (exch_ns, local_ns, CLEAR, 1, 0, 0, update_id, False)
        rows[1] = (exch_ns, local_ns, CLEAR, -1, 0, 0, update_id, False)
        self._write(rows, 2, bids, asks, exch_ns, local_ns, update_id)
        rows[-1]["last"] = True
        return rows

    def _write(
        self, rows: Rows, first: int, bids: Levels, asks: Levels, exch_ns: int, local_ns: int, update_id: int
    ) -> None:
        count = 2 * (len(bids) + len(asks))
        levels = chain.from_iterable(chain(bids, asks))
        ok = _fill(
            rows,
            first,
            np.fromiter(map(float, levels), np.float64, count),
            len(bids),
            self._per_tick,
            self._per_lot,
            exch_ns,
            max(local_ns, exch_ns),
            update_id,
        )
        if not ok:
            raise ValueError(f"{self.instrument.symbol}: a level lies off the grid or is not a number")

    def trade(self, price: str, qty: str, side: int, exch_ns: int, local_ns: int, trade_id: int) -> Rows:
        """One public trade; `side` is the aggressor's."""
        ticks, lots = self._grid(price, qty)
        rows = np.empty(1, ROW)
        rows[0] = (exch_ns, max(local_ns, exch_ns), TRADE, side, ticks, lots, trade_id, True)
        return rows

    def bbo(self, side: int, price: str, qty: str, exch_ns: int, local_ns: int, update_id: int) -> Rows:
        """One side's best level."""
        ticks, lots = self._grid(price, qty)
        rows = np.empty(1, ROW)
        rows[0] = (exch_ns, max(local_ns, exch_ns), BBO, side, ticks, lots, update_id, True)
        return rows

    def _grid(self, price: str, qty: str) -> tuple[int, int]:
        ticks = float(price) * self._per_tick
        lots = float(qty) * self._per_lot
        if not (0 < ticks < 2**62 and 0 <= lots < 2**62):
            raise ValueError(f"{self.instrument.symbol}: price {price} or quantity {qty} is no market's")
        return round(ticks), round(lots)

    def gap(self, now_ns: int) -> Rows:
        """The book is unknown from here on."""
        return _single(now_ns, now_ns, GAP, 0)

    def funding(self, rate: float, applied_ns: int, now_ns: int) -> Rows:
        """A funding rate, applied at `applied_ns`, which may lie ahead."""
        return _single(applied_ns, now_ns, FUNDING, round(rate * 1e8))

    def mark(self, price: str, exch_ns: int, now_ns: int) -> Rows:
        """The mark price, to the nearest tick."""
        return _single(exch_ns, now_ns, MARK, round(float(price) * self._per_tick))


def _single(exch_ns: int, local_ns: int, kind: int, price: int) -> Rows:
    rows = np.empty(1, ROW)
    rows[0] = (exch_ns, local_ns, kind, 0, price, 0, -1, True)
    return rows


def warm_up(maker: RowMaker) -> Rows:
    """Compiles the kernel with a call as the stream makes it; returns the rows."""
    tick, lot = str(maker.instrument.tick), str(maker.instrument.lot)
    return maker.depth([[tick, lot]], [[tick, lot]], 1, 1, 1)
