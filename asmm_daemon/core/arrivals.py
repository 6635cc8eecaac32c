"""Orders that arrive at the simulated venue, and the loop over a tape with them.

The exchange and the backtest use the same kernels: the one with a message or a command at a time, the
other with a whole tape and its commands.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import ASK, BID, NO_ASK, NO_BID, NOTHING, next_level, qty_at, set_level
from asmm_daemon.core.matching import best_own, hit, on_row, record_fill, set_quiet_level
from asmm_daemon.core.resting import (
    FULL,
    NOBODY,
    PARTIAL,
    QUEUED,
    TAKER,
    THROUGH,
    Matching,
    find,
    insert,
    remove,
)
from asmm_daemon.events import Rows
from asmm_daemon.kernels import flat_kernel, hot_kernel

PLACE = 0
AMEND = 1
CANCEL = 2

POST_ONLY = 1
"""Command flag: refuse an order that would trade at once."""
IMMEDIATE = 2
"""Command flag: what does not trade at once does not rest (IOC, market)."""

RESTED = 1
"""Outcome: the order, or what was left of it, rests."""
DONE = 2
"""Outcome: nothing rests (filled, cancelled, or an IMMEDIATE order's remainder given up)."""
CROSSED = 3
"""Outcome: refused as post-only; nothing changed."""
NOT_FOUND = 4
"""Outcome: the order to amend or cancel does not rest."""

BUY_AT_ANY = 2**60
"""The limit price, in ticks, of a market buy."""
SELL_AT_ANY = 0
"""The limit price, in ticks, of a market sell."""

COMMAND = np.dtype(
    [
        ("t_ns", np.int64),  # when it reaches the venue
        ("order", np.int64),
        ("price", np.int64),
        ("qty", np.int64),  # PLACE: lots; AMEND: what shall be left
        ("kind", np.int64),
        ("side", np.int64),
        ("flags", np.int64),
    ],
    align=True,
)


@flat_kernel
def crosses(m: Matching, side: int, price: int) -> bool:
    """Whether an order would trade at once, with the visible book or (PARTIAL) a simulated order."""
    head = m.book.head[0]
    if side > 0:
        reach = head.ask
        if m.params[0].mode == PARTIAL:
            reach = min(reach, best_own(m, ASK))
        return price >= reach
    reach = head.bid
    if m.params[0].mode == PARTIAL:
        reach = max(reach, best_own(m, BID))
    return price <= reach


@flat_kernel
def available(m: Matching, side: int, price: int, enough: int) -> tuple[int, int]:
    """(lots, levels) that an order of this side and limit meets, counted until `enough` lots."""
    head = m.book.head[0]
    lots = 0
    levels = 0
    orders = m.asks if side > 0 else m.bids
    for i in range(m.state[0].asks if side > 0 else m.state[0].bids):
        if side * (price - orders[i].price) >= 0:
            lots += orders[i].left
    level = head.ask if side > 0 else head.bid
    while lots < enough and level != NO_ASK and level != NO_BID and side * (price - level) >= 0:
        lots += qty_at(m.book, -side, level)
        levels += 1
        level = next_level(m.book, -side, level)
    return lots, levels


@flat_kernel
def take(m: Matching, order: int, side: int, limit: int, qty: int) -> int:
    """An arriving order trades as far as its limit allows; the lots that are left.

    PARTIAL walks the visible book and the simulated orders by price and takes what it fills out of the
    book, until the feed's next row for that level. FULL fills whole at the best price.
    """
    head = m.book.head[0]
    left = qty
    if m.params[0].mode == FULL:
        best = head.ask if side > 0 else head.bid
        if best == NO_ASK or best == NO_BID or side * (limit - best) < 0:
            return left
        record_fill(m, side, order, best, left, NOTHING, NOBODY, TAKER)
        return 0
    while left > 0:
        visible = head.ask if side > 0 else head.bid
        own = best_own(m, -side)
        price = min(visible, own) if side > 0 else max(visible, own)
        if price == NO_ASK or price == NO_BID or side * (limit - price) < 0:
            break
        filled_from = m.state[0].fills
        lots = qty_at(m.book, -side, price) if price == visible else 0
        met = (
            hit(m, -side, price, left, NOBODY, order, QUEUED if price == visible else THROUGH)
            if price == own
            else 0
        )
        taken = min(left - met, lots)
        if taken > 0:
            record_fill(m, side, order, price, taken, NOTHING, NOBODY, TAKER)
            set_level(m.book, -side, price, lots - taken)
        for i in range(filled_from, m.state[0].fills):
            if not m.fills[i].maker:
                left -= m.fills[i].qty
                m.fills[i].left = left
    return left


@flat_kernel
def place_order(m: Matching, order: int, side: int, price: int, qty: int, t_ns: int, flags: int) -> int:
    """An order arrives at `t_ns`: RESTED, DONE or CROSSED. Its fills stand in `m.fills`."""
    state = m.state[0]
    state.t_ns = max(state.t_ns, t_ns)
    left = qty
    if crosses(m, side, price):
        if flags & POST_ONLY:
            return CROSSED
        left = take(m, order, side, price, qty)
    if left == 0 or flags & IMMEDIATE:
        return DONE
    insert(m, side, order, price, left, state.t_ns)
    return RESTED


@hot_kernel
def amend_order(m: Matching, order: int, price: int, left: int, t_ns: int, flags: int) -> int:
    """Changes a resting order to `left` lots at `price`: RESTED, DONE, CROSSED or NOT_FOUND.

    Less at the same price keeps its place in the queue, anything else loses it.
    """
    place = find(m, order)
    if place == 0:
        return NOT_FOUND
    side = BID if place > 0 else ASK
    orders = m.bids if side > 0 else m.asks
    old = orders[abs(place) - 1]
    if price == old.price and 0 < left <= old.left:
        old.left = left
        return RESTED
    if flags & POST_ONLY and crosses(m, side, price):
        return CROSSED
    remove(m, place)
    return place_order(m, order, side, price, left, t_ns, flags & POST_ONLY)


@flat_kernel
def _obey(m: Matching, command: Any) -> int:
    if command.kind == PLACE:
        return place_order(
            m, command.order, command.side, command.price, command.qty, command.t_ns, command.flags
        )
    if command.kind == AMEND:
        return amend_order(m, command.order, command.price, command.qty, command.t_ns, command.flags)
    place = find(m, command.order)
    if place == 0:
        return NOT_FOUND
    remove(m, place)
    return DONE


@flat_kernel
def room_needed(m: Matching, command: Any) -> int:
    """Fill records that a command may need."""
    if command.kind == CANCEL:
        return 0
    side = command.side
    if command.kind == AMEND:
        side = BID if find(m, command.order) > 0 else ASK
    if not crosses(m, side, command.price):
        return 0
    orders = m.state[0].asks if side > 0 else m.state[0].bids
    return 2 * orders + available(m, side, command.price, command.qty)[1] + 1


@flat_kernel
def _message_ns(rows: Rows, first: int, t_ns: int) -> int:
    """When the message that begins at row `first` has happened: its latest row's time, not before `t_ns`."""
    for i in range(first, rows.size):
        t_ns = max(t_ns, rows[i].exch_ns)
        if rows[i].last:
            break
    return t_ns


@flat_kernel
def replay(
    m: Matching,
    rows: Rows,
    first: int,
    commands: NDArray[Any],
    done: int,
    outcomes: NDArray[np.int8],
) -> tuple[int, int]:
    """Goes on from row `first` and command `done`, to the end or until `m` has too little room.

    A command is obeyed after every message whose time is at or before its own. Returns the next row and
    command.
    """
    state = m.state[0]
    c = done
    starts = first == 0 or rows[first - 1].last
    for i in range(first, rows.size):
        if starts and c < commands.size:
            t_ns = _message_ns(rows, i, state.t_ns)
            while c < commands.size and commands[c].t_ns < t_ns:
                if not _has_room(m, room_needed(m, commands[c])):
                    return i, c
                outcomes[c] = _obey(m, commands[c])
                c += 1
        if state.bids + state.asks + state.fills > m.fills.size:
            return i, c
        if not set_quiet_level(m, rows[i]):
            on_row(m, rows[i])
        starts = rows[i].last
    while c < commands.size:
        if not _has_room(m, room_needed(m, commands[c])):
            return rows.size, c
        outcomes[c] = _obey(m, commands[c])
        c += 1
    return rows.size, c


@flat_kernel
def _has_room(m: Matching, fills: int) -> bool:
    state = m.state[0]
    return state.fills + fills <= m.fills.size and state.bids < m.bids.size and state.asks < m.asks.size
