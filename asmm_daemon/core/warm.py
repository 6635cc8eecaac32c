"""Compiles every kernel once (`python -m asmm_daemon.core.warm`), so that nobody waits for it later."""

from decimal import Decimal

import numpy as np

from asmm_daemon.core import fills
from asmm_daemon.core.engine import Engine
from asmm_daemon.core.params import QuoteParams
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.spec import AccountLimits, Identity, MarketLimits, MarketSpec
from asmm_daemon.events import (
    CLEAR,
    DEPTH,
    ROW,
    TRADE,
    CycleTick,
    Event,
    History,
    MarketData,
    Rows,
    WatchTick,
)
from asmm_daemon.units import NS_PER_S, Instrument, Lots

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


def warm_up() -> None:
    """Runs a tiny market through the engine and the fill model."""
    fills.warm_up()
    engine = Engine(
        [MarketSpec(_MARKET, QuoteParams(), MarketLimits(), FixedPolicy(0.1))],
        AccountLimits(capital=Decimal(1000)),
        Identity(),
    )
    start = 1_000 * NS_PER_S
    book = [(CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0), (DEPTH, 1, 1000, 5), (DEPTH, -1, 1002, 5)]
    events: list[Event] = [
        History(start, 0, np.ones((3, 6), np.int64), _message(start, (TRADE, 1, 1000, 1))),
        MarketData(start, 0, _message(start, *book)),
    ]
    for second in range(1, 8):
        now = start + second * NS_PER_S
        events.append(MarketData(now, 0, _message(now, (TRADE, 1, 1002, 1))))
        events.append(MarketData(now, 0, _message(now, (DEPTH, 1, 1000, 5 + second))))
        events.append(WatchTick(now))
    events.append(CycleTick(start + 8 * NS_PER_S, 1, 0))
    for event in events:
        engine.step(event)
    engine.view()


if __name__ == "__main__":
    warm_up()
