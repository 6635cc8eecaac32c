"""An engine fed by hand, for tests that look at one event at a time."""

from decimal import Decimal

import numpy as np

from asmm_daemon.core.engine import Engine
from asmm_daemon.core.params import Model, QuoteParams
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.spec import AccountLimits, Identity, MarketLimits, MarketSpec
from asmm_daemon.events import (
    CLEAR,
    DEPTH,
    ROW,
    Accepted,
    BalanceEvent,
    Channel,
    MarketData,
    OrderStatus,
    OrderUpdate,
    Place,
    PositionEvent,
    Proof,
    Rejected,
    Snapshot,
    WatchTick,
)
from asmm_daemon.units import Instrument, Lots

D = Decimal
S = 1_000_000_000
T0 = 1_700_000_000 * S


def instrument(**changes):
    fields = {
        "symbol": "BTCUSDT",
        "product": "binanceusdm",
        "base": "BTC",
        "quote": "USDT",
        "tick": D("0.1"),
        "lot": D("0.001"),
        "min_notional": D(5),
        "min_qty": Lots(1),
        "max_qty": Lots(1_000_000),
        "maker": D("0.0002"),
        "taker": D("0.0005"),
    } | changes
    return Instrument(**fields)


KNOBS = QuoteParams(model=Model.CONSTANT_SPREAD, constant_half_spread_bps=2.0, order_size=0.05)


class Bench:
    """An engine fed by hand; time moves only with its events."""

    def __init__(self, *, policy=None, unit=None, knobs=KNOBS, limits=None, epoch=1, **spec):
        self.unit = unit or instrument()
        policy = policy or FixedPolicy(knobs.gamma)
        self.spec = MarketSpec(self.unit, knobs, limits or MarketLimits(), policy, **spec)
        self.account = AccountLimits(capital=D(100_000))
        self.engine = Engine([self.spec], self.account, Identity("asmm-", epoch))
        self.t = T0
        self.records = []

    def feed(self, event):
        """One event, its records kept."""
        commands = self.engine.step(event)
        self.records += self.engine.drain_records()
        return commands

    def later(self, seconds=0.1):
        """Moves time on."""
        self.t += int(seconds * S)
        return self.t

    def book(self, bid=600_000, ask=600_010, qty=500):
        """A whole new book."""
        items = [(CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0)]
        items += [(DEPTH, 1, bid - k, qty) for k in range(5)]
        items += [(DEPTH, -1, ask + k, qty) for k in range(5)]
        rows = np.zeros(len(items), ROW)
        rows["exch_ns"] = rows["local_ns"] = self.t
        rows["id"] = -1
        for row, (kind, side, price, lots) in zip(rows, items, strict=True):
            row["kind"], row["side"], row["price"], row["qty"] = kind, side, price, lots
        rows["last"][-1] = True
        return self.feed(MarketData(self.t, 0, rows))

    def snapshot(self, qty=0, orders=(), fills=(), balances=()):
        """The venue's account."""
        position = PositionEvent(self.t, 0, D(qty), D(0))
        balances = tuple(BalanceEvent(self.t, *b) for b in balances)
        if self.unit.is_spot:
            position = None
        return self.feed(Snapshot(self.t, 0, tuple(orders), tuple(fills), balances, position))

    def watch(self, seconds=0.1):
        """The watchdog's beat, the private stream alive."""
        self.later(seconds)
        self.feed(Proof(self.t, None, Channel.PRIVATE))
        return self.feed(WatchTick(self.t))

    def ready(self, **snapshot):
        """Book, reconciliation, ACTIVE; returns the first orders."""
        self.book()
        self.watch()
        commands = self.snapshot(**snapshot)
        return [c for c in commands + self.watch() if isinstance(c, Place)]

    def accept(self, orders):
        """Acknowledges orders."""
        for k, order in enumerate(orders):
            self.feed(Accepted(self.later(0.001), 0, order.cid, f"v{k}"))

    def reject(self, order, cause, code="-1"):
        """Refuses an order."""
        return self.feed(Rejected(self.later(0.001), 0, order.cid, "create", cause, code, ""))

    @property
    def market(self):
        """The market's view."""
        return self.engine.view().markets[0]


class Odd:
    """A policy that answers whatever it was given."""

    name = "odd"
    features_id = "guide22/1"

    def __init__(self, action):
        self.action = action
        self.resets = 0

    def reset(self):
        """Counts."""
        self.resets += 1

    def act(self, features, t_ns):
        """The one answer."""
        return self.action

    def act_batch(self, features):
        """Unused."""
        return np.zeros(len(features), np.int64)


def fill_features(market, params, inventory, t_ns, out):
    """Features without a hole."""
    out[:] = 0.5


def cancelled(bench, order, oid, filled=0):
    t = bench.later(0.001)
    status = OrderStatus.CANCELLED
    return OrderUpdate(t, 0, order.cid, oid, status, order.side, order.price, order.qty, filled, t, "stream")
