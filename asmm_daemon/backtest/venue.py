"""The simulated venue of a backtest: requests arrive after their latency, replies come back after theirs.

Both engines use these kernels, around the fill kernel that the embedded exchange uses too. Nothing is
lost on the way and nothing overtakes: requests and replies are queues. An amendment that would cross
cancels its order, as on Binance USD-M; a gap in the recording cancels all. A FUNDING row of the tape is
told like an execution: by then the daemon knows of every one before it, so it holds what the venue had.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.timeline import NEVER, Timeline
from asmm_daemon.core.arrivals import CROSSED, POST_ONLY, amend_order, place_order
from asmm_daemon.core.book import NO_ASK, NO_BID
from asmm_daemon.core.fills import new_matching
from asmm_daemon.core.matching import on_row, set_quiet_level
from asmm_daemon.core.resting import KNOWN, PARTIAL, Matching, find, remove
from asmm_daemon.errors import TapeError
from asmm_daemon.events import FUNDING, GAP, MARK
from asmm_daemon.kernels import flat_kernel, hot_kernel, inner_kernel

PLACE, AMEND, CANCEL, REPLACE, CANCEL_ALL, PROVE, RECONCILE = 0, 1, 2, 3, 4, 5, 6
"""Requests. REPLACE cancels `old` and, if that rested, places `order`."""

ACCEPTED, AMENDED, CANCELLED, EXECUTED, PROVEN, RECONCILED = 0, 1, 2, 3, 4, 5
CREATE_CROSSED, AMEND_CROSSED, AMEND_MISSED, CANCEL_MISSED, NOT_ATTEMPTED = 6, 7, 8, 9, 10
FUNDED = 11
"""Replies: what became of a request, an execution, an order that the venue ended, a funding time."""

REQUEST = np.dtype(
    [
        ("t_ns", np.int64),  # when it reaches the venue
        ("kind", np.int64),
        ("order", np.int64),
        ("side", np.int64),
        ("price", np.int64),  # ticks
        ("qty", np.int64),  # lots of the whole order
        ("old", np.int64),  # REPLACE: the order that leaves
    ],
    align=True,
)
REPLY = np.dtype(
    [
        ("t_ns", np.int64),  # when the daemon sees it
        ("kind", np.int64),
        ("order", np.int64),
        ("side", np.int64),
        ("price", np.int64),  # ticks; FUNDED: the rate times 1e8
        ("qty", np.int64),  # EXECUTED: lots of this execution; AMENDED: lots of the whole order
        ("trade", np.int64),  # EXECUTED: the tape's trade that caused it, -1: none
        ("left", np.int64),  # EXECUTED: lots that still rest; 0 tells the order's end as well
        ("twice_mid", np.int64),  # best bid + best ask in ticks, 0: one is missing; FUNDED: twice the mark
        ("venue_ns", np.int64),
    ],
    align=True,
)
QUEUE = 1024
"""Requests, replies and orders under way at a time; a power of two."""

VENUE = np.dtype(
    [
        ("entry_ns", np.int64),  # from the daemon's decision to the venue
        ("response_ns", np.int64),  # from the venue to the daemon
        ("message", np.int64),  # next message of the tape
        ("row", np.int64),  # its first row
        ("t_ns", np.int64),
        ("requests", np.int64),  # requests sent so far
        ("obeyed", np.int64),
        ("replies", np.int64),  # replies sent so far
        ("read", np.int64),
        ("mark", np.int64),  # ticks, of the latest MARK row; 0: the tape has none
        ("funded_ns", np.int64),  # the latest funding time
    ],
    align=True,
)


class Venue(NamedTuple):
    """Matching, queues and cursors of one market; `filled` counts the lots of the latest QUEUE orders."""

    matching: Matching
    state: NDArray[Any]
    requests: NDArray[Any]
    replies: NDArray[Any]
    filled: NDArray[np.int64]


def new_venue(
    *, entry_ns: int, response_ns: int, power: float = 3.0, mode: int = PARTIAL, width: int = 65536
) -> Venue:
    """An empty venue at the beginning of a tape. Latencies in ns, not negative."""
    if entry_ns < 0 or response_ns < 0:
        raise TapeError(f"latency {entry_ns} + {response_ns} ns: must not be negative")
    state = np.zeros(1, VENUE)
    state["entry_ns"], state["response_ns"] = entry_ns, response_ns
    matching = new_matching(power=power, mode=mode, end_on_gap=True, width=width)
    return Venue(matching, state, np.zeros(QUEUE, REQUEST), np.zeros(QUEUE, REPLY), np.zeros(QUEUE, np.int64))


@flat_kernel
def request(v: Venue, t_ns: int, kind: int, order: int, side: int, price: int, qty: int, old: int) -> None:
    """Sends a request at the daemon's time `t_ns`."""
    s = v.state[0]
    r = v.requests[s.requests % QUEUE]
    r.t_ns = t_ns + s.entry_ns
    r.kind = kind
    r.order = order
    r.side = side
    r.price = price
    r.qty = qty
    r.old = old
    s.requests += 1


@hot_kernel
def _reply(v: Venue, kind: int, order: int, side: int, price: int, qty: int, trade: int) -> None:
    s = v.state[0]
    r = v.replies[s.replies % QUEUE]
    r.t_ns = s.t_ns + s.response_ns
    r.kind = kind
    r.order = order
    r.side = side
    r.price = price
    r.qty = qty
    r.trade = trade
    r.left = 0
    r.twice_mid = 0
    r.venue_ns = s.t_ns
    s.replies += 1


