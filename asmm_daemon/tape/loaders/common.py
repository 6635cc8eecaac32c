"""What every reader shares: the shape of a reader, opening files, and finding a market's grid."""

import gzip
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import IO, Any, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Quality, TapeInfo
from asmm_daemon.tape.parquet import DAMAGED
from asmm_daemon.units import Product

MIN_NOTIONAL: dict[tuple[Product, str], Decimal] = {("binanceusdm", "BTCUSDT"): Decimal(100)}
DEFAULT_MIN_NOTIONAL = Decimal(5)

SWAPPED = "are columns swapped?"

CORRUPT = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, UnicodeDecodeError)
"""What reading a damaged compressed file raises."""


class Reader(Protocol):
    """One format of recordings."""

    def knows(self, path: Path) -> bool:
        """Whether the file is of this format, judged by its first bytes."""
        ...

    def parts(self, files: Sequence[Path]) -> list["Part"]:
        """What the files hold, by symbol; a book's trades belong to its part. Raises TapeError."""
        ...

    def grid(self, parts: Sequence["Part"]) -> TapeInfo:
        """The market of these parts of one symbol, its grid found in the table or in the data."""
        ...

    def read(self, info: TapeInfo, parts: Sequence["Part"], quality: Quality) -> Iterator[Rows]:
        """Rows of whole messages in order, with bounded memory. Raises TapeError."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of one market's recording: its files (book first) and where it starts.

    `layout` is what the reader found in the first file, where it knows several layouts.
    """

    reader: Reader
    info: TapeInfo
    start_ns: int
    files: tuple[Path, ...]
    layout: str = ""


def size_of(part: Part) -> int:
    """Bytes on disk of a part's files."""
    return sum(path.stat().st_size for path in part.files)


def open_lines(path: Path) -> IO[bytes]:
    """A text recording: plain, gzipped or alone in a ZIP, told by its first bytes. Raises TapeError."""
    try:
        with path.open("rb") as file:
            magic = file.read(4)
        if magic[:2] == b"\x1f\x8b":
            return cast("IO[bytes]", gzip.open(path, "rb"))
        return _only_member(path) if magic == b"PK\x03\x04" else path.open("rb")
    except OSError as error:
        raise TapeError(f"{path}: {error.strerror or error}") from None


def _only_member(path: Path) -> IO[bytes]:
    """The one file inside a ZIP. Raises TapeError."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            if len(members) != 1:
                raise TapeError(f"{path}: line 1: a ZIP of {len(members)} files, where one is expected")
            if members[0].flag_bits & 1:
                raise TapeError(f"{path}: line 1: a ZIP with a password")
            return archive.open(members[0])
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise TapeError(f"{path}: line 1: not a whole ZIP ({error})") from None


def first_line(path: Path) -> bytes:
    """The first line of a text recording; empty when the file is empty or not readable as text."""
    with open_lines(path) as file:
        try:
            return file.readline(1 << 20)
        except CORRUPT:
            return b""


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet does."""
    with path.open("rb") as file:
        return file.read(4) == b"PAR1"


def parquet_columns(path: Path) -> frozenset[str]:
    """Column names of a Parquet file; empty for a file of another kind. Raises TapeError when damaged."""
    if not is_parquet(path):
        return frozenset()
    return frozenset(open_parquet(path).schema_arrow.names)


def open_parquet(path: Path) -> pq.ParquetFile:
    """Opens a Parquet file. Raises TapeError when it is damaged."""
    try:
        return pq.ParquetFile(path)
    except DAMAGED as error:
        raise TapeError(f"{path}: row 1: not a readable Parquet file ({error})") from None


def head_of(path: Path, columns: Sequence[str], count: int = 1) -> pa.Table:
    """The first rows of some columns of a Parquet file. Raises TapeError when damaged or empty."""
    file = open_parquet(path)
    if file.metadata.num_rows == 0:
        raise TapeError(f"{path}: row 1: no rows")
    try:
        return pa.Table.from_batches([next(file.iter_batches(count, columns=list(columns)))])
    except (*DAMAGED, StopIteration) as error:
        raise TapeError(f"{path}: row 1: damaged data ({error})") from None


def read_parquet(path: Path, columns: Sequence[str]) -> pa.Table:
    """Some columns of a Parquet file, each in one piece. Raises TapeError when damaged or missing."""
    file = open_parquet(path)
    missing = [name for name in columns if name not in file.schema_arrow.names]
    if missing:
        raise TapeError(f"{path}: row 1: column {missing[0]} is missing")
    try:
        return file.read(columns=list(columns)).combine_chunks()
    except DAMAGED as error:
        raise TapeError(f"{path}: row 1: damaged data ({error})") from None


def numbers(table: pa.Table, name: str, kind: type[np.generic], path: Path) -> NDArray[Any]:
    """A column as an array of one numeric type. Raises TapeError naming the first empty row."""
    column = table[name]
    if column.null_count:
        at = int(np.argmax(column.is_null().to_numpy()))
        raise TapeError(f"{path}: row {at + 1}: {name} is empty")
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("ns", column.type.tz)).cast(pa.int64())
    values: NDArray[Any] = column.to_numpy().astype(kind, copy=False)
    return values


