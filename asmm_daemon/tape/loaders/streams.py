"""Book and trade files of one market, each in time order, joined to one tape with bounded memory.

A row's receive time may go back by up to a second (a repair, counted); more is an error, since it
would mean files in a wrong order or two recordings in one. At equal times the book comes first.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import TapeError
from asmm_daemon.events import DEPTH, TRADE, Rows
from asmm_daemon.tape.columns import Quality, TapeInfo, empty_rows, repair_local
from asmm_daemon.tape.loaders.common import countable, to_grid
from asmm_daemon.tape.loaders.csv_table import Chunk
from asmm_daemon.units import NS_PER_S

BACK_NS = NS_PER_S
"""How far a receive time may go back."""
AHEAD_NS = 60 * NS_PER_S
"""How far a recorder's clock may be behind the venue's."""
JUMP = 10.0
"""A price this many times another one is another column."""
_END_NS = 2**62


@dataclass(slots=True)
class Timeline:
    """The receive times of one stream, across its files."""

    quality: Quality
    local_ns: int = 0

    def repaired(
        self,
        path: Path,
        lines: NDArray[np.int64],
        exch_ns: NDArray[np.int64],
        local_ns: NDArray[np.int64],
    ) -> NDArray[np.int64]:
        """Receive times that never run backwards. Raises TapeError at one that is out of order."""
        if not local_ns.size:
            return local_ns
        before = np.maximum.accumulate(np.concatenate([[self.local_ns], local_ns[:-1]]))
        back = before - local_ns > BACK_NS
        if back.any():
            row = int(np.argmax(back))
            seconds = (before[row] - local_ns[row]) / NS_PER_S
            raise TapeError(f"{path}: line {lines[row]}: time goes back by {seconds:.3f} s")
        ahead = exch_ns - local_ns > AHEAD_NS
        if ahead.any():
            row = int(np.argmax(ahead))
            seconds = (exch_ns[row] - local_ns[row]) / NS_PER_S
            raise TapeError(f"{path}: line {lines[row]}: received {seconds:.3f} s before the venue's time")
        times: NDArray[np.int64] = repair_local(exch_ns, local_ns, self.local_ns, self.quality)
        self.local_ns = int(times[-1])
        return times


@dataclass(slots=True)
class Trades:
    """Columns of trades, as rows; knows the trade before to see duplicates, jumps and the tick rule."""

    info: TapeInfo
    quality: Quality
    timeline: Timeline
    id: int = -1
    price: float = 0.0
    side: int = 1
    key: str = ""

    def rows(
        self,
        chunk: Chunk,
        times: tuple[NDArray[np.int64], NDArray[np.int64]],
        side: NDArray[np.int64],
        price: NDArray[np.float64],
        qty: NDArray[np.float64],
        ids: NDArray[np.int64] | None = None,
        key: str = "",
    ) -> Rows:
        """One message a trade; those of quantity 0 are no trades and are left out.

        Args:
            chunk: where the columns come from.
            times: of the venue and of receipt, which is the venue's where no other is known.
            side: +1 a buying taker, -1 a selling one, 0 unknown: the tick rule decides.
            price: quote currency.
            qty: base currency.
            ids: trade ids, which only rise: one seen before is a duplicate.
            key: a column of names of trades: one that follows itself is a duplicate.
        """
        keep = qty != 0
        if key and len(chunk):
            again = chunk.repeated(key, self.key)
            self.key = str(chunk.table[key][-1].as_py())
            self.quality.duplicates += int(np.count_nonzero(again))
            keep &= ~again
        if ids is not None:
            fresh = ids > np.maximum.accumulate(np.concatenate([[self.id], ids[:-1]]))
            self.id = max(self.id, int(ids.max(initial=-1)))
            self.quality.duplicates += int(np.count_nonzero(~fresh))
            keep &= fresh
            ids = ids[keep]
        self.quality.ignored += int(np.count_nonzero(qty == 0))
        chunk, (exch_ns, local_ns) = chunk.only(keep), (time[keep] for time in times)
        side, price, qty = side[keep], price[keep], qty[keep]
        if not price.size:
            return empty_rows(0)
        before = self._checked(chunk, price, qty)
        rows = empty_rows(price.size)
        rows["side"] = self._sides(side, price - before)
        rows["exch_ns"], rows["local_ns"] = (
            exch_ns,
            self.timeline.repaired(chunk.path, chunk.lines, exch_ns, local_ns),
        )
        rows["price"] = to_grid(price, self.info.tick, self.quality)
        rows["qty"] = np.maximum(to_grid(qty, self.info.lot, self.quality), 1)
        rows["kind"], rows["last"] = TRADE, True
        if key:
            rows["id"] = chunk.numbered(key)
        elif ids is not None:
            rows["id"] = ids
        self.price = float(price[-1])
        self.quality.messages += rows.size
        return rows

    def _checked(
        self, chunk: Chunk, price: NDArray[np.float64], qty: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """The price before each trade. Raises TapeError at what no trade can be."""
        bad = ~(countable(price, self.info.tick) & countable(qty, self.info.lot)) | (price == 0)
        if bad.any():
            row = int(np.argmax(bad))
            chunk.fail(row, f"a trade of {qty[row]} at {price[row]}")
        before = np.concatenate([[self.price or price[0]], price[:-1]])
        jump = (price > before * JUMP) | (price < before / JUMP)
        if jump.any():
            row = int(np.argmax(jump))
            chunk.fail(row, f"a trade at {price[row]} after one at {before[row]}: are columns swapped?")
        return before

    def _sides(self, side: NDArray[np.int64], change: NDArray[np.float64]) -> NDArray[np.int64]:
        """Unknown sides by the tick rule: that of the last change of the price."""
        steps = np.concatenate([[self.side], np.sign(change).astype(np.int64)])
        held = np.maximum.accumulate(np.where(steps != 0, np.arange(steps.size), 0))
        rule = steps[held]
        self.side = int(rule[-1])
        self.quality.sides_inferred += int(np.count_nonzero(side == 0))
        return np.where(side != 0, side, rule[1:])


@dataclass(slots=True)
class _Ahead:
    """Rows of a stream that were read but not handed out."""

    source: Iterator[Rows]
    rows: Rows = field(default_factory=lambda: empty_rows(0))
    ended: bool = False

    def until(self) -> int:
        """Rows before this receive time are complete."""
        if self.ended:
            return _END_NS
        return int(self.rows["local_ns"][-1]) if self.rows.size else 0

    def read(self) -> None:
        more = next(self.source, None)
        if more is None:
            self.ended = True
        elif more.size:
            self.rows = np.concatenate([self.rows, more])

    def take(self, until_ns: int) -> Rows:
        split = int(np.searchsorted(self.rows["local_ns"], until_ns))
        taken, self.rows = self.rows[:split], self.rows[split:]
        return taken


def merged(books: Iterator[Rows], trades: Iterator[Rows], origin: str) -> Iterator[Rows]:
    """Both streams by receive time, the book first at equal times.

    Raises TapeError, naming `origin`, when trades are nowhere near the book.
    """
    book, trade = _Ahead(books), _Ahead(trades)
    while not (book.ended and trade.ended):
        slower = min((book, trade), key=_Ahead.until)
        slower.read()
        until = min(book.until(), trade.until())
        levels, takes = book.take(until), trade.take(until)
        _same_prices(levels, takes, origin)
        rows = np.concatenate([levels, takes])
        if rows.size:
            yield rows[np.argsort(rows["local_ns"], kind="stable")]


def _same_prices(books: Rows, trades: Rows, origin: str) -> None:
    levels = books["price"][(books["kind"] == DEPTH) & (books["qty"] > 0)]
    if not levels.size or not trades.size:
        return
    level, trade = float(np.median(levels)), float(np.median(trades["price"]))
    if not level / JUMP < trade < level * JUMP:
        raise TapeError(
            f"{origin}: trades near {trade:.0f} ticks, a book near {level:.0f}: are columns swapped, or the"
            " trades of another market?"
        )
