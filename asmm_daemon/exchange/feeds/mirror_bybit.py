"""Bybit v5's public streams, spot and linear, as rows."""

import asyncio
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

import aiohttp
import orjson

from asmm_daemon.errors import UnitError, VenueError
from asmm_daemon.events import CLEAR, DEPTH, TRADE, Rows
from asmm_daemon.exchange.feeds.markets import FEES
from asmm_daemon.exchange.feeds.mirror_http import get
from asmm_daemon.tape.columns import empty_rows
from asmm_daemon.units import Instrument, Lots, Product

REST_ROOT = "https://api.bybit.com"
WS_ROOT = "wss://stream.bybit.com"
_PING_S = 18.0
_SIDES = {"Buy": 1, "Sell": -1}


class BybitMirror:
    """Books of 50 levels and trades. A jump in `u` ends the connection; the next starts anew."""

    def __init__(
        self, symbols: Sequence[str], product: Product, rest_url: str = "", ws_url: str = ""
    ) -> None:
        self._symbols = list(symbols)
        self._product: Product = product
        self._category = "spot" if product == "bybit-spot" else "linear"
        self._rest = (rest_url or REST_ROOT).rstrip("/")
        self._url = f"{(ws_url or WS_ROOT).rstrip('/')}/v5/public/{self._category}"
        self._units: list[Instrument] = []
        self._updates: dict[str, int] = {}

    async def instruments(self, session: aiohttp.ClientSession) -> list[Instrument]:
        """Filters as the venue lists them. Raises VenueError, also for an unknown symbol."""
        for symbol in self._symbols:
            params = {"category": self._category, "symbol": symbol}
            answer = await get(session, f"{self._rest}/v5/market/instruments-info", params)
            if answer.get("retCode") != 0 or not answer["result"]["list"]:
                raise VenueError(f"mirror: {self._product} does not list {symbol} ({answer.get('retMsg')})")
            self._units.append(_instrument(answer["result"]["list"][0], self._product))
        return list(self._units)

    async def run(self, session: aiohttp.ClientSession, push: Callable[[int, Rows], None]) -> None:
        """Mirrors until the connection is lost; raises what ended it."""
        self._updates.clear()
        topics = [f"{kind}.{symbol}" for symbol in self._symbols for kind in ("orderbook.50", "publicTrade")]
        async with session.ws_connect(self._url, max_msg_size=0) as socket:
            await socket.send_json({"op": "subscribe", "args": topics})
            beat = asyncio.ensure_future(_ping(socket))
            try:
                async for message in socket:
                    if message.type is aiohttp.WSMsgType.TEXT:
                        self._take(orjson.loads(message.data), push)
            finally:
                beat.cancel()
        raise VenueError(f"mirror: {self._url} closed the connection", retry=True)

    def _take(self, message: dict[str, Any], push: Callable[[int, Rows], None]) -> None:
        if message.get("success") is False:
            raise VenueError(f"mirror: {self._url} refused the subscription: {message.get('ret_msg')}")
        kind, _, symbol = message.get("topic", "").rpartition(".")
        if symbol not in self._symbols:
            return
        index = self._symbols.index(symbol)
        unit = self._units[index]
        try:
            rows = _trades(message["data"], unit) if kind == "publicTrade" else self._book(message, unit)
        except (KeyError, TypeError, ValueError, UnitError) as error:
            raise VenueError(f"mirror: {str(message)[:200]} is not a message ({error})") from None
        if rows.size:
            rows["last"][-1] = True
            push(index, rows)

    def _book(self, message: dict[str, Any], unit: Instrument) -> Rows:
        data = message["data"]
        fresh = message["type"] == "snapshot" or data["u"] == 1
        if not fresh and data["u"] != self._updates.get(unit.symbol, data["u"]) + 1:
            raise VenueError(
                f"mirror: {unit.symbol}: update {data['u']} after {self._updates.get(unit.symbol)}"
            )
        self._updates[unit.symbol] = data["u"]
        levels = [(1, *level) for level in data["b"]] + [(-1, *level) for level in data["a"]]
        rows = empty_rows(len(levels) + 2 * fresh)
        rows["kind"], rows["id"] = DEPTH, data["u"]
        if fresh:
            rows["kind"][:2], rows["side"][:2] = CLEAR, (1, -1)
        for row, (side, price, qty) in zip(rows[2 * fresh :], levels, strict=True):
            row["side"], row["price"], row["qty"] = side, unit.ticks(price), unit.lots(qty)
        return rows


def _trades(data: list[dict[str, Any]], unit: Instrument) -> Rows:
    rows = empty_rows(len(data))
    rows["kind"] = TRADE
    for row, trade in zip(rows, data, strict=True):
        row["side"] = _SIDES[trade["S"]]
        row["price"], row["qty"] = unit.ticks(trade["p"]), unit.lots(trade["v"])
        row["id"] = int(trade["i"]) if trade["i"].isdigit() else -1
    return rows


async def _ping(socket: aiohttp.ClientWebSocketResponse) -> None:
    while True:
        await asyncio.sleep(_PING_S)
        await socket.send_json({"op": "ping"})


def _instrument(item: dict[str, Any], product: Product) -> Instrument:
    sizes = item["lotSizeFilter"]
    lot = Decimal(sizes.get("qtyStep") or sizes["basePrecision"]).normalize()
    maker, taker = FEES[product]
    return Instrument(
        symbol=item["symbol"],
        product=product,
        base=item["baseCoin"],
        quote=item["quoteCoin"],
        tick=Decimal(item["priceFilter"]["tickSize"]).normalize(),
        lot=lot,
        min_notional=Decimal(sizes.get("minNotionalValue") or sizes.get("minOrderAmt") or "0"),
        min_qty=Lots(max(1, int(Decimal(sizes["minOrderQty"]) / lot))),
        max_qty=Lots(int(Decimal(sizes.get("maxOrderQty") or sizes["maxLimitOrderQty"]) / lot)),
        maker=maker,
        taker=taker,
    )
