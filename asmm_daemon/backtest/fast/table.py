"""The order table of the fast engine: `core.orders` for a venue that answers everything."""

from typing import Any

from asmm_daemon.backtest.fast.records import AMENDING, LEAVING, LIVE, NEW, Fast
from asmm_daemon.backtest.venue import QUEUE
from asmm_daemon.kernels import hot_kernel, inner_kernel

UNCHANGED, CHANGED, FREED = 0, 1, 2
"""What an acknowledgement did to an order; FREED: its slot is free."""


@inner_kernel
def open_lots_of(order: Any) -> int:
    """The most of an order that can still be executed."""
    return max(max(order.qty, order.next_qty) - order.booked, 0)


@inner_kernel
def open_lots(f: Fast, side: int) -> int:
    """Resting and in-flight lots of one side."""
    total = 0
    for i in range(f.desk[0].orders):
        if f.orders[i].side == side:
            total += open_lots_of(f.orders[i])
    return total


@inner_kernel
def find_order(f: Fast, order: int) -> int:
    """Where an order stands in the table, -1 when it is final."""
    for i in range(f.desk[0].orders):
        if f.orders[i].id == order:
            return i
    return -1


@inner_kernel
def add_order(f: Fast, side: int, level: int, price: int, qty: int) -> int:
    """Registers an order whose request is about to leave; its id."""
    d = f.desk[0]
    d.serial += 1
    new = f.orders[d.orders]
    new.id = d.serial
    new.side = side
    new.level = level
    new.price = price
    new.qty = qty
    new.booked = 0
    new.state = NEW
    new.next_price = new.next_qty = 0
    new.amends = 0
    new.replaced = False
    d.orders += 1
    f.levels[d.serial % QUEUE] = level
    return d.serial


@hot_kernel
def drop_order(f: Fast, at: int) -> None:
    """Takes a final order out; the others keep their order."""
    d = f.desk[0]
    for i in range(at, d.orders - 1):
        f.orders[i] = f.orders[i + 1]
    d.orders -= 1
    see_resting(f)


@hot_kernel
def see_resting(f: Fast) -> None:
    """Notes our best resting prices."""
    d = f.desk[0]
    d.moved = True
    d.bid = d.ask = 0
    for i in range(d.orders):
        order = f.orders[i]
        if order.state != NEW and order.qty > order.booked:
            if order.side > 0:
                d.bid = max(d.bid, order.price)
            elif d.ask == 0 or order.price < d.ask:
                d.ask = order.price


@hot_kernel
def accept(f: Fast, order: int) -> int:
    """A create request was acknowledged: UNCHANGED or CHANGED."""
    at = find_order(f, order)
    if at < 0 or f.orders[at].state != NEW:
        return UNCHANGED
    f.orders[at].state = LIVE
    see_resting(f)
    return CHANGED


@hot_kernel
def amended(f: Fast, order: int, price: int, qty: int) -> int:
    """An amendment was acknowledged: UNCHANGED, CHANGED, or FREED where the order is executed by now."""
    at = find_order(f, order)
    if at < 0:
        return UNCHANGED
    entry = f.orders[at]
    if entry.next_price != price or entry.next_qty != qty:
        return UNCHANGED
    entry.price = price
    entry.qty = qty
    entry.next_price = entry.next_qty = 0
    changed = entry.state == AMENDING
    if changed:
        entry.state = LIVE
    if entry.booked >= entry.qty:
        drop_order(f, at)
        return FREED
    see_resting(f)
    return CHANGED if changed else UNCHANGED


@hot_kernel
def book_lots(f: Fast, order: int, lots: int) -> bool:
    """An execution was booked; whether it was the order's last."""
    at = find_order(f, order)
    if at < 0:
        return False
    entry = f.orders[at]
    entry.booked += lots
    if entry.booked >= max(entry.qty, entry.next_qty):
        drop_order(f, at)
        return True
    see_resting(f)
    return False


@inner_kernel
def cancellable(order: Any) -> bool:
    """Whether a cancel may leave for it."""
    return order.state in (LIVE, AMENDING)


@inner_kernel
def any_cancellable(f: Fast) -> bool:
    """Whether any order may be cancelled."""
    found = False
    for i in range(f.desk[0].orders):
        found = found or cancellable(f.orders[i])
    return found


@inner_kernel
def slot_taken(f: Fast, side: int, level: int, instead: int) -> bool:
    """Whether an order other than the one at `instead` has the slot."""
    for i in range(f.desk[0].orders):
        if i != instead and f.orders[i].side == side and f.orders[i].level == level:
            return True
    return False


@inner_kernel
def meets_own(f: Fast, side: int, price: int, but: int) -> bool:
    """Whether a price would reach one of our orders on the other side, at any of its terms."""
    for i in range(f.desk[0].orders):
        other = f.orders[i]
        if i == but or other.side == side:
            continue
        if (price - other.price) * side >= 0:
            return True
        if other.next_price > 0 and (price - other.next_price) * side >= 0:
            return True
    return False


@inner_kernel
def leaving(order: Any) -> bool:
    """Whether a cancel is under way."""
    return order.state == LEAVING
