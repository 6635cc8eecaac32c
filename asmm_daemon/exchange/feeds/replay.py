"""A recording, played on the venue's clock.

The first message falls at the venue's start; later ones keep their distances. A hole of more than
ten minutes (between files of different days) is closed up to a second. When asked to loop, a GAP
ends a pass and the next one starts a second later.
"""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Source, Tape, gap_row, message_ends
from asmm_daemon.units import NS_PER_S, Instrument

HOLE_NS = 600 * NS_PER_S
SEAM_NS = NS_PER_S


class ReplayStream:
    """One recorded market. Reads lazily, a chunk at a time; files are read one chunk ahead, in a thread.

    Args:
        source: the recording.
        instrument: the market as the venue lists it.
        start_ns: venue time at which the first message falls.
        loop: start over at the end, for ever.
    """

    def __init__(self, source: Source, instrument: Instrument, start_ns: int, *, loop: bool = False) -> None:
        self.instrument = instrument
        self.offset_ns = 0
        self._source = source
        self._loop = loop
        self._seam_ns = start_ns  # venue time at which the pass to come begins
        self._reader = ThreadPoolExecutor(1, "replay") if source.files else None
        self._ahead: Future[Tape | None] | None = None
        self._chunks: Iterator[Tape] = iter(source)
        self._fresh = True
        self._recorded_ns = 0  # latest venue time in the recording's own clock, holes closed
        self._rows: Rows = np.zeros(0, np.int64)
        self._ends: list[int] = []
        self._times: list[int] = []
        self._at = 0
        self._low = 0
        self._load()

    def next_ns(self) -> int | None:
        """Venue time of the next message; None when the recording has ended."""
        return self._times[self._at] if self._at < len(self._times) else None

    def pop(self) -> Rows:
        """The next message's rows. Raises IndexError at the end, TapeError when the file is corrupt."""
        high = self._ends[self._at]
        rows = self._rows[self._low : high]
        self._low = high
        self._at += 1
        if self._at == len(self._ends):
            self._load()
        return rows

    def close(self) -> None:
        """Forgets the recording."""
        if self._reader is not None:
            self._reader.shutdown(wait=True, cancel_futures=True)
            self._reader = None
        self._ahead = None
        self._chunks = iter(())
        self._loop = False
        self._ends, self._times = [], []

    def _load(self) -> None:
        tape = self._next_chunk()
        if tape is None:
            if self._loop and not self._fresh:
                self._start_over()
            else:
                self._use(np.zeros(0, self._rows.dtype))
            return
        self._use(self._rebased(tape.rows))

    def _next_chunk(self) -> Tape | None:
        if self._reader is None:
            return next(self._chunks, None)
        tape = self._ahead.result() if self._ahead is not None else next(self._chunks, None)
        self._ahead = None if tape is None else self._reader.submit(next, self._chunks, None)
        return tape

    def _start_over(self) -> None:
        end_ns = self._recorded_ns + self.offset_ns
        self._seam_ns = end_ns + SEAM_NS
        self._chunks = iter(self._source)
        self._fresh = True
        self._use(gap_row(end_ns, end_ns))

    def _use(self, rows: Rows) -> None:
        self._rows = rows
        self._ends = message_ends(rows) if rows.size else []
        self._times = rows["exch_ns"][np.array(self._ends) - 1].tolist() if self._ends else []
        self._at = self._low = 0

    def _rebased(self, recorded: Rows) -> Rows:
        rows = recorded.copy()
        exch = rows["exch_ns"]
        if self._fresh:
            self.offset_ns = self._seam_ns - int(exch[0])
            self._recorded_ns = int(exch[0])
            self._fresh = False
        own_ns = self._recorded_ns
        exch = np.maximum.accumulate(np.maximum(exch, own_ns))
        steps = np.diff(exch, prepend=own_ns)
        closed = np.cumsum(np.where(steps > HOLE_NS, steps - SEAM_NS, 0))
        self._recorded_ns = int(exch[-1])
        rows["exch_ns"] = exch - closed + self.offset_ns
        rows["local_ns"] = np.maximum(rows["local_ns"] - closed + self.offset_ns, rows["exch_ns"])
        self.offset_ns -= int(closed[-1])
        return rows
