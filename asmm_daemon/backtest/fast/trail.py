"""What a stretch of a tape shows to every daemon alike: no order of ours changes it.

On the daemon's side that is the top of its book after each message, and its estimators after each change;
on the venue's side the feed as changes of single levels (`feed`), and the venue's best prices. One pass
over the rows finds both, and any number of daemons goes through them.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.timeline import NEVER, Timeline
from asmm_daemon.core.features import N_STATE, market_features
from asmm_daemon.core.intensity import INTENSITY
from asmm_daemon.core.market import MERGE_NS, MarketState, advance, message
from asmm_daemon.core.params import Params
from asmm_daemon.core.volatility import VOLATILITY
from asmm_daemon.events import BBO, DEPTH, TRADE
from asmm_daemon.kernels import flat_kernel, hot_kernel, inner_kernel
from asmm_daemon.units import NS_PER_S

TOP = np.dtype(
    [
        ("message", np.int64),  # in force once so many messages of the tape are seen
        ("t_ns", np.int64),  # when the last of them is
        ("bid", np.int64),  # as in MARKET
        ("ask", np.int64),
        ("micro", np.float64),
        ("valid", np.bool_),
    ],
    align=True,
)
MOMENT = np.dtype(
    [
        ("message", np.int64),  # in force from a time after so many messages
        ("t_ns", np.int64),
        ("funding_rate", np.float64),
        ("funding_ns", np.int64),
    ],
    align=True,
)
"""When estimators or funding changed; their records stand beside it."""
MOVE = np.dtype(
    [
        ("message", np.int64),  # as in TOP
        ("t_ns", np.int64),
        ("mid", np.float64),  # ticks
        ("valid", np.bool_),
    ],
    align=True,
)
"""A change of the mid or of the book's validity."""
ITEM = np.dtype(
    [
        ("price", np.int64),
        ("qty", np.int64),
        ("row", np.int32),  # counted from the stretch's first
        ("kind", np.int8),
        ("side", np.int8),
    ],
    align=True,
)
"""A change of the venue's feed: see `feed`."""
SILENCE_NS = NS_PER_S // 2
"""Silences of the book longer than this are noted."""
SILENCE = np.dtype([("from_ns", np.int64), ("to_ns", np.int64)], align=True)
"""From one proof of the book's currency to the next."""
HEAD = np.dtype(
    [
        ("stop_ns", np.int64),  # the stretch's end
        ("first_ns", np.int64),  # time of the market's first message
        ("first", np.int64),  # its messages on the daemon's side, from and to
        ("end", np.int64),
        ("venue_first", np.int64),  # and on the venue's
        ("venue_end", np.int64),
        ("venue_row", np.int64),
        ("proof_ns", np.int64),  # at its end
        ("heard_ns", np.int64),
        ("tops", np.int64),
        ("moves", np.int64),
        ("moments", np.int64),
        ("silences", np.int64),
        ("cycles", np.int64),
        ("cycle_ns", np.int64),  # the first quote cycle whose features are noted, and the next one
        ("next_cycle_ns", np.int64),
        ("cycle_step_ns", np.int64),  # 0: nobody asks for features
        ("items", np.int64),
    ],
    align=True,
)


class Trail(NamedTuple):
    """One stretch; entry 0 of `tops`, `moments`, `top_at`, `proof_ns`, `heard_ns`, `bests`: at its start.

    `moves` are the changes of the mid or of the book's validity. `top_at`, `proof_ns` and `heard_ns` say, for
    each count of messages, which of `tops` is in force, and when the book and when anything was last heard
    of. `features` are the market's own at every quote cycle, since what a policy sees of it does not depend
    on us. `places` say of each of `items` where it lies in the venue's book; `item_ends` and `bests` (bid,
    ask, the tick at which the book's window begins) belong to the venue's messages.
    """

    head: NDArray[Any]
    tape: Timeline
    tops: NDArray[Any]
    moves: NDArray[Any]
    top_at: NDArray[np.int64]
    moments: NDArray[Any]
    volatility: NDArray[Any]
    intensity: NDArray[Any]
    silences: NDArray[Any]
    features: NDArray[np.float64]
    proof_ns: NDArray[np.int64]
    heard_ns: NDArray[np.int64]
    items: NDArray[Any]
    places: NDArray[np.int32]
    item_ends: NDArray[np.int64]
    bests: NDArray[np.int64]


def new_trail(tape: Timeline, *, messages: int, rows: int, cycles: int) -> Trail:
    """Room for a stretch of so many messages and rows on either side, and quote cycles."""
    return Trail(
        head=np.zeros(1, HEAD),
        tape=tape,
        tops=np.empty(messages + 1, TOP),
        moves=np.empty(messages + 1, MOVE),
        top_at=np.zeros(messages + 1, np.int64),
        moments=np.empty(messages + rows + 1, MOMENT),
        volatility=np.empty(messages + rows + 1, VOLATILITY),
        intensity=np.empty(messages + rows + 1, INTENSITY),
        silences=np.empty(messages, SILENCE),
        features=np.empty((cycles, N_STATE)),
        proof_ns=np.zeros(messages + 1, np.int64),
        heard_ns=np.zeros(messages + 1, np.int64),
        items=np.empty(4 * rows, ITEM),
        places=np.empty(4 * rows, np.int32),
        item_ends=np.empty(messages, np.int64),
        bests=np.empty((messages + 1, 3), np.int64),
    )


