"""The public book: what the feed shows plus what rests in it of our own. Compiled, on flat arrays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import ASK, BID, NO_ASK, NO_BID, NOTHING, Book, next_level, qty_at, set_level
from asmm_daemon.events import BBO, CLEAR, DEPTH, FUNDING, MARK, TRADE, Rows
from asmm_daemon.kernels import flat_kernel

META = np.dtype(
    [
        ("changes", np.int64),  # rows written to the change list
        ("trades", np.int64),  # rows written to the trade list
        ("marks", np.int64),  # FUNDING and MARK rows seen
        ("exch_ns", np.int64),
        ("local_ns", np.int64),
        ("bid", np.int64),
        ("bid_qty", np.int64),
        ("ask", np.int64),
        ("ask_qty", np.int64),
        ("feed_bid", np.int64),  # the feed's own best, kept from call to call
        ("feed_ask", np.int64),
    ],
    align=True,
)


@flat_kernel
def number_trades(rows: Rows) -> None:
    """Gives each TRADE row its own index as id, so that a fill names the row that caused it."""
    for i in range(rows.size):
        if rows[i].kind == TRADE:
            rows[i].id = i


@flat_kernel
def _in_view(feed: Book, side: int, price: int) -> int:
    """Lots of the feed at a price; what a newer level of the other side has pushed behind it is gone."""
    head = feed.head[0]
    if price > head.bid if side > 0 else price < head.ask:
        return 0
    return qty_at(feed, side, price)


@flat_kernel
def _consider(
    feed: Book, shown: Book, own: NDArray[np.int64], side: int, price: int, out: NDArray[np.int64], n: int
) -> int:
    qty = _in_view(feed, side, price)
    if price < feed.head[0].ask if side > 0 else price > feed.head[0].bid:
        for i in range(own.shape[0]):
            if own[i, 0] == side and own[i, 1] == price:
                qty += own[i, 2]
    if qty == qty_at(shown, side, price):
        return n
    set_level(shown, side, price, qty)
    if qty_at(shown, side, price) != qty:
        return n
    out[n, 0], out[n, 1], out[n, 2] = side, price, qty
    return n + 1


@flat_kernel
def _consider_better(
    feed: Book, shown: Book, own: NDArray[np.int64], side: int, price: int, out: NDArray[np.int64], n: int
) -> int:
    """Every published level from the best to `price` (0: all of the side)."""
    level = shown.head[0].bid if side > 0 else shown.head[0].ask
    last = NO_BID if side > 0 else NO_ASK
    while level != last and (price == 0 or (level >= price if side > 0 else level <= price)):
        n = _consider(feed, shown, own, side, level, out, n)
        level = next_level(shown, side, level)
    return n


@flat_kernel
def _consider_moved_best(
    feed: Book, shown: Book, own: NDArray[np.int64], side: int, was: int, out: NDArray[np.int64], n: int
) -> int:
    """Levels that came into view or went out of it because the feed's best moved from `was`."""
    head = feed.head[0]
    best = head.bid if side > 0 else head.ask
    if side * (best - was) > 0:
        last = NO_BID if side > 0 else NO_ASK
        level = best
        while level != last and side * (level - was) > 0:
            n = _consider(feed, shown, own, side, level, out, n)
            level = next_level(feed, side, level)
    level = shown.head[0].bid if side > 0 else shown.head[0].ask
    while side * (level - best) > 0:
        n = _consider(feed, shown, own, side, level, out, n)
        level = next_level(shown, side, level)
    return n


@flat_kernel
def publish(
    feed: Book,
    shown: Book,
    own: NDArray[np.int64],
    rows: Rows,
    touched: NDArray[np.int64],
    out: NDArray[np.int64],
    trades: NDArray[np.int64],
    meta: NDArray[Any],
) -> None:
    """Brings `shown` up to the feed's book plus our own, after `rows` and changes at `touched` prices.

    `own`: (side, price, lots) of our resting quantity, out of view while the feed's other side has
    reached it (it fills at the next row); `touched`: (side, price). The changed levels go
    to `out` as (side, price, lots), the rows' trades to `trades` as (row, price, lots, side).
    """
    n = NOTHING
    m = 0
    marks = 0
    for i in range(rows.size):
        row = rows[i]
        kind, side = row.kind, row.side * BID  # as int64
        if kind == TRADE:
            trades[m, 0], trades[m, 1], trades[m, 2], trades[m, 3] = i, row.price, row.qty, side
            m += 1
        elif kind == FUNDING or kind == MARK:
            marks += 1
        if kind == BBO or kind == CLEAR:
            n = _consider_better(feed, shown, own, side, row.price, out, n)
        if kind == BBO or kind == DEPTH:
            n = _consider(feed, shown, own, side, row.price, out, n)
    for i in range(touched.shape[0]):
        n = _consider(feed, shown, own, touched[i, 0], touched[i, 1], out, n)
    result = meta[0]
    n = _consider_moved_best(feed, shown, own, BID, result.feed_bid, out, n)
    n = _consider_moved_best(feed, shown, own, ASK, result.feed_ask, out, n)
    for i in range(own.shape[0]):
        n = _consider(feed, shown, own, own[i, 0], own[i, 1], out, n)
    result.feed_bid, result.feed_ask = feed.head[0].bid, feed.head[0].ask
    head = shown.head[0]
    result.changes, result.trades, result.marks = n, m, marks
    if rows.size:
        result.exch_ns, result.local_ns = rows[rows.size - 1].exch_ns, rows[rows.size - 1].local_ns
    result.bid, result.bid_qty = -1, 0
    if head.bid != NO_BID:
        result.bid, result.bid_qty = head.bid, qty_at(shown, BID, head.bid)
    result.ask, result.ask_qty = -1, 0
    if head.ask != NO_ASK:
        result.ask, result.ask_qty = head.ask, qty_at(shown, ASK, head.ask)


@flat_kernel
def top_levels(book: Book, side: int, out: NDArray[np.int64]) -> int:
    """Writes the best levels of a side to `out` as (price, lots), best first; how many there were."""
    price = book.head[0].bid if side > 0 else book.head[0].ask
    last = NO_BID if side > 0 else NO_ASK
    n = 0
    while price != last and n < out.shape[0]:
        out[n, 0], out[n, 1] = price, qty_at(book, side, price)
        n += 1
        price = next_level(book, side, price)
    return n
