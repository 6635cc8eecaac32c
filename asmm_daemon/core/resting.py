"""The simulated orders that rest in one market, and their places in the venue's queues.

Each side is a dense array in matching order: best price first, then arrival. The queue model is
hftbacktest's probabilistic one: a trade at the price consumes what is ahead; of a shrinking level that
no trade explains, the share behind is f(back) / (f(back) + f(front)) with f(x) = x^n.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import ASK, BID, Book, int64, qty_at
from asmm_daemon.kernels import flat_kernel

NOBODY = int64(-1)
"""In the place of an order or trade id: none."""
THROUGH = int64(0)
QUEUED = int64(1)
TAKER = int64(0)
MAKER = int64(1)

PARTIAL = 0
"""Trades fill what they carry, shared over all simulated orders by price, then arrival."""
FULL = 1
"""hftbacktest's NoPartialFillExchange: an order fills whole or not at all."""

BEHIND, AHEAD = np.inf, -np.inf
"""Extremes of `power`: every cancelled lot was behind us (hftbacktest's risk-averse model), or before us."""

FILL_PARAMS = np.dtype(
    [
        ("power", np.float64),  # n of the queue model, BEHIND or AHEAD
        ("mode", np.int64),  # PARTIAL or FULL
        ("end_on_gap", np.bool_),  # a GAP ends the simulated orders unfilled (backtest)
    ],
    align=True,
)

ORDER = np.dtype(
    [
        ("id", np.int64),
        ("price", np.int64),
        ("left", np.int64),
        ("ahead", np.float64),  # visible lots ahead in the queue
        ("cum_trade", np.float64),  # lots traded at the price that the feed's level has not shown yet
        ("arrive_ns", np.int64),
    ],
    align=True,
)

FILL = np.dtype(
    [
        ("order", np.int64),  # id of the simulated order
        ("price", np.int64),
        ("qty", np.int64),
        ("left", np.int64),  # what the order has left after it
        ("t_ns", np.int64),
        ("trade", np.int64),  # id of the feed's trade that caused it, -1 when none did
        ("side", np.int8),
        ("maker", np.bool_),
    ],
    align=True,
)

STATE = np.dtype(
    [
        ("bids", np.int64),  # number of resting bids
        ("asks", np.int64),
        ("fills", np.int64),  # number of records in `fills`
        ("t_ns", np.int64),  # venue time, never stepping back
        ("gap", np.int64),  # KNOWN, IN_GAP, FIRST_BOOK or RESUMING
    ],
    align=True,
)
KNOWN = 0
IN_GAP = 1
FIRST_BOOK = 2
RESUMING = 3


class Matching(NamedTuple):
    """Everything that decides fills in one market, as flat arrays (`params`, `state`: one record)."""

    params: NDArray[Any]
    state: NDArray[Any]
    book: Book
    bids: NDArray[Any]
    asks: NDArray[Any]
    fills: NDArray[Any]


@flat_kernel
def advance_queue(order: Any, prev: int, new: int, power: float, mode: int) -> None:
    """The visible level at the order's price went from `prev` to `new` lots."""
    change = prev - new - order.cum_trade
    order.cum_trade = 0.0
    front = order.ahead
    if change >= 0.0:
        back = prev - front
        if np.isinf(power):
            share = 1.0 if power > 0.0 else 0.0
        else:
            behind = back**power
            share = behind / (behind + front**power)
            if np.isinf(share):
                share = 1.0
        # A level that held nothing has no share to tell: the new quantity bounds the queue below.
        rest = back - share * change
        front -= (1.0 - share) * change
        if rest < 0.0:
            front += rest
    if not front < new:
        front = float(new)
    if mode == PARTIAL and front < 0.0:
        front = 0.0
    order.ahead = front


@flat_kernel
def insert(m: Matching, side: int, order: int, price: int, left: int, t_ns: int) -> None:
    """Rests an order behind everything visible and simulated at its price."""
    state = m.state[0]
    orders = m.bids if side > 0 else m.asks
    n = state.bids if side > 0 else state.asks
    i = n
    while i > 0 and side * (price - orders[i - 1].price) > 0:
        orders[i] = orders[i - 1]
        i -= 1
    new = orders[i]
    new.id = order
    new.price = price
    new.left = left
    new.ahead = float(qty_at(m.book, side, price))
    new.cum_trade = 0.0
    new.arrive_ns = t_ns
    if side > 0:
        state.bids = n + 1
    else:
        state.asks = n + 1


@flat_kernel
def find(m: Matching, order: int) -> int:
    """Where an order rests: i + 1 among the bids, -(i + 1) among the asks, 0 nowhere."""
    for i in range(m.state[0].bids):
        if m.bids[i].id == order:
            return i + 1
    for i in range(m.state[0].asks):
        if m.asks[i].id == order:
            return -(i + 1)
    return 0


@flat_kernel
def remove(m: Matching, place: int) -> None:
    """Takes the order out that `find` found."""
    state = m.state[0]
    side = BID if place > 0 else ASK
    orders = m.bids if side > 0 else m.asks
    last = (state.bids if side > 0 else state.asks) - 1
    for i in range(abs(place) - 1, last):
        orders[i] = orders[i + 1]
    if side > 0:
        state.bids = last
    else:
        state.asks = last


@flat_kernel
def own_qty(m: Matching, side: int, price: int) -> int:
    """Lots of all simulated orders that rest at a price."""
    orders = m.bids if side > 0 else m.asks
    total = 0
    for i in range(m.state[0].bids if side > 0 else m.state[0].asks):
        if orders[i].price == price:
            total += orders[i].left
    return total


@flat_kernel
def requeue_all(m: Matching) -> None:
    """Puts every order behind the whole visible quantity, as after a gap in the feed."""
    for side in (BID, ASK):
        orders = m.bids if side > 0 else m.asks
        for i in range(m.state[0].bids if side > 0 else m.state[0].asks):
            orders[i].ahead = float(qty_at(m.book, side, orders[i].price))
            orders[i].cum_trade = 0.0
