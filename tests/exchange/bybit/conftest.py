"""A Bybit wire behind a chassis of paper, and behind the real one on loopback for foreign clients."""

import asyncio
import io
import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal

import numpy as np
import orjson
import pytest

from asmm_daemon.clock import Clock, wall_ns
from asmm_daemon.events import CLEAR, DEPTH, ROW, TRADE
from asmm_daemon.exchange.bybit.codes import ApiError
from asmm_daemon.exchange.bybit.wire import BybitWire
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.faults import Faults
from asmm_daemon.exchange.feeds.markets import make_instrument
from asmm_daemon.exchange.keys import ApiKey, KeyRing
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.orders import Origin
from asmm_daemon.exchange.server import Server

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000


class PaperHub:
    """Streams without sockets: who wants what, and every message published."""

    def __init__(self):
        self.names = set()
        self.sent = defaultdict(list)

    def wanted(self, name):
        """Whether a test watches it."""
        return name in self.names

    def publish(self, name, payload, *, exch_ns, local_ns, **keys):
        """Keeps a message."""
        self.sent[name].append(orjson.loads(payload() if callable(payload) else payload))

    def take(self, name):
        """Messages of a stream since the last look."""
        return self.sent.pop(name, [])


class PaperServer:
    """The chassis as far as the wire reads it."""

    def __init__(self, bench):
        self.exchange = bench.exchange
        self.hub = PaperHub()
        self.keys = KeyRing([ApiKey("KEY", "SECRET")])

    def now_ns(self):
        """Venue time."""
        return self.exchange.now_ns

    def time_ms(self):
        """Venue time in ms."""
        return self.exchange.now_ns // MS


class Desk:
    """Wire, exchange and feed of one category, with short ways to trade and look."""

    def __init__(self, bench, category, messages=()):
        self.bench = bench(f"bybit-{category}", messages)
        self.category = category
        self.server = PaperServer(self.bench)
        self.hub = self.server.hub
        self.wire = BybitWire(self.server)
        self.state = self.wire._state
        self.trading = self.wire._rest._trading
        self.account = self.bench.account

    def watch(self, *names):
        """Subscribes; the first messages (snapshots) by name."""
        first = {name: self.wire._public.first(name, self.bench.exchange.now_ns) for name in names}
        self.hub.names.update(names)
        for name in names:
            if self.wire._public.problem(name) is None:
                self.wire._public.started(name, self.bench.exchange.now_ns)
        return first

    def order(self, verb="create", **fields):
        """Runs an order request; the result, or the ApiError."""
        body = {"category": self.category, "symbol": "BTCUSDT"} | fields
        try:
            return self.trading.one(verb, self.account, body, Origin("rest")).result
        except ApiError as error:
            return error

    def limit(self, side, price, qty="0.1", **fields):
        """Places a limit order."""
        fields = {"orderType": "Limit", "price": price, "qty": qty, "side": side} | fields
        return self.order("create", **fields)


@pytest.fixture
def rows():
    """Makes one venue message: its time after the start in ms, then (kind, side, ticks, lots) rows."""

    def make(t_ms, *items):
        out = np.zeros(len(items), ROW)
        out["exch_ns"] = START_NS + t_ms * MS
        out["local_ns"] = START_NS + (t_ms + 1) * MS
        out["id"] = -1
        for row, (kind, side, price, qty) in zip(out, items, strict=True):
            row["kind"], row["side"], row["price"], row["qty"] = kind, side, price, qty
        out["last"][-1] = True
        return out

    return make


@pytest.fixture
def desk(bench) -> Callable[..., Desk]:
    """Makes a Desk of a category."""
    return lambda category="linear", messages=(): Desk(bench, category, messages)


