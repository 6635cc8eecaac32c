"""CSV recordings as columns, a block at a time; whatever does not fit is named by file and line."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pc_csv
from numpy.typing import NDArray

from asmm_daemon.errors import TapeError
from asmm_daemon.tape.columns import Quality
from asmm_daemon.tape.loaders.text import Block, blocks
from asmm_daemon.units import NS_PER_S

EARLIEST_NS = 1_230_768_000 * NS_PER_S
"""2009: before it there was no market to record."""
LATEST_NS = 4_102_444_800 * NS_PER_S
"""2100."""
INT = pa.int64()
FLOAT = pa.float64()
FLAG = pa.bool_()
TEXT = pa.dictionary(pa.int32(), pa.string())
NAME = pa.string()
"""The kinds of columns: TEXT of few different values, NAME of many."""


@dataclass(frozen=True, slots=True)
class Chunk:
    """Some lines of a file as columns, with the number of each line."""

    path: Path
    lines: NDArray[np.int64]
    table: pa.Table

    def __len__(self) -> int:
        """Number of rows."""
        return int(self.table.num_rows)

    def fail(self, row: int, what: str) -> NoReturn:
        """Raises TapeError at a row."""
        raise TapeError(f"{self.path}: line {self.lines[row]}: {what}")

    def only(self, keep: NDArray[np.bool_]) -> "Chunk":
        """The rows of a mask."""
        return Chunk(self.path, self.lines[keep], self.table.filter(pa.array(keep)))

    def column(self, name: str) -> NDArray[Any]:
        """A column of whole numbers, numbers (an empty one is NaN) or flags."""
        values: NDArray[Any] = self.table[name].to_numpy()
        return values

    def words(self, name: str, known: Mapping[str, int]) -> NDArray[np.int64]:
        """A column of words by their number. Raises TapeError at a word that is not `known`."""
        column = self.table[name].combine_chunks()
        numbers = np.array([known.get(str(word), -99) for word in column.dictionary.to_pylist()], np.int64)
        found: NDArray[np.int64] = numbers[column.indices.to_numpy()]
        if (found == -99).any():
            row = int(np.argmax(found == -99))
            self.fail(row, f"{name} is {column[row].as_py()!r}, where one of {sorted(known)} is expected")
        return found

    def texts(self, name: str) -> list[str]:
        """The different texts of a column."""
        return [str(word) for word in pc.unique(self.table[name]).to_pylist()]

    def numbered(self, name: str) -> NDArray[np.int64]:
        """A column of NAMEs as numbers where all are, else -1."""
        try:
            numbers: NDArray[np.int64] = pc.cast(self.table[name], INT).to_numpy()
        except pa.ArrowInvalid:
            return np.full(len(self), -1, np.int64)
        return numbers

    def repeated(self, name: str, before: str) -> NDArray[np.bool_]:
        """Which NAMEs of a column are not empty and equal the one before; `before` is the first one's."""
        column = self.table[name].combine_chunks()
        joined = pa.concat_arrays([pa.array([before], NAME), column])
        same: NDArray[np.bool_] = pc.equal(joined[1:], joined[:-1]).to_numpy(zero_copy_only=False)
        named: NDArray[np.bool_] = pc.not_equal(column, "").to_numpy(zero_copy_only=False)
        return same & named

    def times_ns(self, name: str, unit_ns: int = 0) -> NDArray[np.int64]:
        """A column of times in nanoseconds; `unit_ns` 0 tells milli- from microseconds by their size.

        Numbers with decimals are seconds. Raises TapeError at a time that is in no year of markets.
        """
        values = self.column(name)
        if values.dtype.kind == "f":
            in_range = np.isfinite(values) & (np.abs(values) < LATEST_NS)
            times = np.rint(np.where(in_range, values, 0) * 1e6).astype(np.int64) * 1_000
        else:
            unit = np.where(values < 10**14, 1_000_000, 1_000) if unit_ns == 0 else np.int64(unit_ns)
            in_range = values < LATEST_NS // unit
            times = np.where(in_range, values, 0) * unit
        bad = (times < EARLIEST_NS) | (times > LATEST_NS)
        if bad.any():
            row = int(np.argmax(bad))
            self.fail(row, f"{name} is {values[row]}, which is no time of a market")
        return np.asarray(times, np.int64)


def chunks(
    path: Path,
    names: Sequence[str],
    kinds: Mapping[str, pa.DataType],
    quality: Quality | None = None,
    *,
    header: bool,
) -> Iterator[Chunk]:
    """The columns of `kinds` of a CSV file, some tens of thousands of lines at a time.

    Args:
        path: plain, gzipped or zipped.
        names: of all columns, in the file's order.
        kinds: columns to read; a number (FLOAT) may be empty, nothing else may.
        quality: where what was read is counted.
        header: whether the first line is not data.

    Raises:
        TapeError: damaged compression, a line of another width, a value of another kind.
    """
    for block in blocks(path, quality):
        text, first = block.text, block.first
        if header and first == 1:
            end = text.find(b"\n") + 1
            text, first = text[end:] if end else b"", 2
        text = text.rstrip(b"\r\n")
        if text:
            yield _parsed(Block(path, first, text), names, kinds)


def _parsed(block: Block, names: Sequence[str], kinds: Mapping[str, pa.DataType]) -> Chunk:
    try:
        table = pc_csv.read_csv(
            io.BytesIO(block.text),
            pc_csv.ReadOptions(column_names=list(names), use_threads=False, block_size=1 << 28),
            pc_csv.ParseOptions(quote_char=False, ignore_empty_lines=False),
            pc_csv.ConvertOptions(
                column_types=dict(kinds), include_columns=list(kinds), null_values=[""], check_utf8=True
            ),
        )
    except pa.ArrowInvalid as error:
        _complain(block, names, kinds)
        raise TapeError(f"{block.path}: line {block.first}: {error}") from None
    chunk = Chunk(block.path, block.first + np.arange(table.num_rows), table)
    for name, kind in kinds.items():
        if kind != FLOAT and table[name].null_count:
            chunk.fail(int(np.argmax(table[name].is_null().to_numpy())), f"{name} is empty")
    return chunk


def _complain(block: Block, names: Sequence[str], kinds: Mapping[str, pa.DataType]) -> None:
    """Raises TapeError at the first line that does not fit."""
    for number, line in enumerate(block.text.split(b"\n"), block.first):
        fields = line.rstrip(b"\r").split(b",")
        if len(fields) != len(names):
            raise TapeError(
                f"{block.path}: line {number}: {len(fields)} fields, where {len(names)} are expected"
            )
        for name, field in zip(names, fields, strict=True):
            if name in kinds and not _fits(field, kinds[name]):
                shown = field[:40].decode(errors="replace")
                raise TapeError(f"{block.path}: line {number}: {name} is {shown!r}")


def _fits(field: bytes, kind: pa.DataType) -> bool:
    try:
        if kind == INT:
            return -(2**63) <= int(field) < 2**63 and b"_" not in field
        if kind == FLOAT:
            return not field or (float(field) is not None and b"_" not in field)
        if kind == FLAG:
            return field.lower() in (b"true", b"false", b"0", b"1")
        field.decode()
    except ValueError:
        return False
    return True
