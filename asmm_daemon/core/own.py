"""The public book without ourselves: our working quantity is taken out, never below zero."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import NO_ASK, NO_BID, Book, qty_at
from asmm_daemon.kernels import flat_kernel

OWN = 32
"""Own resting prices remembered, both sides together."""
REACH = 4096
"""Ticks behind a level within which the next one is looked for."""


@flat_kernel
def net_qty(book: Book, market: NDArray[Any], side: int, price: int) -> int:
    """Lots at a price without ours."""
    return max(qty_at(book, side, price) - ours_at(market, side, price), 0)


@flat_kernel
def ours_at(market: NDArray[Any], side: int, price: int) -> int:
    """Our own lots at a price."""
    m = market[0]
    for i in range(m.owns):
        if m.own_side[i] == side and m.own_price[i] == price:
            held: int = m.own_qty[i]
            return held
    return 0


@flat_kernel
def next_net(book: Book, market: NDArray[Any], side: int, price: int) -> tuple[int, int]:
    """The best price at or behind `price` and its lots without ours; lots 0 when none within REACH."""
    cells = book.bids if side > 0 else book.asks
    lo = book.head[0].lo
    i = price - lo
    for _ in range(REACH):
        if i < 0 or i >= cells.size:
            break
        if cells[i] > 0:
            qty = max(cells[i] - ours_at(market, side, lo + i), 0)
            if qty > 0:
                return lo + i, qty
        i -= side
    return lo + i, 0


@flat_kernel
def net_best(book: Book, market: NDArray[Any], side: int) -> tuple[int, int]:
    """The best price of a side and its lots without ours; lots 0 when there is none."""
    head = book.head[0]
    price = head.bid if side > 0 else head.ask
    if price == NO_BID or price == NO_ASK:
        return price, 0
    return next_net(book, market, side, price)


@flat_kernel
def top_volume(book: Book, market: NDArray[Any], side: int, levels: int) -> tuple[float, float]:
    """Lots of the best levels without ours, and their volume-weighted price in ticks."""
    price, qty = net_best(book, market, side)
    lots = 0.0
    cost = 0.0
    for _ in range(levels):
        if qty <= 0:
            break
        lots += qty
        cost += float(qty) * price
        price, qty = next_net(book, market, side, price - side)
    return lots, cost / lots if lots > 0.0 else np.nan
