"""A Bybit wire on a hand-written feed, behind a chassis that only remembers what it is given."""

from collections import defaultdict
from collections.abc import Callable

import numpy as np
import orjson
import pytest

from asmm_daemon.events import ROW
from asmm_daemon.exchange.bybit.codes import ApiError
from asmm_daemon.exchange.bybit.wire import BybitWire
from asmm_daemon.exchange.keys import ApiKey, KeyRing
from asmm_daemon.exchange.orders import Origin

MS = 1_000_000
START_NS = 1_700_000_000_000_000_000


class PaperHub:
    """Streams without sockets: who wants what, and every message published."""

    def __init__(self):
        self.names = set()
        self.sent = defaultdict(list)

    def wanted(self, name):
        return name in self.names

    def publish(self, name, payload, *, exch_ns, local_ns, **keys):
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
        return self.exchange.now_ns

    def time_ms(self):
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
