"""The venue's feed in a stretch of the tape as changes of single levels, and a venue that lives on them.

Which levels change does not depend on our orders, so one pass finds it for every daemon. A daemon's venue
sets the cells of its own book, looks closer where one of its orders is touched, and takes the best prices
from the pass. What its executions took out of a level is missing in its own book alone: where that left a
best level empty, the best price is the next one behind it.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

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
    clear_to,
    drop_better,
    match_level,
    next_level,
    qty_at,
    set_behind,
    set_window,
)
from asmm_daemon.core.market import MarketState, copy_market
from asmm_daemon.core.matching import adjust_queues, best_own, hit, lose_better, on_trade, resume
from asmm_daemon.core.resting import (
    FIRST_BOOK,
    IN_GAP,
    KNOWN,
    NOBODY,
    RESUMING,
    THROUGH,
    Matching,
    own_qty,
    requeue_all,
)
from asmm_daemon.events import BBO, CLEAR, DEPTH, FUNDING, GAP, TRADE
from asmm_daemon.kernels import flat_kernel, hot_kernel, inner_kernel

LEVEL, BEST, PRINT, BETTER, EMPTY, QUIET, LOST, REQUEUE, RESUME, WINDOW, MARKED = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    9,
    10,
)
"""Kinds of items. LEVEL: a level's lots, BEST: those of the best level, once more; PRINT: a trade;
BETTER: levels better than a price are gone; EMPTY: no lots from one price to another; QUIET: a level's
lots that touch no order; LOST: a gap begins; REQUEUE, RESUME: it ends; WINDOW: the book's window moves;
MARKED: a mark price or a funding time, with the best prices then."""

BLOCK = 16
"""Items that are looked at together."""
PRINTS, ELSEWHERE = 2**24, 2**30
"""Where an item lies in the book's window, as one number: cell i of the bids is i, of the asks -1 - i; prints
lie PRINTS further out than their level. ELSEWHERE is what must be looked at by itself."""


class Feed(NamedTuple):
    """The venue's book as its feed alone makes it, where a gap stands (as in STATE), and what was marked.

    `marked` is the latest mark price and the latest funding time, as in VENUE.
    """

    book: Book
    gap: NDArray[np.int64]
    marked: NDArray[np.int64]


def new_feed(market: MarketState) -> Feed:
    """The feed where a market stands, whose arrays are copied."""
    copy, m = copy_market(market), market.market[0]
    return Feed(copy.book, np.zeros(1, np.int64), np.array([m["mark"], m["funding_ns"]], np.int64))


@hot_kernel
def _add(trail: Trail, book: Book, kind: int, side: int, price: int, qty: int, row: int) -> None:
    head = trail.head[0]
    item = trail.items[head.items]
    item.price = price
    item.qty = qty
    item.row = row
    item.kind = kind
    item.side = side
    at = price - book.head[0].lo
    if (kind == LEVEL or kind == PRINT) and 0 <= at < book.bids.size:
        at += PRINTS if kind == PRINT else 0
        trail.places[head.items] = at if side > 0 else -1 - at
    else:
        trail.places[head.items] = ELSEWHERE
    head.items += 1


@hot_kernel
def _set_level(trail: Trail, book: Book, kind: int, side: int, row: Any) -> None:
    lo = book.head[0].lo
    match_level(book, side, row.price, row.qty)
    if book.head[0].lo != lo:
        _add(trail, book, WINDOW, side, book.head[0].lo, 0, 0)
    _add(trail, book, kind, side, row.price, row.qty, 0)


@hot_kernel
def _set_best(trail: Trail, book: Book, side: int, row: Any, known: bool) -> None:  # noqa: FBT001
    best = book.head[0].bid if side > 0 else book.head[0].ask
    if known and row.price == best and row.qty > 0:
        _set_level(trail, book, BEST, side, row)
        return
    if known:
        _add(trail, book, BETTER, side, row.price, 0, 0)
    if side * (best - row.price) > 0:
        _add(trail, book, EMPTY, side, min(best, row.price + side), max(best, row.price + side), 0)
        drop_better(book, side, row.price)
    _set_level(trail, book, LEVEL if known else QUIET, side, row)


@hot_kernel
def _clear(trail: Trail, book: Book, side: int, price: int) -> None:
    head = book.head[0]
    if side > 0:
        _add(trail, book, EMPTY, side, head.bid_low if price == 0 else price, head.bid_top, 0)
    else:
        _add(trail, book, EMPTY, side, head.ask_low, head.ask_top if price == 0 else price, 0)
    clear_to(book, side, price)


@hot_kernel
def _take_in(trail: Trail, feed: Feed, row: Any, number: int) -> None:
    """One row, as `matching.on_row` takes it in."""
    book = feed.book
    head = book.head[0]
    side = BID if row.side > 0 else ASK
    kind = row.kind
    if feed.gap[0] == RESUMING:
        if kind != GAP:
            _add(trail, book, RESUME, side, head.bid, head.ask, 0)
        feed.gap[0] = KNOWN
    known = feed.gap[0] == KNOWN
    if kind == DEPTH:
        if known & set_behind(book, side, row.price, row.qty):
            _add(trail, book, LEVEL, side, row.price, row.qty, 0)
        else:
            _set_level(trail, book, LEVEL if known else QUIET, side, row)
    elif kind == BBO:
        _set_best(trail, book, side, row, known)
    elif kind == TRADE:
        if known and row.side != 0:
            _add(trail, book, PRINT, side, row.price, row.qty, number)
    elif kind == CLEAR:
        _clear(trail, book, side, row.price)
        if feed.gap[0] == IN_GAP:
            feed.gap[0] = FIRST_BOOK
    elif kind == GAP:
        _add(trail, book, LOST, side, 0, 0, 0)
        feed.gap[0] = IN_GAP
    elif kind >= FUNDING:
        _add(trail, book, MARKED, side, head.bid, head.ask, number)
        if kind == FUNDING:
            feed.marked[1] = max(feed.marked[1], row.exch_ns)
        else:
            feed.marked[0] = row.price
    if row.last and feed.gap[0] == FIRST_BOOK:
        _add(trail, book, REQUEUE, side, 0, 0, 0)
        feed.gap[0] = RESUMING


@hot_kernel
def _note_best(trail: Trail, book: Book, message: int) -> None:
    head = book.head[0]
    trail.bests[message, 0] = head.bid
    trail.bests[message, 1] = head.ask
    trail.bests[message, 2] = head.lo


@flat_kernel
def take_apart(trail: Trail, feed: Feed) -> None:
    """The venue's side of a stretch, whose messages stand in the head; `feed` goes on with it."""
    head = trail.head[0]
    tape = trail.tape
    head.items = 0
    _note_best(trail, feed.book, 0)
    row = head.venue_row
    for i in range(head.venue_end - head.venue_first):
        end = tape.ends[head.venue_first + i]
        while row < end:
            _take_in(trail, feed, tape.rows[row], row - head.venue_row)
            row += 1
        trail.item_ends[i] = head.items
        _note_best(trail, feed.book, i + 1)


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
def _touches(item: Any, crosses: bool, high: int, near: int) -> bool:  # noqa: FBT001
    """Whether an item that is more than a level away from our orders may change one of them."""
    bid = item.side > 0
    kind = item.kind
    if kind == PRINT:
        return crosses
    if kind == BETTER:
        return item.price < high if bid else item.price > near
    return kind != EMPTY


