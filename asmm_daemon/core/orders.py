"""The order table of one market: what is, or may be, open at the venue, and how much it can fill.

An order's open quantity shrinks only with booked fills or proof that it is gone, never with a mere
status: so inventory plus open quantity stays a bound whatever the order of events (S1).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

from asmm_daemon.core.order_state import Input, OrderState, after
from asmm_daemon.events import (
    AmendAccepted,
    Cause,
    OrderStatus,
    OrderUpdate,
    Place,
    Rejected,
)
from asmm_daemon.units import Side

KEEP_FINAL_NS = 60_000_000_000
"""How long a settled final order is remembered for late events."""
EXTRA = -1
"""Level of an adopted order, which belongs to no quote and is to be cancelled."""
_SEEN = {
    OrderStatus.FILLED: Input.SEEN_FILLED,
    OrderStatus.CANCELLED: Input.SEEN_CANCELLED,
    OrderStatus.EXPIRED: Input.SEEN_CANCELLED,
    OrderStatus.REJECTED: Input.SEEN_CANCELLED,
}
_AMEND_FATE_TOLD = frozenset({Cause.FILTER, Cause.RATE_LIMIT, Cause.BALANCE, Cause.CLOCK, Cause.REDUCE_ONLY})
"""Refusals of an amendment after which the order surely rests as before."""

_AMEND_AGAIN = frozenset({Cause.RATE_LIMIT, Cause.CLOCK, Cause.POST_ONLY, Cause.NOT_FOUND})
"""Refusals that say nothing about whether this order can be amended."""
_CANCEL_VOID = frozenset({Cause.FILTER, Cause.RATE_LIMIT, Cause.CLOCK})
"""Refusals of a cancel (or of the request that held it) that come before the order is looked at."""


@dataclass(slots=True)
class Order:
    """One order of ours; prices in ticks, quantities in lots, `qty` the total acknowledged."""

    cid: str
    side: Side
    level: int
    price: int
    qty: int
    tif: str
    reduce_only: bool
    request_ns: int
    """When its last request left."""
    created_ns: int
    oid: str = ""
    state: OrderState = OrderState.PENDING_NEW
    booked: int = 0
    """Lots of its executions that the ledger has."""
    seen_filled: int = 0
    """Lots that the venue says are executed."""
    next_price: int | None = None
    """Terms of an amendment whose outcome is not yet told."""
    next_qty: int | None = None
    amends: int = 0
    amendable: bool = True
    """False once the venue refused an amendment: it is replaced instead."""
    replaced: bool = False
    """Its cancel left together with its successor's create."""
    queried_ns: int = 0
    final_ns: int = 0
    venue_ns: int = 0
    reason: str = ""

    @property
    def open_lots(self) -> int:
        """The most that can still be executed or booked."""
        if self.state in (OrderState.REJECTED, OrderState.LOST):
            return 0
        if self.state.final:
            return max(self.seen_filled - self.booked, 0)
        return max(max(self.qty, self.next_qty or 0) - self.booked, 0)

    @property
    def left(self) -> int:
        """Lots that rest, as far as told."""
        return 0 if self.state.final else max(self.qty - max(self.booked, self.seen_filled), 0)

    @property
    def settled(self) -> bool:
        """Final, and every execution that the venue counted is booked."""
        return self.state.final and self.seen_filled <= self.booked

    def prices(self) -> tuple[int, ...]:
        """Every price at which it may rest."""
        return (self.price,) if self.next_price is None else (self.price, self.next_price)


@dataclass(frozen=True, slots=True)
class Change:
    """An order entered another state."""

    order: Order
    before: OrderState
    after: OrderState
    reason: str


