"""The event loop of the fast engine: venue, replies, messages, quote cycles and beats in time's order.

At one time the venue comes first, then its replies, then market messages, the quote cycle, the beat.
"""

from typing import Any

import numpy as np

from asmm_daemon.backtest.fast.gate import fits
from asmm_daemon.backtest.fast.money import move, net, watch_account
from asmm_daemon.backtest.fast.quoting import (
    limit_share,
    may_quote,
    prepare,
    requote,
    strike,
    sync,
)
from asmm_daemon.backtest.fast.feed import go_on
from asmm_daemon.backtest.fast.records import LEAVING, RING, WARMING, WATCH_NS, Fast
from asmm_daemon.backtest.fast.table import (
    CHANGED,
    FREED,
    accept,
    amended,
    book_lots,
    drop_order,
    find_order,
)
from asmm_daemon.backtest.fast.trail import Trail
from asmm_daemon.backtest.fast.watch import beat, calm_until, follow, is_calm, on_account
from asmm_daemon.backtest.result import HORIZONS_S
from asmm_daemon.backtest.timeline import NEVER
from asmm_daemon.backtest.venue import (
    ACCEPTED,
    AMEND_CROSSED,
    AMEND_MISSED,
    AMENDED,
    CANCELLED,
    CREATE_CROSSED,
    EXECUTED,
    NOT_ATTEMPTED,
    PROVEN,
    QUEUE,
    RECONCILED,
    next_reply_ns,
)
from asmm_daemon.core import volatility as vol
from asmm_daemon.core.decision import held_prices
from asmm_daemon.core.features import features
from asmm_daemon.core.market import message
from asmm_daemon.kernels import flat_kernel, hot_kernel, inlined_kernel, inner_kernel
from asmm_daemon.units import NS_PER_S

OVER, ASKS, FULL = 0, 1, 2
"""Why a run stopped: its end, a policy is to choose, or `fills` is nearly full."""
NEAR_BPS = 5.0
NEAR_TICKS = 2.0
LIMIT_SHARE = 0.9
_HORIZONS_NS = tuple(int(horizon * NS_PER_S) for horizon in HORIZONS_S)
_POST_ONLY_S, _POST_ONLY_MOST_S, _OTHER_S, _OTHER_MOST_S = 0.05, 2.0, 1.0, 15.0


@hot_kernel
def count_time(f: Fast, t_ns: int) -> None:
    """Adds the time since the last event to what held during it."""
    d = f.desk[0]
    span = t_ns - d.counted_ns
    if span <= 0:
        return
    d.counted_ns = t_ns
    m = f.market.market[0]
    if not m.valid:
        return
    d.healthy_ns += span
    reach = max(NEAR_BPS * 1e-4 * m.mid, NEAR_TICKS)
    bid = d.bid > 0 and m.mid - d.bid <= reach
    ask = d.ask > 0 and d.ask - m.mid <= reach
    if bid:
        d.near_bid_ns += span
    if ask:
        d.near_ask_ns += span
    if bid and ask:
        d.near_both_ns += span
    if not d.opened or (not f.params[0].spot and fits(f, d.lots, LIMIT_SHARE)):
        return
    if limit_share(f) > LIMIT_SHARE:
        d.limit_ns += span


@inner_kernel
def _read_later(f: Fast, t_ns: int) -> None:
    """The mid that held until `t_ns`, for the fills whose horizons are over by then."""
    d = f.desk[0]
    m = f.market.market[0]
    mid = m.mid * f.params[0].tick if m.valid else np.nan
    d.later_ns = NEVER
    for h in range(len(_HORIZONS_NS)):
        while d.later[h] < d.fills:
            due = f.fills[d.later[h]].t_ns + _HORIZONS_NS[h]
            if due > t_ns:
                d.later_ns = min(d.later_ns, due)
                break
            f.fills[d.later[h]].later[h] = mid
            d.later[h] += 1


@hot_kernel
def _pass_by(f: Fast, trail: Trail, message: int) -> None:
    """Sees messages that call for nothing, up to so many."""
    d = f.desk[0]
    if message <= d.message:
        return
    m = f.market.market[0]
    head = trail.head[0]
    while d.move < head.moves:
        top = trail.tops[trail.moves[d.move]]
        if top.message > message:
            break
        if d.later_ns <= top.t_ns:
            _read_later(f, top.t_ns)
        count_time(f, top.t_ns)
        m.mid = 0.5 * (top.bid + top.ask)
        m.valid = top.valid
        d.top = trail.moves[d.move]
        d.move += 1
    d.message = message
    seen_ns = trail.tape.local_ns[message - 1]
    if d.later_ns <= seen_ns:
        _read_later(f, seen_ns)


