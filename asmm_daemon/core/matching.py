"""What the feed's rows and arriving orders do to the simulated orders: the compiled fill rules.

A resting order fills where a trade prints through its price or reaches it past the queue, and where
the feed's opposite side comes to its price. PARTIAL shares the quantity that arrives, FULL does not ask.
Time is the rows' `exch_ns`, never stepping back.
"""

from typing import Any

from asmm_daemon.core.book import (
    ASK,
    BID,
    NO_ASK,
    NO_BID,
    NOTHING,
    clear_to,
    drop_better,
    match_level,
    qty_at,
    set_level,
)
from asmm_daemon.core.resting import (
    FIRST_BOOK,
    FULL,
    IN_GAP,
    KNOWN,
    MAKER,
    NOBODY,
    PARTIAL,
    QUEUED,
    RESUMING,
    TAKER,
    THROUGH,
    Matching,
    advance_queue,
    requeue_all,
)
from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.kernels import flat_kernel, hot_kernel


@flat_kernel
def record_fill(
    m: Matching, side: int, order: int, price: int, qty: int, left: int, trade: int, maker: int
) -> None:
    """Appends a fill at the present time; the caller has made room."""
    state = m.state[0]
    fill = m.fills[state.fills]
    fill.order = order
    fill.price = price
    fill.qty = qty
    fill.left = left
    fill.t_ns = state.t_ns
    fill.trade = trade
    fill.side = side
    fill.maker = maker != 0
    state.fills += 1


@flat_kernel
def hit(m: Matching, side: int, price: int, qty: int, trade: int, taker: int, queued: int) -> int:
    """Fills the resting orders of `side` at `price` or better from `qty` arriving lots; lots filled.

    Orders at `price` itself stand in its queue if `queued` is QUEUED, or are gone through (THROUGH).
    `taker` is the id of a simulated order that arrives (its own fills are recorded beside), -1 for the
    feed; `trade` is the id of the feed's trade.
    """
    state = m.state[0]
    full = m.params[0].mode == FULL
    orders = m.bids if side > 0 else m.asks
    n = state.bids if side > 0 else state.asks
    from_feed = taker < 0
    rest = qty
    kept = 0
    i = 0
    while i < n and side * (orders[i].price - price) >= 0:
        order = orders[i]
        got = order.left if full else min(order.left, rest)
        if queued == QUEUED and order.price == price:
            if from_feed:
                order.cum_trade += qty
            if full:
                order.ahead -= qty
                if order.ahead > -0.5:
                    got = 0
            else:
                got = min(order.left, max(0, int(rest - order.ahead + 0.5)))
                order.ahead = max(0.0, order.ahead - rest)
        if got > 0:
            order.left -= got
            rest -= got
            if not from_feed:
                record_fill(m, -side, taker, order.price, got, NOTHING, trade, TAKER)
            record_fill(m, side, order.id, order.price, got, order.left, trade, MAKER)
        if order.left > 0:
            if kept < i:
                orders[kept] = order
            kept += 1
        i += 1
    if kept < i:
        while i < n:
            orders[kept] = orders[i]
            kept += 1
            i += 1
        if side > 0:
            state.bids = kept
        else:
            state.asks = kept
    return qty - rest


@flat_kernel
def best_own(m: Matching, side: int) -> int:
    """The best price of the simulated orders of a side; NO_BID or NO_ASK when none rests."""
    if side > 0:
        return m.bids[0].price if m.state[0].bids > 0 else NO_BID
    return m.asks[0].price if m.state[0].asks > 0 else NO_ASK


@flat_kernel
def adjust_queues(m: Matching, side: int, price: int, prev: int, new: int) -> None:
    """The orders at a price whose visible level went from `prev` to `new` lots."""
    params = m.params[0]
    orders = m.bids if side > 0 else m.asks
    n = m.state[0].bids if side > 0 else m.state[0].asks
    for i in range(n):
        reach = side * (orders[i].price - price)
        if reach == 0:
            advance_queue(orders[i], prev, new, params.power, params.mode)
        elif reach < 0:
            break


@hot_kernel
def _on_level(m: Matching, side: int, price: int, qty: int) -> None:
    head = m.book.head[0]
    was = head.bid if side > 0 else head.ask
    prev = match_level(m.book, side, price, qty)
    state = m.state[0]
    if (state.bids if side > 0 else state.asks) > 0:
        adjust_queues(m, side, price, prev, qty)
    if qty <= 0 or (state.asks if side > 0 else state.bids) == 0:
        return
    if side * (best_own(m, -side) - price) > 0:
        return
    if m.params[0].mode == PARTIAL:
        used = hit(m, -side, price, qty, NOBODY, NOBODY, THROUGH)
        if used > 0:
            set_level(m.book, side, price, qty - used)
    elif (head.bid > was) if side > 0 else (head.ask < was):
        hit(m, -side, price, qty, NOBODY, NOBODY, THROUGH)


