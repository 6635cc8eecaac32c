"""A recording that must show a book: trades alone are no market to quote in, or to trade on."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from asmm_daemon.errors import TapeError
from asmm_daemon.events import BBO, DEPTH
from asmm_daemon.tape.columns import Quality, Source, Tape, TapeInfo

PATIENCE = 1_000_000
"""Rows that may come before the first of a book; they are held back until then."""


class Booked:
    """A source that hands nothing out before it has seen a row of the book."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def info(self) -> TapeInfo:
        """Market and grid of the recording."""
        return self._source.info

    @property
    def files(self) -> tuple[Path, ...]:
        """The recording's files."""
        return self._source.files

    @property
    def quality(self) -> Quality:
        """Counts of the latest reading."""
        return self._source.quality

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