@hot_kernel
def _seen_by(f: Fast, trail: Trail, t_ns: int) -> int:
    """Messages that the daemon has seen at a time."""
    message = f.desk[0].message
    while message < trail.head[0].end and trail.tape.local_ns[message] <= t_ns:
        message += 1
    return message


@inner_kernel
def _see_ready(f: Fast, trail: Trail) -> None:
    """Whether σ was ready when the market's clock moved last: with a message or a cycle, not with a beat."""
    d = f.desk[0]
    clock_ns = d.cycle_ns - d.cycle_step_ns
    if d.message > 0:
        clock_ns = max(clock_ns, trail.tape.local_ns[d.message - 1])
    at = d.moment
    while at > 0 and trail.moments[at].t_ns > clock_ns:
        at -= 1
    d.ready = vol.is_ready(trail.volatility[at : at + 1])


@hot_kernel
def _see_moment(f: Fast, trail: Trail, at: int) -> None:
    m = f.market.market[0]
    f.desk[0].moment = at
    f.market.volatility[0] = trail.volatility[at]
    f.market.intensity[0] = trail.intensity[at]
    m.funding_rate = trail.moments[at].funding_rate
    m.funding_ns = trail.moments[at].funding_ns


@hot_kernel
def _arrive(f: Fast, trail: Trail, t_ns: int) -> None:
    """Time is `t_ns` now, at the messages seen: brings up to that what decisions and switches read."""
    d = f.desk[0]
    m = f.market.market[0]
    head = trail.head[0]
    count_time(f, t_ns)
    d.now_ns = max(d.now_ns, t_ns)
    while d.top + 1 < head.tops and trail.tops[d.top + 1].message <= d.message:
        d.top += 1
    top = trail.tops[d.top]
    m.bid = top.bid
    m.ask = top.ask
    m.mid = 0.5 * (top.bid + top.ask)
    m.micro = top.micro
    m.valid = top.valid
    m.now_ns = d.now_ns
    at = d.moment
    while at + 1 < head.moments:
        later = trail.moments[at + 1]
        if later.message > d.message or (later.message == d.message and later.t_ns > d.now_ns):
            break
        at += 1
    if at != d.moment:
        _see_moment(f, trail, at)
    if d.causes & WARMING:
        _see_ready(f, trail)
    d.proof_ns = max(d.proof_ns, trail.proof_ns[d.message - head.first])
    d.heard_ns = max(d.heard_ns, trail.heard_ns[d.message - head.first])


@hot_kernel
def _asking(f: Fast, trail: Trail, until_ns: int) -> int:
    """The first message up to a time at which the price calls for a new decision, as a count; 0: none."""
    d = f.desk[0]
    least_ns = f.limits[0].min_requote_s * NS_PER_S
    if not d.quoting or until_ns - d.decided_ns < least_ns:
        return 0
    head = trail.head[0]
    micro, micro_reach, mid, mid_reach = held_prices(f.params, f.decision)
    while d.scanned < head.tops:
        top = trail.tops[d.scanned]
        if top.t_ns > until_ns:
            return 0
        last = d.scanned + 1 == head.tops
        end = head.end if last else trail.tops[d.scanned + 1].message - 1
        left = abs(top.micro - micro) > micro_reach or abs(0.5 * (top.bid + top.ask) - mid) > mid_reach
        if top.valid and left:
            message = max(top.message, d.message + 1)
            while message <= end:
                t_ns = trail.tape.local_ns[message - 1]
                if t_ns > until_ns:
                    return 0
                if t_ns - d.decided_ns >= least_ns:
                    return message
                message += 1
        if last:
            return 0
        d.scanned += 1
    return 0