@flat_kernel
def lose_better(m: Matching, side: int, price: int) -> None:
    """The feed's levels of a side that are better than `price` are gone from the queues."""
    orders = m.bids if side > 0 else m.asks
    params = m.params[0]
    for i in range(m.state[0].bids if side > 0 else m.state[0].asks):
        if side * (orders[i].price - price) <= 0:
            break
        prev = qty_at(m.book, side, orders[i].price)
        if prev > 0:
            advance_queue(orders[i], prev, NOTHING, params.power, params.mode)


@flat_kernel
def _on_best(m: Matching, side: int, price: int, qty: int) -> None:
    lose_better(m, side, price)
    drop_better(m.book, side, price)
    _on_level(m, side, price, qty)


@flat_kernel
def on_trade(m: Matching, side: int, price: int, qty: int, trade: int) -> None:
    """A taker's trade fills the resting orders that it reaches past their queues."""
    if side == BID:
        if m.state[0].asks > 0 and m.asks[0].price <= price:
            hit(m, ASK, price, qty, trade, NOBODY, QUEUED)
    elif m.state[0].bids > 0 and m.bids[0].price >= price:
        hit(m, BID, price, qty, trade, NOBODY, QUEUED)


@flat_kernel
def resume(m: Matching) -> None:
    """Fills what the market has gone through meanwhile: the first moment after a gap's first book."""
    head = m.book.head[0]
    m.state[0].gap = KNOWN
    for side in (BID, ASK):
        reach = head.ask if side > 0 else head.bid
        orders = m.bids if side > 0 else m.asks
        lots = 0
        for i in range(m.state[0].bids if side > 0 else m.state[0].asks):
            if side * (orders[i].price - reach) < 0:
                break
            lots += orders[i].left
        if lots > 0:
            hit(m, side, reach, lots, NOBODY, NOBODY, THROUGH)


@hot_kernel
def set_quiet_level(m: Matching, row: Any) -> bool:
    """The short way for most rows: a level that reaches no simulated order and that is no new best.

    Says whether it was one, and set it. Such a row can neither fill an order nor move a queue or a best
    price, so that `on_row` would do nothing else.
    """
    state = m.state[0]
    head = m.book.head[0]
    bid = row.side > 0
    best = head.bid if bid else head.ask
    price = row.price
    i = price - head.lo
    if state.gap != KNOWN or i < 0 or i >= m.book.bids.size or (price == best and row.qty <= 0):
        return False
    if row.kind == BBO:
        if price != best:
            return False
    elif row.kind != DEPTH:
        return False
    if bid:
        if price > best or (state.asks > 0 and m.asks[0].price <= price):
            return False
        for k in range(state.bids):
            if m.bids[k].price <= price:
                if m.bids[k].price == price:
                    return False
                break
        m.book.bids[i] = row.qty
        if row.qty > 0:
            head.bid_low = min(head.bid_low, price)
    else:
        if price < best or (state.bids > 0 and m.bids[0].price >= price):
            return False
        for k in range(state.asks):
            if m.asks[k].price >= price:
                if m.asks[k].price == price:
                    return False
                break
        m.book.asks[i] = row.qty
        if row.qty > 0:
            head.ask_top = max(head.ask_top, price)
    if row.exch_ns > state.t_ns:
        state.t_ns = row.exch_ns
    return True


@hot_kernel
def on_row(m: Matching, row: Any) -> None:
    """One row of the feed. At most one fill per resting order comes of it."""
    state = m.state[0]
    kind = row.kind
    side = BID if row.side > 0 else ASK
    if row.exch_ns > state.t_ns:
        state.t_ns = row.exch_ns
    if state.gap == RESUMING:
        resume(m)
    if kind == CLEAR:
        clear_to(m.book, side, row.price)
        m.book.head[0].known = True
        if state.gap == IN_GAP:
            state.gap = FIRST_BOOK
    elif kind == GAP:
        m.book.head[0].known = False
        state.gap = IN_GAP
        if m.params[0].end_on_gap:
            state.bids = 0
            state.asks = 0
    elif state.gap != KNOWN:
        if kind == BBO:
            drop_better(m.book, side, row.price)
        if kind == BBO or kind == DEPTH:
            match_level(m.book, side, row.price, row.qty)
    elif kind == DEPTH:
        _on_level(m, side, row.price, row.qty)
    elif kind == TRADE and row.side != 0:
        on_trade(m, side, row.price, row.qty, row.id)
    elif kind == BBO:
        _on_best(m, side, row.price, row.qty)
    if row.last and state.gap == FIRST_BOOK:
        requeue_all(m)
        state.gap = RESUMING
