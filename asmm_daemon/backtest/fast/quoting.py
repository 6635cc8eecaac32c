"""Decisions and their difference to the working orders: `core.quoter` and `core.trader` as kernels."""

import numpy as np

from asmm_daemon.backtest.fast.gate import (
    CANCEL_FIRST,
    NO_ORDER,
    PASSED,
    REFUSED,
    book_current,
    check,
    max_inventory,
    mid_price,
    reduce_side,
)
from asmm_daemon.backtest.fast.records import (
    ACTIVE,
    AMENDING,
    HALTED,
    LEAVING,
    LIVE,
    PAUSED,
    REDUCING,
    SOFT,
    Fast,
)
from asmm_daemon.backtest.fast.table import add_order, see_resting
from asmm_daemon.backtest.venue import AMEND, CANCEL, PLACE, REPLACE, request
from asmm_daemon.core import diff as changes
from asmm_daemon.core.decision import QUOTE, REDUCE, decide
from asmm_daemon.core.diff import diff
from asmm_daemon.core.params import MAX_LEVELS
from asmm_daemon.core.quotes import min_lots
from asmm_daemon.kernels import hot_kernel, inner_kernel
from asmm_daemon.units import NS_PER_S

QUIET_NS = NS_PER_S
FINE = 1e12
"""Shares are compared on this grid: a decimal share on a limit is not beyond it for float noise."""
_KEEP, _PLACE, _AMEND = changes.KEEP, changes.PLACE, changes.AMEND
_CANCEL, _REPLACE = changes.CANCEL, changes.REPLACE


@inner_kernel
def slot(side: int, level: int) -> int:
    """Number of a side's level among the backoffs."""
    return level if side > 0 else MAX_LEVELS + level


@inner_kernel
def strike(f: Fast, side: int, level: int, first_s: float, most_s: float) -> None:
    """Makes a slot wait, twice as long with every refusal in a row; a quiet spell ends the row."""
    backoff = f.backoffs[slot(side, level)]
    now = f.desk[0].now_ns
    if now - backoff.until_ns > QUIET_NS:
        backoff.strikes = 0
    backoff.until_ns = now + int(min(first_s * 2.0 ** min(backoff.strikes, 20), most_s) * NS_PER_S)
    backoff.strikes += 1


@inner_kernel
def _waits(f: Fast, side: int, level: int) -> bool:
    return f.backoffs[slot(side, level)].until_ns > f.desk[0].now_ns


@hot_kernel
def cancel(f: Fast, at: int) -> None:
    """Cancels an order; cancels are never held back."""
    order = f.orders[at]
    d = f.desk[0]
    order.state = LEAVING
    order.replaced = False
    d.cancelled += 1
    request(f.venue, d.now_ns, CANCEL, order.id, order.side, 0, 0, 0)


@hot_kernel
def _new_quote(f: Fast, side: int, level: int, price: int, lots: int) -> bool:
    if _waits(f, side, level) or check(f, side, level, price, lots, NO_ORDER, NO_ORDER) != PASSED:
        return False
    d = f.desk[0]
    order = add_order(f, side, level, price, lots)
    d.placed += 1
    request(f.venue, d.now_ns, PLACE, order, side, price, lots, 0)
    return True


@hot_kernel
def _amend(f: Fast, at: int, price: int, lots: int) -> bool:
    order = f.orders[at]
    total = lots + order.booked
    told = check(f, order.side, order.level, price, total, at, NO_ORDER)
    if told != PASSED:
        if told != REFUSED:
            cancel(f, at)
        return False
    order.state = AMENDING
    order.next_price = price
    order.next_qty = total
    order.amends += 1
    d = f.desk[0]
    d.amended += 1
    request(f.venue, d.now_ns, AMEND, order.id, order.side, price, total, 0)
    return True


@inner_kernel
def _replace(f: Fast, at: int, price: int, lots: int) -> bool:
    order = f.orders[at]
    side = order.side
    level = order.level
    if _waits(f, side, level):
        if (price - order.price) * side >= 0 and lots >= order.qty - order.booked:
            return False
        cancel(f, at)
        return True
    told = check(f, side, level, price, lots, NO_ORDER, at)
    if told == CANCEL_FIRST:
        cancel(f, at)
        return True
    if told != PASSED:
        if told != REFUSED:
            cancel(f, at)
        return False
    order.state = LEAVING
    order.replaced = True
    old = order.id
    d = f.desk[0]
    d.cancelled += 1
    d.placed += 1
    new = add_order(f, side, level, price, lots)
    request(f.venue, d.now_ns, REPLACE, new, side, price, lots, old)
    return True


