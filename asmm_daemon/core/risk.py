"""The pre-trade gate: only an order that it approves becomes a command; cancels never pass through it.

All sent orders count at once: resting, in flight, unknown and executed but not yet booked. The gate
knows nothing of models; it reads what is true of the market and the account at that moment.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum

from asmm_daemon.core.orders import Order, OrderTable
from asmm_daemon.core.oversight import State
from asmm_daemon.core.spec import AccountLimits, MarketLimits
from asmm_daemon.events import Amend, Place
from asmm_daemon.units import NS_PER_S, Instrument, Side


class Refusal(StrEnum):
    """Why an order does not leave; the invariant of `safety.md` in brackets."""

    STATE = "state"
    """The trading state allows no order, or none of this side (S2, S3, S8)."""
    STALE = "stale_book"
    """The book is not proven current, crossed or unknown (S11)."""
    SIDE_OFF = "side_off"
    """The side is off: repeated execution or balance (S13)."""
    SLOT = "slot"
    """The side and level already has an order (S4)."""
    SIZE = "size"
    """Below the venue's minimum or above a maximum (S10)."""
    COLLAR = "collar"
    """Too far from the mid (S10)."""
    WOULD_TAKE = "would_take"
    """Post-only at a price that the other side already shows (S10)."""
    OWN_CROSS = "own_cross"
    """Would meet an order of our own (S9)."""
    INVENTORY = "inventory"
    """Inventory and open orders would exceed the maximum (S1)."""
    EXPOSURE = "exposure"
    """The account's exposure would exceed its maximum."""
    BALANCE = "balance"
    """Spot: more quote currency than there is."""
    RATE = "rate"
    """Too many messages a second (S12)."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is true of one market when an order asks to leave."""

    instrument: Instrument
    limits: MarketLimits
    table: OrderTable
    state: State
    book_current: bool
    mid: float
    """Ticks."""
    best_bid: int
    """Best prices of the public book without ours, ticks."""
    best_ask: int
    inventory: Decimal
    """Base currency."""
    max_inventory: Decimal
    """Effective maximum, base currency."""
    reduce_side: Side | None
    """The side that brings the inventory back; None when there is nothing to reduce."""
    reducible: Decimal
    """Base currency by which it may be reduced."""
    sides_off: Mapping[Side, str]
    quote_total: Decimal | None
    """Spot: quote currency, free and locked; None when it is not known or does not bind."""
    other_exposure: Decimal
    """Exposure of the account's other markets, quote currency."""
    flatten: bool
    """HALTED may still send reduce-only orders."""

    def lots(self, qty: Decimal, *, up: bool) -> int:
        """A quantity in lots, rounded to the careful side."""
        rounding = ROUND_CEILING if up else ROUND_FLOOR
        return int((qty / self.instrument.lot).to_integral_value(rounding))

    def reach(self, bids: int, asks: int) -> Decimal:
        """Quote currency of the largest position that open lots of both sides could lead to."""
        lot = self.instrument.lot
        worst = max(self.inventory + bids * lot, asks * lot - self.inventory, abs(self.inventory))
        return worst * Decimal(self.mid) * self.instrument.tick


class Gate:
    """Judges every order of the account; remembers when messages left."""

    def __init__(self, account: AccountLimits) -> None:
        self.account = account
        self._sent: deque[int] = deque()

    def messages(self, t_ns: int) -> int:
        """New orders and amendments sent within the last second."""
        while self._sent and t_ns - self._sent[0] >= NS_PER_S:
            self._sent.popleft()
        return len(self._sent)

    def check(
        self,
        want: Place | Amend,
        order: Order | None,
        facts: Facts,
        t_ns: int,
        *,
        instead: Order | None = None,
    ) -> Refusal | None:
        """None approves, and counts the message; `order` is the one that an amendment changes.

        `instead` is the order that leaves in the same request: its slot is free, its quantity counts,
        since it may be executed on the way.
        """
        refusal = (
            _check_state(want, facts)
            or _check_shape(want, order, facts, instead)
            or _check_cross(want, order, facts)
            or _check_inventory(want, order, facts)
            or self._check_exposure(want, order, facts)
        )
        if refusal is None and self.messages(t_ns) >= self.account.max_messages_per_s:
            refusal = Refusal.RATE
        if refusal is None:
            self._sent.append(t_ns)
        return refusal

    def _check_exposure(self, want: Place | Amend, order: Order | None, facts: Facts) -> Refusal | None:
        bids, asks = facts.table.open_lots(1), facts.table.open_lots(-1)
        new_bids, new_asks = _open_after(want, order, facts)
        reach = facts.reach(new_bids, new_asks)
        grows = reach > facts.reach(bids, asks)
        if grows and facts.other_exposure + reach > self.account.max_exposure:
            return Refusal.EXPOSURE
        return None


