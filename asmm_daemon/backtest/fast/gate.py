"""The pre-trade gate of the fast engine: `core.risk` in flat numbers, refusal by refusal."""

import numpy as np

from asmm_daemon.backtest.fast.records import ACTIVE, HALTED, PAUSED, REDUCING, RING, Fast
from asmm_daemon.backtest.fast.table import meets_own, open_lots, open_lots_of, slot_taken
from asmm_daemon.core.book import int64
from asmm_daemon.core.quotes import min_lots
from asmm_daemon.kernels import hot_kernel, inlined_kernel, inner_kernel
from asmm_daemon.units import NS_PER_S

PASSED, REFUSED, WITHDRAW, CANCEL_FIRST = 0, 1, 2, 3
"""WITHDRAW: nor is the order wanted at its old terms. CANCEL_FIRST: of those, what a new order may pass."""
GRID = 1e-9
NO_ORDER = int64(-1)


@inner_kernel
def mid_price(f: Fast) -> float:
    """The last valid mid in quote currency, 0 before the first."""
    return f.market.market[0].mid * f.params[0].tick


@inner_kernel
def max_inventory(f: Fast) -> float:
    """Effective maximum in base currency, with a margin for a rising mid."""
    limits = f.limits[0]
    mid = mid_price(f)
    if mid <= 0.0:
        return limits.max_inventory
    return min(limits.max_inventory, limits.max_exposure * (1.0 - limits.exposure_margin) / mid)


@hot_kernel
def fits(f: Fast, lots: int, share: float) -> bool:
    """Whether so many lots are for certain less than a share of `max_inventory`; False: perhaps.

    Without a division, for what is asked at every event: the margin is far beyond float noise.
    """
    limits = f.limits[0]
    held = abs(lots) * f.params[0].lot
    bound = 0.99 * share
    value = held * mid_price(f)
    return held < bound * limits.max_inventory and value < bound * limits.max_exposure * (
        1.0 - limits.exposure_margin
    )


@inner_kernel
def excess_lots(f: Fast) -> float:
    """Lots beyond where reducing leads to: flat, on spot the middle of the range."""
    lots = float(f.desk[0].lots)
    return lots - 0.5 * max_inventory(f) / f.params[0].lot if f.params[0].spot else lots


@inner_kernel
def reduce_side(f: Fast) -> int:
    """The side that brings the inventory back, 0 when it is there."""
    excess = excess_lots(f)
    if abs(excess) < 1.0 - GRID:
        return 0
    return -1 if excess > 0.0 else 1


@inlined_kernel
def book_current(f: Fast) -> bool:
    """Whether the book is valid and proven current."""
    d = f.desk[0]
    fresh = (d.now_ns - d.proof_ns) / NS_PER_S <= f.limits[0].stale_after_s
    return f.market.market[0].valid and fresh


@inner_kernel
def _state_forbids(f: Fast, side: int) -> int:
    d = f.desk[0]
    if d.state == PAUSED or d.state == HALTED:
        return WITHDRAW
    if d.state == REDUCING and side != reduce_side(f):
        return WITHDRAW
    if not book_current(f):
        return REFUSED
    return WITHDRAW if d.off & (1 if side > 0 else 2) else PASSED


@inner_kernel
def _shape_forbids(f: Fast, price: int, qty: int, rests: int) -> int:
    p = f.params[0]
    limits = f.limits[0]
    mid = f.market.market[0].mid
    if price <= 0 or rests <= 0 or qty < min_lots(f.params, price):
        return WITHDRAW
    if p.max_qty_lots > 0 and qty > p.max_qty_lots:
        return WITHDRAW
    if rests * p.lot > limits.max_order * (1.0 + GRID):
        return WITHDRAW
    if rests * p.lot * price * p.tick > limits.max_order_value * (1.0 + GRID):
        return WITHDRAW
    return WITHDRAW if not abs(price - mid) <= max(limits.collar_bps * 1e-4 * mid, 1.0) else PASSED


@inner_kernel
def _inventory_forbids(f: Fast, side: int, bids: int, asks: int) -> int:
    p = f.params[0]
    d = f.desk[0]
    most = int(np.floor(max_inventory(f) / p.lot + GRID))
    least = 0 if p.spot else -most
    if side > 0 and d.lots + bids > most:
        return CANCEL_FIRST
    if side < 0 and d.lots - asks < least:
        return CANCEL_FIRST
    if d.state != ACTIVE:
        reducible = int(np.floor(abs(excess_lots(f)) + GRID))
        if (bids if side > 0 else asks) > reducible:
            return CANCEL_FIRST
    return PASSED


@inner_kernel
def _reach(f: Fast, bids: int, asks: int) -> float:
    lots = f.desk[0].lots
    return float(max(lots + bids, asks - lots, abs(lots))) * f.params[0].lot * mid_price(f)


@inner_kernel
def _messages(f: Fast) -> int:
    d = f.desk[0]
    while d.sent_from < d.sent and d.now_ns - f.sent[d.sent_from % RING] >= NS_PER_S:
        d.sent_from += 1
    return d.sent - d.sent_from


@hot_kernel
def check(f: Fast, side: int, level: int, price: int, qty: int, order: int, instead: int) -> int:
    """PASSED (and counted), or how an order is refused.

    `order`: place in the table of the one that an amendment changes; `instead`: of the one that leaves
    in the same request; NO_ORDER: none.
    """
    told = _state_forbids(f, side)
    if told != PASSED:
        return told
    booked = f.orders[order].booked if order >= 0 else 0
    if order < 0 and slot_taken(f, side, level, instead):
        return REFUSED
    told = _shape_forbids(f, price, qty, qty - booked)
    if told != PASSED:
        return told
    market = f.market.market[0]
    across = market.ask if side > 0 else market.bid
    if (price - across) * side >= 0 or meets_own(f, side, price, order):
        return REFUSED
    bids = open_lots(f, 1)
    asks = open_lots(f, -1)
    more = qty if order < 0 else max(qty - booked - open_lots_of(f.orders[order]), 0)
    after_bids = bids + more if side > 0 else bids
    after_asks = asks + more if side < 0 else asks
    told = _inventory_forbids(f, side, after_bids, after_asks)
    if told != PASSED:
        return told
    reach = _reach(f, after_bids, after_asks)
    if reach > _reach(f, bids, asks) and reach > f.limits[0].account_max_exposure:
        return CANCEL_FIRST
    if _messages(f) >= f.limits[0].account_max_messages_per_s:
        return REFUSED
    d = f.desk[0]
    f.sent[d.sent % RING] = d.now_ns
    d.sent += 1
    return PASSED