@hot_kernel
def _plan_beat(f: Fast, trail: Trail) -> None:
    """The next beat after the last one, or, where all is calm, the first after something changes."""
    d = f.desk[0]
    head = trail.head[0]
    until_ns = 0
    if d.calm:
        moves = d.move < head.moves
        moved_ns = trail.tops[trail.moves[d.move]].t_ns if moves else head.stop_ns + 1
        until_ns = min(calm_until(f), moved_ns)
    d.watch_ns = d.beat_ns + max(-((d.beat_ns - until_ns) // WATCH_NS), 1) * WATCH_NS


@hot_kernel
def _wake(f: Fast) -> None:
    """After what happened to us the next beat counts, and the price is measured from here."""
    d = f.desk[0]
    d.calm = False
    d.scanned = d.top
    d.watch_ns = d.beat_ns + max(-((d.beat_ns - d.now_ns) // WATCH_NS), 1) * WATCH_NS


@inner_kernel
def _repeated(f: Fast, side: int, order: int) -> None:
    """Counts an executed order, its parts once; too many of a side take it off."""
    d = f.desk[0]
    limits = f.limits[0]
    window = limits.repeat_window_s * NS_PER_S
    while d.executed_from < d.executed and d.now_ns - f.executed[d.executed_from % RING].t_ns > window:
        d.executed_from += 1
    count = 0
    known = False
    for i in range(d.executed_from, d.executed):
        each = f.executed[i % RING]
        known = known or each.order == order
        count += each.side == side
    if not known:
        new = f.executed[d.executed % RING]
        new.t_ns = d.now_ns
        new.side = side
        new.order = order
        d.executed += 1
        count += 1
    bit = 1 if side > 0 else 2
    if count >= limits.repeat_fills and not d.off & bit:
        d.off |= bit
        d.off_ns[bit - 1] = d.now_ns


@inlined_kernel
def _on_fill(f: Fast, told: Any) -> None:
    d = f.desk[0]
    p = f.params[0]
    order = told.order
    side = told.side
    price = told.price
    qty = told.qty
    t_ns = told.venue_ns
    left = told.left
    if not d.opened:
        return
    move(f, side, price, qty)
    fill = f.fills[d.fills]
    fill.t_ns = t_ns
    fill.order = order
    fill.trade = told.trade
    fill.side = side
    fill.maker = True
    fill.price = price * p.tick
    fill.qty = qty * p.lot
    fill.fee = fill.price * fill.qty * p.maker_fee
    fill.mid = 0.5 * told.twice_mid * p.tick if told.twice_mid > 0 else np.nan
    fill.later[:] = np.nan
    d.fills += 1
    d.later_ns = min(d.later_ns, t_ns + _HORIZONS_NS[0])
    book_lots(f, order, qty)
    _repeated(f, side, order)
    watch_account(f)
    follow(f)
    requote(f)
    at = find_order(f, order)
    if left == 0 and at >= 0:
        drop_order(f, at)
        if d.quoting:
            requote(f)


@inlined_kernel
def _on_cancelled(f: Fast, order: int) -> None:
    at = find_order(f, order)
    if at < 0:
        return
    entry = f.orders[at]
    asked = entry.state == LEAVING
    side = entry.side
    level = entry.level
    drop_order(f, at)
    if not asked:
        strike(f, side, level, _POST_ONLY_S, _POST_ONLY_MOST_S)
    if f.desk[0].quoting:
        requote(f)


@inlined_kernel
def _on_refused(f: Fast, kind: int, order: int, side: int) -> None:
    at = find_order(f, order)
    level = f.levels[order % QUEUE]
    if kind == CREATE_CROSSED or kind == AMEND_CROSSED:
        f.desk[0].crossed += 1
        strike(f, side, level, _POST_ONLY_S, _POST_ONLY_MOST_S)
    elif kind == AMEND_MISSED:
        strike(f, side, level, _OTHER_S, _OTHER_MOST_S)
    if at >= 0 and (kind == CREATE_CROSSED or kind == NOT_ATTEMPTED):
        drop_order(f, at)
        if f.desk[0].quoting:
            requote(f)


@inlined_kernel
def _on_reply(f: Fast) -> None:
    v = f.venue
    s = v.state[0]
    r = v.replies[s.read % QUEUE]
    s.read += 1
    d = f.desk[0]
    kind = r.kind
    if kind == EXECUTED:
        _on_fill(f, r)
    elif kind == ACCEPTED or kind == AMENDED:
        told = accept(f, r.order) if kind == ACCEPTED else amended(f, r.order, r.price, r.qty)
        if d.quoting and told == FREED:
            requote(f)
        elif d.quoting and told == CHANGED:
            sync(f)
    elif kind == CANCELLED:
        _on_cancelled(f, r.order)
    elif kind == PROVEN:
        d.proof_ns = max(d.proof_ns, d.now_ns)
        d.heard_ns = d.now_ns
    elif kind == RECONCILED:
        on_account(f)
    else:
        _on_refused(f, kind, r.order, r.side)


@flat_kernel
def write_step(f: Fast) -> None:
    """The record of the cycle that ends now; where the room ends the oldest is written over."""
    d = f.desk[0]
    p = f.params[0]
    step = f.steps[d.steps % f.steps.size]
    mid = f.market.market[0].mid * p.tick
    step.t_ns = d.now_ns
    step.mid = mid if mid > 0.0 else np.nan
    step.inventory = d.lots * p.lot
    step.equity = net(f)
    step.realised = d.cash + d.cost
    step.fees = d.fees
    step.volume = d.volume
    step.bid = d.bid * p.tick if d.bid > 0 else np.nan
    step.ask = d.ask * p.tick if d.ask > 0 else np.nan
    chosen = f.decision[0]
    step.half_spread = chosen.half_spread if d.quoting else np.nan
    step.gamma = d.gamma
    step.skew = d.skew
    step.sigma = chosen.sigma
    step.kappa = chosen.kappa
    step.action = d.action
    step.healthy_s = d.healthy_ns / NS_PER_S
    step.near_bid_s = d.near_bid_ns / NS_PER_S
    step.near_ask_s = d.near_ask_ns / NS_PER_S
    step.near_both_s = d.near_both_ns / NS_PER_S
    step.limit_s = d.limit_ns / NS_PER_S
    d.healthy_ns = d.near_bid_ns = d.near_ask_ns = d.near_both_ns = d.limit_ns = 0
    d.steps += 1


@inner_kernel
def _feed(f: Fast, trail: Trail) -> None:
    d = f.desk[0]
    tape = trail.tape
    row = tape.ends[d.fed - 1] if d.fed > 0 else 0
    for i in range(d.fed, d.message):
        message(f.sight, f.params, tape.rows, row, tape.ends[i])
        row = tape.ends[i]
    d.fed = d.message


@inlined_kernel
def _begin_cycle(f: Fast, trail: Trail) -> bool:
    """A quote cycle: the step that ends, features for the next; whether quotes are wanted now."""
    d = f.desk[0]
    write_step(f)
    d.cycle_ns += d.cycle_step_ns
    if d.asks:
        prepare(f)
        _feed(f, trail)
        features(f.sight, f.params, f.inventory, d.now_ns, f.features)
    return may_quote(f)


@flat_kernel
def enter(f: Fast, trail: Trail, top: int, move: int, moment: int) -> None:
    """Takes up a stretch of the trail, at the top and the moment in force and before the next move."""
    d = f.desk[0]
    d.top = d.scanned = top
    d.move = move
    _see_moment(f, trail, moment)
    f.market.market[0].first_ns = trail.head[0].first_ns
    if d.calm:
        _plan_beat(f, trail)


@flat_kernel
def run(f: Fast, trail: Trail, end_ns: int) -> int:
    """Goes on to a time within the stretch: OVER, ASKS or FULL.

    After ASKS the caller writes γ, skew and the action's number into the desk and calls `act`, then goes
    on; after FULL it makes room in `fills`.
    """
    d = f.desk[0]
    room = f.fills.size - QUEUE
    while True:
        t_ns = min(d.cycle_ns, d.watch_ns, end_ns)
        asking = _asking(f, trail, t_ns)
        if asking > 0:
            t_ns = trail.tape.local_ns[asking - 1]
        if go_on(f.venue, trail, t_ns):
            t_ns = next_reply_ns(f.venue)
            _pass_by(f, trail, _seen_by(f, trail, t_ns - 1))
            _arrive(f, trail, t_ns)
            _on_reply(f)
            _wake(f)
            if d.fills >= room:
                return FULL
        elif asking > 0:
            _pass_by(f, trail, asking)
            _arrive(f, trail, t_ns)
            requote(f)
            _wake(f)
        else:
            _pass_by(f, trail, _seen_by(f, trail, t_ns))
            if t_ns == d.cycle_ns:
                _arrive(f, trail, t_ns)
                wanted = _begin_cycle(f, trail)
                if wanted and not d.asks:
                    requote(f)
                _wake(f)
                if wanted and d.asks:
                    return ASKS
            elif t_ns == d.watch_ns:
                _arrive(f, trail, t_ns)
                beat(f)
                _wake(f)
                d.calm = is_calm(f)
                _plan_beat(f, trail)
            else:
                _stop(f, trail, end_ns)
                return OVER


@inner_kernel
def _stop(f: Fast, trail: Trail, end_ns: int) -> None:
    """The last event up to the end may have been one that called for nothing."""
    d = f.desk[0]
    beat_ns = d.beat_ns + max(end_ns - d.beat_ns, 0) // WATCH_NS * WATCH_NS
    seen_ns = trail.tape.local_ns[d.message - 1] if d.message > trail.head[0].first else 0
    t_ns = max(beat_ns, seen_ns)
    if t_ns > d.now_ns:
        _arrive(f, trail, t_ns)


@flat_kernel
def act(f: Fast) -> None:
    """Quotes by the action that the caller wrote into the desk."""
    requote(f)
    _wake(f)
