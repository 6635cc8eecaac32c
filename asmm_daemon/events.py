"""What flows between the rooms: market rows, events into the core, commands out of it.

Rows are the tape's columns (`asmm-tape/1`) as one structured record, so that live messages and
recordings are the same thing. Events and commands are frozen; every one carries the market's index
`m` in the configured list and, for events, the venue-clock time at which the daemon saw it.
"""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.units import Side

DEPTH = 0
"""`qty` is the absolute quantity at `price`; 0 removes the level."""
CLEAR = 1
"""Drops the side's levels from the best up to and including `price`; price 0 drops all."""
TRADE = 2
BBO = 3
"""The side's best level is `price` with `qty`: better levels are gone."""
GAP = 4
"""The book is unknown until the next CLEAR."""
FUNDING = 5
"""`price` is the funding rate times 1e8; applied at `exch_ns`."""
MARK = 6
"""`price` is the mark price in ticks."""

ROW = np.dtype(
    [
        ("exch_ns", np.int64),
        ("local_ns", np.int64),
        ("kind", np.uint8),
        ("side", np.int8),
        ("price", np.int64),
        ("qty", np.int64),
        ("id", np.int64),
        ("last", np.bool_),
    ],
    align=True,
)
Rows = NDArray[Any]
"""Structured array of dtype ROW, one or more whole venue messages."""


class Channel(StrEnum):
    """What must prove that it is alive for the daemon to quote."""

    BOOK = "book"
    TRADES = "trades"
    PRIVATE = "private"
    REST = "rest"


class OrderStatus(StrEnum):
    """An order's state as a venue reports it."""

    OPEN = "open"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    REJECTED = "rejected"
    NOT_FOUND = "not_found"


