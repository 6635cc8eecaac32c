"""The documented procedures for a local order book, followed to the letter with a bare client."""

import asyncio

import orjson
import pytest

from asmm_daemon.exchange.binance.ids import last_id
from asmm_daemon.exchange.binance.market_data import levels
from asmm_daemon.exchange.listener import NullListener

PATHS = {"binance": "/ws/btcusdt@depth@100ms", "binanceusdm": "/public/ws/btcusdt@depth@100ms"}


def apply(book, event):
    """Absolute quantities: zero removes the level."""
    for name in ("b", "a"):
        for price, qty in event[name]:
            if float(qty) == 0:
                book[name].pop(price, None)
            else:
                book[name][price] = qty


def top(levels, *, best_high):
    """The best 20 prices of a side with their quantities."""
    return sorted(((float(p), float(q)) for p, q in levels.items()), reverse=best_high)[:20]


class Shadow(NullListener):
    """The venue's own best 20 levels after each change, by the wire's update id."""

    def __init__(self, board):
        self.board = board
        self.books = {}

    def on_depth(self, market, changes, exch_ns, local_ns):
        """Keeps the book as it is now."""
        spot = market.instrument.is_spot
        self.books[last_id(market.update_id, spot=spot)] = tuple(
            [(float(p), float(q)) for p, q in levels(self.board, side)] for side in market.depth(20)
        )


async def follow(v, product, ws, shadow):
    """Joins a snapshot to the stream as the documents say, and compares the book after each event."""
    buffered = [orjson.loads((await ws.receive()).data)]
    snap = "/api/v3/depth" if product == "binance" else "/fapi/v1/depth"
    _, snapshot = await v.get(snap, symbol="BTCUSDT", limit="1000")
    last = snapshot["lastUpdateId"]
    book = {"b": dict(snapshot["bids"]), "a": dict(snapshot["asks"])}
    previous, compared = None, 0
    while compared < 30:
        event = buffered.pop(0) if buffered else orjson.loads((await ws.receive()).data)
        first = previous is None
        if product == "binance":
            if event["u"] <= last:
                continue
            assert event["U"] <= last + 1 <= event["u"] if first else event["U"] == previous + 1
        else:
            if event["u"] < last:
                continue
            assert event["U"] <= last <= event["u"] if first else event["pu"] == previous
        previous = event["u"]
        apply(book, event)
        assert (top(book["b"], best_high=True), top(book["a"], best_high=False)) == shadow.books[previous]
        compared += 1


@pytest.mark.parametrize("product", PATHS)
def test_documented_book_sync(venue, product):
    """Snapshot and diffs join without a gap, and give the venue's own book after every event."""

    async def main():
        async with venue(product) as v, v.http.ws_connect(f"{v.ws}{PATHS[product]}") as ws:
            shadow = Shadow(v.wire.desk.boards["BTCUSDT"])
            v.server.exchange.listen(shadow)
            async with asyncio.timeout(30):
                await follow(v, product, ws, shadow)

    asyncio.run(main())


@pytest.mark.parametrize("product", PATHS)
def test_own_orders_are_in_the_public_book(venue, product):
    """A resting order appears in the diff stream at its price, and leaves with its cancel."""
    root = "/api/v3" if product == "binance" else "/fapi/v1"

    async def quantity_at(ws, price):
        while True:
            event = orjson.loads((await ws.receive()).data)
            for level, qty in event["b"]:
                if float(level) == float(price):
                    return float(qty)

    async def main():
        async with venue(product) as v, v.http.ws_connect(f"{v.ws}{PATHS[product]}") as ws:
            async with asyncio.timeout(30):
                price = v.price("BUY", 200)
                terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
                order = {**terms, "quantity": "0.5", "price": price}
                _, placed, _ = await v.send("POST", f"{root}/order", order)
                assert await quantity_at(ws, price) >= 0.5
                await v.send("DELETE", f"{root}/order", {"symbol": "BTCUSDT", "orderId": placed["orderId"]})
                assert await quantity_at(ws, price) < 0.5

    asyncio.run(main())
