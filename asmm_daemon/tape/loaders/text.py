"""Text recordings a block at a time: whole lines, the number of the first one, and what was read so far."""

import gzip
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from asmm_daemon.errors import TapeError
from asmm_daemon.tape.columns import Quality
from asmm_daemon.tape.loaders.common import CORRUPT, open_lines

BLOCK_BYTES = 1 << 22
"""Text held at a time, however large the file is."""
_PIECE_BYTES = 1 << 18


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines of a file; `first` is the number of the first of them, counted from 1."""

    path: Path
    first: int
    text: bytes


def blocks(path: Path, quality: Quality | None = None, size: int = BLOCK_BYTES) -> Iterator[Block]:
    """A file's lines in blocks of about `size` bytes. Raises TapeError naming the line that is damaged.

    What was read of the file, in bytes on disk, is added to `quality` as it happens.
    """
    first = 1
    left = b""
    before = quality.bytes if quality else 0
    with open_lines(path) as file:
        ended = False
        while not ended:
            pieces, held = [left], len(left)
            try:
                while held < size and (piece := file.read1(_PIECE_BYTES)):  # type: ignore[attr-defined]
                    pieces.append(piece)
                    held += len(piece)
            except CORRUPT as error:
                line = first + sum(piece.count(b"\n") for piece in pieces)
                raise TapeError(f"{path}: line {line}: damaged compression ({error})") from None
            if quality:
                quality.bytes = before + _position(file, path)
            text = b"".join(pieces)
            ended = held < size
            whole = len(text) if ended else text.rfind(b"\n") + 1
            if not whole and not ended:
                raise TapeError(f"{path}: line {first}: a line of more than {held} bytes")
            if whole:
                yield Block(path, first, text[:whole])
            first += text.count(b"\n", 0, whole)
            left = text[whole:]


def _position(file: IO[bytes], path: Path) -> int:
    """How far a file was read, in bytes on disk."""
    if isinstance(file, zipfile.ZipExtFile):
        with zipfile.ZipFile(path) as archive:
            unpacked = max(1, archive.getinfo(file.name).file_size)
        return path.stat().st_size * file.tell() // unpacked
    if isinstance(file, gzip.GzipFile):
        return int(file.fileobj.tell())
    return file.tell()
