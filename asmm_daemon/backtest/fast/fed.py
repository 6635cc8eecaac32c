"""A daemon's venue, which lives on the changes that `feed` has found.

It sets the cells of its own book, looks closer where one of its orders is touched, and takes the best prices
from the feed. What its executions took out of a level is missing in its own book alone: where that left a
best level empty, the best price is the next one behind it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.feed import (
    BEST,
    BETTER,
    EMPTY,
    LEVEL,
    LOST,
    MARKED,
    PRINT,
    PRINTS,
    QUIET,
    REQUEUE,
    RESUME,
)
from asmm_daemon.backtest.fast.trail import Trail, up_to
from asmm_daemon.backtest.timeline import NEVER
from asmm_daemon.backtest.venue import QUEUE, Venue, cancel_all, next_reply_ns, obey, on_mark, tell_fills
from asmm_daemon.core.book import (
    ASK,
    BID,
    NO_ASK,
    NO_BID,
    Book,
    clear_cells,
    next_level,
    qty_at,
    set_window,
)
from asmm_daemon.core.matching import adjust_queues, best_own, hit, lose_better, on_trade, resume
from asmm_daemon.core.resting import IN_GAP, NOBODY, THROUGH, Matching, own_qty, requeue_all
from asmm_daemon.kernels import hot_kernel, inlined_kernel, inner_kernel

BLOCK = 16
"""Items that are looked at together."""


@hot_kernel
def _behind_empty(m: Matching) -> None:
    # a best level that our executions emptied
    head = m.book.head[0]
    if head.bid != NO_BID and qty_at(m.book, BID, head.bid) <= 0:
        head.bid = next_level(m.book, BID, head.bid)
    if head.ask != NO_ASK and qty_at(m.book, ASK, head.ask) <= 0:
        head.ask = next_level(m.book, ASK, head.ask)


@hot_kernel
def _see_best(v: Venue, trail: Trail) -> None:
    head = v.matching.book.head[0]
    i = v.state[0].message - trail.head[0].venue_first
    head.bid = trail.bests[i, 0]
    head.ask = trail.bests[i, 1]
    _behind_empty(v.matching)


@hot_kernel
def _put(book: Book, side: int, price: int, qty: int) -> None:
    i = price - book.head[0].lo
    if 0 <= i < book.bids.size:
        if side > 0:
            book.bids[i] = qty
        else:
            book.asks[i] = qty


@inner_kernel
def _on_level(m: Matching, side: int, price: int, qty: int) -> None:
    """A level's lots as `matching` takes them, where best prices are known without it."""
    prev = qty_at(m.book, side, price)
    _put(m.book, side, price, qty)
    adjust_queues(m, side, price, prev, qty)
    if qty > 0 and side * (best_own(m, -side) - price) <= 0:
        used = hit(m, -side, price, qty, NOBODY, NOBODY, THROUGH)
        _put(m.book, side, price, qty - used)


@inner_kernel
def _take(v: Venue, trail: Trail, number: int) -> None:
    """An item that may touch our orders."""
    m = v.matching
    head = m.book.head[0]
    item = trail.items[number]
    side = BID if item.side > 0 else ASK
    kind = item.kind
    if kind == LEVEL:
        _on_level(m, side, item.price, item.qty)
    elif kind == BEST:
        if own_qty(m, side, item.price) > 0 or qty_at(m.book, side, item.price) <= 0:
            lose_better(m, side, item.price)
        _on_level(m, side, item.price, item.qty)
    elif kind == PRINT:
        on_trade(m, side, item.price, item.qty, trail.tape.rows[trail.head[0].venue_row + item.row].id)
    elif kind == BETTER:
        lose_better(m, side, item.price)
    elif kind == EMPTY:
        clear_cells(head, m.book.bids if side > 0 else m.book.asks, item.price, item.qty)
    elif kind == QUIET:
        _put(m.book, side, item.price, item.qty)
    elif kind == LOST:
        cancel_all(v)
        m.state[0].gap = IN_GAP
    elif kind == REQUEUE:
        requeue_all(m)
    elif kind == RESUME or kind == MARKED:
        head.bid = item.price
        head.ask = item.qty
        _behind_empty(m)
        if kind == RESUME:
            resume(m)
        else:
            on_mark(v, trail.tape.rows[trail.head[0].venue_row + item.row])
    else:
        set_window(m.book, item.price)


@inner_kernel
def _touches(item: Any, high: int, near: int) -> bool:
    """Whether an item near our orders may change one of them; they begin at these prices."""
    if item.kind == BETTER:
        return item.price < high if item.side > 0 else item.price > near
    return item.kind != EMPTY


