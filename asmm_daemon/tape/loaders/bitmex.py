"""BitMEX CSV: books of 10 levels at every update, books of 25 levels in ring buffers, and trades.

BitMEX counts in contracts. A lot of the tape is one contract, and a contract is given a fixed size
in base currency near its worth in these recordings (XBTUSD: 1 USD, ETHUSD: 0.000001 XBT a dollar),
so that the inverse and quanto markets can be traded as linear ones. Books come at every change: a
silent book has not changed, so only the time between two files is a gap.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import TapeError
from asmm_daemon.events import TRADE, Rows
from asmm_daemon.tape.columns import Quality, TapeInfo, empty_rows, repair_local
from asmm_daemon.tape.loaders.common import (
    CORRUPT,
    SWAPPED,
    Part,
    first_line,
    min_notional,
    open_lines,
    out_of_order,
    size_of,
    to_grid,
)
from asmm_daemon.tape.snapshots import SnapshotBook
from asmm_daemon.units import NS_PER_MS, NS_PER_S

CONTRACTS = {
    "XBTUSD": ("BTC", Decimal("0.5"), Decimal("0.0001")),
    "ETHUSD": ("ETH", Decimal("0.05"), Decimal("0.01")),
}
"""Base asset, tick, and base quantity of one contract."""
FILE_BREAK_NS = 60 * NS_PER_S
_LINES_A_CHUNK = 4096
_PADDING = " \x00"
_WIDTH = {43: "book", 103: "deep", 7: "trades"}
_SEEN_TOGETHER_NS = 600 * NS_PER_S


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number, time, symbol and the fields that follow."""

    number: int
    t_ns: int
    symbol: str
    fields: list[str]


class BitMex:
    """Reader of BitMEX CSV recordings."""

    def knows(self, path: Path) -> bool:
        """Whether the first line has the width and the time stamp of one of the three layouts."""
        try:
            row = next(csv.reader([first_line(path).decode()]), [])
        except (UnicodeDecodeError, csv.Error):
            return False
        return len(row) in _WIDTH and any(_is_time(field) for field in row[:2])

    def parts(self, files: Sequence[Path]) -> list[Part]:
        """One part for each symbol of each book file, with the trades recorded in the same minutes."""
        heads = {path: next(_lines(path)) for path in files}
        trades = [path for path in files if _layout(path) == "trades"]
        found: list[Part] = []
        for path in files:
            if path in trades:
                continue
            beside = trades or [p for p in _siblings(path) if self.knows(p) and _layout(p) == "trades"]
            start_ns = heads[path].t_ns
            near = [p for p in beside if abs(next(_lines(p)).t_ns - start_ns) < _SEEN_TOGETHER_NS][:1]
            for symbol in sorted({line.symbol for line in islice(_lines(path), _LINES_A_CHUNK)}):
                if symbol not in CONTRACTS:
                    raise TapeError(f"{path}: line 1: contract size of {symbol} is not known")
                base, tick, lot = CONTRACTS[symbol]
                info = TapeInfo(
                    "bitmex",
                    "bybit-linear",
                    symbol,
                    base,
                    "USD",
                    tick,
                    lot,
                    min_notional("bybit-linear", symbol),
                )
                found.append(Part(self, info, start_ns, (path, *near)))
        return found

    def grid(self, parts: Sequence[Part]) -> TapeInfo:
        """The grid of the contract table."""
        return parts[0].info

    def read(self, info: TapeInfo, parts: Sequence[Part], quality: Quality) -> Iterator[Rows]:
        """Chunks of some thousand books with the trades among them."""
        state = SnapshotBook(quality, break_ns=FILE_BREAK_NS)
        last_ns = 0
        for part in parts:
            trades = _trades(part.files[1], info, quality) if len(part.files) > 1 else empty_rows(0)
            books = _lines(part.files[0])
            while lines := list(islice(books, _LINES_A_CHUNK)):
                mine = [line for line in lines if line.symbol == info.symbol]
                rows = _books(mine, info, state, quality, part.files[0]) if mine else empty_rows(0)
                split = int(np.searchsorted(trades["exch_ns"], lines[-1].t_ns, side="right"))
                rows, trades = np.concatenate([rows, trades[:split]]), trades[split:]
                rows = rows[np.argsort(rows["local_ns"], kind="stable")]
                if rows.size:
                    rows["local_ns"] = repair_local(rows["exch_ns"], rows["local_ns"], last_ns, quality)
                    last_ns = int(rows["local_ns"][-1])
                yield rows
            quality.bytes += size_of(part)


def _is_time(text: str) -> bool:
    try:
        datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return False
    return True


