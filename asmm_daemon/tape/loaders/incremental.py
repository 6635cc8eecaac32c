"""Level updates in columns, one a row, turned into messages: rows of one receive time belong together."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import TapeError
from asmm_daemon.events import CLEAR, DEPTH, Rows
from asmm_daemon.tape.columns import BREAK_NS, Quality, TapeInfo, empty_rows, gap_row
from asmm_daemon.tape.loaders.common import countable, to_grid
from asmm_daemon.tape.loaders.csv_table import Chunk
from asmm_daemon.tape.loaders.streams import Timeline


@dataclass(frozen=True, slots=True)
class Updates:
    """Columns of level updates; quantities are absolute, 0 removes."""

    exch_ns: NDArray[np.int64]
    local_ns: NDArray[np.int64]
    snapshot: NDArray[np.bool_]
    side: NDArray[np.int64]
    price: NDArray[np.float64]
    qty: NDArray[np.float64]


@dataclass(slots=True)
class Incremental:
    """The stream of one market's updates, across chunks and files."""

    info: TapeInfo
    quality: Quality
    timeline: Timeline
    known: bool = False  # a snapshot was seen
    in_snapshot: bool = False  # the row before belonged to one
    row_ns: int = 0  # its receive time
    seen: tuple[int, int] = (0, 0)  # times of the last message
    left: Rows = field(default_factory=lambda: empty_rows(0))  # a message that may go on

    def rows(self, chunk: Chunk, updates: Updates) -> Rows:
        """Whole messages of a chunk; the last one is kept until it is known to be whole."""
        if not len(chunk):
            return empty_rows(0)
        self._check(chunk, updates)
        local_ns = self.timeline.repaired(chunk.path, chunk.lines, updates.exch_ns, updates.local_ns)
        silent = np.diff(local_ns, prepend=self.row_ns or local_ns[0]) > BREAK_NS
        starts = updates.snapshot & (silent | ~np.concatenate([[self.in_snapshot], updates.snapshot[:-1]]))
        self.row_ns = int(local_ns[-1])
        self.in_snapshot = bool(updates.snapshot[-1])
        rows = empty_rows(len(chunk))
        rows["exch_ns"], rows["local_ns"] = updates.exch_ns, local_ns
        rows["kind"], rows["side"] = DEPTH, updates.side
        rows["price"] = to_grid(updates.price, self.info.tick, self.quality)
        rows["qty"] = to_grid(updates.qty, self.info.lot, self.quality)
        rows["qty"][(updates.qty > 0) & (rows["qty"] == 0)] = 1
        rows["last"] = np.append(updates.local_ns[1:] != updates.local_ns[:-1], False) | np.append(
            starts[1:], False
        )
        pieces = []
        at = 0
        for start in np.flatnonzero(starts):
            pieces += [self._sooner(rows[at:start]), self._begin(rows[start])]
            at = int(start)
        pieces.append(self._sooner(rows[at:]))
        return self._whole(np.concatenate([self.left, *pieces]))

    def rest(self, path: Path) -> Rows:
        """The message that a file ends with. Raises TapeError when no snapshot came before it."""
        if not self.known and self.quality.ignored:
            raise TapeError(f"{path}: line 2: no snapshot in the file, so its book is not known")
        rows, self.left = self.left, empty_rows(0)
        if rows.size:
            rows["last"][-1] = True
            self.quality.messages += 1
            self.seen = int(rows["exch_ns"][-1]), int(rows["local_ns"][-1])
        return rows

    def _check(self, chunk: Chunk, updates: Updates) -> None:
        bad = ~(countable(updates.price, self.info.tick) & countable(updates.qty, self.info.lot))
        bad |= updates.price == 0
        if bad.any():
            row = int(np.argmax(bad))
            chunk.fail(row, f"a level of {updates.qty[row]} at {updates.price[row]}")

    def _sooner(self, rows: Rows) -> Rows:
        """Rows up to a snapshot, unless none was seen yet."""
        if not self.known:
            self.quality.ignored += rows.size
            return rows[:0]
        if rows.size:
            self.seen = int(rows["exch_ns"][-1]), int(rows["local_ns"][-1])
        return rows

    def _begin(self, first: Rows) -> Rows:
        """What precedes a snapshot's levels: after a silence a GAP, always both CLEAR rows."""
        clear = empty_rows(2)
        clear["exch_ns"], clear["local_ns"] = first["exch_ns"], first["local_ns"]
        clear["kind"], clear["side"] = CLEAR, (1, -1)
        silent = self.known and int(first["local_ns"]) - self.seen[1] > BREAK_NS
        self.known = True
        if not silent:
            return clear
        self.quality.gaps += 1
        self.quality.gap_ns += int(first["local_ns"]) - self.seen[1]
        return np.concatenate([gap_row(self.seen[0] + BREAK_NS, self.seen[1] + BREAK_NS), clear])

    def _whole(self, rows: Rows) -> Rows:
        if not rows.size:
            return rows
        split = self.left.size
        if split and (
            rows["local_ns"][split - 1] != rows["local_ns"][min(split, rows.size - 1)]
            or (rows.size > split and rows["kind"][split] != DEPTH)
        ):
            rows["last"][split - 1] = True
        ends = np.flatnonzero(rows["last"])
        whole = int(ends[-1]) + 1 if ends.size else 0
        self.left = rows[whole:].copy()
        self.quality.messages += int(np.count_nonzero(rows["last"][:whole]))
        return rows[:whole]
