"""The embedded exchange: pure order entry, matching and accounting on a virtual clock.

No asyncio, socket or clock inside: `advance` moves time to `t_ns`, consuming the feed and firing
timers in order; every request is made at the time the exchange has been advanced to. What happens is
written to the venue log first and then told to the listeners.
"""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from asmm_daemon.exchange.accounts import Account, open_account
from asmm_daemon.exchange.booking import Booker
from asmm_daemon.exchange.dialect import Dialect
from asmm_daemon.exchange.feeds.base import Feed
from asmm_daemon.exchange.funds import Funds
from asmm_daemon.exchange.listener import Listener
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.matching import Change, Matcher
from asmm_daemon.exchange.orders import ENGINE, CancelWhy, NewOrder, OrderRecord, Origin, Reject, VenueReject
from asmm_daemon.exchange.protections import DeadMan
from asmm_daemon.exchange.rules import RULES
from asmm_daemon.exchange.settle import position_of
from asmm_daemon.exchange.store import OrderStore
from asmm_daemon.exchange.tell import Teller
from asmm_daemon.exchange.timers import Timers
from asmm_daemon.exchange.upkeep import Upkeep
from asmm_daemon.units import NS_PER_MS, Instrument, Product


class Exchange:
    """All markets and accounts of one product.

    Attributes: `product`, `rules`, `now_ns` (venue time reached), `markets` (by symbol), `accounts`
    (by name), `dialect` (set by the wire: ids and rejections as the client sees them). `instruments`
    replace the feed's (other fees), in the feed's order.
    """

    def __init__(
        self,
        product: Product,
        feed: Feed,
        log: VenueLog,
        *,
        start_ns: int,
        deposits: Mapping[str, Mapping[str, Decimal]],
        instruments: Sequence[Instrument] | None = None,
    ) -> None:
        self.product = product
        self.rules = RULES[product]
        self.now_ns = start_ns
        self.log = log
        self._feed = feed
        units = feed.instruments if instruments is None else instruments
        self._by_index = [Market(unit, index, start_ns) for index, unit in enumerate(units)]
        self.markets = {market.symbol: market for market in self._by_index}
        self.accounts = {name: open_account(name, amounts) for name, amounts in deposits.items()}
        self._tell = Teller(log)
        self._timers = Timers()
        self._store = OrderStore()
        self._funds = Funds(self.rules, self.markets, self._store)
        first_id = start_ns // 1000
        self._book = Booker(self.rules, self.accounts, self._store, self._funds, self._tell, first_id)
        self._matcher = Matcher(self.rules, self._store, self._funds, self._book, self._tell, first_id)
        self._upkeep = Upkeep(self, self._book, self._tell)
        self._deadman = DeadMan(self, self._tell)

    @property
    def dialect(self) -> Dialect:
        """How ids and rejections are written in the log."""
        return self._tell.dialect

    @dialect.setter
    def dialect(self, dialect: Dialect) -> None:
        self._tell.dialect = dialect

    def listen(self, listener: Listener) -> None:
        """Adds a listener; listeners are told in the order in which they were added."""
        self._tell.listeners.append(listener)

    def advance(self, t_ns: int) -> None:
        """Moves time to `t_ns`: feed messages and timers at or before it happen, in order."""
        feed, timers = self._feed, self._timers
        while True:
            feed_ns, timer_ns = feed.next_ns(), timers.next_ns()
            if feed_ns is not None and feed_ns <= t_ns and (timer_ns is None or feed_ns <= timer_ns):
                self.now_ns = max(self.now_ns, feed_ns)
                self._on_message()
            elif timer_ns is not None and timer_ns <= t_ns:
                self.now_ns = max(self.now_ns, timer_ns)
                timers.fire()
            else:
                break
        self.now_ns = max(self.now_ns, t_ns)

    def next_ns(self) -> int | None:
        """When the next feed message or timer is due; None when neither will come."""
        feed_ns, timer_ns = self._feed.next_ns(), self._timers.next_ns()
        if feed_ns is None or timer_ns is None:
            return timer_ns if feed_ns is None else feed_ns
        return min(feed_ns, timer_ns)

    def call_at(self, t_ns: int, action: Callable[[int], None]) -> Callable[[], None]:
        """Calls `action(t_ns)` when time gets there; returns what cancels it."""
        return self._timers.add(t_ns, action)

    def market(self, symbol: str) -> Market:
        """The market of a symbol, or Reject.UNKNOWN_SYMBOL (not logged)."""
        market = self.markets.get(symbol)
        if market is None:
            raise VenueReject(Reject.UNKNOWN_SYMBOL, symbol)
        return market

    def place(self, account: Account, new: NewOrder, origin: Origin = ENGINE) -> OrderRecord:
        """Creates an order and matches it; the record tells what became of it. Raises VenueReject."""
        try:
            return self._matcher.place(account, self.market(new.symbol), new, origin, self.now_ns)
        except VenueReject as reject:
            self._tell.rejected(new.symbol, new.cid, reject, origin, self.now_ns)
            raise

    def check(self, account: Account, new: NewOrder, origin: Origin = ENGINE) -> None:
        """Tells whether `place` would accept it, without placing (test orders). Raises VenueReject."""
        try:
            self._matcher.check(account, self.market(new.symbol), new)
        except VenueReject as reject:
            self._tell.rejected(new.symbol, new.cid, reject, origin, self.now_ns)
            raise

    def amend(
        self,
        account: Account,
        order: OrderRecord,
        *,
        price: Decimal | None = None,
        qty: Decimal | None = None,
        shrink_only: bool = False,
        origin: Origin = ENGINE,
    ) -> OrderRecord:
        """Changes an open order's price or total quantity, by the product's queue rules.

        A total at or below what has filled cancels it or is refused, by the product. `shrink_only`
        demands that just the quantity shrinks (Binance spot's keepPriority), else Reject.AMEND_QTY.
        """
        change = Change(price, qty, shrink_only)
        try:
            return self._matcher.amend(account, self.market(order.symbol), order, change, origin, self.now_ns)
        except VenueReject as reject:
            self._tell.rejected(order.symbol, order.cid, reject, origin, self.now_ns, order.oid)
            raise

    def cancel(
        self, account: Account, order: OrderRecord, origin: Origin = ENGINE, why: CancelWhy = CancelWhy.USER
    ) -> OrderRecord:
        """Cancels an open order; Reject.ORDER_DONE when it has ended."""
        try:
            return self._matcher.cancel(account, self.market(order.symbol), order, why, origin, self.now_ns)
        except VenueReject as reject:
            self._tell.rejected(order.symbol, order.cid, reject, origin, self.now_ns, order.oid)
            raise

    def cancel_all(
        self,
        account: Account,
        symbol: str | None = None,
        origin: Origin = ENGINE,
        why: CancelWhy = CancelWhy.ALL,
    ) -> list[OrderRecord]:
        """Cancels every open order of an account (on one symbol); the orders that it ended."""
        orders = self._store.open(account.name, symbol)
        for order in orders:
            if order.is_open:
                self.cancel(account, order, origin, why)
        return orders

    def find(
        self, account: Account, symbol: str | None, *, oid: int | None = None, cid: str | None = None
    ) -> OrderRecord:
        """An order by id or client id (the latest with it), open or ended; else Reject.UNKNOWN_ORDER."""
        order = None
        if oid is not None:
            order = self._store.get(oid)
        elif cid is not None:
            order = self._store.by_cid(account.name, cid)
        if order is None or order.account != account.name or symbol not in (None, order.symbol):
            raise VenueReject(Reject.UNKNOWN_ORDER, f"order {oid if oid is not None else cid}")
        return order

    def open_orders(self, account: Account, symbol: str | None = None) -> list[OrderRecord]:
        """An account's resting orders, oldest first."""
        return self._store.open(account.name, symbol)

    def all_orders(self, account: Account, symbol: str | None = None) -> list[OrderRecord]:
        """An account's remembered orders, oldest first (all open ones, the latest 20,000 ended)."""
        return list(self._store.all(account.name, symbol))

    def initial_margin(self, account: Account, symbol: str | None = None) -> Decimal:
        """Margin that positions and open orders hold, in quote."""
        return self._funds.initial_margin(account, symbol)

    def available(self, account: Account, asset: str) -> Decimal:
        """What an account may still use of an asset: free spot balance, or wallet + unrealised - margin."""
        return self._funds.available(account, asset)

    def set_leverage(self, account: Account, symbol: str, leverage: int) -> None:
        """Sets a market's leverage; Reject.LEVERAGE outside the product's range."""
        if not 1 <= leverage <= self.rules.max_leverage:
            raise VenueReject(Reject.LEVERAGE, f"leverage {leverage}, at most {self.rules.max_leverage}")
        position_of(account, self.market(symbol).symbol, self.rules).leverage = leverage

    def arm_deadman(
        self, account: Account, symbol: str | None, window_ms: int, origin: Origin = ENGINE
    ) -> None:
        """(Re)starts a countdown that cancels the account's orders (on a symbol); window 0 disarms it."""
        self._deadman.arm(account, symbol, window_ms * NS_PER_MS, origin)

    def transfer(self, account: Account, amounts: Mapping[str, Decimal]) -> None:
        """Deposits (positive) or withdraws (negative) amounts."""
        for asset, amount in amounts.items():
            account.balance(asset).free += amount
            self._book.note(account, "transfer", asset, amount, "", self.now_ns)
        self._tell.account(account, tuple(amounts), (), "transfer", self.now_ns)

    def set_status(self, symbol: str, status: str) -> None:
        """TRADING, HALT or DELISTED: order entry is refused unless trading; cancels pass."""
        market = self.market(symbol)
        market.status = status
        self._tell.status(market, self.now_ns)

    def set_filters(self, symbol: str, tick: Decimal, lot: Decimal) -> None:
        """Coarser tick or lot from now on; ValueError unless multiples of the instrument's."""
        market = self.market(symbol)
        if tick <= 0 or lot <= 0 or tick % market.instrument.tick or lot % market.instrument.lot:
            raise ValueError(f"{symbol}: tick {tick} and lot {lot} must be multiples of the market's own")
        market.tick, market.lot = tick, lot
        self._tell.status(market, self.now_ns)

    def log_books(self) -> None:
        """Writes every market's public best as it stands, as at a session's start."""
        for market in self.markets.values():
            self._tell.log_best(market, self.now_ns)

    def settle_funding(self, symbol: str, rate: Decimal) -> None:
        """Settles funding at a rate now, outside its schedule."""
        market = self.market(symbol)
        market.funding_rate = rate
        self._upkeep.settle(market, self.now_ns)

    def _on_message(self) -> None:
        index, rows = self._feed.pop()
        market = self._by_index[index]
        fills, shown = market.on_rows(rows)
        if shown.marks:
            self._upkeep.on_marks(market, rows)
        self._book.on_rows(market, fills, shown, self.now_ns)