@hot_kernel
def up_to(times: NDArray[np.int64], t_ns: int) -> int:
    """How many of these times, which never step back, are up to `t_ns`."""
    for i in range(times.size):
        if times[i] > t_ns:
            return i
    return times.size


@hot_kernel
def _note_top(trail: Trail, state: MarketState, seen: int) -> None:
    head = trail.head[0]
    m = state.market[0]
    top = trail.tops[head.tops]
    top.message = seen
    top.t_ns = m.now_ns
    top.bid = m.bid
    top.ask = m.ask
    top.micro = m.micro
    top.valid = m.valid
    head.tops += 1


@hot_kernel
def _note_move(trail: Trail, state: MarketState, seen: int) -> None:
    head = trail.head[0]
    m = state.market[0]
    move = trail.moves[head.moves]
    move.message = seen
    move.t_ns = m.now_ns
    move.mid = 0.5 * (m.bid + m.ask)
    move.valid = m.valid
    head.moves += 1


@hot_kernel
def _note_moment(trail: Trail, state: MarketState, seen: int) -> None:
    head = trail.head[0]
    m = state.market[0]
    moment = trail.moments[head.moments]
    moment.message = seen
    moment.t_ns = m.now_ns
    moment.funding_rate = m.funding_rate
    moment.funding_ns = m.funding_ns
    trail.volatility[head.moments] = state.volatility[0]
    trail.intensity[head.moments] = state.intensity[0]
    head.moments += 1


@hot_kernel
def _pass_time(trail: Trail, state: MarketState, params: Params, seen: int, t_ns: int) -> None:
    # the samples and the ends of taker orders that are due by then, each at its own time
    m = state.market[0]
    e = state.intensity[0]
    while m.now_ns > 0:
        due_ns = m.sample_ns
        counted = e.slow_beyond
        if e.side != 0:
            due_ns = min(due_ns, e.local_ns + MERGE_NS + 1)
        if due_ns > t_ns:
            return
        sampled = due_ns == m.sample_ns
        advance(state, params, due_ns)
        if sampled or e.slow_beyond != counted:
            _note_moment(trail, state, seen)


@inner_kernel
def _note_cycles(trail: Trail, state: MarketState, params: Params, seen: int, t_ns: int) -> int:
    # the features of the quote cycles before a time; when the next one is
    head = trail.head[0]
    if head.cycle_step_ns == 0:
        return NEVER
    while head.next_cycle_ns < t_ns:
        _pass_time(trail, state, params, seen, head.next_cycle_ns)
        market_features(state, params, head.next_cycle_ns, trail.features[head.cycles])
        head.cycles += 1
        head.next_cycle_ns += head.cycle_step_ns
    return head.next_cycle_ns


@flat_kernel
def see(trail: Trail, state: MarketState, params: Params) -> None:
    """The daemon's side of a stretch, whose messages stand in the head; `state` goes on with it."""
    head = trail.head[0]
    tape = trail.tape
    m = state.market[0]
    e = state.intensity[0]
    head.tops = head.moves = head.moments = head.silences = head.cycles = 0
    head.cycle_ns = head.next_cycle_ns
    _note_top(trail, state, head.first)
    _note_moment(trail, state, head.first)
    row = tape.ends[head.first - 1] if head.first > 0 else 0
    proof_ns = trail.proof_ns[0] = head.proof_ns
    heard_ns = trail.heard_ns[0] = head.heard_ns
    cycle_ns = _note_cycles(trail, state, params, head.first, 0)
    for i in range(head.first, head.end):
        if tape.local_ns[i] > cycle_ns:
            cycle_ns = _note_cycles(trail, state, params, i, tape.local_ns[i])
        _pass_time(trail, state, params, i, tape.local_ns[i])
        valid, bid, ask, micro = m.valid, m.bid, m.ask, m.micro
        counted, prior = e.slow_beyond, e.prior_ticks
        rate, due_ns = m.funding_rate, m.funding_ns
        end = tape.ends[i]
        message(state, params, tape.rows, row, end)
        row = end
        moved = m.valid != valid or m.bid + m.ask != bid + ask
        if moved or m.micro != micro or m.bid != bid:
            if moved:
                _note_move(trail, state, i + 1)
            _note_top(trail, state, i + 1)
        funded = m.funding_ns != due_ns or (m.funding_rate != rate and np.isfinite(m.funding_rate))
        if funded or e.slow_beyond != counted or e.prior_ticks != prior:
            _note_moment(trail, state, i + 1)
        kind = tape.rows[end - 1].kind
        if kind == DEPTH or kind == BBO:
            if tape.local_ns[i] - proof_ns > SILENCE_NS:
                trail.silences[head.silences].from_ns = proof_ns
                trail.silences[head.silences].to_ns = tape.local_ns[i]
                head.silences += 1
            proof_ns = heard_ns = tape.local_ns[i]
        elif kind == TRADE:
            heard_ns = tape.local_ns[i]
        trail.top_at[i + 1 - head.first] = head.tops - 1
        trail.proof_ns[i + 1 - head.first] = proof_ns
        trail.heard_ns[i + 1 - head.first] = heard_ns
    _note_cycles(trail, state, params, head.end, head.stop_ns + 1)
    _pass_time(trail, state, params, head.end, head.stop_ns)
    head.first_ns, head.proof_ns, head.heard_ns = m.first_ns, proof_ns, heard_ns