@dataclass(slots=True)
class OrderTable:
    """All orders of one market that are open or recently were."""

    orders: dict[str, Order] = field(default_factory=dict)
    changes: list[Change] = field(default_factory=list)
    """State changes not yet journaled; the engine drains them."""
    _by_oid: dict[str, str] = field(default_factory=dict)
    _unmatched: dict[str, int] = field(default_factory=dict)
    """Lots executed under a venue id that no order has claimed yet."""

    def __iter__(self) -> Iterator[Order]:
        return iter(self.orders.values())

    def find(self, cid: str, oid: str = "") -> Order | None:
        """The order by our id, else by the venue's."""
        return self.orders.get(cid) or self.orders.get(self._by_oid.get(oid, ""))

    def active(self) -> list[Order]:
        """Orders that rest or may rest."""
        return [o for o in self.orders.values() if not o.state.final]

    def open_lots(self, side: Side) -> int:
        """Resting, in flight, unknown and executed-but-not-booked lots of one side."""
        return sum(o.open_lots for o in self.orders.values() if o.side == side)

    def add(self, place: Place, t_ns: int) -> Order:
        """Registers an order whose request is about to leave."""
        if place.cid in self.orders:
            raise ValueError(f"client order id {place.cid} is used twice")
        order = Order(
            cid=place.cid,
            side=place.side,
            level=place.level,
            price=place.price,
            qty=place.qty,
            tif=place.tif,
            reduce_only=place.reduce_only,
            request_ns=t_ns,
            created_ns=t_ns,
        )
        self.orders[place.cid] = order
        return order

    def adopt(self, update: OrderUpdate) -> Order:
        """Takes in an order of ours that the table did not know, to be cancelled; its fills are booked."""
        place = Place(update.m, update.cid, update.side, EXTRA, update.price, update.qty, False, "PO")
        order = self.add(place, update.t_ns)
        self.update(update)
        order.booked = max(order.booked, update.filled)
        return order

    def amend_sent(self, order: Order, price: int, qty: int, t_ns: int) -> None:
        """An amendment is about to leave: both terms count until the outcome is told."""
        self._enter(order, Input.AMEND_SENT, t_ns, "amend")
        order.next_price, order.next_qty = price, qty
        order.request_ns, order.amends = t_ns, order.amends + 1

    def cancel_sent(self, order: Order, t_ns: int, reason: str) -> None:
        """A cancel is about to leave; the order counts as live until it is proven gone."""
        self._enter(order, Input.CANCEL_SENT, t_ns, reason)
        order.request_ns, order.replaced = t_ns, False

    def replace_sent(self, order: Order, place: Place, t_ns: int) -> Order:
        """One request is about to leave that cancels an order and creates another: both count."""
        self.cancel_sent(order, t_ns, "replace")
        order.replaced = True
        return self.add(place, t_ns)

    def accepted(self, order: Order, oid: str, t_ns: int) -> None:
        """The venue acknowledged the create request."""
        self._learn_oid(order, oid)
        self._enter(order, Input.ACK, t_ns, "accepted")
        self._fill_up(order, t_ns)

    def amended(self, order: Order, event: AmendAccepted) -> None:
        """The venue acknowledged an amendment; one that a stream had told before is no news."""
        if (event.price, event.qty) != (order.next_price, order.next_qty):
            return
        order.price, order.qty = event.price, event.qty
        order.next_price = order.next_qty = None
        self._enter(order, Input.AMEND_ACK, event.t_ns, "amended")
        self._fill_up(order, event.t_ns)

    def cancel_accepted(self, order: Order, t_ns: int) -> None:
        """The venue took the cancel request; only an order update proves the end."""
        self._enter(order, Input.CANCEL_ACK, t_ns, "cancel accepted")

    def rejected(self, order: Order, event: Rejected) -> None:
        """The venue refused a request."""
        reason = f"{event.cause} {event.code}".strip()
        if event.request == "create":
            twin = event.cause is Cause.DUPLICATE_ID
            self._enter(order, Input.LOST_TRACK if twin else Input.CREATE_REJECTED, event.t_ns, reason)
        elif event.request == "amend":
            told = event.cause in _AMEND_FATE_TOLD
            order.amendable = event.cause in _AMEND_AGAIN
            self._enter(order, Input.AMEND_REJECTED if told else Input.LOST_TRACK, event.t_ns, reason)
            if told:
                order.next_price = order.next_qty = None
        else:
            void = event.cause in _CANCEL_VOID
            self._enter(order, Input.CANCEL_VOID if void else Input.CANCEL_REJECTED, event.t_ns, reason)

    def lost_track(self, order: Order, t_ns: int, reason: str) -> None:
        """A request's outcome cannot be told, or has been awaited too long."""
        self._enter(order, Input.LOST_TRACK, t_ns, reason)

    def not_found(self, order: Order, t_ns: int, *, proof_s: float) -> None:
        """A query found nothing: proof only when the last request is old enough to have arrived."""
        if t_ns - order.request_ns >= proof_s * 1e9:
            self._enter(order, Input.NOT_FOUND, t_ns, "not found")

    def update(self, event: OrderUpdate, *, resurfaced: bool = False) -> Order | None:
        """The venue told an order's state; None when no order here has these ids."""
        order = self.find(event.cid, event.oid)
        if order is None:
            return None
        self._learn_oid(order, event.oid)
        order.seen_filled = max(order.seen_filled, event.filled)
        if event.status is OrderStatus.OPEN:
            self._seen_open(order, event, resurfaced=resurfaced)
        elif event.status in _SEEN:
            if event.status is OrderStatus.FILLED:
                order.seen_filled = max(order.seen_filled, event.qty)
            self._enter(order, _SEEN[event.status], event.t_ns, str(event.status))
        order.venue_ns = max(order.venue_ns, event.venue_ns)
        return order

    def executed(self, cid: str, oid: str, lots: int, t_ns: int) -> Order | None:
        """An execution was booked; an unclaimed venue id is remembered for its order's acknowledgement."""
        order = self.find(cid, oid)
        if order is None:
            if oid:
                self._unmatched[oid] = self._unmatched.get(oid, 0) + lots
            return None
        self._learn_oid(order, oid)
        order.booked += lots
        self._fill_up(order, t_ns)
        return order

    def prune(self, t_ns: int) -> None:
        """Forgets settled orders that no late event can concern any more."""
        gone = [o for o in self.orders.values() if o.settled and t_ns - o.final_ns > KEEP_FINAL_NS]
        for order in gone:
            del self.orders[order.cid]
            self._by_oid.pop(order.oid, None)

    def _seen_open(self, order: Order, event: OrderUpdate, *, resurfaced: bool) -> None:
        asked = order.queried_ns > 0 and order.request_ns <= order.queried_ns
        if resurfaced:
            what, reason = Input.RESURFACED, "listed as open"
        elif (event.price, event.qty) == (order.next_price, order.next_qty):
            what, reason = Input.AMEND_ACK, "seen with new terms"
        elif event.source == "rest" and asked:
            what, reason = Input.CONFIRMED_OPEN, "confirmed open"
        else:
            what, reason = Input.SEEN_OPEN, "seen open"
        self._enter(order, what, event.t_ns, reason)
        if not order.state.final and event.venue_ns >= order.venue_ns:
            awaited = order.next_price is not None and order.state is not OrderState.LIVE
            order.price, order.qty = event.price, event.qty
            if not awaited:
                order.next_price = order.next_qty = None
        self._fill_up(order, event.t_ns)

    def _fill_up(self, order: Order, t_ns: int) -> None:
        """Executions that add up to the whole quantity end an order without a status."""
        if not order.state.final and 0 < max(order.qty, order.next_qty or 0) <= order.booked:
            order.seen_filled = max(order.seen_filled, order.booked)
            self._enter(order, Input.SEEN_FILLED, t_ns, "executed")

    def _learn_oid(self, order: Order, oid: str) -> None:
        if oid and oid != order.oid:
            order.oid = oid
            self._by_oid[oid] = order.cid
            order.booked += self._unmatched.pop(oid, 0)

    def _enter(self, order: Order, what: Input, t_ns: int, reason: str) -> None:
        before = order.state
        order.state = after(before, what)
        if order.state is before:
            return
        order.reason = reason
        order.queried_ns = 0
        if order.state.final:
            order.final_ns = t_ns
            order.next_price = order.next_qty = None
        self.changes.append(Change(order, before, order.state, reason))
