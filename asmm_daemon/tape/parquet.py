"""The project's own recordings: Parquet, format `asmm-tape/1`, integer ticks and lots.

The columns are those of `events.ROW`. The key `asmm` of the file's metadata says which market and
grid they belong to, which source files they came from and what had to be repaired.
"""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from asmm_daemon.errors import TapeError
from asmm_daemon.events import ROW, Rows
from asmm_daemon.tape.columns import FORMAT, Quality, Source, TapeInfo, empty_rows, validate
from asmm_daemon.tape.inspection import Inspector
from asmm_daemon.units import PRODUCTS, wire

KEY = b"asmm"
DAMAGED = (pa.ArrowException, OSError, UnicodeDecodeError)
"""What pyarrow raises on a damaged file."""
_TYPES = {
    "exch_ns": pa.int64(),
    "local_ns": pa.int64(),
    "kind": pa.uint8(),
    "side": pa.int8(),
    "price": pa.int64(),
    "qty": pa.int64(),
    "id": pa.int64(),
    "last": pa.bool_(),
}
SCHEMA = pa.schema([pa.field(name, kind, nullable=False) for name, kind in _TYPES.items()])
_ROWS_A_BATCH = 262_144
_ROWS_A_GROUP = 131_072


@dataclass(frozen=True, slots=True)
class TapeMeta:
    """What a file says of itself."""

    info: TapeInfo
    sources: tuple[tuple[str, str], ...]  # file name, sha256
    rows: int
    start_ns: int
    end_ns: int
    quality: dict[str, int]


class TapeWriter:
    """Writes chunks to a file as they come. The file appears under its name only when closed.

    Use `abandon` where something went wrong: it removes what was written. Raises TapeError when the file
    cannot be written.
    """

    def __init__(self, path: Path, info: TapeInfo, sources: tuple[Path, ...] = ()) -> None:
        self._path = path
        self._partial = _partial(path)
        self._info = info
        self._sources = [{"file": source.name, "sha256": sha256(source)} for source in sources]
        try:
            self._writer = pq.ParquetWriter(
                self._partial, SCHEMA, compression="zstd", store_schema=False, write_page_checksum=True,
                use_dictionary=["kind", "side", "price", "qty"],
                column_encoding=dict.fromkeys(("exch_ns", "local_ns", "id"), "DELTA_BINARY_PACKED"),
            )  # fmt: skip
        except OSError as error:
            raise TapeError(f"{path}: cannot be written ({error.strerror or error})") from None
        self._rows = 0
        self._start_ns = self._end_ns = 0
        self._held: list[Rows] = []
        self._held_rows = 0

    def write(self, rows: Rows) -> None:
        """Appends rows of whole messages. Raises TapeError when they break the format's rules."""
        if not rows.size:
            return
        validate(rows, str(self._path), self._rows)
        if self._rows == 0:
            self._start_ns = int(rows["local_ns"][0])
        elif rows["local_ns"][0] < self._end_ns:
            raise TapeError(f"{self._path}: row {self._rows + 1} has local_ns that runs backwards")
        self._end_ns = int(rows["local_ns"][-1])
        self._rows += rows.size
        self._held.append(rows)
        self._held_rows += rows.size
        if self._held_rows >= _ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        """Writes what is held as one row group."""
        rows = np.concatenate(self._held)
        self._held, self._held_rows = [], 0
        columns = [pa.array(np.ascontiguousarray(rows[name]), kind) for name, kind in _TYPES.items()]
        try:
            self._writer.write_table(pa.table(columns, schema=SCHEMA))
        except OSError as error:
            raise TapeError(f"{self._path}: cannot be written ({error.strerror or error})") from None

    def close(self, quality: dict[str, int]) -> None:
        """Writes the metadata and gives the file its name."""
        if self._held:
            self._flush()
        info = self._info
        meta = {
            "format": FORMAT, "venue": info.venue, "product": info.product, "symbol": info.symbol,
            "base": info.base, "quote": info.quote, "tick": wire(info.tick), "lot": wire(info.lot),
            "min_notional": wire(info.min_notional), "sources": self._sources, "rows": self._rows,
            "start_ns": self._start_ns, "end_ns": self._end_ns, "quality": quality,
        }  # fmt: skip
        self._writer.add_key_value_metadata({KEY.decode(): orjson.dumps(meta).decode()})
        try:
            self._writer.close()
            self._partial.replace(self._path)
        except OSError as error:
            raise TapeError(f"{self._path}: cannot be written ({error.strerror or error})") from None

    def abandon(self) -> None:
        """Removes what was written."""
        with contextlib.suppress(OSError):
            self._writer.close()
        self._partial.unlink(missing_ok=True)