class PulseFeed:
    """A lively market without end: 120 levels a side that change every 20 ms, a trade every 40 ms."""

    def __init__(self, product, start_ns):
        step = Decimal("0.1"), Decimal("0.001")
        self.instruments = [make_instrument(product, "BTCUSDT", "BTC", "USDT", *step)]
        self._dice = random.Random(7)
        self._t_ns, self._count = start_ns, 0
        self.is_paused = False

    def next_ns(self):
        """Time of the next message, None in a pause."""
        return None if self.is_paused else self._t_ns

    def resume(self, t_ns):
        """Goes on after a pause."""
        self.is_paused, self._t_ns = False, t_ns

    def pop(self):
        """The next message."""
        dice, levels = self._dice, range(120)
        if self._count == 0:
            items = [(CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0)]
            items += [(DEPTH, 1, 1000 - i, 50) for i in levels] + [(DEPTH, -1, 1004 + i, 50) for i in levels]
        elif self._count % 2:
            items = [(DEPTH, 1, 1000 - dice.choice(levels), dice.randrange(1, 90)) for _ in range(3)]
            items += [(DEPTH, -1, 1004 + dice.choice(levels), dice.randrange(1, 90)) for _ in range(3)]
            items += [
                (DEPTH, 1, 1000 - dice.choice(levels[1:]), 0),
                (DEPTH, -1, 1004 + dice.choice(levels[1:]), 0),
            ]
        else:
            side = 1 if self._count % 4 else -1
            items = [(TRADE, side, 1004 if side > 0 else 1000, 300)]
        out = np.zeros(len(items), ROW)
        out["exch_ns"], out["local_ns"], out["id"] = self._t_ns, self._t_ns + MS, -1
        for row, (kind, side, price, qty) in zip(out, items, strict=True):
            row["kind"], row["side"], row["price"], row["qty"] = kind, side, price, qty
        out["last"][-1] = True
        self._count += 1
        self._t_ns += 20 * MS
        return 0, out

    def close(self):
        """Nothing to let go."""


class LiveVenue:
    """A Bybit exchange on loopback, in a thread of its own, its log in memory."""

    def __init__(self, product, speed=1.0, faults=()):
        self.category = product.removeprefix("bybit-")
        self.sink = io.BytesIO()
        self._ready = threading.Event()
        self._options = product, speed, faults
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(60), "the exchange did not start"
        self.rest_url = f"http://127.0.0.1:{self.port}"
        self.ws_url = f"ws://127.0.0.1:{self.port}"

    async def _run(self):
        product, speed, faults = self._options
        now_ns, log = wall_ns(), VenueLog(self.sink, wall_ns)
        deposits = {"USDT": Decimal(100_000)} | ({"BTC": Decimal(10)} if product == "bybit-spot" else {})
        start_ns = now_ns - 2_000 * MS
        self.feed = PulseFeed(product, start_ns)
        self.exchange = Exchange(product, self.feed, log, start_ns=start_ns, deposits={"main": deposits})
        self.server = Server(
            self.exchange,
            log=log,
            faults=Faults(faults, seed=1, start_ns=now_ns, log=log),
            clock=Clock(speed=speed),
            keys=KeyRing([ApiKey("KEY", "SECRET")]),
        )
        self.wire = BybitWire(self.server)
        self.server.now_ns()
        self.port = await self.server.start(self.wire, 0, lambda app: None)
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        self._ready.set()
        await self._stop.wait()
        await self.server.stop()

    def call(self, action):
        """Runs a function in the exchange's thread; its result."""

        async def run():
            return action()

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(20)

    @contextmanager
    def paused(self):
        """The market stands still."""
        self.call(lambda: setattr(self.feed, "is_paused", True))
        try:
            yield
        finally:
            self.call(lambda: self.feed.resume(self.server.now_ns()))

    def lines(self, ev):
        """Lines of the venue log."""
        self.call(self.server.log.flush)
        return [line for line in map(orjson.loads, self.sink.getvalue().splitlines()) if line["ev"] == ev]

    def stop(self):
        """Stops the exchange; whatever broke in it is raised here."""
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        if self.server.failure is not None:
            raise self.server.failure


@contextmanager
def _running(product, **options) -> Iterator[LiveVenue]:
    venue = LiveVenue(product, **options)
    try:
        yield venue
    finally:
        venue.stop()


@pytest.fixture
def running():
    """Runs a LiveVenue: a context manager of product and options."""
    return _running


@pytest.fixture(scope="module", params=["bybit-linear", "bybit-spot"])
def venue(request):
    """One exchange of each product for a whole module."""
    with _running(request.param) as running_venue:
        yield running_venue


@pytest.fixture
def until():
    """Waits for a condition to come true, up to 15 s; its value."""

    def wait(condition, seconds=15):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            value = condition()
            if value:
                return value
            threading.Event().wait(0.005)
        pytest.fail("waited in vain")

    return wait