def levels(
    table: pa.Table, names: Sequence[str], path: Path, first_row: int = 0
) -> list[NDArray[np.float64]]:
    """List columns as (n, depth) arrays, the shorter rows padded with 0.

    `names` are bid prices, bid quantities, ask prices, ask quantities; `first_row` is the table's place
    in its file. Raises TapeError naming the row.
    """
    columns = [table[name].combine_chunks() for name in names]
    for name, column in zip(names, columns, strict=True):
        if column.null_count or column.flatten().null_count:
            raise TapeError(f"{path}: row {first_row + _first_null(column) + 1}: {name} has an empty value")
    lengths = [np.diff(column.offsets.to_numpy()) for column in columns]
    depth = max((int(length.max(initial=1)) for length in lengths), default=1)
    for price, qty in ((0, 1), (2, 3)):
        uneven = lengths[price] != lengths[qty]
        if uneven.any():
            at = first_row + int(np.argmax(uneven)) + 1
            raise TapeError(f"{path}: row {at}: {names[price]} and {names[qty]} differ in length")
    arrays: list[NDArray[np.float64]] = []
    for name, column, length in zip(names, columns, lengths, strict=True):
        filled = np.arange(depth) < length[:, None]
        array = np.zeros(filled.shape)
        array[filled] = column.flatten().to_numpy()
        bad = ~np.isfinite(array) | (array < 0) | ((array == 0) & filled & name.endswith(("prices", "px")))
        if bad.any():
            at = int(np.argmax(bad.any(axis=1)))
            raise TapeError(f"{path}: row {first_row + at + 1}: {name} holds {array[bad][0]}")
        arrays.append(array)
    for place, order in ((0, -1), (2, 1)):
        if (worse := out_of_order(arrays[place], order)) is not None:
            held = f"{names[place]}[{worse[1]}] holds {arrays[place][worse]}"
            raise TapeError(f"{path}: row {first_row + worse[0] + 1}: {held}, out of order: {SWAPPED}")
    return arrays


def out_of_order(price: NDArray[np.float64], order: int) -> tuple[int, int] | None:
    """The first (row, level) of books (n, depth) that is better than the level before it; None: none is.

    `order`: 1 for asks, which rise from the best, -1 for bids. A level of 0 is no level.
    """
    back = (price[:, 1:] > 0) & (np.diff(order * price, axis=1) < 0)
    if not back.any():
        return None
    row, level = np.argwhere(back)[0]
    return int(row), int(level) + 1


def check_symbol(table: pa.Table, symbol: str, path: Path, first_row: int = 0) -> None:
    """Raises TapeError, naming the row, where a table tells of another market."""
    found = np.asarray(table["symbol"].to_pylist(), dtype=object) != symbol
    if found.any():
        at = int(np.argmax(found))
        other = table["symbol"][at].as_py()
        raise TapeError(
            f"{path}: row {first_row + at + 1}: symbol is {other!r}, where {symbol!r} is expected"
        )


def _first_null(column: pa.ListArray) -> int:
    if column.null_count:
        return int(np.argmax(column.is_null().to_numpy(zero_copy_only=False)))
    at = int(np.argmax(column.flatten().is_null().to_numpy(zero_copy_only=False)))
    return int(np.searchsorted(column.offsets.to_numpy(), at, side="right")) - 1


def texts(table: pa.Table, name: str, path: Path) -> list[str]:
    """A column of texts. Raises TapeError when one is damaged."""
    try:
        return [str(value) for value in table[name].to_pylist()]
    except UnicodeDecodeError as error:
        raise TapeError(f"{path}: row 1: {name} is damaged ({error.reason})") from None


def grid_step(values: NDArray[np.float64]) -> Decimal:
    """The largest 1, 2 or 5 times a power of ten that divides every value (to eight decimals)."""
    whole = np.rint(values[np.abs(values) < 9e10] * 1e8).astype(np.int64)
    divisor = int(np.gcd.reduce(whole[whole > 0])) if (whole > 0).any() else 1
    for exponent in range(len(str(divisor)) - 1, -1, -1):
        for lead in (5, 2, 1):
            step = lead * 10**exponent
            if divisor % step == 0:
                return (Decimal(step) / 10**8).normalize()
    return Decimal(1) / 10**8


def min_notional(product: Product, symbol: str) -> Decimal:
    """The venue's smallest order value for a market, where the recording does not say."""
    return MIN_NOTIONAL.get((product, symbol), DEFAULT_MIN_NOTIONAL)


def split_symbol(symbol: str) -> tuple[str, str]:
    """Base and quote asset of a venue's symbol such as NEXOUSDT or BTC-USD."""
    if "-" in symbol:
        base, _, quote = symbol.partition("-")
        return base, quote
    for quote in ("USDT", "USDC", "FDUSD", "BUSD", "TUSD", "EUR", "TRY", "BTC", "ETH", "BNB", "USD"):
        if symbol.endswith(quote) and symbol != quote:
            return symbol.removesuffix(quote), quote
    return symbol, "USDT"


def countable(values: NDArray[np.float64], step: Decimal) -> NDArray[np.bool_]:
    """Which values are numbers, not negative, and few enough steps for 64 bits."""
    fits: NDArray[np.bool_] = (values >= 0) & (values < 9e18 * float(step))
    return fits


def to_grid(values: NDArray[np.float64], step: Decimal, quality: Quality) -> NDArray[np.int64]:
    """Values as whole steps, rounded to nearest; those off the grid are counted."""
    exact = values / float(step)
    whole = np.rint(exact)
    quality.off_grid += int(np.count_nonzero(np.abs(exact - whole) > 1e-4))
    return whole.astype(np.int64)