class Cause(StrEnum):
    """Why a request failed, in words that no venue owns."""

    POST_ONLY = "post_only"
    BALANCE = "insufficient_balance"
    REDUCE_ONLY = "reduce_only"
    NOT_FOUND = "not_found"
    DUPLICATE_ID = "duplicate_id"
    FILTER = "filter"
    RATE_LIMIT = "rate_limit"
    CLOCK = "clock"
    AUTH = "auth"
    MAINTENANCE = "maintenance"
    SELF_TRADE = "self_trade"
    NOT_ATTEMPTED = "not_attempted"
    """The create of a Replace whose cancel failed: the venue did not try it."""
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events: `t_ns` is the venue clock when the daemon saw it."""

    t_ns: int


@dataclass(frozen=True, slots=True)
class MarketData(Event):
    """One venue message of a market, as rows; the last row carries `last`."""

    m: int
    rows: Rows


@dataclass(frozen=True, slots=True)
class Accepted(Event):
    """The venue acknowledged an order; `oid` is its own id."""

    m: int
    cid: str
    oid: str


@dataclass(frozen=True, slots=True)
class AmendAccepted(Event):
    """The venue acknowledged an amendment to these terms (`qty` is the order's total, in lots)."""

    m: int
    cid: str
    price: int
    qty: int


@dataclass(frozen=True, slots=True)
class CancelAccepted(Event):
    """The venue acknowledged a cancel request; the order may still have filled before it."""

    m: int
    cid: str


@dataclass(frozen=True, slots=True)
class Rejected(Event):
    """The venue refused a request for certain."""

    m: int
    cid: str
    request: Literal["create", "amend", "cancel"]
    cause: Cause
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Unknown(Event):
    """A request's outcome cannot be told (time-out, 5xx, malformed reply): the order counts as open."""

    m: int
    cid: str
    request: Literal["create", "amend", "cancel"]
    message: str


@dataclass(frozen=True, slots=True)
class OrderUpdate(Event):
    """An order's state from the private stream or a query; `filled` and `qty` in lots."""

    m: int
    cid: str
    oid: str
    status: OrderStatus
    side: Side
    price: int
    qty: int
    filled: int
    venue_ns: int
    source: Literal["stream", "rest"]


@dataclass(frozen=True, slots=True)
class FillEvent(Event):
    """One execution; `tid` is the venue's trade id. Decimals exactly as on the wire."""

    m: int
    cid: str
    oid: str
    tid: str
    side: Side
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str
    maker: bool
    venue_ns: int
    source: Literal["stream", "rest"]


@dataclass(frozen=True, slots=True)
class BalanceEvent(Event):
    """An asset's balance as the venue holds it."""

    asset: str
    free: Decimal
    locked: Decimal


@dataclass(frozen=True, slots=True)
class PositionEvent(Event):
    """A linear position: signed quantity in base, average entry price in quote."""

    m: int
    qty: Decimal
    entry: Decimal


@dataclass(frozen=True, slots=True)
class FundingEvent(Event):
    """A funding payment received (positive) or paid (negative), booked once by `fid`."""

    m: int
    amount: Decimal
    asset: str
    fid: str


@dataclass(frozen=True, slots=True)
class ChannelEvent(Event):
    """A channel came up or went down; `m` is None for one that serves all markets."""

    m: int | None
    channel: Channel
    up: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Proof(Event):
    """A channel proved that it is current (heartbeat, answered query, matching REST top)."""

    m: int | None
    channel: Channel


@dataclass(frozen=True, slots=True)
class Snapshot(Event):
    """A fresh REST read of one market's account: what reconciliation compares with."""

    m: int
    orders: tuple[OrderUpdate, ...]
    fills: tuple[FillEvent, ...]
    balances: tuple[BalanceEvent, ...]
    position: PositionEvent | None


@dataclass(frozen=True, slots=True)
class History(Event):
    """The venue's recent past, from which the estimators start.

    `candles`: (n, 6) int64, oldest first: open time in ns; open, high, low, close in ticks; lots.
    `trades`: TRADE rows, oldest first, each with `last`.
    """

    m: int
    candles: NDArray[np.int64]
    trades: Rows


@dataclass(frozen=True, slots=True)
class CycleTick(Event):
    """The quote cycle's drift-free clock; `skipped` cycles were late and left out."""

    number: int
    skipped: int


@dataclass(frozen=True, slots=True)
class WatchTick(Event):
    """The watchdog's beat, 10 a second: ages and switches are judged on it."""


@dataclass(frozen=True, slots=True)
class Operator(Event):
    """A person's or signal's word. `halt` latches; `resume` ends a latch; `stop` is shutdown."""

    action: Literal["pause", "unpause", "halt", "resume", "stop"]
    reason: str


@dataclass(frozen=True, slots=True)
class Place:
    """Create an order: `price` in ticks, `qty` in lots, post-only unless `tif` is "IOC"."""

    m: int
    cid: str
    side: Side
    level: int
    price: int
    qty: int
    reduce_only: bool
    tif: Literal["PO", "IOC"]


@dataclass(frozen=True, slots=True)
class Amend:
    """Change a live order to `price` ticks and a total of `qty` lots."""

    m: int
    cid: str
    oid: str
    side: Side
    price: int
    qty: int


@dataclass(frozen=True, slots=True)
class Replace:
    """Cancel `old_cid` and, only if that succeeds, create an order (fields as of Place), in one request.

    Its outcome is two: one of the old order's cancel and one of the new order's create.
    """

    m: int
    cid: str
    side: Side
    level: int
    price: int
    qty: int
    reduce_only: bool
    tif: Literal["PO", "IOC"]
    old_cid: str
    old_oid: str

    @property
    def place(self) -> Place:
        """The new order by itself."""
        return Place(
            self.m, self.cid, self.side, self.level, self.price, self.qty, self.reduce_only, self.tif
        )


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel one order, by the venue's id where known, else by ours."""

    m: int
    cid: str
    oid: str


@dataclass(frozen=True, slots=True)
class CancelAll:
    """Cancel every order of ours on a market, over every path that works."""

    m: int
    reason: str


@dataclass(frozen=True, slots=True)
class Query:
    """Ask for one order's true state (and its trades), since its outcome is unknown."""

    m: int
    cid: str
    oid: str


@dataclass(frozen=True, slots=True)
class Reconcile:
    """Ask for a market's Snapshot."""

    m: int
    reason: str


@dataclass(frozen=True, slots=True)
class ProveBook:
    """Ask the venue for its top of book: silence must be told from staleness."""

    m: int


Command = Place | Amend | Replace | Cancel | CancelAll | Query | Reconcile | ProveBook
