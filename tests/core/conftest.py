"""A hand-made market for the tests of the quoting model."""

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from asmm_daemon.core.decision import decide, new_decision, new_inventory
from asmm_daemon.core.features import FEATURE_NAMES, N_STATE, features
from asmm_daemon.core.market import advance, new_market, on_message
from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.events import BBO, CLEAR, ROW, TRADE
from asmm_daemon.units import NS_PER_S, Instrument, Lots

START_NS = 1_767_657_600 * NS_PER_S

BTC = Instrument(
    symbol="BTCUSDT",
    product="binanceusdm",
    base="BTC",
    quote="USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    min_notional=Decimal(5),
    min_qty=Lots(1),
    max_qty=Lots(1_000_000),
    maker=Decimal(0),
    taker=Decimal("0.0005"),
)
BTC_SPOT = replace(BTC, product="binance", tick=Decimal("0.01"), lot=Decimal("0.00001"))


class Scene:
    """One market with a book that the test draws; times in seconds from the start, prices in ticks."""

    def __init__(self, instrument: Instrument, quote: QuoteParams) -> None:
        self.instrument = instrument
        self.params = to_record(quote, instrument)
        self.state = new_market(16384)
        self.inventory = new_inventory()
        self.decision = new_decision()
        self.values = np.zeros(N_STATE)
        self.t_s = 0.0

    def rows(self, *entries: tuple[int, int, int, int]) -> Any:
        """One message at the current time; entries are (kind, side, price, qty)."""
        rows = np.zeros(len(entries), ROW)
        rows["exch_ns"] = rows["local_ns"] = self.now_ns
        rows["kind"], rows["side"], rows["price"], rows["qty"] = np.array(entries, np.int64).T
        rows["id"] = -1
        rows["last"][-1] = True
        return rows

    @property
    def now_ns(self) -> int:
        """Venue time in nanoseconds."""
        return START_NS + round(self.t_s * NS_PER_S)

    def send(self, *entries: tuple[int, int, int, int]) -> None:
        """One message, taken in."""
        on_message(self.state, self.params, self.rows(*entries))

    def book(self, bid: int, ask: int, bid_qty: int = 100, ask_qty: int = 100) -> None:
        """A fresh book of one level a side."""
        self.send((CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0), (BBO, 1, bid, bid_qty), (BBO, -1, ask, ask_qty))

    def trade(self, side: int, price: int, qty: int = 10) -> None:
        """One trade, as a message of its own."""
        self.send((TRADE, side, price, qty))

    def wait(self, seconds: float) -> None:
        """Time passes without a message."""
        self.t_s += seconds
        advance(self.state, self.params, self.now_ns)

    def walk(self, mid: int, step: int, samples: int, half: int = 5) -> None:
        """The mid swings by `step` ticks every 5 s sample, ending at `mid`: σ is |step|/√5 ticks/√s."""
        for k in range(samples):
            self.book(mid + (samples - 1 - k) % 2 * step - half, mid + (samples - 1 - k) % 2 * step + half)
            self.wait(5.0)

    def decide(self, gamma: float = 0.1, skew: float = 0.0) -> bool:
        """A decision now; see `d`."""
        return bool(decide(self.state, self.params, self.inventory, gamma, skew, self.now_ns, self.decision))

    def features(self) -> dict[str, float]:
        """The features of a cycle now, by name."""
        features(self.state, self.params, self.inventory, self.now_ns, self.values)
        return dict(zip(FEATURE_NAMES, self.values.tolist(), strict=True))

    @property
    def d(self) -> Any:
        """The last decision."""
        return self.decision[0]

    @property
    def m(self) -> Any:
        """The market record."""
        return self.state.market[0]


@pytest.fixture
def scene() -> Callable[..., Scene]:
    def make(instrument: Instrument = BTC, **quote: Any) -> Scene:
        return Scene(instrument, QuoteParams(**quote))

    return make


@pytest.fixture
def btc() -> Instrument:
    return BTC


@pytest.fixture
def btc_spot() -> Instrument:
    return BTC_SPOT
