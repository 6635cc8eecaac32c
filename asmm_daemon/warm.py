"""Compiles every kernel once: `python -m asmm_daemon.warm [engine] [exchange]`."""

import sys
from decimal import Decimal

import numpy as np

from asmm_daemon.core.engine import Engine
from asmm_daemon.core.params import QuoteParams
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.spec import AccountLimits, Identity, MarketLimits, MarketSpec
from asmm_daemon.events import (
    CLEAR,
    DEPTH,
    ROW,
    TRADE,
    Accepted,
    Channel,
    CycleTick,
    History,
    MarketData,
    Place,
    PositionEvent,
    Proof,
    Reconcile,
    Rows,
    Snapshot,
    WatchTick,
)
from asmm_daemon.exchange.feeds import warm as feeds
from asmm_daemon.units import NS_PER_S, Instrument, Lots
from asmm_daemon.venue import rows, top

_MARKET = Instrument(
    symbol="WARM",
    product="binanceusdm",
    base="WARM",
    quote="USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    min_notional=Decimal(5),
    min_qty=Lots(1),
    max_qty=Lots(10**9),
    maker=Decimal(0),
    taker=Decimal("0.0005"),
)


def _message(t_ns: int, *rows: tuple[int, int, int, int]) -> Rows:
    made = np.zeros(len(rows), ROW)
    made["exch_ns"] = made["local_ns"] = t_ns
    for name, column in zip(("kind", "side", "price", "qty"), zip(*rows, strict=True), strict=True):
        made[name] = column
    made["last"][-1] = True
    return made


def warm_engine() -> None:
    """A tiny market up to its first quotes, a fill's worth of trades and a moved price."""
    engine = Engine(
        [MarketSpec(_MARKET, QuoteParams(), MarketLimits(), FixedPolicy(0.1))],
        AccountLimits(capital=Decimal(100_000)),
        Identity(),
    )
    start = 1_000_000 * NS_PER_S
    candles = np.ones((3, 6), np.int64)
    candles[:, 0] = start + np.arange(-3, 0) * 60 * NS_PER_S
    candles[:, 1:5] = [[1000, 1000, 1000, 1000], [1001, 1001, 1001, 1001], [1002, 1002, 1002, 1002]]
    engine.step(History(start, 0, candles, _message(start, (TRADE, 1, 1000, 1))))
    engine.step(MarketData(start, 0, _message(start, (CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0))))
    for second in range(1, 80):
        now = start + second * NS_PER_S
        price = 1000 + second % 7
        book = [(DEPTH, 1, price, 50), (DEPTH, -1, price + 2, 50)]
        old = [(CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0)]
        engine.step(MarketData(now, 0, _message(now, *old, *book)))
        engine.step(MarketData(now, 0, _message(now, (TRADE, 1, price + 2, 1))))
        engine.step(Proof(now, None, Channel.PRIVATE))
        commands = engine.step(WatchTick(now))
        if any(isinstance(command, Reconcile) for command in commands):
            position = PositionEvent(now, 0, Decimal(0), Decimal(0))
            commands = engine.step(Snapshot(now, 0, (), (), (), position))
        for command in commands:
            if isinstance(command, Place):
                engine.step(Accepted(now, 0, command.cid, command.cid))
        if second % 5 == 0:
            engine.step(CycleTick(now, second // 5, 0))
    engine.view()


def warm_exchange() -> None:
    """The embedded exchange, its feeds, the fill model, and the adapter's rows."""
    feeds.warm_up()
    top.warm_up(rows.warm_up(rows.RowMaker(_MARKET)))


if __name__ == "__main__":
    parts = {"engine": warm_engine, "exchange": warm_exchange}
    for name in sys.argv[1:] or parts:
        parts[name]()
