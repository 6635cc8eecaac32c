"""A stretch of a recording that begins with the whole book, whatever came before it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import NO_ASK, NO_BID, Book, apply, new_book, next_level, qty_at
from asmm_daemon.events import CLEAR, DEPTH, TRADE, Rows
from asmm_daemon.kernels import kernel
from asmm_daemon.tape.columns import Reading, Source, Tape, empty_rows, gap_row

_DEPTH_KEPT = 2000
"""Levels a side that the first message shows."""


class Window(Reading):
    """The messages of a source with start_ns <= local_ns < end_ns, after one that shows the book so far.

    Where the book is not known at the start, the first message is a GAP. The counts of quality include
    what lies before the window.
    """

    def __init__(self, source: Source, start_ns: int | None = None, end_ns: int | None = None) -> None:
        super().__init__(source)
        self._start_ns = start_ns
        self._end_ns = end_ns

    def __iter__(self) -> Iterator[Tape]:
        """Reads from the start of the window."""
        book = new_book() if self._start_ns is not None else None
        for tape in self._source:
            rows = tape.rows
            if self._end_ns is not None:
                rows = rows[: border(rows, self._end_ns)]
            if book is not None and self._start_ns is not None:
                low = border(rows, self._start_ns)
                fold(book, rows[:low])
                rows = rows[low:]
                if rows.size:
                    yield Tape(self.info, first_message(book, rows[0]))
                    book = None
            if rows.size:
                yield Tape(self.info, rows)
            if self._end_ns is not None and tape.rows["local_ns"][-1] >= self._end_ns:
                return


def border(rows: Rows, local_ns: int) -> int:
    """The first message border at or after a receive time."""
    at = int(np.searchsorted(rows["local_ns"], local_ns))
    while 0 < at < rows.size and not rows["last"][at - 1]:
        at += 1
    return at


@kernel
def fold(book: Book, rows: NDArray[Any]) -> None:
    """Applies all book rows."""
    for row in rows:
        if row.kind != TRADE:
            apply(book, row.kind, row.side, row.price, row.qty)


@kernel
def levels(book: Book, rows: NDArray[Any]) -> int:
    """Writes the book as CLEAR and DEPTH rows, best levels first; returns their number."""
    at = 0
    for side in (1, -1):
        rows[at].kind = CLEAR
        rows[at].side = side
        at += 1
        price = book.head[0].bid if side > 0 else book.head[0].ask
        end = at + _DEPTH_KEPT
        while price != NO_BID and price != NO_ASK and at < end:
            row = rows[at]
            row.kind = DEPTH
            row.side = side
            row.price = price
            row.qty = qty_at(book, side, price)
            at += 1
            price = next_level(book, side, price)
    return at


def first_message(book: Book, follows: Any) -> Rows:
    """One message: the book, at the time of the message that follows."""
    if not book.head[0]["known"]:
        return gap_row(int(follows["exch_ns"]), int(follows["local_ns"]))
    rows = empty_rows(2 * _DEPTH_KEPT + 2)
    rows = rows[: levels(book, rows)]
    rows["exch_ns"], rows["local_ns"] = follows["exch_ns"], follows["local_ns"]
    rows["last"][-1] = True
    return rows