def _partial(path: Path) -> Path:
    """What a file is called until it is whole."""
    return path.with_name(path.name + ".partial")


def write_source(
    path: Path, source: Source, on_chunk: Callable[[Quality, Rows], None] | None = None
) -> TapeMeta:
    """Converts a whole recording to one file and returns its metadata, the quality report in it.

    `on_chunk` is called after every chunk with the counts so far. Memory stays bounded however long the
    recording is; on an error or a key press nothing is left of the file. Raises TapeError.
    """
    inspector = Inspector()
    with contextlib.ExitStack() as undo:
        undo.callback(_partial(path).unlink, missing_ok=True)  # a key press while the writer opens it
        writer = TapeWriter(path, source.info, source.files)
        undo.callback(writer.abandon)
        empty = True
        for tape in source:
            writer.write(tape.rows)
            inspector.see(tape.rows)
            empty = False
            if on_chunk:
                on_chunk(source.quality, tape.rows)
        if empty:
            raise TapeError(f"{path}: no rows of {source.info.symbol} in the time asked for")
        inspector.report(source.quality)
        writer.close(source.quality.as_dict())
        undo.pop_all()
    return read_meta(path)


def read_meta(path: Path) -> TapeMeta:
    """A file's metadata. Raises TapeError when it is missing, of another format or incomplete."""
    try:
        schema = pq.read_schema(path)
    except DAMAGED as error:
        raise TapeError(f"{path}: row 1: not a readable Parquet file ({error})") from None
    raw = (schema.metadata or {}).get(KEY)
    if raw is None:
        raise TapeError(f"{path}: row 1: no {KEY.decode()!r} key, so not an {FORMAT} recording")
    if schema.names != list(_TYPES) or any(schema.field(n).type != t for n, t in _TYPES.items()):
        raise TapeError(f"{path}: row 1: columns {schema.names} are not those of {FORMAT}")
    try:
        return _meta(orjson.loads(raw))
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError, InvalidOperation) as error:
        raise TapeError(f"{path}: row 1: the {KEY.decode()!r} key is damaged ({error})") from None


def _meta(raw: dict[str, Any]) -> TapeMeta:
    if raw["format"] != FORMAT:
        raise ValueError(f"format {raw['format']!r}, expected {FORMAT!r}")
    if raw["product"] not in PRODUCTS:
        raise ValueError(f"product {raw['product']!r}")
    steps = [Decimal(raw[name]) for name in ("tick", "lot", "min_notional")]
    if not all(step.is_finite() for step in steps) or min(steps[:2]) <= 0:
        raise ValueError(f"grid {steps}")
    info = TapeInfo(raw["venue"], raw["product"], raw["symbol"], raw["base"], raw["quote"], *steps)
    sources = tuple((item["file"], item["sha256"]) for item in raw["sources"])
    return TapeMeta(
        info,
        sources,
        int(raw["rows"]),
        int(raw["start_ns"]),
        int(raw["end_ns"]),
        {name: int(count) for name, count in raw["quality"].items()},
    )


def read_batches(path: Path) -> Iterator[Rows]:
    """Rows of a file, whole messages at a time. Raises TapeError when rows are damaged or missing."""
    meta = read_meta(path)
    left: Rows = np.zeros(0, ROW)
    done = 0
    try:
        for batch in pq.ParquetFile(path, page_checksum_verification=True).iter_batches(_ROWS_A_BATCH):
            rows = empty_rows(batch.num_rows)
            for name in _TYPES:
                rows[name] = batch.column(name).to_numpy(zero_copy_only=False)
            rows = np.concatenate([left, rows]) if left.size else rows
            ends = np.flatnonzero(rows["last"])
            whole = int(ends[-1]) + 1 if ends.size else 0
            left = rows[whole:]
            if whole:
                validate(rows[:whole], str(path), done)
                done += whole
                yield rows[:whole]
    except DAMAGED as error:
        raise TapeError(f"{path}: row {done + 1}: damaged data ({error})") from None
    if left.size or done != meta.rows:
        raise TapeError(f"{path}: row {done + left.size}: {meta.rows} rows of whole messages expected")


def sha256(path: Path) -> str:
    """Hash of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
