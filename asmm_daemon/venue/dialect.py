"""What the adapter asks of a venue's dialect: REST calls and how its streams are opened and read."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

from asmm_daemon.events import (
    Amend,
    BalanceEvent,
    Event,
    FillEvent,
    OrderUpdate,
    Place,
    PositionEvent,
    Replace,
    Rows,
)
from asmm_daemon.units import Instrument
from asmm_daemon.venue.limits import Priority
from asmm_daemon.venue.protocol import Capabilities, Finding, Warm
from asmm_daemon.venue.replacing import Replaced


@dataclass(frozen=True, slots=True)
class Top:
    """The best prices as a REST reply gave them, on the wire's decimals."""

    bid: Decimal
    bid_qty: Decimal
    ask: Decimal
    ask_qty: Decimal


@dataclass(frozen=True, slots=True)
class Subscription:
    """Where a market's public data comes from and the frame that asks for it."""

    url: str
    frame: dict[str, Any]


class MarketReader(Protocol):
    """Reads one market's public socket. Raises SequenceGap, or ValueError and kin for bad data."""

    acknowledged: bool
    """The venue has taken the subscription."""
    ended: str
    """Why the venue ends this socket or refuses the subscription; '' while it lives."""

    @property
    def synced(self) -> bool:
        """Whether the book is known and continues."""

    def reset(self) -> None:
        """A new connection: nothing is known."""

    def lose_book(self) -> None:
        """The sequence broke: diffs are held back until the next snapshot."""

    def read(self, message: Any, now_ns: int) -> Rows | None:
        """Rows of one message, if it has any for us."""

    def join(self, snapshot: Any, now_ns: int) -> Rows | None:
        """Joins a REST snapshot to the diffs held back; None when it is too old."""


class Dialect(Protocol):
    """One product of one venue. REST methods raise Refused, or KeyError and kin for bad bodies."""

    capabilities: Capabilities
    instruments: tuple[Instrument, ...]
    needs_snapshot: bool
    """The book stream sends diffs only: a REST snapshot must be joined."""

    async def load(self) -> None:
        """Fills `instruments`, fees and request limits. Raises VenueError for an unknown symbol."""

    def adopt(self, instruments: tuple[Instrument, ...]) -> None:
        """Takes markets as loaded elsewhere."""

    async def server_ms(self) -> tuple[int, float]:
        """The venue's time and the real seconds that the question took."""

    async def place(self, command: Place) -> str:
        """Creates an order and returns the venue's id."""

    async def amend(self, command: Amend) -> None:
        """Changes an order's price and total quantity."""

    async def replace(self, command: Replace) -> Replaced:
        """Cancels an order and creates another in one request, where the product can."""

    async def cancel(self, m: int, cid: str, oid: str) -> None:
        """Cancels one order."""

    async def order(self, m: int, cid: str, oid: str) -> OrderUpdate | None:
        """One order's state; None when the venue knows no such order."""

    async def order_fills(self, m: int, cid: str, oid: str) -> tuple[FillEvent, ...]:
        """One order's trades."""

    async def open_orders(self, m: int, priority: Priority) -> tuple[OrderUpdate, ...]:
        """Every open order on the market, foreign ones included."""

    async def fills(self, m: int, since_ns: int, cid_of: Callable[[str], str]) -> tuple[FillEvent, ...]:
        """Own trades since a time (0: the newest the venue gives), oldest first."""

    async def balances(self) -> tuple[BalanceEvent, ...]:
        """The account's balances."""

    async def position(self, m: int) -> PositionEvent | None:
        """The market's position; None on spot."""

    async def top(self, m: int) -> Top:
        """The best prices now."""

    async def last_trade_ns(self, m: int) -> int:
        """Venue time of the newest public trade; 0 when there was none."""

    async def depth(self, m: int) -> Any:
        """A book snapshot's raw body."""

    async def warm(self, m: int) -> Warm:
        """Candles and recent trades."""

    async def funding(self, m: int) -> tuple[Rows, ...]:
        """Funding rate and mark price rows; empty on spot."""

    async def payments(self, m: int, since_ns: int) -> tuple[Event, ...]:
        """Funding payments as events; empty on spot."""

    async def arm(self, m: int, window_s: float) -> bool:
        """Arms or refreshes the dead-man's switch (0 disarms); False when the venue has it switched off."""

    def subscription(self, m: int) -> Subscription:
        """The market's public socket."""

    def reader(self, m: int, on_top: Callable[[str, str], None]) -> MarketReader:
        """A reader for that socket; `on_top` gets the best prices of a heartbeat that brings no rows."""

    async def private_url(self) -> str:
        """The private socket's address (a listen key may be asked for)."""

    def private_frames(self) -> Sequence[dict[str, Any]]:
        """Frames to send once the private socket stands, each to be acknowledged before the next."""

    def private_ping(self) -> dict[str, Any] | None:
        """A frame that the private socket answers; None: a WebSocket ping must do."""

    def private_ack(self, message: Any) -> bool | None:
        """True: the message acknowledges a frame; False: it refuses one; None: neither."""

    def private_end(self, message: Any) -> str:
        """Why the message ends the private stream (expired key, shutdown), or ''."""

    def private_events(self, message: Any, now_ns: int) -> list[Event]:
        """Events of a private message."""

    async def keep_key(self) -> None:
        """Renews what keeps the private stream alive; a no-op where there is no key."""

    async def doctor(self) -> list[Finding]:
        """The venue's answers about permissions, modes and protection."""
