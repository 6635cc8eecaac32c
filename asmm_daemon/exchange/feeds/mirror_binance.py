"""Binance's public streams, spot and USD-M, as rows: the tape's own decoder, fed live."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import aiohttp
import numpy as np
import orjson

from asmm_daemon.clock import wall_ns
from asmm_daemon.errors import VenueError
from asmm_daemon.events import Rows
from asmm_daemon.exchange.feeds.markets import FEES
from asmm_daemon.exchange.feeds.mirror_http import get
from asmm_daemon.tape.columns import Quality, TapeInfo
from asmm_daemon.tape.loaders.binance_messages import MALFORMED, Batch, Decoder
from asmm_daemon.units import Instrument, Lots, Product

ROOTS = {
    "binance": ("https://api.binance.com", "wss://stream.binance.com:9443"),
    "binanceusdm": ("https://fapi.binance.com", "wss://fstream.binance.com"),
}
_SNAPSHOT_EVERY_S = 2.0


class BinanceMirror:
    """Depth, best price and trades of some symbols; snapshots are fetched where the sequence needs one."""

    def __init__(
        self, symbols: Sequence[str], product: Product, rest_url: str = "", ws_url: str = ""
    ) -> None:
        rest, ws = ROOTS[product]
        self._symbols = list(symbols)
        self._product: Product = product
        self._api = (rest_url or rest).rstrip("/") + ("/api/v3" if product == "binance" else "/fapi/v1")
        self._ws = (ws_url or ws).rstrip("/")
        self._infos: list[TapeInfo] = []
        self._decoders: list[Decoder] = []

    async def instruments(self, session: aiohttp.ClientSession) -> list[Instrument]:
        """Filters as the venue lists them. Raises VenueError, also for an unknown symbol."""
        answer = await get(session, f"{self._api}/exchangeInfo", {})
        listed = {item["symbol"]: item for item in answer["symbols"]}
        missing = [symbol for symbol in self._symbols if symbol not in listed]
        if missing:
            raise VenueError(f"mirror: {self._product} does not list {missing[0]}")
        units = [_instrument(listed[symbol], self._product) for symbol in self._symbols]
        self._infos = [
            TapeInfo("binance", self._product, u.symbol, u.base, u.quote, u.tick, u.lot, u.min_notional)
            for u in units
        ]
        return units

    async def run(self, session: aiohttp.ClientSession, push: Callable[[int, Rows], None]) -> None:
        """Mirrors until a connection is lost; raises what ended it."""
        self._decoders = [Decoder(symbol, Quality(), shift_ns=0) for symbol in self._symbols]
        book = [
            f"{symbol.lower()}@{name}" for symbol in self._symbols for name in ("depth@100ms", "bookTicker")
        ]
        trades = [f"{symbol.lower()}@trade" for symbol in self._symbols]
        if self._product == "binance":
            urls = [f"{self._ws}/stream?streams={'/'.join(book + trades)}"]
        else:
            urls = [
                f"{self._ws}/public/stream?streams={'/'.join(book)}",
                f"{self._ws}/market/stream?streams={'/'.join(trades)}",
            ]
        readers = [asyncio.ensure_future(self._read(session, url, push)) for url in urls]
        readers.append(asyncio.ensure_future(self._keep_synchronised(session, push)))
        try:
            await asyncio.wait(readers, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for reader in readers:
                reader.cancel()
            ended = await asyncio.gather(*readers, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error

    async def _read(
        self, session: aiohttp.ClientSession, url: str, push: Callable[[int, Rows], None]
    ) -> None:
        async with session.ws_connect(url, heartbeat=15, max_msg_size=0) as socket:
            async for message in socket:
                if message.type is aiohttp.WSMsgType.TEXT:
                    data = orjson.loads(message.data)
                    symbol = data.get("data", data).get("s")
                    if symbol in self._symbols:
                        self._take(self._symbols.index(symbol), message.data.encode(), push)
        raise VenueError(f"mirror: {url} closed the connection", retry=True)

    def _take(self, index: int, body: bytes, push: Callable[[int, Rows], None]) -> None:
        batch = Batch()
        decoder = self._decoders[index]
        try:
            decoder.decode(b"%d %b" % (wall_ns(), body), 0, batch)
        except MALFORMED as error:
            raise VenueError(
                f"mirror: {body[:200].decode(errors='replace')} is not a message ({error})"
            ) from None
        rows = decoder.rows(batch, self._infos[index], "mirror")
        ends = np.flatnonzero(rows["last"]) + 1
        for part in np.split(rows, ends[:-1]):
            if part.size:
                push(index, part)

    async def _keep_synchronised(
        self, session: aiohttp.ClientSession, push: Callable[[int, Rows], None]
    ) -> None:
        """Fetches a snapshot for every book that has diffs but none, or lost its sequence."""
        held: list[int | None] = [None] * len(self._symbols)
        while True:
            for index, (symbol, decoder) in enumerate(zip(self._symbols, self._decoders, strict=True)):
                breaks = decoder.quality.sequence_breaks
                if held[index] == breaks or not decoder.diffs:
                    continue
                oldest = decoder.diffs[0][0]
                snapshot = await get(session, f"{self._api}/depth", {"symbol": symbol, "limit": "1000"})
                if snapshot["lastUpdateId"] >= oldest or breaks:
                    self._take(index, orjson.dumps(snapshot), push)
                    held[index] = breaks
            await asyncio.sleep(0.05 if None in held else _SNAPSHOT_EVERY_S)


def _instrument(item: dict[str, Any], product: Product) -> Instrument:
    filters = {entry["filterType"]: entry for entry in item["filters"]}
    tick = Decimal(filters["PRICE_FILTER"]["tickSize"]).normalize()
    lot = Decimal(filters["LOT_SIZE"]["stepSize"]).normalize()
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    maker, taker = FEES[product]
    return Instrument(
        symbol=item["symbol"],
        product=product,
        base=item["baseAsset"],
        quote=item["quoteAsset"],
        tick=tick,
        lot=lot,
        min_notional=Decimal(notional.get("minNotional", notional.get("notional", "0"))),
        min_qty=Lots(int(Decimal(filters["LOT_SIZE"]["minQty"]) / lot)),
        max_qty=Lots(int(Decimal(filters["LOT_SIZE"]["maxQty"]) / lot)),
        maker=maker,
        taker=taker,
    )
