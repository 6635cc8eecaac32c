"""Binance public data (data.binance.vision): trades and aggTrades of spot and USD-M, CSV or ZIP.

The layout is told by the columns, with or without a header line; the symbol by the file's name; times
are in milliseconds or, on spot since 2025, microseconds. These files carry no receive time and no
book: alone they make a tape of trades. `bookDepth` (quantities summed up in bands of percent) and
`klines` (candles) hold neither levels nor trades and are refused. Trades and aggTrades of one market
are the same trades twice: only one of both is read.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Quality, TapeInfo
from asmm_daemon.tape.loaders.common import Part, first_line, grid_step, min_notional, split_symbol
from asmm_daemon.tape.loaders.csv_table import FLAG, FLOAT, INT, Chunk, chunks
from asmm_daemon.tape.loaders.streams import Timeline, Trades
from asmm_daemon.units import Product

_TRADES = ("id", "price", "qty", "quote_qty", "time", "is_buyer_maker")
_AGGREGATES = ("id", "price", "qty", "first_id", "last_id", "time", "is_buyer_maker")
_NAME = re.compile(
    r"([A-Z0-9_]+)-(trades|aggTrades|bookDepth|\d+(?:mo|[smhdw]))-\d{4}-\d{2}(-\d{2})?\.(csv|zip)"
)
_REFUSED = {
    "bookDepth": "bookDepth sums quantities up in bands of percent: no book can be made of it, nor trades",
    "klines": "klines are candles: neither a book nor trades can be made of them",
}
_KINDS = {"id": INT, "price": FLOAT, "qty": FLOAT, "time": INT, "is_buyer_maker": FLAG}


@dataclass(frozen=True, slots=True)
class Layout:
    """What the first line says: `trades`, `aggTrades`, `bookDepth` or `klines`."""

    kind: str
    product: Product
    names: tuple[str, ...]
    header: bool


class BinancePublic:
    """Reader of Binance's public data files."""

    def knows(self, path: Path) -> bool:
        """Whether the first line has one of the layouts."""
        return _layout(path) is not None

    def parts(self, files: Sequence[Path]) -> list[Part]:
        """One part a file. Raises TapeError for what holds no trades, or the same trades twice."""
        found: list[Part] = []
        for path in files:
            layout = _known(path)
            if layout.kind in _REFUSED:
                raise TapeError(f"{path}: line 1: {_REFUSED[layout.kind]}; leave the file out")
            chunk = next(_chunks(path, layout), None)
            if chunk is None:
                raise TapeError(f"{path}: line {1 + layout.header}: no rows; leave an empty day out")
            info = _info(layout.product, _symbol(path))
            found.append(Part(self, info, int(chunk.times_ns("time")[0]), (path,), layout.kind))
        for part in found:
            twin = next((p for p in found if p.info == part.info and p.layout != part.layout), None)
            if twin:
                raise TapeError(
                    f"{part.files[0]}: line 1: {twin.files[0].name} holds the same trades as {twin.layout};"
                    " keep one of both"
                )
        return found

    def grid(self, parts: Sequence[Part]) -> TapeInfo:
        """Tick and lot as the first trades show them."""
        path = parts[0].files[0]
        chunk = next(_chunks(path, _known(path)))
        return replace(
            parts[0].info, tick=grid_step(chunk.column("price")), lot=grid_step(chunk.column("qty"))
        )

    def read(self, info: TapeInfo, parts: Sequence[Part], quality: Quality) -> Iterator[Rows]:
        """Chunks of some tens of thousands of trades."""
        trades = Trades(info, quality, Timeline(quality))
        for part in parts:
            for chunk in _chunks(part.files[0], _known(part.files[0]), quality):
                t_ns = chunk.times_ns("time")
                side = np.where(chunk.column("is_buyer_maker"), -1, 1)
                price, qty = chunk.column("price"), chunk.column("qty")
                yield trades.rows(chunk, (t_ns, t_ns), side, price, qty, chunk.column("id"))


def _layout(path: Path) -> Layout | None:
    fields = first_line(path).decode(errors="replace").strip().split(",")
    header = fields[0].isascii() and not fields[0][:1].isdigit()
    if header:
        return _by_header([field.strip().lower() for field in fields])
    flags = [field.lower() in ("true", "false") for field in fields]
    numbers = [_is_number(field) for field in fields]
    if len(fields) in (6, 7) and all(numbers[:5]) and all(flags[5:]):
        spot = len(fields) == 7
        return _trades("trades", _TRADES, spot, len(fields))
    if len(fields) in (7, 8) and all(numbers[:6]) and all(flags[6:]):
        return _trades("aggTrades", _AGGREGATES, len(fields) == 8, len(fields))
    if len(fields) == 12 and all(numbers):
        return Layout("klines", "binance", (), header=False)
    if len(fields) == 4 and all(numbers[1:]) and re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", fields[0]):
        return Layout("bookDepth", "binanceusdm", (), header=False)
    return None


def _trades(kind: str, names: tuple[str, ...], spot: bool, width: int) -> Layout:  # noqa: FBT001
    best = ("is_best_match",) if width > len(names) else ()
    return Layout(kind, "binance" if spot else "binanceusdm", (*names, *best), header=False)


def _by_header(fields: list[str]) -> Layout | None:
    product: Product = "binance" if any("best" in field for field in fields) else "binanceusdm"
    known = {
        "agg_trade_id": "id", "trade_id": "id", "quantity": "qty", "transact_time": "time",
        "timestamp": "time", "isbuyermaker": "is_buyer_maker",
    }  # fmt: skip
    names = tuple(known.get(field, field) for field in fields)
    if set(_KINDS) <= set(names):
        kind = "aggTrades" if any(field.startswith("first_") for field in fields) else "trades"
        return Layout(kind, product, names, header=True)
    if {"open_time", "open", "high", "low", "close", "close_time"} <= set(fields):
        return Layout("klines", product, names, header=True)
    if {"percentage", "depth", "notional"} <= set(fields):
        return Layout("bookDepth", product, names, header=True)
    return None


def _known(path: Path) -> Layout:
    layout = _layout(path)
    if layout is None:
        raise TapeError(f"{path}: line 1: neither trades nor aggTrades of Binance")
    return layout


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _symbol(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    if match is None:
        raise TapeError(
            f"{path}: line 1: the symbol is told by the file's name: SYMBOL-trades-2024-01-31.csv or"
            " SYMBOL-aggTrades-2024-01-31.zip is expected"
        )
    return match[1]


def _info(product: Product, symbol: str) -> TapeInfo:
    base, quote = split_symbol(symbol)
    notional = min_notional(product, symbol)
    return TapeInfo("binance", product, symbol, base, quote, Decimal(1), Decimal(1), notional)


def _chunks(path: Path, layout: Layout, quality: Quality | None = None) -> Iterator[Chunk]:
    return chunks(path, layout.names, _KINDS, quality, header=layout.header)


READER = BinancePublic()
