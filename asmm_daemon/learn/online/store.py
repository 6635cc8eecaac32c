"""Transitions on disk, `asmm-transitions/1`: a file of fixed slots that the newest overwrite, never pickle.

A slot is written with one call and ends with the CRC-32 of its bytes. One that a kill or a crash left half
written, and a tail that is cut off, fail the check and are left out; nothing has to be repaired, and the
file never grows beyond its slots.
"""

import os
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from asmm_daemon.errors import StateError
from asmm_daemon.learn.online.chain import Transition

FORMAT = "asmm-transitions/1"
HEAD_BYTES = 4096
CAPACITY = 100_000
"""Slots: six days of cycles of 5 s, about 24 MB."""


def record(features: int) -> np.dtype[Any]:
    """One slot; `seq` counts from 1, 0 is an empty slot."""
    return np.dtype(
        [
            ("seq", "<i8"),
            ("t_ns", "<i8"),
            ("action", "<i4"),
            ("reward", "<f4"),
            ("obs", "<f4", (features,)),
            ("after", "<f4", (features,)),
            ("crc", "<u4"),
        ]
    )


class Store:
    """One market's transitions for one kind of model.

    Args:
        path: the file; made if missing.
        features: numbers in an observation.
        key: what the transitions belong to (grid, reward, unit, cycle). A file of another key is set aside
            as NAME.old, and `note` says so.
        capacity: slots.

    Raises:
        StateError: the file cannot be read or written.
    """

    def __init__(self, path: Path, features: int, key: dict[str, Any], *, capacity: int = CAPACITY) -> None:
        self.path, self._capacity = path, capacity
        self._record = record(features)
        self.note = ""
        head = orjson.dumps({"format": FORMAT, "capacity": capacity, "features": features, **key})
        if len(head) > HEAD_BYTES:
            raise StateError(f"{path}: an action grid of {len(head)} bytes does not fit into its head")
        self._head = head.ljust(HEAD_BYTES)
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._set_aside()
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self.seq = 0
            self._loaded = self._load()
        except OSError as error:
            raise _failed(path, error) from None

    def take_loaded(self) -> NDArray[Any]:
        """The records that were in the file, oldest first; handed out once."""
        loaded, self._loaded = self._loaded, self._loaded[:0]
        return loaded

    def append(self, transitions: Sequence[Transition]) -> None:
        """Writes transitions, on the disk before this returns. Raises StateError."""
        slots = np.zeros(len(transitions), self._record)
        for slot, each in zip(slots, transitions, strict=True):
            self.seq += 1
            slot["seq"], slot["t_ns"] = self.seq, each.t_ns
            slot["action"], slot["reward"] = each.action, each.reward
            slot["obs"], slot["after"] = each.obs, each.after
            slot["crc"] = zlib.crc32(slot.tobytes()[:-4])
            self._write(slot.tobytes(), HEAD_BYTES + self.seq % self._capacity * self._record.itemsize)
        try:
            os.fdatasync(self._file)
        except OSError as error:
            raise _failed(self.path, error) from None

    def close(self) -> None:
        """Gives the file back."""
        os.close(self._file)

    def _write(self, content: bytes, at: int) -> None:
        try:
            written = os.pwrite(self._file, content, at)
        except OSError as error:
            raise _failed(self.path, error) from None
        if written != len(content):
            raise StateError(
                f"{self.path} cannot be written: the disk took {written} of {len(content)} bytes"
            )

    def _set_aside(self) -> None:
        if self.path.exists() and self.path.stat().st_size >= HEAD_BYTES:
            with self.path.open("rb") as file:
                if file.read(HEAD_BYTES) != self._head:
                    old = self.path.with_name(self.path.name + ".old")
                    self.path.replace(old)
                    self.note = f"transitions of another model or cycle were set aside as {old}"

    def _load(self) -> NDArray[Any]:
        size = os.fstat(self._file).st_size
        if size < HEAD_BYTES:
            self._write(self._head, 0)
        count = max(size - HEAD_BYTES, 0) // self._record.itemsize
        raw = os.pread(self._file, count * self._record.itemsize, HEAD_BYTES)
        slots = np.frombuffer(raw, self._record)
        whole = [slot["seq"] > 0 and zlib.crc32(slot.tobytes()[:-4]) == slot["crc"] for slot in slots]
        kept = slots[np.array(whole, np.bool_)]
        kept = kept[np.argsort(kept["seq"])]
        if kept.size:
            self.seq = int(kept["seq"][-1])
        return kept


def _failed(path: Path, error: OSError) -> StateError:
    return StateError(f"{path} cannot be used: {error.strerror or error}")
