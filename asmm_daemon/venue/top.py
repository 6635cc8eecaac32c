"""Our own top of book, to compare with what the venue says when asked."""

import numpy as np

from asmm_daemon.core.book import Book, apply, is_valid, new_book
from asmm_daemon.errors import UnitError
from asmm_daemon.events import Rows
from asmm_daemon.kernels import kernel
from asmm_daemon.units import Instrument
from asmm_daemon.venue.dialect import Top

_WIDTH = 16384


@kernel
def _apply_rows(book: Book, rows: Rows) -> None:
    for i in range(rows.size):
        row = rows[i]
        apply(book, np.int64(row.kind), np.int64(row.side), row.price, row.qty)  # type: ignore[arg-type]


class TopOfBook:
    """Follows the rows of one market."""

    def __init__(self) -> None:
        self._book = new_book(_WIDTH)

    def apply(self, rows: Rows) -> None:
        """Takes in the rows of one message."""
        _apply_rows(self._book, rows)

    def equals(self, instrument: Instrument, top: Top) -> bool:
        """Whether both best prices are the venue's."""
        head = self._book.head[0]
        try:
            bid, ask = instrument.ticks(top.bid), instrument.ticks(top.ask)
        except UnitError:
            return False
        return bool(is_valid(self._book)) and head["bid"] == bid and head["ask"] == ask


def warm_up(rows: Rows) -> None:
    """Compiles the kernel with rows as the stream makes them."""
    TopOfBook().apply(rows)
