"""A recording that must show a book: trades alone are no market to quote in, or to trade on."""

from collections.abc import Iterator

import numpy as np

from asmm_daemon.errors import TapeError
from asmm_daemon.events import BBO, DEPTH
from asmm_daemon.tape.columns import Reading, Tape

PATIENCE = 1_000_000
"""Rows that may come before the first of a book; they are held back until then."""


class Booked(Reading):
    """A source that hands nothing out before it has seen a row of the book."""

    def __iter__(self) -> Iterator[Tape]:
        """Reads from the start. Raises TapeError, naming the file, when there is no book."""
        held: list[Tape] = []
        chunks = iter(self._source)
        for tape in chunks:
            held.append(tape)
            if np.isin(tape.rows["kind"], (DEPTH, BBO)).any():
                break
            if sum(each.rows.size for each in held) > PATIENCE:
                raise self._bookless("first ", held)
        else:
            raise self._bookless("", held)
        yield from held
        held.clear()
        yield from chunks

    def _bookless(self, which: str, held: list[Tape]) -> TapeError:
        rows = sum(each.rows.size for each in held)
        named = f"{self.files[0]}: " if self.files else ""
        return TapeError(
            f"{named}no book of {self.info.symbol}, only trades, in its {which}{rows:,} rows: quotes and "
            "fills need book rows (depth changes or best prices); give the book's files as well"
        )
