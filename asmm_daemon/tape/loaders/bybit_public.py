"""Bybit public data: books `*_ob500.data.zip` (JSON lines) and trades in CSV, spot and linear.

A book's `cts` is the matching engine's time and `ts` the time of its message, taken as receive time;
trades carry the matching engine's time alone (seconds with decimals on linear, milliseconds on spot;
old linear files run backwards). Update ids `u` count without holes: a hole makes the book unknown
until the next snapshot. Inverse contracts, counted in dollars, are refused.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import chain
from pathlib import Path

import numpy as np
import orjson

from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Quality, TapeInfo
from asmm_daemon.tape.loaders.bybit_messages import MALFORMED, BybitDecoder, reason
from asmm_daemon.tape.loaders.common import Part, first_line, grid_step, min_notional, split_symbol
from asmm_daemon.tape.loaders.csv_table import FLOAT, INT, NAME, TEXT, Chunk, chunks
from asmm_daemon.tape.loaders.reversal import forwards
from asmm_daemon.tape.loaders.streams import Timeline, Trades, merged
from asmm_daemon.tape.loaders.text import blocks
from asmm_daemon.units import Product

_LINEAR = {
    "timestamp": FLOAT,
    "symbol": TEXT,
    "side": TEXT,
    "size": FLOAT,
    "price": FLOAT,
    "trdMatchID": NAME,
}
_SPOT = {"id": INT, "timestamp": INT, "price": FLOAT, "volume": FLOAT, "side": TEXT}
_SIDES = {"Buy": 1, "buy": 1, "Sell": -1, "sell": -1}
_TOPIC = re.compile(r"orderbook\.(\d+)\.(\w+)")
_SPOT_NAME = re.compile(r"([A-Z0-9]+)[_-]\d{4}-\d{2}(-\d{2})?\.csv(\.gz)?")


@dataclass(frozen=True, slots=True)
class Head:
    """What a file's first line says."""

    layout: str  # book, linear or spot
    symbol: str
    names: tuple[str, ...] = ()


class BybitPublic:
    """Reader of Bybit's public data files."""

    def knows(self, path: Path) -> bool:
        """Whether the first line is a book message or a header of trades."""
        return _head(path) is not None

    def parts(self, files: Sequence[Path]) -> list[Part]:
        """One part a file. Raises TapeError for an empty file or an inverse contract."""
        heads = {path: _known(path) for path in files}
        spot = {head.symbol for head in heads.values() if head.layout == "spot"}
        found: list[Part] = []
        for path, head in heads.items():
            is_spot = head.layout == "spot" or (
                head.layout == "book"
                and (head.symbol in spot or "spot" in path.as_posix().lower().split("/"))
            )
            if head.symbol.endswith("USD") and not is_spot:
                raise TapeError(f"{path}: line 1: {head.symbol} is an inverse contract, counted in USD")
            info = _info("bybit-spot" if is_spot else "bybit-linear", head.symbol)
            found.append(Part(self, info, _start_ns(path, head), (path,), head.layout))
        return found

    def grid(self, parts: Sequence[Part]) -> TapeInfo:
        """Tick and lot as the first book messages and the first trades show them."""
        info = parts[0].info
        prices, sizes = [], []
        for layout in ("book", "linear", "spot"):
            part = next((part for part in parts if part.layout == layout), None)
            if part is None:
                continue
            if layout == "book":
                price, size = BybitDecoder(info, Quality(), Timeline(Quality())).levels(part.files[0])
            else:
                chunk = next(_chunks(part.files[0], _known(part.files[0])))
                price, size = chunk.column("price"), chunk.column("size" if layout == "linear" else "volume")
            prices.append(price)
            sizes.append(size)
        return replace(info, tick=grid_step(np.concatenate(prices)), lot=grid_step(np.concatenate(sizes)))

    def read(self, info: TapeInfo, parts: Sequence[Part], quality: Quality) -> Iterator[Rows]:
        """Book and trades joined by receive time."""
        books = [part.files[0] for part in parts if part.layout == "book"]
        trades = [part.files[0] for part in parts if part.layout != "book"]
        decoder = BybitDecoder(info, quality, Timeline(quality))
        return merged(
            chain.from_iterable(decoder.read(path) for path in books),
            _trade_rows(trades, info, quality),
            str(parts[0].files[0]),
        )


def _head(path: Path) -> Head | None:
    line = first_line(path)
    if line.startswith(b"{"):
        match = _TOPIC.search(line[:200].decode(errors="replace")) if b'"topic"' in line else None
        return Head("book", match[2]) if match else None
    names = tuple(line.decode(errors="replace").strip().split(","))
    if set(_LINEAR) <= set(names):
        return Head("linear", _column(path, names, "symbol"), names)
    if set(_SPOT) <= set(names):
        match = _SPOT_NAME.fullmatch(path.name)
        return Head("spot", match[1] if match else "", names)
    return None


def _known(path: Path) -> Head:
    head = _head(path)
    if head is None:
        raise TapeError(f"{path}: line 1: neither a book nor trades of Bybit")
    if not head.symbol:
        raise TapeError(
            f"{path}: line {1 if head.layout == 'spot' else 2}: "
            + (
                "the symbol is told by the file's name: SYMBOL_2024-01-31.csv.gz is expected"
                if head.layout == "spot"
                else "no rows; leave an empty day out"
            )
        )
    return head


def _column(path: Path, names: tuple[str, ...], name: str) -> str:
    """A text of the first row; empty where there is none."""
    block = next(blocks(path), None)
    lines = block.text.split(b"\n", 2) if block else []
    fields = lines[1].strip().split(b",") if len(lines) > 1 else []
    at = names.index(name)
    return fields[at].decode(errors="replace") if at < len(fields) else ""


def _info(product: Product, symbol: str) -> TapeInfo:
    base, quote = split_symbol(symbol)
    return TapeInfo(
        "bybit", product, symbol, base, quote, Decimal(1), Decimal(1), min_notional(product, symbol)
    )


def _start_ns(path: Path, head: Head) -> int:
    if head.layout == "book":
        try:
            return int(orjson.loads(first_line(path))["ts"]) * 1_000_000
        except MALFORMED as error:
            raise TapeError(f"{path}: line 1: {reason(error)}") from None
    chunk = next(_chunks(path, head), None)
    if chunk is None:
        raise TapeError(f"{path}: line 2: no rows; leave an empty day out")
    return int(chunk.times_ns("timestamp").min())


def _chunks(path: Path, head: Head, quality: Quality | None = None) -> Iterator[Chunk]:
    return chunks(path, head.names, _LINEAR if head.layout == "linear" else _SPOT, quality, header=True)


def _trade_rows(files: Sequence[Path], info: TapeInfo, quality: Quality) -> Iterator[Rows]:
    trades = Trades(info, quality, Timeline(quality))
    for path in files:
        head = _known(path)
        size, key = ("volume", "") if head.layout == "spot" else ("size", "trdMatchID")
        for chunk in forwards(_chunks(path, head, quality), "timestamp"):
            if head.layout == "linear":
                chunk.words("symbol", {info.symbol: 1})
            t_ns = chunk.times_ns("timestamp")
            side = chunk.words("side", _SIDES)
            yield trades.rows(chunk, (t_ns, t_ns), side, chunk.column("price"), chunk.column(size), key=key)


READER = BybitPublic()
