"""A made-up market for every symbol: seeded, without end, and the same on every run of a seed.

`flow` holds the model; here are the symbols' sizes and the way from its rows to the venue's clock.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import ConfigError
from asmm_daemon.events import FUNDING, Rows
from asmm_daemon.exchange.feeds import flow
from asmm_daemon.exchange.feeds.markets import make_instrument
from asmm_daemon.exchange.feeds.replay import ReplayStream
from asmm_daemon.tape.columns import Quality, Tape, TapeInfo, empty_rows
from asmm_daemon.tape.loaders.common import split_symbol
from asmm_daemon.units import NS_PER_S, Instrument, Product

DEFAULT_SYMBOLS = ("BTCUSDT",)
FUNDING_EVERY_NS = 8 * 3600 * NS_PER_S
_BLOCK_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Profile:
    """A market's character. Grids as the venues list them; distances in basis points."""

    price: float
    linear_tick: str
    linear_lot: str
    spot_tick: str
    spot_lot: str
    sigma_bps: float = 0.8  # per square root second
    half_spread_bps: float = 0.0  # beyond the tick
    tolerance_bps: float = 0.5
    gap_bps: float = 0.8
    book_s: float = 0.09
    rate: float = 2.5  # taker orders per second
    size_usd: float = 600.0
    depth_usd: float = 5000.0
    memory: float = 1.0
    drift_bps: float = 0.08
    jump_bps: float = 8.0
    informed: float = 1.6  # log-odds of the taker's side per tolerance that the value has run away
    following: float = 0.7  # log-odds per standard deviation of the trend
    impact: float = 0.03  # tolerances that a median order moves the value
    wanders: bool = True  # the regime of volatility changes by itself


@dataclass(frozen=True, slots=True)
class Phase:
    """A character that a market takes on `start_s` seconds after its first message."""

    start_s: float
    profile: Profile


PROFILES: dict[str, Profile] = {
    "BTCUSDT": Profile(60_000.0, "0.1", "0.001", "0.01", "0.00001"),
    "ETHUSDT": Profile(3_000.0, "0.01", "0.001", "0.01", "0.0001", sigma_bps=1.0, size_usd=450.0),
    "SOLUSDT": Profile(150.0, "0.01", "0.01", "0.01", "0.001", sigma_bps=1.2, rate=1.5, size_usd=300.0),
    "XRPUSDT": Profile(0.6, "0.0001", "0.1", "0.0001", "0.1", sigma_bps=1.1, rate=1.2, size_usd=250.0),
    "NEXOUSDT": Profile(
        1.2, "0.0001", "1", "0.001", "0.01", sigma_bps=0.7, half_spread_bps=0.3, tolerance_bps=9.0,
        gap_bps=6.0, book_s=1.2, rate=0.14, size_usd=33.0, depth_usd=700.0, drift_bps=0.06, memory=6.0,
    ),
}  # fmt: skip
_OTHER = Profile(
    10.0, "0.001", "0.1", "0.001", "0.01", sigma_bps=0.65, half_spread_bps=0.5, rate=0.8, size_usd=200.0
)