@hot_kernel
def tell_fills(v: Venue) -> None:
    """Sends a reply for each execution; the best prices are those of the venue's book now."""
    state = v.matching.state[0]
    head = v.matching.book.head[0]
    for i in range(state.fills):
        fill = v.matching.fills[i]
        v.filled[fill.order % QUEUE] += fill.qty
        _reply(v, EXECUTED, fill.order, fill.side, fill.price, fill.qty, fill.trade)
        told = v.replies[(v.state[0].replies - 1) % QUEUE]
        told.left = fill.left
        if head.bid != NO_BID and head.ask != NO_ASK:
            told.twice_mid = head.bid + head.ask
    state.fills = 0


@inner_kernel
def on_mark(v: Venue, row: Any) -> None:
    """A mark price is kept; a funding time is told once, with the mark, or the mid where none is known."""
    s = v.state[0]
    if row.kind == MARK:
        s.mark = row.price
    elif row.exch_ns > s.funded_ns:
        s.funded_ns = row.exch_ns
        tell_fills(v)
        _reply(v, FUNDED, -1, 0, row.price, 0, -1)
        head = v.matching.book.head[0]
        told = v.replies[(s.replies - 1) % QUEUE]
        if s.mark > 0:
            told.twice_mid = 2 * s.mark
        elif head.bid != NO_BID and head.ask != NO_ASK:
            told.twice_mid = head.bid + head.ask


@inner_kernel
def cancel_all(v: Venue) -> None:
    """Ends every resting order, and says so."""
    state = v.matching.state[0]
    for i in range(state.bids):
        _reply(v, CANCELLED, v.matching.bids[i].id, 1, 0, 0, -1)
    for i in range(state.asks):
        _reply(v, CANCELLED, v.matching.asks[i].id, -1, 0, 0, -1)
    state.bids = state.asks = 0


@inner_kernel
def _cancel(v: Venue, order: int) -> bool:
    place = find(v.matching, order)
    if place == 0:
        return False
    remove(v.matching, place)
    _reply(v, CANCELLED, order, 1 if place > 0 else -1, 0, 0, -1)
    return True


@hot_kernel
def _place(v: Venue, order: int, side: int, price: int, qty: int) -> None:
    v.filled[order % QUEUE] = 0
    if place_order(v.matching, order, side, price, qty, v.state[0].t_ns, POST_ONLY) == CROSSED:
        _reply(v, CREATE_CROSSED, order, side, price, qty, -1)
    else:
        _reply(v, ACCEPTED, order, side, price, qty, -1)


@hot_kernel
def _amend(v: Venue, order: int, side: int, price: int, qty: int) -> None:
    left = qty - v.filled[order % QUEUE]
    if find(v.matching, order) == 0:
        _reply(v, AMEND_MISSED, order, side, price, qty, -1)
    elif left <= 0:
        _cancel(v, order)
    else:
        told = amend_order(v.matching, order, price, left, v.state[0].t_ns, POST_ONLY)
        if told == CROSSED:
            _cancel(v, order)
            _reply(v, AMEND_CROSSED, order, side, price, qty, -1)
        else:
            _reply(v, AMENDED, order, side, price, qty, -1)


@hot_kernel
def obey(v: Venue, r: Any) -> None:
    """Does what a request asks for, at the venue's present time."""
    kind = r.kind
    if kind == PLACE:
        _place(v, r.order, r.side, r.price, r.qty)
    elif kind == AMEND:
        _amend(v, r.order, r.side, r.price, r.qty)
    elif kind == CANCEL:
        if not _cancel(v, r.order):
            _reply(v, CANCEL_MISSED, r.order, r.side, 0, 0, -1)
    elif kind == REPLACE:
        if _cancel(v, r.old):
            _place(v, r.order, r.side, r.price, r.qty)
        else:
            _reply(v, NOT_ATTEMPTED, r.order, r.side, r.price, r.qty, -1)
            _reply(v, CANCEL_MISSED, r.old, r.side, 0, 0, -1)
    elif kind == CANCEL_ALL:
        cancel_all(v)
    elif kind == RECONCILE or v.matching.state[0].gap == KNOWN:
        _reply(v, RECONCILED if kind == RECONCILE else PROVEN, -1, 0, 0, 0, -1)


@hot_kernel
def next_reply_ns(v: Venue) -> int:
    """When the daemon sees the next reply; NEVER while none is under way."""
    s = v.state[0]
    return v.replies[s.read % QUEUE].t_ns if s.read < s.replies else NEVER


@hot_kernel
def go_on(v: Venue, tape: Timeline, until_ns: int) -> bool:
    """Runs the venue up to and including `until_ns`, or until the next reply comes sooner than that.

    A message comes before requests of its own time. Returns whether a reply comes by then.
    """
    s = v.state[0]
    rows = tape.rows
    while True:
        reply_ns = next_reply_ns(v)
        if reply_ns < until_ns:
            until_ns = reply_ns
        arrival = v.requests[s.obeyed % QUEUE].t_ns if s.obeyed < s.requests else NEVER
        message_ns = tape.venue_ns[s.message] if s.message < tape.ends.size else NEVER
        if message_ns <= arrival:
            if message_ns > until_ns:
                return reply_ns <= until_ns
            s.t_ns = max(s.t_ns, message_ns)
            end = tape.ends[s.message]
            for i in range(s.row, end):
                if not set_quiet_level(v.matching, rows[i]):
                    if rows[i].kind == GAP:
                        cancel_all(v)
                    on_row(v.matching, rows[i])
                    if rows[i].kind >= FUNDING:
                        on_mark(v, rows[i])
            s.row = end
            s.message += 1
            if v.matching.state[0].fills > 0:
                tell_fills(v)
        else:
            if arrival > until_ns:
                return reply_ns <= until_ns
            s.t_ns = max(s.t_ns, arrival)
            obey(v, v.requests[s.obeyed % QUEUE])
            s.obeyed += 1
