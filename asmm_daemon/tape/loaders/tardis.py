"""Tardis CSV: `incremental_book_L2`, `book_snapshot_5` and `_25`, `trades`, plain or gzipped.

Layouts as documented at docs.tardis.dev (downloadable CSV files): times in microseconds; rows of one
`local_timestamp` are one message; the first row with `is_snapshot` after others replaces the book;
updates before the first snapshot do not count. A snapshot after a silence ends a gap, while a silent
book of `book_snapshot_*` has not changed.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Quality, TapeInfo
from asmm_daemon.tape.loaders.common import (
    Part,
    countable,
    first_line,
    grid_step,
    min_notional,
    split_symbol,
    to_grid,
)
from asmm_daemon.tape.loaders.csv_table import FLAG, FLOAT, INT, NAME, TEXT, Chunk, chunks
from asmm_daemon.tape.loaders.incremental import Incremental, Updates
from asmm_daemon.tape.loaders.streams import Timeline, Trades, merged
from asmm_daemon.tape.snapshots import SnapshotBook
from asmm_daemon.units import NS_PER_S, Product

EXCHANGES: dict[str, tuple[str, Product]] = {
    "binance": ("binance", "binance"),
    "binance-us": ("binance", "binance"),
    "binance-futures": ("binance", "binanceusdm"),
    "bybit": ("bybit", "bybit-linear"),
    "bybit-spot": ("bybit", "bybit-spot"),
    "coinbase": ("coinbase", "binance"),
    "kraken": ("kraken", "binance"),
    "bitstamp": ("bitstamp", "binance"),
    "gemini": ("gemini", "binance"),
    "okex": ("okex", "binance"),
    "huobi": ("huobi", "binance"),
    "hyperliquid": ("hyperliquid", "binanceusdm"),
    "dydx": ("dydx", "binanceusdm"),
}
"""Exchanges whose amounts count in base currency: their name, and the product they trade like."""
_HEAD = ("exchange", "symbol", "timestamp", "local_timestamp")
_INCREMENTAL = (*_HEAD, "is_snapshot", "side", "price", "amount")
_TRADES = (*_HEAD, "id", "side", "price", "amount")
_US_NS = 1_000
_FILE_BREAK_NS = 60 * NS_PER_S
_BOOKS = ("incremental", "snapshots")


@dataclass(frozen=True, slots=True)
class Layout:
    """What a header says: `trades`, `incremental` or `snapshots`, and every column's name."""

    kind: str
    names: tuple[str, ...]
    depth: int = 0


class Tardis:
    """Reader of Tardis CSV files."""

    def knows(self, path: Path) -> bool:
        """Whether the first line is the header of one of the three layouts."""
        return _layout(path) is not None

    def parts(self, files: Sequence[Path]) -> list[Part]:
        """One part for each symbol of each file. Raises TapeError for a file without rows."""
        found: list[Part] = []
        for path in files:
            layout = _known(path)
            chunk = next(_chunks(path, layout), None)
            if chunk is None:
                raise TapeError(f"{path}: line 2: no rows; leave an empty day out")
            start_ns = int(chunk.times_ns("local_timestamp", _US_NS)[0])
            exchange = chunk.texts("exchange")[0]
            for symbol in sorted(chunk.texts("symbol")):
                found.append(Part(self, _info(path, exchange, symbol), start_ns, (path,), layout.kind))
        for part in found:
            if part.layout == "snapshots":
                twin = [p for p in found if p.layout == "incremental" and p.info == part.info]
                if twin:
                    name = twin[0].files[0].name
                    raise TapeError(f"{part.files[0]}: line 1: the book is also in {name}; keep one of both")
        return found

    def grid(self, parts: Sequence[Part]) -> TapeInfo:
        """Tick and lot as the first rows of the first book and the first trades show them."""
        info = parts[0].info
        prices: list[NDArray[np.float64]] = []
        sizes: list[NDArray[np.float64]] = []
        for kinds in (_BOOKS, ("trades",)):
            part = next((part for part in parts if part.layout in kinds), None)
            if part is None:
                continue
            layout = _known(part.files[0])
            chunk = _mine(next(_chunks(part.files[0], layout)), info.symbol)
            prices += [chunk.column(name) for name in layout.names if name.endswith("price")]
            sizes += [chunk.column(name) for name in layout.names if name.endswith("amount")]
        return replace(info, tick=grid_step(np.concatenate(prices)), lot=grid_step(np.concatenate(sizes)))

    def read(self, info: TapeInfo, parts: Sequence[Part], quality: Quality) -> Iterator[Rows]:
        """Book and trades joined by receive time."""
        books = [part.files[0] for part in parts if part.layout in _BOOKS]
        trades = [part.files[0] for part in parts if part.layout == "trades"]
        return merged(
            _book_rows(books, info, quality), _trade_rows(trades, info, quality), str(parts[0].files[0])
        )


