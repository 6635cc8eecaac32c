"""A made-up market for every symbol: seeded, without end, and the same on every run of a seed.

`flow` holds the model; here are the symbols' sizes and the way from its rows to the venue's clock.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import ConfigError
from asmm_daemon.events import FUNDING, Rows
from asmm_daemon.exchange.feeds import flow
from asmm_daemon.exchange.feeds.markets import make_instrument
from asmm_daemon.tape.columns import empty_rows, message_ends
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
    sigma_bps: float = 0.45  # per square root second
    half_spread_bps: float = 0.0  # beyond the tick
    tolerance_bps: float = 0.35
    gap_bps: float = 0.25
    book_s: float = 0.09
    rate: float = 2.5  # taker orders per second
    size_usd: float = 600.0
    depth_usd: float = 6000.0
    drift_bps: float = 0.055
    jump_bps: float = 8.0


PROFILES: dict[str, Profile] = {
    "BTCUSDT": Profile(60_000.0, "0.1", "0.001", "0.01", "0.00001"),
    "ETHUSDT": Profile(3_000.0, "0.01", "0.001", "0.01", "0.0001", sigma_bps=0.55, size_usd=450.0),
    "SOLUSDT": Profile(150.0, "0.01", "0.01", "0.01", "0.001", sigma_bps=0.7, rate=1.5, size_usd=300.0),
    "XRPUSDT": Profile(0.6, "0.0001", "0.1", "0.0001", "0.1", sigma_bps=0.65, rate=1.2, size_usd=250.0),
    "NEXOUSDT": Profile(
        1.2, "0.0001", "1", "0.001", "0.01", sigma_bps=0.7, half_spread_bps=0.3, tolerance_bps=4.0,
        gap_bps=6.0, book_s=1.2, rate=0.14, size_usd=40.0, depth_usd=700.0, drift_bps=0.06,
    ),
}  # fmt: skip
_OTHER = Profile(
    10.0, "0.001", "0.1", "0.001", "0.01", sigma_bps=0.65, half_spread_bps=0.5, rate=0.8, size_usd=200.0
)


class SyntheticStream:
    """One made-up market.

    Args:
        symbol: the venue's own id, such as BTCUSDT; an unlisted one gets an ordinary character.
        product: decides the grid and whether funding is paid.
        start_ns: venue time of the first message.
        seed: the same seed and symbol give the same messages, whatever the start.
    """

    def __init__(self, symbol: str, product: Product, start_ns: int, seed: int) -> None:
        self.offset_ns = start_ns
        self.instrument = _instrument(symbol, product)
        profile = PROFILES.get(symbol, _OTHER)
        mixed = hashlib.sha256(f"{seed}:{symbol}".encode()).digest()
        price = profile.price / float(self.instrument.tick)
        self._state, self._prices, self._lots = flow.new_state(int.from_bytes(mixed[:8]), price)
        self._market = _market(profile, self.instrument)
        self._messages = self._run(start_ns)
        self._next = next(self._messages)

    def next_ns(self) -> int | None:
        """Venue time of the next message."""
        return int(self._next["exch_ns"][-1])

    def pop(self) -> Rows:
        """The next message's rows."""
        rows = self._next
        self._next = next(self._messages)
        return rows

    def close(self) -> None:
        """Nothing is held open."""

    def _run(self, start_ns: int) -> Iterator[Rows]:
        funding_ns = (start_ns // FUNDING_EVERY_NS + 1) * FUNDING_EVERY_NS
        for rows in self._blocks(start_ns):
            low = 0
            for high in message_ends(rows):
                message = rows[low:high]
                if message["exch_ns"][0] >= funding_ns and not self.instrument.is_spot:
                    yield _funding(funding_ns, message, float(self._state["drift"][0]))
                    funding_ns += FUNDING_EVERY_NS
                yield message
                low = high

    def _blocks(self, start_ns: int) -> Iterator[Rows]:
        rows = flow.new_rows(_BLOCK_ROWS)
        count = flow.start(self._state, self._market, self._prices, self._lots, rows)
        local_ns = start_ns
        while True:
            block = rows[:count].copy()
            block["exch_ns"] += start_ns
            block["local_ns"] = np.maximum.accumulate(np.maximum(block["local_ns"] + start_ns, local_ns))
            local_ns = int(block["local_ns"][-1])
            yield block
            count = flow.generate(self._state, self._market, self._prices, self._lots, rows)


def _funding(t_ns: int, before: Rows, drift_bps: float) -> Rows:
    row = empty_rows(1)
    row["exch_ns"] = t_ns
    row["local_ns"] = max(t_ns, int(before["local_ns"][0]))
    row["kind"], row["last"] = FUNDING, True
    row["price"] = 10_000 + int(np.clip(drift_bps * 1e5, -30_000, 30_000))
    return row


def _instrument(symbol: str, product: Product) -> Instrument:
    base, quote = split_symbol(symbol)
    if not symbol.isalnum() or not base or symbol != f"{base}{quote}":
        raise ConfigError(f"feed synthetic: {symbol!r} is not a symbol such as BTCUSDT")
    profile = PROFILES.get(symbol, _OTHER)
    spot = product in ("binance", "bybit-spot")
    tick = Decimal(profile.spot_tick if spot else profile.linear_tick)
    lot = Decimal(profile.spot_lot if spot else profile.linear_lot)
    return make_instrument(product, symbol, base, quote, tick, lot)


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
    market["drift"] = profile.drift_bps
    market["jump"] = profile.jump_bps
    return market
