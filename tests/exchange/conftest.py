"""A hand-written feed and a small exchange that every test of the room starts from."""

import io
from collections.abc import Callable
from decimal import Decimal

import numpy as np
import orjson
import pytest

from asmm_daemon.events import CLEAR, DEPTH, ROW, TRADE
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.listener import NullListener
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.orders import NewOrder, OrderType, Stp, Tif
from asmm_daemon.units import Instrument, Lots

START_NS = 1_700_000_000_000_000_000
MS = 1_000_000


def instrument(product="binanceusdm", **changes):
    """BTCUSDT with a tick of 0.1, a lot of 0.001 and round fees."""
    fields = {
        "symbol": "BTCUSDT",
        "product": product,
        "base": "BTC",
        "quote": "USDT",
        "tick": Decimal("0.1"),
        "lot": Decimal("0.001"),
        "min_notional": Decimal(1),
        "min_qty": Lots(1),
        "max_qty": Lots(1_000_000),
        "maker": Decimal("0.0002"),
        "taker": Decimal("0.0005"),
    } | changes
    return Instrument(**fields)


def rows(t_ms, *items, local_ms=1):
    """One venue message of (kind, side, price, qty) or (…, id), `t_ms` after the start."""
    out = np.zeros(len(items), ROW)
    out["exch_ns"] = START_NS + t_ms * MS
    out["local_ns"] = START_NS + (t_ms + local_ms) * MS
    out["id"] = -1
    for row, item in zip(out, items, strict=True):
        row["kind"], row["side"], row["price"], row["qty"] = item[:4]
        if len(item) > 4:
            row["id"] = item[4]
    out["last"][-1] = True
    return out


def book(t_ms=0, bids=((1000, 50), (999, 80)), asks=((1001, 50), (1002, 80))):
    """A whole book as one message."""
    items = [(CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0)]
    items += [(DEPTH, 1, *level) for level in bids] + [(DEPTH, -1, *level) for level in asks]
    return rows(t_ms, *items)


def trade(t_ms, side, price, qty):
    """A trade of the feed."""
    return rows(t_ms, (TRADE, side, price, qty))


class ListFeed:
    """Messages from a list; more can be added while it runs."""

    def __init__(self, instruments, messages):
        self.instruments = instruments
        self.messages = [m if isinstance(m, tuple) else (0, m) for m in messages]

    def add(self, *messages):
        """Appends messages of the first market."""
        self.messages += [(0, message) for message in messages]

    def next_ns(self):
        """Time of the next message."""
        return int(self.messages[0][1][0]["exch_ns"]) if self.messages else None

    def pop(self):
        """The next message."""
        return self.messages.pop(0)

    def close(self):
        """Nothing to let go."""


class Recorder(NullListener):
    """Keeps everything that the exchange tells."""

    def __init__(self):
        self.depths, self.trades, self.orders, self.accounts, self.bests = [], [], [], [], []

    def on_depth(self, market, changes, exch_ns, local_ns):
        """Keeps it."""
        self.depths.append((market.update_id, list(changes), exch_ns, local_ns))

    def on_best(self, market, exch_ns, local_ns):
        """Keeps it."""
        self.bests.append(market.best)

    def on_trade(self, market, trade, local_ns):
        """Keeps it."""
        self.trades.append(trade)

    def on_order(self, account, order, trade, t_ns):
        """Keeps it."""
        self.orders.append((order.oid, str(order.state), trade))

    def on_account(self, account, assets, symbols, why, t_ns):
        """Keeps it."""
        self.accounts.append((assets, symbols, why))


class Bench:
    """An exchange on a hand-written feed, its log in memory, and short ways to place orders."""

    def __init__(self, product="binanceusdm", messages=(), units=None, deposits=None, accounts=("main",)):
        self.feed = ListFeed(units or [instrument(product)], messages or [book()])
        self.sink = io.BytesIO()
        deposits = deposits or {"USDT": Decimal(100_000), "BTC": Decimal(10)}
        self.exchange = Exchange(
            product,
            self.feed,
            VenueLog(self.sink, lambda: 0),
            start_ns=START_NS,
            deposits=dict.fromkeys(accounts, deposits),
        )
        self.account = self.exchange.accounts["main"]
        self.recorder = Recorder()
        self.exchange.listen(self.recorder)
        self.to(0)

    @property
    def market(self):
        """The first market."""
        return next(iter(self.exchange.markets.values()))

    def to(self, t_ms):
        """Moves time to `t_ms` after the start."""
        self.exchange.advance(START_NS + t_ms * MS)

    def place(self, side, price, qty, tif=Tif.GTC, **more):
        """Places a limit order (price None: market)."""
        account = more.pop("account", self.account)
        kind = OrderType.LIMIT if price is not None else OrderType.MARKET
        new = NewOrder(
            "BTCUSDT",
            side,
            kind,
            tif if price is not None else Tif.IOC,
            Decimal(qty) if qty is not None else None,
            Decimal(price) if price is not None else None,
            **({"stp": Stp.NONE} | more),
        )
        return self.exchange.place(account, new)

    def lines(self, ev=None):
        """The venue log so far."""
        self.exchange.log.flush()
        lines = [orjson.loads(line) for line in self.sink.getvalue().splitlines()]
        return [line for line in lines if ev is None or line["ev"] == ev]


@pytest.fixture
def bench() -> Callable[..., Bench]:
    """Makes a Bench."""
    return Bench
