"""The order book of one market: quantities in a dense window of price ticks, one array a side.

A level far outside the window is left out (it cannot matter to a quote); the window moves when the
best prices come within a quarter of its edge. Every function is a compiled kernel on flat arrays.
"""

from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP
from asmm_daemon.kernels import flat_kernel, hot_kernel


def int64(value: int) -> int:
    """A constant that numba types as int64: a literal compiles its callee once more for each value."""
    return cast("int", np.int64(value))


BID = int64(1)
ASK = int64(-1)
NOTHING = int64(0)
"""No lots."""
NO_BID = int64(-1)
NO_ASK = int64(2**62)

HEAD = np.dtype(
    [
        ("lo", np.int64),  # tick of cell 0; -1 until the first level fixes the window
        ("bid", np.int64),  # best bid in ticks, NO_BID when the side is empty
        ("ask", np.int64),  # best ask in ticks, NO_ASK when the side is empty
        ("known", np.bool_),  # False from a GAP until the next CLEAR
        ("dropped", np.int64),  # levels outside the window that were left out
        ("bid_top", np.int64),  # no bid cell above it is occupied, no ask cell below ask_low: a crossed
        ("ask_low", np.int64),  # book pushes its best prices back but leaves the cells (match_level)
        ("bid_low", np.int64),  # no bid cell below it is occupied, no ask cell above ask_top: what is
        ("ask_top", np.int64),  # between is all that there is to clear
    ],
    align=True,
)


class Book(NamedTuple):
    """`head`: one HEAD record; `bids`, `asks`: lots per tick, cell i being tick head.lo + i."""

    head: NDArray[Any]
    bids: NDArray[np.int64]
    asks: NDArray[np.int64]


def new_book(width: int = 65536) -> Book:
    """An empty, unknown book whose window spans `width` ticks."""
    head = np.zeros(1, HEAD)
    head["lo"], head["bid"], head["ask"] = -1, NO_BID, NO_ASK
    head["bid_top"], head["ask_low"] = NO_BID, NO_ASK
    head["bid_low"], head["ask_top"] = NO_ASK, NO_BID
    return Book(head, np.zeros(width, np.int64), np.zeros(width, np.int64))


@flat_kernel
def qty_at(book: Book, side: int, price: int) -> int:
    """Lots resting at a price; 0 outside the window."""
    i = price - book.head[0].lo
    if i < 0 or i >= book.bids.size:
        return 0
    return book.bids[i] if side > 0 else book.asks[i]


@flat_kernel
def next_level(book: Book, side: int, price: int) -> int:
    """The next occupied price behind `price` (lower for bids); NO_BID or NO_ASK when there is none."""
    lo = book.head[0].lo
    n = book.bids.size
    if side > 0:
        for i in range(min(price - lo, n) - 1, -1, -1):
            if book.bids[i] > 0:
                return lo + i
        return NO_BID
    for i in range(max(price - lo + 1, 0), n):
        if book.asks[i] > 0:
            return lo + i
    return NO_ASK


@flat_kernel
def shift(cells: NDArray[np.int64], by: int) -> None:
    """Moves every cell `by` places down (up when negative); what comes in is empty."""
    n = cells.size
    if by > 0:
        for i in range(n):
            cells[i] = cells[i + by] if i + by < n else 0
    else:
        for i in range(n - 1, -1, -1):
            cells[i] = cells[i + by] if i + by >= 0 else 0


@flat_kernel
def set_window(book: Book, lo: int) -> None:
    """Moves the window: cell 0 becomes tick `lo`."""
    head = book.head[0]
    if head.lo >= 0 and lo != head.lo:
        shift(book.bids, lo - head.lo)
        shift(book.asks, lo - head.lo)
    head.lo = lo