class SyntheticSource:
    """One made-up market as a recording without end: it can be replayed, measured and learnt from.

    Args:
        symbol: the venue's own id, such as BTCUSDT; an unlisted one gets an ordinary character.
        product: decides the grid and whether funding is paid.
        start_ns: venue time of the first message.
        seed: the same seed and symbol give the same messages, whatever the start.
        end_ns: venue time at which it ends; None: never.
        phases: characters one after the other, the first from 0 s; none: the symbol's own.

    Raises:
        ConfigError: the symbol is none, or the phases do not begin at 0 s and go on in order.
    """

    def __init__(
        self,
        symbol: str,
        product: Product,
        start_ns: int,
        seed: int,
        end_ns: int | None = None,
        phases: Sequence[Phase] = (),
    ) -> None:
        self.instrument = unit = _instrument(symbol, product)
        self.files: tuple[Path, ...] = ()
        self.quality = Quality()
        self.info = TapeInfo(
            "synthetic", product, symbol, unit.base, unit.quote, unit.tick, unit.lot, unit.min_notional
        )
        self._seed = int.from_bytes(hashlib.sha256(f"{seed}:{symbol}".encode()).digest()[:8])
        self._start_ns = start_ns
        self._end_ns = end_ns
        self._phases = tuple(phases) or (Phase(0.0, PROFILES.get(symbol, _OTHER)),)
        starts = [phase.start_s for phase in self._phases]
        if starts[0] != 0.0 or sorted(set(starts)) != starts:
            raise ConfigError(f"phases of {symbol} start at {starts} s, expected 0.0 first and then in order")

    def __iter__(self) -> Iterator[Tape]:
        """The market from its start, some minutes at a time."""
        ahead = list(self._phases)
        price = ahead[0].profile.price / float(self.instrument.tick)
        state, prices, lots = flow.new_state(self._seed, price)
        market = _enter(ahead, state, self.instrument)
        buffer = flow.new_rows(_BLOCK_ROWS)
        count = flow.start(state, market, prices, lots, buffer)
        before_ns = local_ns = self._start_ns
        self.quality = Quality()
        while self._end_ns is None or before_ns < self._end_ns:
            rows = buffer[:count].copy()
            rows["exch_ns"] += self._start_ns
            rows = self._cut(self._with_funding(rows, before_ns, float(state["drift"][0])))
            if not rows.size:
                return
            local = np.maximum(rows["local_ns"] + self._start_ns, rows["exch_ns"])
            rows["local_ns"] = np.maximum.accumulate(np.maximum(local, local_ns))
            before_ns, local_ns = int(rows["exch_ns"][-1]), int(rows["local_ns"][-1])
            self.quality.messages += int(rows["last"].sum())
            yield Tape(self.info, rows)
            count = 0
            while count == 0:
                if state["t"][0] >= state["until"][0]:
                    market = _enter(ahead, state, self.instrument)
                count = flow.generate(state, market, prices, lots, buffer)

    def _cut(self, rows: Rows) -> Rows:
        """Whole messages before the end."""
        if self._end_ns is None or rows["exch_ns"][-1] < self._end_ns:
            return rows
        return rows[: int(np.searchsorted(rows["exch_ns"], self._end_ns))]

    def _with_funding(self, rows: Rows, before_ns: int, drift_bps: float) -> Rows:
        """Perpetuals pay at the eighth hours of venue time, the more the stronger the trend is."""
        due_ns = (before_ns // FUNDING_EVERY_NS + 1) * FUNDING_EVERY_NS
        if self.instrument.is_spot or rows["exch_ns"][-1] < due_ns:
            return rows
        row = empty_rows(1)
        row["exch_ns"], row["kind"], row["last"] = due_ns, FUNDING, True
        row["price"] = 10_000 + int(np.clip(drift_bps * 1e5, -30_000, 30_000))
        return np.insert(rows, int(np.searchsorted(rows["exch_ns"], due_ns)), row)


def synthetic_stream(symbol: str, product: Product, start_ns: int, seed: int) -> ReplayStream:
    """A made-up market as a stream of messages, without end."""
    source = SyntheticSource(symbol, product, start_ns, seed)
    return ReplayStream(source, source.instrument, start_ns)


def _instrument(symbol: str, product: Product) -> Instrument:
    base, quote = split_symbol(symbol)
    if not symbol.isalnum() or not base or symbol != f"{base}{quote}":
        raise ConfigError(f"feed synthetic: {symbol!r} is not a symbol such as BTCUSDT")
    profile = PROFILES.get(symbol, _OTHER)
    spot = product in ("binance", "bybit-spot")
    tick = Decimal(profile.spot_tick if spot else profile.linear_tick)
    lot = Decimal(profile.spot_lot if spot else profile.linear_lot)
    return make_instrument(product, symbol, base, quote, tick, lot)


def _enter(ahead: list[Phase], state: NDArray[Any], instrument: Instrument) -> NDArray[Any]:
    """The market of the next phase, which is taken off; the generator will stop where that one ends."""
    phase = ahead.pop(0)
    state["until"] = ahead[0].start_s if ahead else np.inf
    return _market(phase.profile, instrument)


def _market(profile: Profile, instrument: Instrument) -> NDArray[Any]:
    lot_usd = profile.price * float(instrument.lot)
    market = np.zeros(1, flow.MARKET)
    market["depth"] = profile.depth_usd / lot_usd
    market["sigma"] = profile.sigma_bps
    market["half_spread"] = profile.half_spread_bps
    market["tolerance"] = profile.tolerance_bps
    market["gap"] = profile.gap_bps
    market["book_s"] = profile.book_s
    market["rate"] = profile.rate
    market["size"] = profile.size_usd / lot_usd
    market["memory"] = profile.memory
    market["drift"] = profile.drift_bps
    market["jump"] = profile.jump_bps
    market["informed"] = profile.informed
    market["following"] = profile.following
    market["impact"] = profile.impact
    market["wanders"] = profile.wanders
    return market
