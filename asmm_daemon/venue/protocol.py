"""What the daemon needs of a venue: events in, approved commands out.

A `Venue` is built from `VenueSettings` and a `Clock`, connected once, and then run as one task. It
speaks in the events of `asmm_daemon.events` alone, so nothing above it knows which venue it is. It
never judges ages: it says what it heard (`Proof`, `ChannelEvent`), and the core decides.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.events import Command, Event, Rows, Snapshot
from asmm_daemon.units import Instrument, Product

Sink = Callable[[Event], None]
"""Takes one event at once; it must not block."""


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """How to reach a venue. Durations are venue seconds, except `timeout_s` of the transport at speed 1."""

    product: Product
    symbols: tuple[str, ...]
    """The venue's own ids, e.g. BTCUSDT; a market's index `m` is its place here."""
    key: str = field(repr=False)
    secret: str = field(repr=False)
    rest_url: str = ""
    """Root of the REST server; empty: the real venue's."""
    ws_url: str = ""
    """Root of the WebSocket server; empty: the real venue's."""
    sandbox: bool = False
    """The venue's public test net instead of its real servers."""
    cid_prefix: str = "asmm"
    """What our client order ids begin with: only such orders are ever cancelled."""
    timeout_s: float = 4.0
    recv_window_ms: int = 5000
    keepalive_s: float = 10.0
    listen_key_every_s: float = 1200.0
    deadman_window_s: float = 25.0
    deadman_every_s: float = 8.0
    cancel_reserve: float = 0.2
    """Share of the request budget that only cancels may use."""
    budget_share: float = 0.8
    """Share of the venue's published request limit that we use at all."""

    def receive_window_ms(self, speed: float) -> int:
        """How old a request may be at the venue, in venue ms: at least one real second at any speed."""
        return min(max(self.recv_window_ms, int(1000 * speed)), 60_000)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a product offers beyond create, cancel and query."""

    amend: bool
    """Price and quantity of a resting order can be changed in one safe request."""
    amend_keeps_place: bool
    """Lowering the quantity at the same price keeps the queue place."""
    deadman: bool
    """The venue has a dead-man's switch for this product (it may still not be enabled: `deadman_armed`)."""
    heartbeat: bool
    """The book stream proves itself even when the market is quiet."""
    replace: bool = False
    """An order can be cancelled and its successor created in one request."""
    deadman_by_stream: bool = False
    """The dead-man's switch counts from the loss of the private stream, not from the last refresh."""


@dataclass(frozen=True, slots=True)
class Budget:
    """The request budget as seen now; `ratio` is the share of our own limit that is used."""

    used: float
    limit: float
    reserve: float
    silent_until_ns: int
    """Venue time before which nothing is sent (Retry-After, ban); 0 when free."""

    @property
    def ratio(self) -> float:
        """Used share of the limit, 0 to 1 and above."""
        return self.used / self.limit if self.limit else 0.0


@dataclass(frozen=True, slots=True)
class Warm:
    """History to start estimators with. Empty arrays where the venue has none."""

    candles: NDArray[np.int64]
    """(n, 6), oldest first: open time in ns; open, high, low, close in ticks; volume in lots."""
    trades: Rows
    """TRADE rows of the recent public trades, oldest first, each with `last`."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of `asmm doctor`. `level` is "ok", "warn" or "fail"."""

    level: str
    topic: str
    text: str


class Venue(Protocol):
    """A trading venue. One instance serves one account and one product."""

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """One per configured symbol, in order; fees are the account's. Filled by `connect`."""

    @property
    def capabilities(self) -> Capabilities:
        """What this product offers."""

    @property
    def budget(self) -> Budget:
        """The request budget now."""

    def deadman_armed(self, m: int) -> bool:
        """Whether the venue would cancel our orders by itself if we fell silent now."""

    def set_healthy(self, m: int, healthy: bool) -> None:  # noqa: FBT001
        """Says whether the market may keep its dead-man's switch refreshed (True at start)."""

    def drain_round_trips(self) -> list[tuple[int, float]]:
        """Market, and real seconds from request to reply, of each order request since the last call."""

    async def connect(self) -> None:
        """Loads markets and fees and sets the clock. Raises VenueError in one clear sentence."""

    async def run(self, sink: Sink, stop: asyncio.Event) -> None:
        """Streams, heartbeats, renewals, until `stop` is set. Outages are events, never exceptions."""

    async def execute(self, command: Command) -> None:
        """Sends one command and emits its outcome into the sink given to `run`.

        The journal is already written. Never raises for a venue's fault: an outcome that cannot be told
        becomes `Unknown`. Cancels go before everything else that waits.
        """

    async def snapshot(self, m: int) -> Snapshot:
        """A fresh REST read of orders, recent fills, balances, position. Raises VenueError."""

    async def warm(self, m: int) -> Warm:
        """Candles and recent trades; raises VenueError when they cannot be had."""

    async def kill(self) -> bool:
        """Cancels all our orders over an instance that nothing can block, until none is proven open.

        True when the venue said that none of ours is open on any configured symbol.
        """

    async def doctor(self) -> list[Finding]:
        """Asks the venue about clock, permissions, filters, fees, dead-man protection, foreign orders."""

    async def close(self) -> None:
        """Disarms the dead-man's switch if `kill` proved that nothing rests; closes every connection."""
