"""The order book of one market: quantities in a dense window of price ticks, one array a side.

A level far outside the window is left out (it cannot matter to a quote); the window moves when the
best prices come within a quarter of its edge. Every function is a compiled kernel on flat arrays.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP
from asmm_daemon.kernels import kernel

NO_BID = -1
NO_ASK = 2**62

HEAD = np.dtype(
    [
        ("lo", np.int64),  # tick of cell 0; -1 until the first level fixes the window
        ("bid", np.int64),  # best bid in ticks, NO_BID when the side is empty
        ("ask", np.int64),  # best ask in ticks, NO_ASK when the side is empty
        ("known", np.bool_),  # False from a GAP until the next CLEAR
        ("dropped", np.int64),  # levels outside the window that were left out
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
    return Book(head, np.zeros(width, np.int64), np.zeros(width, np.int64))


@kernel
def qty_at(book: Book, side: int, price: int) -> int:
    """Lots resting at a price; 0 outside the window."""
    i = price - book.head[0].lo
    if i < 0 or i >= book.bids.size:
        return 0
    return book.bids[i] if side > 0 else book.asks[i]


@kernel
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


@kernel
def _move_window(book: Book, center: int) -> None:
    head = book.head[0]
    n = book.bids.size
    lo = max(center - n // 2, 0)
    if head.lo >= 0:
        shift = lo - head.lo
        for cells in (book.bids, book.asks):
            if abs(shift) >= n:
                cells[:] = 0
            elif shift > 0:
                cells[: n - shift] = cells[shift:].copy()
                cells[n - shift :] = 0
            elif shift < 0:
                cells[-shift:] = cells[: n + shift].copy()
                cells[:-shift] = 0
    head.lo = lo
    top = lo + n
    if head.bid != NO_BID and (head.bid < lo or head.bid >= top):
        head.bid = next_level(book, 1, top)
    if head.ask != NO_ASK and (head.ask < lo or head.ask >= top):
        head.ask = next_level(book, -1, lo - 1)


@kernel
def set_level(book: Book, side: int, price: int, qty: int) -> None:
    """Sets the absolute quantity at a price and keeps the best prices true."""
    head = book.head[0]
    n = book.bids.size
    if head.lo < 0:
        _move_window(book, price)
    i = price - head.lo
    best = head.bid if side > 0 else head.ask
    empty = best == NO_BID or best == NO_ASK
    improves = empty or (price > best if side > 0 else price < best)
    edge = n // 4
    if qty > 0 and improves and not (edge <= i < n - edge) and (price >= n // 2 or i >= n - edge):
        _move_window(book, price)
        i = price - head.lo
    if i < 0 or i >= n:
        head.dropped += 1
        return
    if side > 0:
        book.bids[i] = qty
        if qty > 0:
            if price > head.bid:
                head.bid = price
        elif price == head.bid:
            head.bid = next_level(book, 1, price)
    else:
        book.asks[i] = qty
        if qty > 0:
            if price < head.ask:
                head.ask = price
        elif price == head.ask:
            head.ask = next_level(book, -1, price)


@kernel
def match_level(book: Book, side: int, price: int, qty: int) -> int:
    """Sets a level as a matching engine would: the newer row wins, so the best prices never cross.

    A level that reaches the other side pushes that side's best behind it. Returns the lots it had.
    """
    head = book.head[0]
    previous = qty_at(book, side, price)
    set_level(book, side, price, qty)
    if head.bid >= head.ask:
        if side > 0:
            head.ask = next_level(book, -1, head.bid)
        else:
            head.bid = next_level(book, 1, head.ask)
    return previous


@kernel
def clear_to(book: Book, side: int, price: int) -> None:
    """Drops the side's levels from the best up to and including `price`; price 0 drops all."""
    head = book.head[0]
    if head.lo >= 0:
        cells = book.bids if side > 0 else book.asks
        n = cells.size
        if price == 0:
            cells[:] = 0
        elif side > 0:
            cells[max(price - head.lo, 0) :] = 0
        else:
            cells[: max(min(price - head.lo + 1, n), 0)] = 0
    if side > 0:
        if price == 0:
            head.bid = NO_BID
        elif head.bid >= price:
            head.bid = next_level(book, 1, price)
    elif price == 0:
        head.ask = NO_ASK
    elif head.ask <= price:
        head.ask = next_level(book, -1, price)


@kernel
def set_best(book: Book, side: int, price: int, qty: int) -> None:
    """Makes (price, qty) the side's best level: better levels are gone."""
    head = book.head[0]
    if side > 0:
        while head.bid > price:
            set_level(book, 1, head.bid, 0)
    else:
        while head.ask < price:
            set_level(book, -1, head.ask, 0)
    set_level(book, side, price, qty)


@kernel
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


@kernel
def is_valid(book: Book) -> bool:
    """Whether the book is known, has two sides and is not crossed (locked is valid)."""
    head = book.head[0]
    return head.known and head.bid != NO_BID and head.ask != NO_ASK and head.bid <= head.ask