@inlined_kernel
def _is_near(place: int, low: int, high: int, near: int, far: int) -> bool:
    """Whether what lies there may touch an order of ours: bids in the cells low to high, asks near to far.

    Without branches: which side the next level is on cannot be foreseen.
    """
    found = (place >= low) & (place <= high)
    found |= (place >= -1 - far) & (place <= -1 - near)
    found |= (place >= near) & (place < PRINTS)
    found |= (place >= -1 - high) & (place < 0)
    found |= place >= PRINTS + near
    found |= (place >= -1 - PRINTS - high) & (place < -PRINTS)
    return found


@hot_kernel
def _set_cell(book: Book, place: int, qty: int) -> None:
    """Sets the level at a place; a print sets none. Without branches, too."""
    at = place ^ (place >> 31)
    cell = at & (PRINTS - 1)
    cells = book.bids if place >= 0 else book.asks
    cells[cell] = qty if at == cell else cells[cell]


@hot_kernel
def _any_near(places: NDArray[np.int32], low: int, high: int, near: int, far: int) -> bool:
    found = False
    for k in range(BLOCK):
        found |= _is_near(places[k], low, high, near, far)
    return found


@hot_kernel
def _pass_quiet(v: Venue, trail: Trail, until_ns: int) -> int:
    """Messages up to `until_ns` that touch no order of ours; the item that does, -1: none."""
    s = v.state[0]
    head = trail.head[0]
    m = v.matching
    state = m.state[0]
    first = s.message
    message = first + up_to(trail.tape.venue_ns[first : head.venue_end], until_ns)
    if message == first:
        return -1
    at = first - head.venue_first
    number = trail.item_ends[at - 1] if at > 0 else 0
    end = trail.item_ends[message - 1 - head.venue_first]
    high, near = best_own(m, BID), best_own(m, ASK)
    low = m.bids[state.bids - 1].price if state.bids > 0 else NO_ASK
    far = m.asks[state.asks - 1].price if state.asks > 0 else NO_BID
    lo, width = m.book.head[0].lo, m.book.bids.size
    # as cells of the window; a side without orders has none between its bounds
    low_at, high_at = min(max(low - lo, 0), width), min(max(high - lo, -1), width - 1)
    near_at, far_at = min(max(near - lo, 0), width), min(max(far - lo, -1), width - 1)
    touched = False
    while number < end and not touched:
        stop = min(number + BLOCK, end)
        places, items = trail.places[number:stop], trail.items[number:stop]
        if places.size == BLOCK and not _any_near(places, low_at, high_at, near_at, far_at):
            for k in range(BLOCK):
                _set_cell(m.book, places[k], items[k].qty)
            number = stop
        while number < stop:
            item, place = trail.items[number], trail.places[number]
            if not _is_near(place, low_at, high_at, near_at, far_at):
                _set_cell(m.book, place, item.qty)
            elif _touches(item, high, near):
                touched = True
                break
            elif item.kind == EMPTY:
                cells = m.book.bids if item.side > 0 else m.book.asks
                clear_cells(m.book.head[0], cells, item.price, item.qty)
            number += 1
    if touched:
        while trail.item_ends[s.message - head.venue_first] <= number:
            s.message += 1
        message = s.message + 1
    else:
        s.message = message
    s.t_ns = max(s.t_ns, trail.tape.venue_ns[message - 1])
    return number if touched else -1


@hot_kernel
def _pass_on(v: Venue, trail: Trail, until_ns: int) -> None:
    """Messages up to and including `until_ns`, or to the first one of which we are told."""
    s = v.state[0]
    state = v.matching.state[0]
    told = s.replies
    while s.replies == told:
        number = _pass_quiet(v, trail, until_ns)
        if number < 0:
            return
        while number < trail.item_ends[s.message - trail.head[0].venue_first]:
            _take(v, trail, number)
            number += 1
        s.message += 1
        if state.fills > 0:
            _see_best(v, trail)
            tell_fills(v)


@hot_kernel
def go_on(v: Venue, trail: Trail, until_ns: int) -> bool:
    """Runs the venue up to and including `until_ns`, or until the next reply comes sooner than that.

    A message comes before requests of its own time. Returns whether a reply comes by then.
    """
    s = v.state[0]
    while True:
        reply_ns = next_reply_ns(v)
        until_ns = min(until_ns, reply_ns)
        arrival = v.requests[s.obeyed % QUEUE].t_ns if s.obeyed < s.requests else NEVER
        told = s.replies
        _pass_on(v, trail, min(until_ns, arrival))
        if s.replies > told:
            continue
        if arrival <= until_ns:
            s.t_ns = max(s.t_ns, arrival)
            _see_best(v, trail)
            obey(v, v.requests[s.obeyed % QUEUE])
            s.obeyed += 1
        else:
            return reply_ns <= until_ns