@hot_kernel
def _wanted(f: Fast) -> int:
    """The held decision's quotes that the trading state lets through, in `desired`; how many."""
    d = f.desk[0]
    if not d.quoting or d.state == PAUSED or d.state == HALTED:
        return 0
    chosen = f.decision[0]
    half = d.state != ACTIVE and (d.causes & SOFT) != 0
    count = 0
    for side in (1, -1):
        if d.off & (1 if side > 0 else 2) or (d.state != ACTIVE and side != reduce_side(f)):
            continue
        for level in range(chosen.levels):
            price = chosen.bid_price[level] if side > 0 else chosen.ask_price[level]
            qty = chosen.bid_qty[level] if side > 0 else chosen.ask_qty[level]
            if half:
                qty = max(qty // 2, min(qty, min_lots(f.params, price)))
            if qty > 0:
                want = f.desired[count]
                want.side = side
                want.level = level
                want.price = price
                want.lots = qty
                count += 1
    return count


@hot_kernel
def sync(f: Fast) -> bool:
    """Sends the fewest requests that bring the orders to what is wanted; whether a wish was refused."""
    d = f.desk[0]
    limits = f.limits[0]
    wanted = _wanted(f)
    held = d.orders
    for i in range(held):
        order = f.orders[i]
        work = f.working[i]
        work.side = order.side
        work.level = order.level
        work.price = order.price
        work.left = order.qty - order.booked
        work.free = order.state == LIVE
        work.leaving = order.state == LEAVING
        work.amendable = limits.can_amend and order.amends < limits.max_amends_per_order
        work.replaceable = limits.can_replace
    tolerance = int(limits.tolerance_ticks)
    mid = f.market.market[0].mid
    if not limits.can_amend and mid > 0.0:
        tolerance = max(tolerance, int(limits.replace_bps * 1e-4 * mid))
    count = diff(f.desired[:wanted], f.working[:held], tolerance, limits.qty_tolerance, f.changes)
    refused = False
    for k in range(count):
        change = f.changes[k]
        at = change.working
        want = f.desired[max(change.desired, 0)]
        done = True
        if change.action == _CANCEL:
            cancel(f, at)
        elif change.action == _AMEND:
            done = _amend(f, at, want.price, want.lots)
        elif change.action == _REPLACE:
            done = _replace(f, at, want.price, want.lots)
        elif change.action == _PLACE:
            done = _new_quote(f, want.side, want.level, want.price, want.lots)
        refused = refused or not done
    see_resting(f)
    d.moved = refused
    return refused


@inner_kernel
def may_quote(f: Fast) -> bool:
    """Whether the trading state wants any order."""
    return f.desk[0].state == ACTIVE or f.desk[0].state == REDUCING


@inner_kernel
def prepare(f: Fast) -> None:
    """Writes the INVENTORY record for the next decision."""
    d = f.desk[0]
    limits = f.limits[0]
    p = f.params[0]
    v = f.inventory[0]
    mid = mid_price(f)
    held = d.lots * p.lot
    margin = limits.max_exposure * (1.0 - limits.exposure_margin)
    v.lots = d.lots
    v.exposure_left = max(min(limits.account_max_exposure, margin) - abs(held) * mid, 0.0)
    v.unrealised = held * mid - d.cost if mid > 0.0 else 0.0
    v.size_factor = 0.5 if d.causes & SOFT else 1.0
    v.mode = QUOTE if d.state == ACTIVE else REDUCE
    v.bid_off = (d.off & 1) != 0
    v.ask_off = (d.off & 2) != 0
    if p.spot:
        v.avail_base = max(held, 0.0)
        v.avail_quote = np.inf


@inner_kernel
def requote(f: Fast) -> None:
    """Decides anew with the action held, and sends the difference."""
    if not may_quote(f):
        return
    d = f.desk[0]
    prepare(f)
    wanted = decide(f.market, f.params, f.inventory, d.gamma, d.skew, d.now_ns, f.decision)
    d.quoting = wanted and book_current(f)
    d.decided_ns = d.now_ns
    d.decided_off = d.off
    d.refused = sync(f)


@inner_kernel
def limit_share(f: Fast) -> float:
    """Used share of the allowed inventory range, as `core.switches.range_share`."""
    most = max_inventory(f)
    held = f.desk[0].lots * f.params[0].lot
    spot = f.params[0].spot
    if most <= 0.0:
        return 1.0 if held != 0.0 or spot else 0.0
    used = np.rint(held / most * FINE) / FINE
    return max(used, 1.0 - used) if spot else abs(used)
