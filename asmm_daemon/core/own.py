"""The public book without ourselves: our working quantity is taken out, never below zero."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import NO_ASK, NO_BID, Book, qty_at
from asmm_daemon.kernels import kernel

OWN = 32
"""Own resting prices remembered, both sides together."""
REACH = 4096
"""Ticks behind the best price within which levels are looked for."""


@kernel
def net_qty(book: Book, market: NDArray[Any], side: int, price: int) -> int:
    """Lots at a price without ours."""
    qty = qty_at(book, side, price)
    m = market[0]
    for i in range(m.owns):
        if m.own_side[i] == side and m.own_price[i] == price:
            return max(qty - m.own_qty[i], 0)
    return qty


@kernel
def net_best(book: Book, market: NDArray[Any], side: int) -> tuple[int, int]:
    """The best price of a side and its lots without ours; lots 0 when there is none within REACH."""
    head = book.head[0]
    price = head.bid if side > 0 else head.ask
    if price == NO_BID or price == NO_ASK:
        return price, 0
    for _ in range(REACH):
        qty = net_qty(book, market, side, price)
        if qty > 0:
            return price, qty
        price -= side
    return price, 0


@kernel
def top_volume(book: Book, market: NDArray[Any], side: int, levels: int) -> tuple[float, float]:
    """Lots of the best levels without ours, and their volume-weighted price in ticks."""
    price, qty = net_best(book, market, side)
    lots = 0.0
    cost = 0.0
    found = 0
    for _ in range(REACH):
        if found == levels or qty < 0:
            break
        if qty > 0:
            lots += qty
            cost += float(qty) * price
            found += 1
        price -= side
        qty = net_qty(book, market, side, price)
    return lots, cost / lots if lots > 0.0 else np.nan
