"""The smallest wire: places and cancels over REST and WebSocket, streams trades and orders."""

import contextlib
from collections.abc import AsyncIterator
from decimal import Decimal

import aiohttp
import orjson
from aiohttp import web

from asmm_daemon.clock import Clock
from asmm_daemon.exchange.admin import Admin
from asmm_daemon.exchange.fault_table import parse_fault
from asmm_daemon.exchange.faults import Faults
from asmm_daemon.exchange.keys import ApiKey, KeyRing
from asmm_daemon.exchange.listener import NullListener
from asmm_daemon.exchange.orders import NewOrder, OrderType, Tif
from asmm_daemon.exchange.server import Server
from asmm_daemon.exchange.wire import Reply, RequestInfo

from .conftest import START_NS, Bench


class MiniWire(NullListener):
    """POST /order, DELETE /order, GET /time, and the sockets /stream and /api."""

    def __init__(self, server):
        self.server = server
        self.actions = []
        server.exchange.listen(self)

    def routes(self, app):
        """Four routes."""
        app.router.add_post("/order", self.post)
        app.router.add_get("/time", self.time)
        app.router.add_get("/stream", self.stream)
        app.router.add_get("/api", self.api)

    def urls(self, port):
        """Only the public one."""
        return {"public_ws": f"ws://127.0.0.1:{port}/stream"}

    def request_info(self, method, path, params, headers):
        """All weigh one."""
        return RequestInfo(headers.get("X-KEY"), 1)

    def rejected(self, reject, path):
        """The reason as code."""
        return Reply(400, orjson.dumps({"code": str(reject.reason)}), str(reject.reason))

    def fault_reply(self, status, code, path):
        """Just the code."""
        return Reply(status, orjson.dumps({"code": code}), code)

    def admin(self, action, params):
        """Knows how to wave."""
        self.actions.append((action, dict(params)))
        return action == "wave"

    def place(self, params, origin):
        """A post-only bid."""
        exchange = self.server.exchange
        new = NewOrder(
            "BTCUSDT",
            1,
            OrderType.LIMIT,
            Tif.PO,
            Decimal(params["qty"]),
            Decimal(params["px"]),
            cid=params["cid"],
        )
        return exchange.place(exchange.accounts["main"], new, origin)

    async def post(self, request):
        """Places."""
        params, origin = self.server.params(request), self.server.origin(request)
        order = await self.server.act(lambda: self.place(params, origin))
        return Reply(200, orjson.dumps({"oid": order.oid}), used_weight=1).response()

    async def time(self, request):
        """Tells the time."""
        return Reply(200, orjson.dumps({"ms": self.server.time_ms()})).response()

    async def stream(self, request):
        """Each text names a stream."""
        connection = await self.server.websocket(request, "public")
        async for text in connection:
            self.server.hub.subscribe(connection, [text])
            connection.send("ok")
        return connection.response

    async def api(self, request):
        """Each text is an order."""
        connection = await self.server.websocket(request, "api", ping_s=5)
        async for text in connection:
            params = orjson.loads(text)

            async def handler(origin, params=params):
                order = await self.server.act(lambda: self.place(params, origin))
                return Reply(200, orjson.dumps({"oid": order.oid}))

            info = RequestInfo("KEY", 1)
            await self.server.ws_call(
                connection, "order.place", params, info, handler, lambda s, c: f"{s} {c}".encode()
            )
        return connection.response

    def on_trade(self, market, trade, local_ns):
        """Streams the quantity."""
        self.server.hub.publish(
            "trades", str(trade.qty).encode(), exch_ns=trade.t_ns, local_ns=local_ns, first_id=trade.tid
        )

    def on_order(self, account, order, trade, t_ns):
        """Streams the state."""
        self.server.hub.publish("orders", str(order.state).encode(), exch_ns=t_ns, local_ns=t_ns, event=True)


class Rig:
    """A running server on a Bench, and a client session."""

    def __init__(self, bench, server, wire, port, session):
        self.bench, self.server, self.wire, self.session = bench, server, wire, session
        self.url = f"http://127.0.0.1:{port}"

    async def order(self, cid, px="99.0", qty="0.1"):
        """Places an order; (status, body)."""
        async with self.session.post(
            f"{self.url}/order",
            data={"px": px, "qty": qty, "cid": cid, "signature": "s"},
            headers={"X-KEY": "KEY"},
        ) as response:
            return response.status, await response.json()

    async def admin(self, path, data=None, method="POST"):
        """Knows how to wave."""
        """Calls the administrator's endpoint; (status, body)."""
        async with self.session.request(method, f"{self.url}/admin/{path}", json=data) as response:
            return response.status, await response.json()

    async def subscribe(self, *streams):
        """A WebSocket that has subscribed."""
        socket = await self.session.ws_connect(f"{self.url}/stream")
        for name in streams:
            await socket.send_str(name)
            assert (await socket.receive_str()) == "ok"
        return socket


@contextlib.asynccontextmanager
async def running(*faults, order_latency_ms=0.0, speed=1.0) -> AsyncIterator[Rig]:
    """A Rig whose faults count from its start."""
    bench = Bench()
    log = bench.exchange.log
    parsed = [parse_fault(fault, f"f{n}") for n, fault in enumerate(faults, 1)]
    server = Server(
        bench.exchange,
        log=log,
        faults=Faults(parsed, seed=1, log=log),
        clock=Clock(speed=speed),
        keys=KeyRing([ApiKey("KEY", "SECRET")]),
        order_latency_ms=order_latency_ms,
        poll_s=0.002,
    )
    wire = MiniWire(server)
    server.begin(START_NS)
    port = await server.start(wire, 0, Admin(server, wire).routes)
    try:
        timeout = aiohttp.ClientTimeout(total=5)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            yield Rig(bench, server, wire, port, session)
    finally:
        await server.stop()


__all__ = ["MiniWire", "Rig", "running", "web"]
