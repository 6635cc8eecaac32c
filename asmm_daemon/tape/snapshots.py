"""Snapshots of a book, turned into the changes between them.

A snapshot shows a side from its best price down to its deepest visible one. Within that range a
level that is missing is gone; beyond it levels stay as they were last seen. The first snapshot, and
the first after a silence, is a message of CLEAR rows and all levels.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.events import CLEAR, DEPTH, GAP, ROW, Rows
from asmm_daemon.kernels import kernel
from asmm_daemon.tape.columns import BREAK_NS, Quality

KEPT = 4096
"""Levels a side that are remembered, visible or not."""
_BATCH_LEVELS = 100_000


@kernel
def _side_changes(
    rows: NDArray[Any],
    at: int,
    side: int,
    keys: NDArray[np.int64],
    qtys: NDArray[np.int64],
    count: int,
    prices: NDArray[np.int64],
    sizes: NDArray[np.int64],
    floor: int,
) -> tuple[int, int, int]:
    """Merges a snapshot's side into the remembered levels, writing a DEPTH row for each change.

    `keys` are -side * price, so that the best level comes first on both sides. Prices below `floor`
    (asks of a locked book) move up to it. Returns rows written so far, levels kept, levels moved.
    """
    new_keys = np.empty(prices.size, np.int64)
    new_qtys = np.empty(prices.size, np.int64)
    n_new = 0
    moved = 0
    for k in range(prices.size):
        price = prices[k]
        if price <= 0 or sizes[k] <= 0:
            continue
        if price < floor:
            price = floor
            moved += 1
        key = -side * price
        if n_new > 0 and new_keys[n_new - 1] == key:
            new_qtys[n_new - 1] += sizes[k]
            continue
        new_keys[n_new] = key
        new_qtys[n_new] = sizes[k]
        n_new += 1
    if n_new == 0:
        return at, count, moved
    deepest = new_keys[n_new - 1]
    out_keys = np.empty(min(count + n_new, keys.size), np.int64)
    out_qtys = np.empty(out_keys.size, np.int64)
    kept = 0
    i = 0
    j = 0
    while i < count or j < n_new:
        if i < count and (j >= n_new or keys[i] < new_keys[j]):
            key = keys[i]
            old = qtys[i]
            qty = 0 if key <= deepest else old
            i += 1
        else:
            key = new_keys[j]
            qty = new_qtys[j]
            old = 0
            if i < count and keys[i] == key:
                old = qtys[i]
                i += 1
            j += 1
        if qty != old:
            row = rows[at]
            row.kind = DEPTH
            row.side = side
            row.price = -side * key
            row.qty = qty
            at += 1
        if qty > 0 and kept < out_keys.size:
            out_keys[kept] = key
            out_qtys[kept] = qty
            kept += 1
    keys[:kept] = out_keys[:kept]
    qtys[:kept] = out_qtys[:kept]
    return at, kept, moved


@kernel
def _changes(
    rows: NDArray[Any],
    levels: NDArray[np.int64],
    counts: NDArray[np.int64],
    times: NDArray[np.int64],
    books: NDArray[np.int64],
    seen: NDArray[np.int64],
    break_ns: int,
    locked_step: int,
) -> tuple[int, int, int, int]:
    """Rows of consecutive snapshots. Returns rows written, gaps, time in gaps, locked books.

    `levels` (4, KEPT): bid keys, bid lots, ask keys, ask lots; `counts` (2,) how many are held.
    `times` (n, 3): exch_ns, local_ns, update id; `books` (4, n, depth): prices and lots of both sides.
    `seen` (2,): exch_ns and local_ns of the last snapshot, -1 before the first.
    """
    at = 0
    gaps = 0
    gap_ns = 0
    locked = 0
    for k in range(times.shape[0]):
        start = at
        fresh = seen[0] < 0
        if not fresh and times[k, 0] - seen[0] > break_ns:
            row = rows[at]
            row.kind = GAP
            row.exch_ns = seen[0] + break_ns
            row.local_ns = seen[1] + break_ns
            row.last = True
            at += 1
            start = at
            gaps += 1
            gap_ns += times[k, 0] - seen[0]
            fresh = True
        if fresh:
            counts[:] = 0
            for side in (1, -1):
                rows[at].kind = CLEAR
                rows[at].side = side
                at += 1
        floor = 0
        if locked_step > 0:
            floor = books[0, k, 0] + locked_step
        at, counts[0], moved = _side_changes(
            rows, at, 1, levels[0], levels[1], counts[0], books[0, k], books[1, k], 0
        )
        at, counts[1], moved = _side_changes(
            rows, at, -1, levels[2], levels[3], counts[1], books[2, k], books[3, k], floor
        )
        locked += moved > 0
        for i in range(start, at):
            rows[i].exch_ns = times[k, 0]
            rows[i].local_ns = times[k, 1]
            rows[i].id = times[k, 2]
        if at > start:
            rows[at - 1].last = True
        seen[0] = times[k, 0]
        seen[1] = times[k, 1]
    return at, gaps, gap_ns, locked


class SnapshotBook:
    """The book as the snapshots so far have shown it; turns further ones into rows.

    Args:
        quality: where gaps and locked books are counted.
        break_ns: silence after which a GAP row is written `break_ns` after the last snapshot.
        locked_step: ticks by which the ask of a locked book is raised; 0 leaves it locked.
    """

    def __init__(self, quality: Quality, *, break_ns: int = BREAK_NS, locked_step: int = 0) -> None:
        self._quality = quality
        self._break_ns = break_ns
        self._locked_step = locked_step
        self._levels = np.zeros((4, KEPT), np.int64)
        self._counts = np.zeros(2, np.int64)
        self._seen = np.full(2, -1, np.int64)

    def rows(self, times: NDArray[np.int64], books: NDArray[np.int64]) -> Rows:
        """Rows of consecutive snapshots.

        Args:
            times: (n, 3) exch_ns, local_ns and update id of each.
            books: (4, n, depth) bid ticks, bid lots, ask ticks, ask lots, best level first; 0 pads.
        """
        depth = books.shape[2]
        step = max(1, _BATCH_LEVELS // max(depth, 1))
        done: list[Rows] = []
        for low in range(0, times.shape[0], step):
            batch = np.ascontiguousarray(books[:, low : low + step])
            rows = np.zeros(batch.shape[1] * (4 * depth + 3) + 2 * KEPT, ROW)
            rows["id"] = -1
            written, gaps, gap_ns, locked = _changes(
                rows, self._levels, self._counts, np.ascontiguousarray(times[low : low + step]), batch,
                self._seen, self._break_ns, self._locked_step,
            )  # fmt: skip
            self._quality.gaps += gaps
            self._quality.gap_ns += gap_ns
            self._quality.locked += locked
            done.append(rows[:written].copy())
        return np.concatenate(done) if done else np.zeros(0, ROW)
