"""Rows in a file that is mapped instead of held, so that the memory of a run does not grow with its tape.

Of a mapped file only those pages are in memory that were read and not let go since; what is asked for
again comes back from the file.
"""

import mmap
import os
import tempfile
import weakref
from pathlib import Path

import numpy as np

from asmm_daemon.errors import TapeError
from asmm_daemon.events import ROW, Rows


class Spool:
    """A temporary file of rows, gone with the object; what is mapped by then stays readable.

    Raises TapeError when it cannot be written.
    """

    def __init__(self) -> None:
        try:
            handle, name = tempfile.mkstemp(prefix="asmm-rows-")
        except OSError as error:
            raise _unwritable(tempfile.gettempdir(), error) from None
        os.close(handle)
        self.path = Path(name)
        weakref.finalize(self, self.path.unlink, missing_ok=True)

    def write(self, rows: Rows) -> None:
        """Appends rows."""
        try:
            with self.path.open("ab") as file:
                file.write(np.ascontiguousarray(rows).view(np.uint8).data)
        except OSError as error:
            raise _unwritable(self.path, error) from None

    def rows(self) -> Rows:
        """All rows so far, mapped."""
        return mapped(self.path)


def _unwritable(path: Path | str, error: OSError) -> TapeError:
    return TapeError(f"{path}: rows cannot be kept there while they are run ({error.strerror or error})")


def mapped(path: Path) -> Rows:
    """The rows of a file; what is written into them does not reach it."""
    if not path.stat().st_size:
        return np.zeros(0, ROW)
    with path.open("rb") as file:
        return np.frombuffer(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY), ROW)


def let_go(rows: Rows, end: int) -> None:
    """Gives back the memory of mapped rows before an index; does nothing where rows are held.

    What was written into them is lost, so this is for rows that are only read.
    """
    base = rows.base
    while isinstance(base, np.ndarray):
        base = base.base
    source = base.obj if isinstance(base, memoryview) else base
    length = end * rows.itemsize // mmap.PAGESIZE * mmap.PAGESIZE
    if isinstance(source, mmap.mmap) and length:
        source.madvise(mmap.MADV_DONTNEED, 0, length)
