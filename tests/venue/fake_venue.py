"""A scripted USD-M server: it answers what a test tells it to, and remembers what it was asked."""

import asyncio
import time
from collections import Counter
from contextlib import asynccontextmanager

from aiohttp import web

INFO = {
    "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
        {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
        {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    ],
    "symbols": [
        {
            "symbol": "AAAUSDT",
            "status": "TRADING",
            "baseAsset": "AAA",
            "quoteAsset": "USDT",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "0.1", "maxPrice": "1000000"},
                {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"},
                {"filterType": "MIN_NOTIONAL", "notional": "5"},
            ],
        }
    ],
}


class FakeVenue:
    """`orders`: open orders by client id. `replies`: path+method to a response to give instead, in turn."""

    def __init__(self):
        self.orders = {}
        self.replies = {}
        self.asked = Counter()
        self.public = []
        self.private = []
        self.url = ""
        self.update_id = 100
        self.next_id = 1
        self.pong = True
        self.lead_ms = 0
        self.forms = []
        self.top = ("100.0", "100.1")
        self.send_depth_on_subscribe = True

    @asynccontextmanager
    async def serve(self):
        """Runs on a free port of the loopback."""
        app = web.Application()
        app.router.add_get("/public/ws/{n}", self._public)
        app.router.add_get("/private/ws", self._private)
        app.router.add_route("*", "/{path:.*}", self._rest)
        runner = web.AppRunner(app, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            await runner.cleanup()

    async def _public(self, request):
        socket = web.WebSocketResponse(autoping=self.pong)
        await socket.prepare(request)
        self.public.append(socket)
        async for message in socket:
            if "SUBSCRIBE" in message.data and self.send_depth_on_subscribe:
                await socket.send_json({"result": None, "id": 1})
        return socket

    async def _private(self, request):
        self.asked["private", request.query["listenKey"]] += 1
        socket = web.WebSocketResponse(autoping=self.pong)
        await socket.prepare(request)
        self.private.append(socket)
        async for _ in socket:
            pass
        return socket

    async def diff(self, bids=(), asks=(), skip=0):
        """One depth message on the newest public socket."""
        pu, self.update_id = self.update_id + skip, self.update_id + skip + 1
        now = int(time.time() * 1000)
        data = {"e": "depthUpdate", "E": now, "T": now, "s": "AAAUSDT", "U": self.update_id}
        data |= {"u": self.update_id, "pu": pu, "b": list(bids), "a": list(asks)}
        await self.public[-1].send_json(data)

    async def order_event(self, cid, status, kind, **fields):
        """One ORDER_TRADE_UPDATE on the newest private socket."""
        now = int(time.time() * 1000)
        order = {"s": "AAAUSDT", "c": cid, "S": "BUY", "i": self.orders.get(cid, {}).get("orderId", 1)}
        order |= {"x": kind, "X": status, "p": "100.0", "q": "0.1", "z": "0", "T": now, "l": "0", "L": "0"}
        order |= {"t": 0, "m": False, **fields}
        await self.private[-1].send_json({"e": "ORDER_TRADE_UPDATE", "E": now, "T": now, "o": order})

    async def _rest(self, request):
        key = request.method, "/" + request.match_info["path"]
        self.asked[key] += 1
        form = dict(await request.post()) | dict(request.query)
        self.forms.append(form)
        queue = self.replies.get(key)
        if queue:
            reply = queue.pop(0)
            if callable(reply):
                reply = await reply(form)
            if reply is not None:
                return reply
        return web.json_response(self._answer(key, form))

    def _answer(self, key, form):
        name = key[1].rsplit("/", 1)[-1]
        if name == "time":
            return {"serverTime": int(time.time() * 1000) + self.lead_ms}
        if name == "exchangeInfo":
            return INFO
        if name == "commissionRate":
            return {"makerCommissionRate": "0.0002", "takerCommissionRate": "0.0005"}
        if name == "depth":
            return {"lastUpdateId": self.update_id, "bids": [["100.0", "1"]], "asks": [["100.1", "1"]]}
        if name == "listenKey":
            return {"listenKey": f"key{self.asked['POST', '/fapi/v1/listenKey']}"}
        if name == "bookTicker":
            return {"bidPrice": self.top[0], "bidQty": "1", "askPrice": self.top[1], "askQty": "1"}
        if name == "openOrders":
            return list(self.orders.values())
        if name == "countdownCancelAll":
            return {"symbol": form["symbol"], "countdownTime": form["countdownTime"]}
        if name == "order":
            return self._order(key[0], form)
        return [] if name in ("userTrades", "balance", "positionRisk", "income") else {}

    def accept(self, form):
        """Lets an order rest."""
        order = {"symbol": "AAAUSDT", "orderId": self.next_id, "clientOrderId": form["newClientOrderId"]}
        order |= {"price": form["price"], "origQty": form["quantity"], "executedQty": "0", "status": "NEW"}
        order |= {"side": form["side"], "time": 1, "updateTime": 1}
        self.next_id += 1
        self.orders[order["clientOrderId"]] = order
        return order

    def _order(self, method, form):
        if method == "POST":
            return self.accept(form)
        cid = form.get("origClientOrderId")
        found = [o for o in self.orders.values() if cid in (None, o["clientOrderId"])]
        found = [o for o in found if form.get("orderId", str(o["orderId"])) == str(o["orderId"])]
        if not found:
            raise web.HTTPBadRequest(text='{"code":-2013,"msg":"Order does not exist."}')
        if method == "DELETE":
            del self.orders[found[0]["clientOrderId"]]
        return found[0]


class Recorder:
    """A sink that a test can wait on."""

    def __init__(self):
        self.events = []
        self._changed = asyncio.Event()

    def __call__(self, event):
        """Takes one event."""
        self.events.append(event)
        self._changed.set()

    def of(self, kind):
        """All events of a kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, condition, timeout_s=30.0):
        """Waits until `condition(self)` holds."""
        async with asyncio.timeout(timeout_s):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()


async def eventually(condition, timeout_s=30.0):
    """Waits for something that no event tells."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110  (a countdown's end is no event)
            await asyncio.sleep(0.01)
