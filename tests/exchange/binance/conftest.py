"""A Binance server in the test's own event loop, and a bare client that signs by the documents."""

import hashlib
import hmac
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from urllib.parse import urlencode

import aiohttp
import orjson
import pytest

from asmm_daemon.clock import Clock, wall_ns
from asmm_daemon.exchange.binance.wire import BinanceWire, make_wire
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.faults import Faults
from asmm_daemon.exchange.feeds.base import make_feed
from asmm_daemon.exchange.keys import ApiKey, KeyRing
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.market import warm_up
from asmm_daemon.exchange.server import Server

DEPOSITS = {
    "binance": {"USDT": Decimal(100_000), "BTC": Decimal(10)},
    "binanceusdm": {"USDT": Decimal(100_000)},
}


@dataclass
class Venue:
    """A running server with its wire, and a session for bare requests."""

    server: Server
    wire: BinanceWire
    port: int
    http: aiohttp.ClientSession
    secret: str = "SECRET"

    @property
    def rest(self):
        """Root of the REST API."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def ws(self):
        """Root of the WebSocket servers."""
        return f"ws://127.0.0.1:{self.port}"

    @property
    def market(self):
        """The market."""
        return next(iter(self.server.exchange.markets.values()))

    @property
    def account(self):
        """The account behind KEY."""
        return self.server.exchange.accounts["main"]

    def sign(self, params):
        """Parameters with timestamp and signature, as a query string."""
        fields = {"timestamp": self.server.time_ms()} | params
        query = urlencode(fields)
        digest = hmac.new(self.secret.encode(), query.encode(), hashlib.sha256).hexdigest()
        return f"{query}&signature={digest}"

    async def get(self, path, **params):
        """An unsigned GET: (status, body)."""
        async with self.http.get(f"{self.rest}{path}", params=params) as response:
            return response.status, orjson.loads(await response.read())

    async def send(self, method, path, params=None, *, key="KEY", headers=None):
        """A signed request: (status, body, headers)."""
        url = f"{self.rest}{path}?{self.sign(params or {})}"
        head = {"X-MBX-APIKEY": key} if key else {}
        async with self.http.request(method, url, headers=head | (headers or {})) as response:
            return response.status, orjson.loads(await response.read()), response.headers

    def price(self, side, away):
        """A price in whole tens, `away` below the best bid or above the best ask."""
        best = self.market.best
        at = self.market.instrument.price(best.bid if side == "BUY" else best.ask)
        return str((at - away if side == "BUY" else at + away) // 10 * 10)


@asynccontextmanager
async def serving(product, *, speed=1.0, faults=(), keys=None, seed=1):
    """Runs a venue on the synthetic feed."""
    warm_up()
    start_ns = wall_ns()
    feed = make_feed("synthetic:BTCUSDT", product, start_ns, seed)
    log = VenueLog(None, wall_ns)
    exchange = Exchange(product, feed, log, start_ns=start_ns, deposits={"main": DEPOSITS[product]})
    server = Server(
        exchange,
        log=log,
        faults=Faults(faults, seed=seed, log=log),
        clock=Clock(speed=speed),
        keys=KeyRing(keys or [ApiKey("KEY", "SECRET")]),
        seed=seed,
    )
    wire = make_wire(server)
    exchange.advance(wall_ns())
    server.begin(wall_ns())
    port = await server.start(wire, 0, lambda _: None)
    try:
        async with aiohttp.ClientSession() as http:
            yield Venue(server, wire, port, http)
    finally:
        await server.stop()
        if server.failure is not None:
            raise server.failure


@pytest.fixture
def venue() -> Callable[..., AbstractAsyncContextManager[Venue]]:
    """A maker of running venues, by product."""
    return serving
