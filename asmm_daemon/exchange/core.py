"""The embedded exchange: pure order entry, matching and accounting on a virtual clock.

No asyncio, socket or clock inside: `advance` moves time to `t_ns`, consuming the feed and firing
timers in order; every request is made at the time the exchange has been advanced to. What happens is
written to the venue log first and then told to the listeners.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.dialect import Dialect
from asmm_daemon.exchange.listener import Listener
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import ENGINE, CancelWhy, NewOrder, OrderRecord, Origin
from asmm_daemon.exchange.rules import VenueRules
from asmm_daemon.units import Product

class Exchange:
    """All markets and accounts of one product.

    Attributes: `product`, `rules`, `now_ns` (venue time reached), `markets` (by symbol), `accounts`
    (by name), `dialect` (set by the wire: ids and rejections as the client sees them).
    """

    product: Product
    rules: VenueRules
    now_ns: int
    markets: dict[str, Market]
    accounts: dict[str, Account]
    dialect: Dialect

    def listen(self, listener: Listener) -> None:
        """Adds a listener; listeners are told in the order in which they were added."""
        raise NotImplementedError

    # time

    def advance(self, t_ns: int) -> None:
        """Moves time to `t_ns`: feed messages and timers at or before it happen, in order."""
        raise NotImplementedError

    def next_ns(self) -> int | None:
        """When the next feed message or timer is due; None when neither will come."""
        raise NotImplementedError

    def call_at(self, t_ns: int, action: Callable[[int], None]) -> Callable[[], None]:
        """Calls `action(t_ns)` when time gets there; returns what cancels it."""
        raise NotImplementedError

    # orders; all raise VenueReject, which has been logged by then

    def market(self, symbol: str) -> Market:
        """The market of a symbol, or Reject.UNKNOWN_SYMBOL (not logged)."""
        raise NotImplementedError

    def place(self, account: Account, new: NewOrder, origin: Origin = ENGINE) -> OrderRecord:
        """Creates an order and matches it; the record tells what became of it."""
        raise NotImplementedError

    def check(self, account: Account, new: NewOrder, origin: Origin = ENGINE) -> None:
        """Tells whether `place` would accept it, without placing (test orders)."""
        raise NotImplementedError

    def amend(
        self,
        account: Account,
        order: OrderRecord,
        *,
        price: Decimal | None = None,
        qty: Decimal | None = None,
        reduce_only_qty: bool = False,
        origin: Origin = ENGINE,
    ) -> OrderRecord:
        """Changes an open order's price or total quantity, by the product's queue rules.

        A total at or below what has filled cancels it. `reduce_only_qty` demands that the quantity
        shrinks (Binance spot's keepPriority), else Reject.AMEND_QTY.
        """
        raise NotImplementedError

    def cancel(
        self, account: Account, order: OrderRecord, origin: Origin = ENGINE, why: CancelWhy = CancelWhy.USER
    ) -> OrderRecord:
        """Cancels an open order; Reject.ORDER_DONE when it has ended."""
        raise NotImplementedError

    def cancel_all(
        self,
        account: Account,
        symbol: str | None = None,
        origin: Origin = ENGINE,
        why: CancelWhy = CancelWhy.ALL,
    ) -> list[OrderRecord]:
        """Cancels every open order of an account (on one symbol); the orders that it ended."""
        raise NotImplementedError

    def find(
        self, account: Account, symbol: str | None, *, oid: int | None = None, cid: str | None = None
    ) -> OrderRecord:
        """An order by id or client id (the latest with it), open or ended; else Reject.UNKNOWN_ORDER."""
        raise NotImplementedError

    def open_orders(self, account: Account, symbol: str | None = None) -> list[OrderRecord]:
        """An account's resting orders, oldest first."""
        raise NotImplementedError

    def all_orders(self, account: Account, symbol: str | None = None) -> Sequence[OrderRecord]:
        """An account's remembered orders, oldest first (all open ones, the latest 20,000 ended)."""
        raise NotImplementedError

    # margin and protections (linear)

    def initial_margin(self, account: Account, symbol: str | None = None) -> Decimal:
        """Margin that positions and open orders hold, in quote."""
        raise NotImplementedError

    def available(self, account: Account, asset: str) -> Decimal:
        """What an account may still use of an asset: free spot balance, or wallet + unrealised - margin."""
        raise NotImplementedError

    def set_leverage(self, account: Account, symbol: str, leverage: int) -> None:
        """Sets a market's leverage; Reject.LEVERAGE outside the product's range."""
        raise NotImplementedError

    def arm_deadman(
        self, account: Account, symbol: str | None, window_ms: int, origin: Origin = ENGINE
    ) -> None:
        """(Re)starts a countdown that cancels the account's orders (on a symbol); window 0 disarms it."""
        raise NotImplementedError

    # administration

    def transfer(self, account: Account, amounts: Mapping[str, Decimal]) -> None:
        """Deposits (positive) or withdraws (negative) amounts."""
        raise NotImplementedError

    def set_status(self, symbol: str, status: str) -> None:
        """"TRADING", "HALT" or "DELISTED": order entry is refused unless trading; cancels pass."""
        raise NotImplementedError

    def set_filters(self, symbol: str, tick: Decimal, lot: Decimal) -> None:
        """Coarser tick or lot from now on (multiples of the instrument's)."""
        raise NotImplementedError
