"""Opens any recording that `asmm` knows: detects its format, chains the files of a folder in order.

A `Reader` is one format. `Recording` puts readers' files in time order and hands out their chunks,
hour by hour or by a bounded number of messages, never a whole day at once.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from asmm_daemon.errors import TapeError
from asmm_daemon.tape.columns import Quality, Source, Tape, TapeInfo, concat
from asmm_daemon.tape.loaders import (
    binance_depth,
    binance_lines,
    binance_public,
    bitmex,
    bybit_public,
    own,
    standx,
    tardis,
)
from asmm_daemon.tape.loaders.common import Part, Reader
from asmm_daemon.tape.window import border

SUFFIXES = (".parquet", ".gz", ".zip", ".dat", ".data", ".csv", ".txt", ".log", ".jsonl", ".json")
Paths = Path | str | Sequence[Path | str]
"""One file or folder, or several that belong together."""

READERS: tuple[Reader, ...] = (
    own.READER,
    standx.READER,
    binance_depth.READER,
    tardis.READER,
    binance_public.READER,
    bybit_public.READER,
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


def open_all(path: Paths) -> list[Source]:
    """Every market that files or folders hold, by product and symbol. Raises TapeError."""
    parts = _parts(path)
    keys = sorted({(part.info.product, part.info.symbol) for part in parts})
    sources: list[Source] = []
    for key in keys:
        mine = sorted(
            (part for part in parts if (part.info.product, part.info.symbol) == key),
            key=lambda part: (part.start_ns, part.files[0].name),
        )
        if len({id(part.reader) for part in mine}) > 1:
            raise TapeError(f"{_named(path)}: {key[1]} is recorded in two formats; give one folder a format")
        sources.append(Recording(mine[0].reader.grid(mine), tuple(mine), Quality()))
    return sources


def open_source(path: Paths, symbol: str | None = None, *, spot: bool | None = None) -> Source:
    """One market of files or folders. Iterate it for chunks; see `Source`.

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
        raise TapeError(
            f"{_named(path)}: no recording of {symbol or 'that kind of market'}; there is {names}"
        )
    raise TapeError(f"{_named(path)}: holds several markets, choose one of {names}")


def on_grid(source: Source, tick: Decimal | None, lot: Decimal | None) -> Source:
    """The same recording counted in another tick or lot than its data shows. Raises TapeError.

    What does not lie on the grid is rounded to it and counted in `Quality.off_grid`.
    """
    if tick is None and lot is None:
        return source
    if not isinstance(source, Recording) or source.parts[0].reader is own.READER:
        raise TapeError(f"{source.files[0]}: already a tape of integer ticks and lots; its grid is fixed")
    info = replace(source.info, tick=tick or source.info.tick, lot=lot or source.info.lot)
    return Recording(info, source.parts, Quality())


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


def _named(path: Paths) -> str:
    return str(path) if isinstance(path, Path | str) else ", ".join(str(one) for one in path)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        return [file for file in sorted(path.iterdir()) if file.is_file() and file.suffix in SUFFIXES]
    if path.is_file():
        return [path]
    raise TapeError(f"{path}: no such file or folder")


def _parts(path: Paths) -> list[Part]:
    given = [path] if isinstance(path, Path | str) else path
    files = list(dict.fromkeys(file for one in given for file in _files(Path(one))))
    parts: list[Part] = []
    left = files
    for reader in READERS:
        mine = [file for file in left if reader.knows(file)]
        parts += reader.parts(mine)
        left = [file for file in left if file not in mine]
    if left:
        raise TapeError(f"{left[0]}: line 1: {_unknown(left[0])}")
    if not parts:
        raise TapeError(f"{_named(path)}: no recording of a market there")
    return parts


def _unknown(path: Path) -> str:
    return "not a recording that asmm knows" if path.stat().st_size else "the file is empty"