def _siblings(path: Path) -> list[Path]:
    return [p for p in sorted(path.parent.glob("*trades*")) if p != path and p.is_file()]


def _layout(path: Path) -> str:
    row = next(csv.reader([first_line(path).decode()]), [])
    return _WIDTH.get(len(row), "")


def _lines(path: Path) -> Iterator[Line]:
    """Lines of a file, parsed as far as time and symbol. Raises TapeError."""
    number = 1
    seconds: dict[str, int] = {}
    with open_lines(path) as file:
        try:
            for number, row in enumerate(csv.reader(raw.decode() for raw in file), 1):
                at = 1 if len(row) == 7 else 0
                if len(row) not in _WIDTH:
                    raise TapeError(f"{path}: line {number}: {len(row)} fields")
                second = seconds.get(row[at])
                if second is None:
                    stamp = datetime.strptime(row[at], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
                    seconds = {row[at]: (second := int(stamp.timestamp()) * NS_PER_S)}
                rest = row[3:]
                symbol = row[0 if at else 2].strip(_PADDING)
                yield Line(number, second + int(row[at + 1]) * NS_PER_MS, symbol, rest)
        except (ValueError, csv.Error, *CORRUPT) as error:
            raise TapeError(f"{path}: line {number}: {error}") from None


def _books(lines: list[Line], info: TapeInfo, state: SnapshotBook, quality: Quality, path: Path) -> Rows:
    values = _floats(lines, path)
    if values.shape[1] == 40:
        ask, ask_qty, bid, bid_qty = (values[:, low : low + 10] for low in (0, 10, 20, 30))
        for name, price, order in (("ask", ask, 1), ("bid", bid, -1)):
            if (at := out_of_order(price, order)) is not None:
                held = f"{name} {at[1] + 1} is {price[at]}"
                raise TapeError(f"{path}: line {lines[at[0]].number}: {held}, out of order: {SWAPPED}")
    else:
        ask, ask_qty = _ring(values[:, :50], 1)
        bid, bid_qty = _ring(values[:, 50:], -1)
    t_ns = np.array([line.t_ns for line in lines], np.int64)
    told_ns, t_ns = t_ns, np.maximum.accumulate(t_ns)
    quality.late_local += int(np.count_nonzero(t_ns != told_ns))
    times = np.stack([t_ns, t_ns, np.full(t_ns.size, -1)], axis=1)
    quality.messages += t_ns.size
    books = np.stack([
        to_grid(bid, info.tick, quality), bid_qty.astype(np.int64),
        to_grid(ask, info.tick, quality), ask_qty.astype(np.int64),
    ])  # fmt: skip
    return state.rows(times, books)


def _ring(slots: NDArray[np.float64], order: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Prices and quantities of one side, best first: a price keeps its slot while the window moves."""
    by_price = np.argsort(order * slots[:, 0::2], axis=1, kind="stable")
    return np.take_along_axis(slots[:, 0::2], by_price, 1), np.take_along_axis(slots[:, 1::2], by_price, 1)


def _floats(lines: list[Line], path: Path) -> NDArray[np.float64]:
    try:
        values = np.array([line.fields for line in lines], dtype=np.float64)
    except ValueError:
        values = np.empty((0, 0))
    if values.ndim != 2 or not values.size or not (np.isfinite(values).all() and (values >= 0).all()):
        width = len(lines[0].fields)
        for line in lines:
            if len(line.fields) != width or not all(_number(field) for field in line.fields):
                raise TapeError(f"{path}: line {line.number}: not a book of prices and quantities")
    return values


def _number(text: str) -> bool:
    try:
        return 0 <= float(text) < float("inf")
    except ValueError:
        return False


def _trades(path: Path, info: TapeInfo, quality: Quality) -> Rows:
    lines = [line for line in _lines(path) if line.symbol == info.symbol]
    rows = empty_rows(len(lines))
    for row, line in zip(rows, lines, strict=True):
        price, size, _, side = line.fields
        if side.strip(_PADDING) not in ("Buy", "Sell") or not (_number(price) and _number(size)):
            raise TapeError(f"{path}: line {line.number}: a {side.strip(_PADDING)} of {size} at {price}")
        row["side"] = 1 if side.strip(_PADDING) == "Buy" else -1
        row["price"], row["qty"] = round(float(price) / float(info.tick)), int(float(size))
        row["exch_ns"] = row["local_ns"] = line.t_ns
    rows["kind"], rows["last"] = TRADE, True
    quality.messages += rows.size
    return rows[np.argsort(rows["local_ns"], kind="stable")]


READER = BitMex()