def _open_after(want: Place | Amend, order: Order | None, facts: Facts) -> tuple[int, int]:
    """Open lots of both sides if the order leaves; an amendment counts with its larger terms."""
    bids, asks = facts.table.open_lots(1), facts.table.open_lots(-1)
    more = want.qty if order is None else max(want.qty - order.booked - order.open_lots, 0)
    return (bids + more, asks) if want.side > 0 else (bids, asks + more)


def _check_state(want: Place | Amend, facts: Facts) -> Refusal | None:
    reducing = want.side == facts.reduce_side
    if facts.state is State.PAUSED:
        return Refusal.STATE
    if facts.state is State.HALTED:
        flattening = facts.flatten and isinstance(want, Place) and want.reduce_only
        if not (flattening and reducing):
            return Refusal.STATE
    if facts.state is State.REDUCING and not reducing:
        return Refusal.STATE
    if not facts.book_current:
        return Refusal.STALE
    if want.side in facts.sides_off:
        return Refusal.SIDE_OFF
    return None


def _check_shape(
    want: Place | Amend, order: Order | None, facts: Facts, instead: Order | None
) -> Refusal | None:
    """Slot, size, collar. The negated comparisons refuse a mid that is NaN."""
    rests = want.qty if order is None else want.qty - order.booked
    market, limits = facts.instrument, facts.limits
    if isinstance(want, Place) and any(
        o.side == want.side and o.level == want.level and o is not instead for o in facts.table.active()
    ):
        return Refusal.SLOT
    if want.price <= 0 or rests <= 0 or want.qty < market.min_lots(want.price):
        return Refusal.SIZE
    if market.max_qty > 0 and want.qty > market.max_qty:
        return Refusal.SIZE
    size = market.qty(rests)
    if size > limits.max_order or size * market.price(want.price) > limits.max_order_value:
        return Refusal.SIZE
    if not abs(want.price - facts.mid) <= max(limits.collar_bps * 1e-4 * facts.mid, 1.0):
        return Refusal.COLLAR
    return None


def _check_cross(want: Place | Amend, order: Order | None, facts: Facts) -> Refusal | None:
    takes = isinstance(want, Place) and want.tif == "IOC"
    across = facts.best_ask if want.side > 0 else facts.best_bid
    if not takes and (want.price - across) * want.side >= 0:
        return Refusal.WOULD_TAKE
    for other in facts.table.active():
        if other is order or other.side == want.side:
            continue
        if any((want.price - price) * want.side >= 0 for price in other.prices()):
            return Refusal.OWN_CROSS
    return None


def _check_inventory(want: Place | Amend, order: Order | None, facts: Facts) -> Refusal | None:
    """S1, with inventory and maximum rounded against us; REDUCING never reduces past its goal."""
    bids, asks = _open_after(want, order, facts)
    most = facts.lots(facts.max_inventory, up=False)
    least = 0 if facts.instrument.is_spot else -most
    if want.side > 0 and facts.lots(facts.inventory, up=True) + bids > most:
        return Refusal.INVENTORY
    if want.side < 0 and facts.lots(facts.inventory, up=False) - asks < least:
        return Refusal.INVENTORY
    if facts.state is not State.ACTIVE:
        open_lots = bids if want.side > 0 else asks
        if open_lots > facts.lots(facts.reducible, up=False):
            return Refusal.INVENTORY
    if want.side > 0 and facts.quote_total is not None:
        locked = sum(o.open_lots * max(o.prices()) for o in facts.table if o.side > 0 and o is not order)
        rests = want.qty if order is None else max(want.qty - order.booked, order.open_lots)
        needed = locked + rests * max(want.price, order.price if order else 0)
        if needed * facts.instrument.tick * facts.instrument.lot > facts.quote_total:
            return Refusal.BALANCE
    return None