@flat_kernel
def _move_window(book: Book, center: int) -> None:
    head = book.head[0]
    n = book.bids.size
    lo = max(center - n // 2, 0)
    set_window(book, lo)
    top = lo + n
    if head.bid != NO_BID and (head.bid < lo or head.bid >= top):
        head.bid = next_level(book, BID, top)
    if head.ask != NO_ASK and (head.ask < lo or head.ask >= top):
        head.ask = next_level(book, ASK, lo - 1)


@flat_kernel
def _follow(book: Book, price: int) -> None:
    """Moves the window when a new best price comes within a quarter of its edge."""
    lo = book.head[0].lo
    n = book.bids.size
    i = price - lo
    if lo < 0 or i >= n - n // 4 or (i < n // 4 and lo > 0):
        _move_window(book, price)


@hot_kernel
def set_behind(book: Book, side: int, price: int, qty: int) -> bool:
    """The short way for most rows: sets a level that leaves the best prices as they are, or says False.

    Nearly without branches, since which side the next row is on cannot be foreseen.
    """
    head = book.head[0]
    bid, ask = side > 0, side <= 0
    behind = side * ((head.bid if bid else head.ask) - price)
    i = price - head.lo
    if (behind < 0) | ((behind == 0) & (qty <= 0)) | (i < 0) | (i >= book.bids.size):
        return False
    if (qty > 0) & ((bid & (price < head.bid_low)) | (ask & (price > head.ask_top))):
        head.bid_low = min(head.bid_low, price) if bid else head.bid_low
        head.ask_top = head.ask_top if bid else max(head.ask_top, price)
    if bid:
        book.bids[i] = qty
    else:
        book.asks[i] = qty
    return True


@hot_kernel
def set_level(book: Book, side: int, price: int, qty: int) -> None:
    """Sets the absolute quantity at a price and keeps the best prices true."""
    if not set_behind(book, side, price, qty):
        _set_best(book, side, price, qty)


@flat_kernel
def _set_best(book: Book, side: int, price: int, qty: int) -> None:
    """Sets a level that may be a new best, or leave one."""
    head = book.head[0]
    best = head.bid if side > 0 else head.ask
    improves = side * (price - best) > 0
    if improves and qty > 0:
        _follow(book, price)
    i = price - head.lo
    if i < 0 or i >= book.bids.size:
        head.dropped += 1
        return
    cells = book.bids if side > 0 else book.asks
    cells[i] = qty
    if qty > 0:
        if side > 0:
            head.bid_top = max(head.bid_top, price)
            head.bid_low = min(head.bid_low, price)
        else:
            head.ask_low = min(head.ask_low, price)
            head.ask_top = max(head.ask_top, price)
        if improves:
            best = price
    elif price == best:
        best = next_level(book, side, price)
    if side > 0:
        head.bid = best
    else:
        head.ask = best


@flat_kernel
def match_level(book: Book, side: int, price: int, qty: int) -> int:
    """Sets a level as a matching engine would: the newer row wins, so the best prices never cross.

    A level that reaches the other side pushes that side's best behind it. Returns the lots it had.
    """
    head = book.head[0]
    previous = qty_at(book, side, price)
    set_level(book, side, price, qty)
    if head.bid >= head.ask:
        if side > 0:
            head.ask = next_level(book, ASK, head.bid)
        else:
            head.bid = next_level(book, BID, head.ask)
    return previous


@flat_kernel
def clear_cells(head: Any, cells: NDArray[np.int64], low: int, top: int) -> None:
    """Empties the cells of the prices from `low` to `top`, as far as the window has them."""
    for i in range(max(low - head.lo, 0), min(top - head.lo + 1, cells.size)):
        cells[i] = 0


@flat_kernel
def clear_to(book: Book, side: int, price: int) -> None:
    """Drops the side's levels from the best up to and including `price`; price 0 drops all."""
    head = book.head[0]
    whole = price == 0
    if head.lo >= 0:
        if side > 0:
            clear_cells(head, book.bids, head.bid_low if whole else price, head.bid_top)
        else:
            clear_cells(head, book.asks, head.ask_low, head.ask_top if whole else price)
    if side > 0:
        head.bid_top = NO_BID if whole else min(head.bid_top, price - 1)
        if whole:
            head.bid = NO_BID
            head.bid_low = NO_ASK
        elif head.bid >= price:
            head.bid = next_level(book, BID, price)
        return
    head.ask_low = NO_ASK if whole else max(head.ask_low, price + 1)
    if whole:
        head.ask = NO_ASK
        head.ask_top = NO_BID
    elif head.ask <= price:
        head.ask = next_level(book, ASK, price)


@flat_kernel
def drop_better(book: Book, side: int, price: int) -> None:
    """Removes the side's levels that are better than `price`."""
    head = book.head[0]
    best = head.bid if side > 0 else head.ask
    while side * (best - price) > 0:
        set_level(book, side, best, NOTHING)
        best = head.bid if side > 0 else head.ask


@flat_kernel
def set_best(book: Book, side: int, price: int, qty: int) -> None:
    """Makes (price, qty) the side's best level: better levels are gone."""
    drop_better(book, side, price)
    set_level(book, side, price, qty)


@hot_kernel
def apply(book: Book, kind: int, side: int, price: int, qty: int) -> None:
    """Applies one book row (DEPTH, CLEAR, BBO or GAP); other kinds change nothing."""
    if kind == DEPTH:
        set_level(book, side, price, qty)
    elif kind == BBO:
        set_best(book, side, price, qty)
    elif kind == CLEAR:
        clear_to(book, side, price)
        book.head[0].known = True
    elif kind == GAP:
        book.head[0].known = False


@flat_kernel
def is_valid(book: Book) -> bool:
    """Whether the book is known, has two sides and is not crossed (locked is valid)."""
    head = book.head[0]
    return head.known and head.bid != NO_BID and head.ask != NO_ASK and head.bid <= head.ask
