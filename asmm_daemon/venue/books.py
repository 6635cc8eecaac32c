"""Book synchronisation as the venues document it: which message may follow which.

Pure: messages in, rows out. A break in the sequence raises `SequenceGap`; the stream then says so in
a GAP row and starts over.
"""

from typing import Any

import numpy as np

from asmm_daemon.events import Rows
from asmm_daemon.units import NS_PER_MS
from asmm_daemon.venue.rows import RowMaker


class SequenceGap(Exception):
    """A message is missing: the book is unknown until a new snapshot."""


class BinanceBook:
    """Depth diffs joined to a REST snapshot by update ids (`U`, `u`, and `pu` on futures)."""

    def __init__(self, maker: RowMaker, *, futures: bool) -> None:
        self._maker = maker
        self._futures = futures
        self._held: list[tuple[dict[str, Any], int]] = []
        self._first = False
        self.last_id = -1

    @property
    def synced(self) -> bool:
        """Whether diffs continue a known book."""
        return self.last_id >= 0

    def reset(self) -> None:
        """Forgets the book; diffs are held back until the next snapshot."""
        self._held.clear()
        self.last_id = -1

    def diff(self, message: dict[str, Any], local_ns: int) -> Rows | None:
        """Rows of a diff; None while it is held back or was already in the book."""
        if not self.synced:
            self._held.append((message, local_ns))
            return None
        return self._apply(message, local_ns)

    def snapshot(self, message: dict[str, Any], now_ns: int) -> Rows | None:
        """Rows of the snapshot and of the held diffs; None when it is older than what we hold."""
        update_id = int(message["lastUpdateId"])
        if self._held and int(self._held[0][0]["U"]) > update_id + 1:
            return None
        exch_ns = int(message.get("T", 0)) * NS_PER_MS or now_ns
        parts = [
            self._maker.snapshot(message["bids"], message["asks"], min(exch_ns, now_ns), now_ns, update_id)
        ]
        self.last_id, self._first = update_id, True
        held, self._held = self._held, []
        for diff, _ in held:
            rows = self._apply(diff, now_ns)
            if rows is not None:
                parts.append(rows)
        joined = np.concatenate(parts)
        joined["last"] = False
        joined["last"][-1] = True
        return joined

    def _apply(self, message: dict[str, Any], local_ns: int) -> Rows | None:
        first_id, final_id = message["U"], message["u"]
        last = self.last_id
        if final_id < last or (final_id == last and not (self._futures and self._first)):
            return None
        if self._first:
            follows = first_id <= last + (0 if self._futures else 1) or message.get("pu") == last
            self._first = not follows
        else:
            follows = message["pu"] == last if self._futures else first_id == last + 1
        if not follows:
            raise SequenceGap(f"update {first_id}..{final_id} after {last}")
        self.last_id = final_id
        exch_ns = (message.get("T") or message["E"]) * NS_PER_MS
        rows = self._maker.depth(message["b"], message["a"], exch_ns, local_ns, final_id)
        return rows if rows.size else None


class BybitBook:
    """Snapshot and deltas of one topic, counted by `u` without holes."""

    def __init__(self, maker: RowMaker) -> None:
        self._maker = maker
        self.last_id = -1
        self.seq = -1

    @property
    def synced(self) -> bool:
        """Whether deltas continue a known book."""
        return self.last_id >= 0

    def reset(self) -> None:
        """Forgets the book until the next snapshot."""
        self.last_id = -1

    def message(self, message: dict[str, Any], local_ns: int) -> Rows | None:
        """Rows of a snapshot or delta; None for a delta before the first snapshot or seen before."""
        data = message["data"]
        update_id = data["u"]
        exch_ns = int(message.get("cts") or message["ts"]) * NS_PER_MS
        if message["type"] == "snapshot":
            rows = self._maker.snapshot(data["b"], data["a"], exch_ns, local_ns, update_id)
        elif not self.synced or update_id <= self.last_id:
            return None
        elif update_id != self.last_id + 1:
            raise SequenceGap(f"update {update_id} after {self.last_id}")
        else:
            rows = self._maker.depth(data["b"], data["a"], exch_ns, local_ns, update_id)
        self.last_id = update_id
        self.seq = data.get("seq", -1)
        return rows if rows.size else None
