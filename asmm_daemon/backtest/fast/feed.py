"""The venue's feed in a stretch of the tape as changes of single levels.

Which levels change does not depend on our orders, so one pass finds it for every daemon's venue (`fed`).
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.trail import Trail
from asmm_daemon.core.book import ASK, BID, Book, clear_to, drop_better, match_level, set_behind
from asmm_daemon.core.market import MarketState, copy_market
from asmm_daemon.core.resting import FIRST_BOOK, IN_GAP, KNOWN, RESUMING
from asmm_daemon.events import BBO, CLEAR, DEPTH, FUNDING, GAP, TRADE
from asmm_daemon.kernels import flat_kernel, hot_kernel

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