def _layout(path: Path) -> Layout | None:
    names = tuple(first_line(path).decode(errors="replace").strip().split(","))
    if names[:4] != _HEAD:
        return None
    if set(names) == set(_INCREMENTAL) or set(names) == set(_TRADES):
        return Layout("trades" if "id" in names else "incremental", names)
    depth = (len(names) - 4) // 4
    sides = {
        f"{side}[{i}].{what}"
        for side in ("asks", "bids")
        for i in range(depth)
        for what in ("price", "amount")
    }
    return Layout("snapshots", names, depth) if depth and set(names[4:]) == sides else None


def _known(path: Path) -> Layout:
    layout = _layout(path)
    if layout is None:
        raise TapeError(f"{path}: line 1: no header of a Tardis book or of trades")
    return layout


def _info(path: Path, exchange: str, symbol: str) -> TapeInfo:
    if exchange not in EXCHANGES:
        raise TapeError(
            f"{path}: line 2: exchange {exchange!r}: only where amounts count in base currency can be read:"
            f" {', '.join(EXCHANGES)}"
        )
    venue, product = EXCHANGES[exchange]
    if product == "bybit-linear" and symbol.endswith("USD"):
        raise TapeError(f"{path}: line 2: {symbol} is an inverse contract, whose amounts count in USD")
    base, quote = split_symbol(symbol)
    return TapeInfo(
        venue, product, symbol, base, quote, Decimal(1), Decimal(1), min_notional(product, symbol)
    )


def _chunks(path: Path, layout: Layout, quality: Quality | None = None) -> Iterator[Chunk]:
    kinds = {"exchange": TEXT, "symbol": TEXT, "timestamp": INT, "local_timestamp": INT}
    if layout.kind == "incremental":
        kinds |= {"is_snapshot": FLAG, "side": TEXT}
    elif layout.kind == "trades":
        kinds |= {"id": NAME, "side": TEXT}
    kinds |= {name: FLOAT for name in layout.names if name.endswith(("price", "amount"))}
    return chunks(path, layout.names, kinds, quality, header=True)


def _mine(chunk: Chunk, symbol: str, quality: Quality | None = None) -> Chunk:
    texts = chunk.texts("symbol")
    if texts == [symbol]:
        return chunk
    mine = chunk.words("symbol", {text: int(text == symbol) for text in texts}) == 1
    if quality:
        quality.ignored += int(np.count_nonzero(~mine))
    return chunk.only(mine)


def _times(chunk: Chunk) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    return chunk.times_ns("timestamp", _US_NS), chunk.times_ns("local_timestamp", _US_NS)


def _trade_rows(files: Sequence[Path], info: TapeInfo, quality: Quality) -> Iterator[Rows]:
    trades = Trades(info, quality, Timeline(quality))
    for path in files:
        for whole in _chunks(path, _known(path), quality):
            chunk = _mine(whole, info.symbol, quality)
            side = chunk.words("side", {"buy": 1, "sell": -1, "unknown": 0})
            price, qty = chunk.column("price"), chunk.column("amount")
            yield trades.rows(chunk, _times(chunk), side, price, qty, key="id")


def _book_rows(files: Sequence[Path], info: TapeInfo, quality: Quality) -> Iterator[Rows]:
    timeline = Timeline(quality)
    incremental = Incremental(info, quality, timeline)
    snapshots = SnapshotBook(quality, break_ns=_FILE_BREAK_NS)
    for path in files:
        layout = _known(path)
        for whole in _chunks(path, layout, quality):
            chunk = _mine(whole, info.symbol, quality)
            if layout.kind == "snapshots":
                yield _snapshots(chunk, layout.depth, info, snapshots, timeline)
            else:
                yield incremental.rows(chunk, _updates(chunk))
        yield incremental.rest(path)


def _updates(chunk: Chunk) -> Updates:
    exch, local = _times(chunk)
    side = chunk.words("side", {"bid": 1, "ask": -1})
    return Updates(
        exch, local, chunk.column("is_snapshot"), side, chunk.column("price"), chunk.column("amount")
    )


def _snapshots(chunk: Chunk, depth: int, info: TapeInfo, book: SnapshotBook, timeline: Timeline) -> Rows:
    quality = timeline.quality
    exch, local = _times(chunk)
    local = timeline.repaired(chunk.path, chunk.lines, exch, local)
    books = []
    for side, order in (("bids", -1), ("asks", 1)):
        price, qty = (
            np.stack([chunk.column(f"{side}[{i}].{what}") for i in range(depth)], axis=1)
            for what in ("price", "amount")
        )
        empty = np.isnan(price) & np.isnan(qty)
        bad = ~empty & ~(countable(price, info.tick) & countable(qty, info.lot) & (price > 0))
        bad[:, 1:] |= ~empty[:, 1:] & ~(np.diff(order * price, axis=1) > 0)
        if bad.any():
            row, level = np.argwhere(bad)[0]
            chunk.fail(
                int(row),
                f"{side}[{level}] holds {qty[row, level]} at {price[row, level]}: are columns swapped?",
            )
        books += [
            to_grid(np.nan_to_num(price), info.tick, quality),
            to_grid(np.nan_to_num(qty), info.lot, quality),
        ]
        books[-1][(qty > 0) & (books[-1] == 0)] = 1
    quality.messages += len(chunk)
    return book.rows(np.stack([exch, local, np.full(exch.size, -1)], axis=1), np.stack(books))


READER = Tardis()
