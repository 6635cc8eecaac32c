"""Order entry: admission, matching through the fill model, the end of orders. At a given venue time."""

from decimal import Decimal
from typing import NamedTuple

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.booking import Booker
from asmm_daemon.exchange.checks import Terms, check_limit, check_new
from asmm_daemon.exchange.funds import Funds
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import (
    ENGINE,
    CancelWhy,
    NewOrder,
    OrderRecord,
    OrderType,
    Origin,
    PublicTrade,
    Reject,
    Stp,
    Tif,
    VenueReject,
)
from asmm_daemon.exchange.rules import VenueRules
from asmm_daemon.exchange.store import OrderStore
from asmm_daemon.exchange.tell import Teller
from asmm_daemon.units import Side


class Change(NamedTuple):
    """What an amendment asks for; None keeps. `shrink_only`: refused unless only the quantity shrinks."""

    price: Decimal | None
    qty: Decimal | None
    shrink_only: bool


class Matcher:
    """Changes orders and accounts of all markets; everything it does it tells at once."""

    def __init__(
        self,
        rules: VenueRules,
        store: OrderStore,
        funds: Funds,
        booker: Booker,
        teller: Teller,
        first_oid: int,
    ) -> None:
        self._rules = rules
        self._store = store
        self._funds = funds
        self._book = booker
        self._tell = teller
        self._oid = first_oid

    def check(self, account: Account, market: Market, new: NewOrder) -> Terms:
        """The terms of an order that would be accepted; raises VenueReject."""
        terms = check_new(market, new, self._rules)
        if new.cid:
            old = self._store.by_cid(account.name, new.cid)
            if old is not None and (old.is_open or self._rules.cid_unique == "all"):
                raise VenueReject(Reject.DUPLICATE_CID, f"client id {new.cid}")
        if new.kind is OrderType.LIMIT and new.tif not in (Tif.IOC, Tif.FOK):
            count = self._store.count_open(account.name, market.symbol)
            if count >= self._rules.max_orders:
                raise VenueReject(Reject.MAX_ORDERS, f"{count} open orders")
        if new.reduce_only:
            terms = self._cut_to_position(account, market, new.side, terms)
        self._funds.check_new(account, market, new, terms)
        if (
            new.tif is Tif.PO
            and self._rules.post_only == "reject"
            and _crosses(market, new.side, terms.ticks)
        ):
            raise VenueReject(Reject.POST_ONLY, f"price {terms.price} would trade at once")
        return terms

    def place(
        self, account: Account, market: Market, new: NewOrder, origin: Origin, t_ns: int
    ) -> OrderRecord:
        """Accepts an order and matches it."""
        terms = self.check(account, market, new)
        self._oid += 1
        order = OrderRecord(
            oid=self._oid,
            cid=new.cid or f"x{self._oid}",
            account=account.name,
            symbol=market.symbol,
            side=new.side,
            kind=new.kind,
            tif=new.tif,
            price=terms.price,
            qty=terms.qty,
            price_ticks=terms.ticks,
            qty_lots=terms.lots,
            reduce_only=new.reduce_only,
            stp=new.stp,
            created_ns=t_ns,
            updated_ns=t_ns,
            tag=new.tag,
            left=terms.lots,
            quote_qty=new.quote_qty,
        )
        self._store.add(order)
        held = self._funds.reserve(account, market, order, terms.worth)
        self._tell.accepted(account, order, origin, t_ns)
        if held:
            self._tell.account(account, held, (), "order", t_ns)
        self._match(account, market, order, t_ns)
        return order

    def amend(
        self, account: Account, market: Market, order: OrderRecord, change: Change, origin: Origin, t_ns: int
    ) -> OrderRecord:
        """Changes an open order by the product's rules; raises VenueReject."""
        price = order.price if change.price is None else change.price
        qty = order.qty if change.qty is None else change.qty
        terms = self._check_amend(market, order, price, qty, change)
        left = terms.lots - (order.qty_lots - order.left)
        if left <= 0:
            if self._rules.amend_below_filled == "reject":
                raise VenueReject(Reject.AMEND_QTY, f"{qty} is not more than the filled {order.filled}")
            return self.cancel(account, market, order, CancelWhy.USER, origin, t_ns)
        self._funds.check_amend(account, market, order, price, left)
        keeps = price == order.price and left <= order.left and not self._rules.amend_requeues
        if order.tif is Tif.PO and price != order.price and _crosses(market, order.side, terms.ticks):
            if self._rules.amend_crossing == "reject":
                raise VenueReject(Reject.POST_ONLY, f"price {price} would trade at once")
            return self.cancel(account, market, order, CancelWhy.POST_ONLY, origin, t_ns)
        old_ticks = order.price_ticks
        order.price, order.qty, order.price_ticks, order.qty_lots = price, qty, terms.ticks, terms.lots
        order.left, order.updated_ns, order.amends = left, t_ns, order.amends + 1
        held = self._funds.reserve(account, market, order, price * market.instrument.qty(left))
        self._tell.amended(account, order, origin, t_ns, kept_priority=keeps)
        if held:
            self._tell.account(account, held, (), "order", t_ns)
        if keeps:
            market.model.amend(order.oid, order.price_ticks, left, t_ns, post_only=False)
            self._book.show(market, market.on_orders([(order.side, order.price_ticks)]), t_ns, t_ns)
        else:
            market.model.cancel(order.oid)
            market.resting.discard(order.oid)
            self._match(account, market, order, t_ns, old_ticks)
        return order

    def cancel(
        self, account: Account, market: Market, order: OrderRecord, why: CancelWhy, origin: Origin, t_ns: int
    ) -> OrderRecord:
        """Ends an open order."""
        if not order.is_open:
            raise VenueReject(Reject.ORDER_DONE, f"order {order.oid} is {order.state}")
        self._book.end(account, market, order, why, origin, t_ns)
        self._book.show(market, market.on_orders([(order.side, order.price_ticks)]), t_ns, t_ns)
        return order

    def _match(
        self, account: Account, market: Market, order: OrderRecord, t_ns: int, old_ticks: int | None = None
    ) -> None:
        """Lets an accepted (or re-queued) order trade and rest, or end."""
        touched: list[tuple[int, int]] = [(order.side, order.price_ticks)]
        if old_ticks is not None:
            touched.append((order.side, old_ticks))
        why: CancelWhy | None = None
        if order.tif is Tif.PO and _crosses(market, order.side, order.price_ticks):
            why = CancelWhy.POST_ONLY
        elif order.tif is Tif.FOK and _available(market, order) < order.left:
            why = CancelWhy.EXPIRED
        else:
            why = self._take(account, market, order, t_ns, touched)
        if why is not None:
            self._book.end(account, market, order, why, ENGINE, t_ns)
        if order.kind is OrderType.MARKET:
            del touched[0]
        self._book.show(market, market.on_orders(touched), t_ns, t_ns)
        self._book.trim_reduce_only(account, market, t_ns)

    def _take(
        self, account: Account, market: Market, order: OrderRecord, t_ns: int, touched: list[tuple[int, int]]
    ) -> CancelWhy | None:
        """Trades and rests; why the remainder must end, None when it rests or nothing is left."""
        limit, stopped = self._prevent_self_trade(account, market, order, t_ns, touched)
        if order.tif is Tif.FOK and market.model.available(order.side, limit, order.left) < order.left:
            return CancelWhy.STP if stopped else CancelWhy.EXPIRED
        rest = order.kind is OrderType.LIMIT and order.tif in (Tif.GTC, Tif.PO) and not stopped
        result = market.model.place(
            order.oid, order.side, limit, order.left, t_ns, post_only=order.tif is Tif.PO, rest=rest
        )
        if result.rested:
            market.resting.add(order.oid)
        tid = -1
        for oid, price, qty, _, fill_ns, _, side, maker in result.fills.tolist():
            touched.append((-order.side, price))
            if not maker or tid < 0:
                tid = market.take_tid()
                self._tell.trade(market, PublicTrade(tid, fill_ns, price, qty, order.side), t_ns)
            self._book.fill(market, oid, PublicTrade(tid, fill_ns, price, qty, side), maker=maker)
        if result.rested or order.left == 0:
            return None
        return CancelWhy.STP if stopped else CancelWhy.EXPIRED

    def _prevent_self_trade(
        self, account: Account, market: Market, order: OrderRecord, t_ns: int, touched: list[tuple[int, int]]
    ) -> tuple[int, bool]:
        """(limit, stopped): how far the order may reach before it would meet its own account."""
        if order.stp is Stp.NONE or order.tif is Tif.PO:
            return order.price_ticks, False
        for oid in market.model.crossing(order.side, order.price_ticks):
            met = self._store.get(oid)
            if met is None or met.account != order.account:
                continue
            short_of = met.price_ticks - order.side
            if market.model.available(order.side, short_of, order.left) >= order.left:
                break
            if order.stp in (Stp.MAKER, Stp.BOTH):
                met.met = order.oid
                self._book.end(account, market, met, CancelWhy.STP, ENGINE, t_ns)
                touched.append((met.side, met.price_ticks))
            if order.stp in (Stp.TAKER, Stp.BOTH):
                order.met = met.oid
                return short_of, True
        return order.price_ticks, False

    def _check_amend(
        self, market: Market, order: OrderRecord, price: Decimal, qty: Decimal, change: Change
    ) -> Terms:
        if not order.is_open:
            raise VenueReject(Reject.ORDER_DONE, f"order {order.oid} is {order.state}")
        if not market.is_trading:
            raise VenueReject(Reject.MARKET_CLOSED, f"{market.symbol} is {market.status}")
        terms = check_limit(market, self._rules, order.side, price, qty, exempt=order.reduce_only)
        if price == order.price and qty == order.qty:
            raise VenueReject(Reject.NO_CHANGE, f"order {order.oid} already has these terms")
        if change.shrink_only and (price != order.price or qty >= order.qty):
            raise VenueReject(Reject.AMEND_QTY, f"{qty} is not less than {order.qty}")
        if order.amends >= self._rules.max_amends:
            raise VenueReject(Reject.AMEND_LIMIT, f"order {order.oid} was amended {order.amends} times")
        return terms

    def _cut_to_position(self, account: Account, market: Market, side: Side, terms: Terms) -> Terms:
        position = account.positions.get(market.symbol)
        if position is None or position.qty * side >= 0:
            raise VenueReject(Reject.REDUCE_ONLY, f"no position that a {market.symbol} order could reduce")
        if terms.qty <= abs(position.qty):
            return terms
        lots = market.instrument.floor_lots(abs(position.qty))
        return terms._replace(qty=abs(position.qty), lots=lots)


def _crosses(market: Market, side: Side, ticks: int) -> bool:
    return market.model.available(side, ticks, 1) > 0


def _available(market: Market, order: OrderRecord) -> int:
    return market.model.available(order.side, order.price_ticks, order.left)
