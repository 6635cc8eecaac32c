"""What an order is to the embedded exchange, in words that no venue owns.

The wire protocols map these onto their venue's own names, codes and bodies. Prices and quantities
are exact decimals in the unit of the wire; the integers beside them are ticks and lots.
"""

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Literal, NamedTuple

from asmm_daemon.units import Side

ZERO = Decimal(0)


class Reject(StrEnum):
    """Why the exchange refuses a request; a wire gives each its venue's code and message."""

    UNKNOWN_SYMBOL = "unknown_symbol"
    MARKET_CLOSED = "market_closed"
    PRICE_TICK = "price_tick"
    PRICE_RANGE = "price_range"
    PRICE_COLLAR = "price_collar"
    QTY_LOT = "qty_lot"
    QTY_MIN = "qty_min"
    QTY_MAX = "qty_max"
    MIN_NOTIONAL = "min_notional"
    MAX_ORDERS = "max_orders"
    DUPLICATE_CID = "duplicate_cid"
    BALANCE = "balance"
    POST_ONLY = "post_only"
    REDUCE_ONLY = "reduce_only"
    NO_LIQUIDITY = "no_liquidity"
    UNKNOWN_ORDER = "unknown_order"
    ORDER_DONE = "order_done"
    NO_CHANGE = "no_change"
    AMEND_QTY = "amend_qty"
    AMEND_LIMIT = "amend_limit"
    LEVERAGE = "leverage"


class VenueReject(Exception):
    """The exchange refused a request: nothing changed. `detail` is for the log and for people."""

    def __init__(self, reason: Reject, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = detail


class OrderType(StrEnum):
    """Limit or market."""

    LIMIT = "limit"
    MARKET = "market"


class Tif(StrEnum):
    """How long an order lives. PO is good till cancelled and post-only."""

    GTC = "GTC"
    IOC = "IOC"
    FOK = "FOK"
    PO = "PO"


class Stp(StrEnum):
    """Self-trade prevention between orders of one account, set by the taker."""

    NONE = "none"
    TAKER = "expire_taker"
    MAKER = "expire_maker"
    BOTH = "expire_both"


class OrderState(StrEnum):
    """An order's state. EXPIRED: the exchange ended it (IOC remainder, STP, post-only cancel)."""

    NEW = "new"
    PARTIAL = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


class CancelWhy(StrEnum):
    """Why an order ended without filling whole: the `why` of the venue log."""

    USER = "user"
    ALL = "all"
    EXPIRED = "expired"
    DEADMAN = "deadman"
    STP = "stp"
    POST_ONLY = "post_only"
    LIQUIDATION = "liquidation"


class Origin(NamedTuple):
    """Where a request came from: keys `via`, `conn` and `req` of the venue log."""

    via: Literal["rest", "ws", "stream", "admin", "engine"] = "engine"
    conn: int | None = None
    req: int | None = None


ENGINE = Origin()


@dataclass(frozen=True, slots=True)
class NewOrder:
    """A request to create an order, as parsed by a wire.

    `qty` in base; a spot market order may give `quote_qty` instead. `price` is None for a market
    order. An empty `cid` makes the exchange choose one. `tag` is the wire's own (a venue's type
    names, say), kept on the record and never read here.
    """

    symbol: str
    side: Side
    kind: OrderType
    tif: Tif
    qty: Decimal | None
    price: Decimal | None = None
    quote_qty: Decimal | None = None
    cid: str = ""
    reduce_only: bool = False
    stp: Stp = Stp.NONE
    tag: object = None


@dataclass(slots=True, eq=False)
class OrderRecord:
    """An accepted order; the exchange is its only writer.

    `oid` is an integer, unique over all symbols and restarts; a wire may print it in its own way.
    `left` is what still rests or matches, in lots; `locked` is the spot amount that it holds; `met` is
    the order of the same account that self-trade prevention kept it from.
    """

    oid: int
    cid: str
    account: str
    symbol: str
    side: Side
    kind: OrderType
    tif: Tif
    price: Decimal
    qty: Decimal
    price_ticks: int
    qty_lots: int
    reduce_only: bool
    stp: Stp
    created_ns: int
    updated_ns: int
    tag: object = None
    state: OrderState = OrderState.NEW
    left: int = 0
    filled: Decimal = ZERO
    quote_filled: Decimal = ZERO
    quote_qty: Decimal | None = None
    fees: dict[str, Decimal] = field(default_factory=dict)
    locked: Decimal = ZERO
    why: CancelWhy | None = None
    amends: int = 0
    met: int | None = None

    @property
    def is_open(self) -> bool:
        """Whether it still rests."""
        return self.state in (OrderState.NEW, OrderState.PARTIAL)

    @property
    def average(self) -> Decimal:
        """Average price of its executions; 0 before the first."""
        return self.quote_filled / self.filled if self.filled else ZERO


@dataclass(frozen=True, slots=True)
class Trade:
    """One execution of an account's order. `tid` is also the id of the public trade.

    `fee` is what the account paid in `fee_asset` (negative: rebate); `realised` is the realised
    profit in quote of the part that closed a linear position, before the fee.
    """

    tid: int
    oid: int
    cid: str
    account: str
    symbol: str
    side: Side
    price: Decimal
    qty: Decimal
    maker: bool
    fee: Decimal
    fee_asset: str
    realised: Decimal
    t_ns: int

    @property
    def quote(self) -> Decimal:
        """What it was worth in quote currency."""
        return self.price * self.qty


class PublicTrade(NamedTuple):
    """A trade of the public tape, own executions included: ticks, lots, the aggressor's side."""

    tid: int
    t_ns: int
    price: int
    qty: int
    side: int
