"""Raw Binance WebSocket lines, `<local us or ns> <json>`: depth, bookTicker, trade and REST snapshots.

One reading carries its state across files (a later file continues the book of the one before).
Sequence numbers are checked; a break makes the book unknown until the next snapshot, or, without
one, until the next bookTicker says where the best prices are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path

import numpy as np
import orjson

from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Quality, TapeInfo
from asmm_daemon.tape.loaders.binance_messages import MALFORMED, Batch, Decoder
from asmm_daemon.tape.loaders.common import (
    CORRUPT,
    Part,
    first_line,
    grid_step,
    min_notional,
    open_lines,
    size_of,
    split_symbol,
)
from asmm_daemon.units import Product

_LINES_A_CHUNK = 8192
_LINES_PROBED = 3000


class BinanceLines:
    """Reader of raw Binance lines."""

    def knows(self, path: Path) -> bool:
        """Whether the first line is a receive time and a JSON object."""
        stamp, _, body = first_line(path).partition(b" ")
        return stamp.isdigit() and 16 <= len(stamp) <= 19 and body.startswith(b"{")

    def parts(self, files: Sequence[Path]) -> list[Part]:
        """One part for each symbol of each file."""
        found: list[Part] = []
        for path in files:
            for product, symbol, start_ns in _markets(path):
                base, quote = split_symbol(symbol)
                info = TapeInfo(
                    "binance",
                    product,
                    symbol,
                    base,
                    quote,
                    Decimal(1),
                    Decimal(1),
                    min_notional(product, symbol),
                )
                found.append(Part(self, info, start_ns, (path,)))
        return found

    def grid(self, parts: Sequence[Part]) -> TapeInfo:
        """Tick and lot as the first lines show them."""
        info = parts[0].info
        decoder = Decoder(info.symbol, Quality())
        found = []
        for line_no, line in _probe(parts[0].files[0]):
            batch = Batch()
            try:
                decoder.decode(line, line_no, batch)
                found.append(batch.values())
            except MALFORMED:
                break  # reading the file will name the line
        values = np.concatenate(found) if found else np.ones(2)
        return replace(info, tick=grid_step(values[0::2]), lot=grid_step(values[1::2]))

    def read(self, info: TapeInfo, parts: Sequence[Part], quality: Quality) -> Iterator[Rows]:
        """Chunks of some thousand lines."""
        decoder = Decoder(info.symbol, quality)
        for part in parts:
            path = part.files[0]
            decoder.shift_ns = None
            for first, lines in _chunks(path):
                batch = Batch()
                line_no = first
                try:
                    for line_no, line in enumerate(lines, first):
                        decoder.decode(line, line_no, batch)
                except MALFORMED as error:
                    raise TapeError(f"{path}: line {line_no}: {_reason(error)}") from None
                yield decoder.rows(batch, info, str(path))
            quality.bytes += size_of(part)


def _reason(error: Exception) -> str:
    if isinstance(error, orjson.JSONDecodeError):
        return f"not a JSON object ({error.msg})"
    if isinstance(error, KeyError):
        return f"the message has no {error.args[0]!r}"
    return f"not a Binance message ({error})"


def _chunks(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Lines of a file in lists, with the number of each list's first line. Raises TapeError."""
    first = 1
    with open_lines(path) as file:
        while True:
            lines: list[bytes] = []
            try:
                lines.extend(islice(file, _LINES_A_CHUNK))
            except CORRUPT as error:
                raise TapeError(f"{path}: line {first + len(lines)}: damaged compression ({error})") from None
            if not lines:
                return
            yield first, lines
            first += len(lines)


def _probe(path: Path) -> list[tuple[int, bytes]]:
    """The whole, readable lines at the start of a file: what its market is guessed from."""
    lines: list[tuple[int, bytes]] = []
    with open_lines(path) as file:
        try:
            for number, line in enumerate(islice(file, _LINES_PROBED), 1):
                message = orjson.loads(line.partition(b" ")[2])
                if not isinstance(message, dict) or not isinstance(message.get("data", message), dict):
                    break
                lines.append((number, line))
        except (orjson.JSONDecodeError, *CORRUPT):
            pass  # reading the file will name the line
    return lines


def _markets(path: Path) -> list[tuple[Product, str, int]]:
    """Product, symbol and start of every market in a file. Raises TapeError when there is none."""
    symbols: dict[str, Product] = {}
    lines = _probe(path)
    for _, line in lines:
        message = orjson.loads(line.partition(b" ")[2])
        data = message.get("data", message)
        symbol = data.get("s")
        if isinstance(symbol, str):
            linear = (
                data.get("e") == "bookTicker"
                or "pu" in data
                or (data.get("e") == "trade" and "M" not in data)
            )
            if linear or symbol not in symbols:
                symbols[symbol] = "binanceusdm" if linear else "binance"
    if not symbols:
        raise TapeError(f"{path}: line {len(lines) + 1}: no Binance message that names a symbol before it")
    start_ns = stamp_ns(lines[0][1].partition(b" ")[0])
    return [(product, symbol, start_ns) for symbol, product in symbols.items()]


def stamp_ns(stamp: bytes) -> int:
    """A recorder's receive time in nanoseconds, whether it wrote micro- or nanoseconds."""
    return int(stamp) * (1000 if len(stamp) <= 16 else 1)


READER = BinanceLines()