@hot_kernel
def _any_near(places: NDArray[np.int32], low: int, high: int, near: int, far: int) -> bool:
    """Whether one of BLOCK items may touch an order of ours; the bounds of those are cells of the window."""
    low_bid, high_bid, far_ask, near_ask = (
        np.int32(low),
        np.int32(high),
        np.int32(-1 - far),
        np.int32(-1 - near),
    )
    bids_reach, asks_reach = np.int32(near), np.int32(-1 - high)
    printed_up, printed_down = np.int32(PRINTS + near), np.int32(-1 - PRINTS - high)
    prints, no_place = np.int32(PRINTS), np.int32(0)
    found = False
    for k in range(BLOCK):
        place = places[k]
        found |= (place >= low_bid) & (place <= high_bid)
        found |= (place >= far_ask) & (place <= near_ask)
        found |= (place >= bids_reach) & (place < prints)
        found |= (place >= asks_reach) & (place < no_place)
        found |= place >= printed_up
        found |= (place >= printed_down) & (place < -prints)
    return found


@hot_kernel
def _set_levels(book: Book, items: NDArray[Any], places: NDArray[np.int32]) -> None:
    """BLOCK items that touch no order of ours: without a branch, levels are set and prints set none."""
    for k in range(BLOCK):
        place = np.int64(places[k])
        at = place ^ (place >> 63)
        cell = at & (PRINTS - 1)
        cells = book.bids if place >= 0 else book.asks
        cells[cell] = items[k].qty if at == cell else cells[cell]


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
    bids, asks, lo = m.book.bids, m.book.asks, m.book.head[0].lo
    width = bids.size
    # bids of ours rest between low and high, asks from near to far
    low = m.bids[state.bids - 1].price if state.bids > 0 else NO_ASK
    high = m.bids[0].price if state.bids > 0 else NO_BID
    near = m.asks[0].price if state.asks > 0 else NO_ASK
    far = m.asks[state.asks - 1].price if state.asks > 0 else NO_BID
    cells = (
        min(max(low - lo, 0), width),
        min(max(high - lo, -1), width - 1),
        min(max(near - lo, 0), width),
        min(max(far - lo, -1), width - 1),
    )
    touched = False
    while number < end and not touched:
        stop = min(number + BLOCK, end)
        places = trail.places[number:stop]
        if places.size == BLOCK and not _any_near(places, *cells):
            _set_levels(m.book, trail.items[number:stop], places)
            number = stop
        while number < stop:
            item = trail.items[number]
            price = item.price
            bid, ask = item.side > 0, item.side < 0
            i = price - lo
            # without branches: which side the next level is on cannot be foreseen
            ours = (bid & (price >= low) & (price <= high)) | (ask & (price >= near) & (price <= far))
            crosses = (bid & (price >= near)) | (ask & (price <= high))
            if ours | crosses | (i < 0) | (i >= width) | (item.kind != LEVEL):
                if _touches(item, crosses, high, near):
                    touched = True
                    break
                if item.kind == EMPTY:
                    clear_cells(m.book.head[0], bids if bid else asks, price, item.qty)
            elif bid:
                bids[i] = item.qty
            else:
                asks[i] = item.qty
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
