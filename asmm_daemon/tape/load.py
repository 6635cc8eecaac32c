"""Opens any recording that `asmm` knows: detects its format, chains the files of a folder in order.

A `Reader` is one format. `Recording` puts readers' files in time order and hands out their chunks,
hour by hour or by a bounded number of messages, never a whole day at once.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from asmm_daemon.errors import TapeError
from asmm_daemon.tape.columns import Quality, Source, Tape, TapeInfo, concat
from asmm_daemon.tape.loaders import binance_depth, binance_lines, bitmex, own, standx
from asmm_daemon.tape.loaders.common import Part, Reader
from asmm_daemon.tape.window import border

SUFFIXES = (".parquet", ".gz", ".dat", ".csv", ".txt", ".log", ".jsonl", ".json")

READERS: tuple[Reader, ...] = (
    own.READER,
    standx.READER,
    binance_depth.READER,
    bitmex.READER,
    binance_lines.READER,
)


@dataclass(slots=True)
class Recording:
    """The parts of one symbol, in time order. Iterating reads them from the start."""

    info: TapeInfo
    parts: tuple[Part, ...]
    quality: Quality

    @property
    def files(self) -> tuple[Path, ...]:
        """The files behind it, in reading order."""
        return tuple(path for part in self.parts for path in part.files)

    def __iter__(self) -> Iterator[Tape]:
        """Chunks of whole messages, none empty. Raises TapeError with file and line of what is corrupt."""
        self.quality = Quality()
        empty = True
        for rows in self.parts[0].reader.read(self.info, self.parts, self.quality):
            if rows.size:
                empty = False
                yield Tape(self.info, rows)
        if empty:
            raise TapeError(f"{self.parts[0].files[0]}: no messages of {self.info.symbol}")


def open_all(path: Path | str) -> list[Source]:
    """Every market that a file or folder holds, by product and symbol. Raises TapeError."""
    parts = _parts(Path(path))
    keys = sorted({(part.info.product, part.info.symbol) for part in parts})
    sources: list[Source] = []
    for key in keys:
        mine = sorted(
            (part for part in parts if (part.info.product, part.info.symbol) == key),
            key=lambda part: (part.start_ns, part.files[0].name),
        )
        if len({id(part.reader) for part in mine}) > 1:
            raise TapeError(f"{path}: {key[1]} is recorded in two formats; give one folder a format")
        sources.append(Recording(mine[0].reader.grid(mine), tuple(mine), Quality()))
    return sources


def open_source(path: Path | str, symbol: str | None = None, *, spot: bool | None = None) -> Source:
    """One market of a file or folder. Iterate it for chunks; see `Source`.

    Args:
        path: a recording, or a folder whose recordings are chained in order.
        symbol: needed only where the recording holds several.
        spot: choose between a spot and a perpetual market of the same symbol.

    Raises:
        TapeError: nothing readable there, or the choice is not clear; names what there is.
    """
    found = open_all(path)
    fit = [s for s in found if symbol in (None, s.info.symbol) and spot in (None, s.info.is_spot)]
    if len(fit) == 1:
        return fit[0]
    names = ", ".join(f"{s.info.symbol} ({'spot' if s.info.is_spot else 'perpetual'})" for s in found)
    if not fit:
        raise TapeError(f"{path}: no recording of {symbol or 'that kind of market'}; there is {names}")
    raise TapeError(f"{path}: holds several markets, choose one of {names}")


def load_tape(
    path: Path | str,
    symbol: str | None = None,
    *,
    spot: bool | None = None,
    start_ns: int | None = None,
    end_ns: int | None = None,
) -> Tape:
    """The messages of a recording with start_ns <= local_ns < end_ns, in memory. Raises TapeError.

    They start as they were recorded; `window.Window` begins with the book so far.
    """
    kept: list[Tape] = []
    for tape in open_source(path, symbol, spot=spot):
        local = tape.rows["local_ns"]
        if end_ns is not None and local[0] >= end_ns:
            break
        low = 0 if start_ns is None else border(tape.rows, start_ns)
        high = local.size if end_ns is None else border(tape.rows, end_ns)
        if high > low:
            kept.append(Tape(tape.info, tape.rows[low:high]))
    return concat(kept)


def _parts(path: Path) -> list[Part]:
    if path.is_dir():
        files = [file for file in sorted(path.iterdir()) if file.is_file() and file.suffix in SUFFIXES]
    elif path.is_file():
        files = [path]
    else:
        raise TapeError(f"{path}: no such file or folder")
    parts: list[Part] = []
    left = files
    for reader in READERS:
        mine = [file for file in left if reader.knows(file)]
        parts += reader.parts(mine)
        left = [file for file in left if file not in mine]
    if left:
        raise TapeError(f"{left[0]}: line 1: not a recording that asmm knows")
    if not parts:
        raise TapeError(f"{path}: no recording of a book there")
    return parts
