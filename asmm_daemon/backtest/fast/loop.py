"""The event loop of the fast engine: venue, replies, messages, quote cycles and beats in time's order.

At one time the venue comes first, then its replies, then market messages, the quote cycle, the beat.
"""

from typing import Any

import numpy as np

from asmm_daemon.backtest.fast.calm import is_calm, plan_beat
from asmm_daemon.backtest.fast.fed import go_on
from asmm_daemon.backtest.fast.follow import (
    HORIZONS_NS,
    arrive,
    asking,
    pass_by,
    seen_by,
    stop,
    wake,
)
from asmm_daemon.backtest.fast.money import move, net_beyond_holding, pay_funding, watch_account
from asmm_daemon.backtest.fast.quoting import (
    may_quote,
    prepare,
    requote,
    strike,
    sync,
)
from asmm_daemon.backtest.fast.records import LEAVING, RING, Fast
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
from asmm_daemon.backtest.fast.watch import beat, follow, on_account
from asmm_daemon.backtest.venue import (
    ACCEPTED,
    AMEND_CROSSED,
    AMEND_MISSED,
    AMENDED,
    CANCELLED,
    CREATE_CROSSED,
    EXECUTED,
    FUNDED,
    NOT_ATTEMPTED,
    PROVEN,
    QUEUE,
    RECONCILED,
    next_reply_ns,
)
from asmm_daemon.core.features import own_features
from asmm_daemon.kernels import flat_kernel, inlined_kernel, inner_kernel
from asmm_daemon.units import NS_PER_S

OVER, ASKS, FULL = 0, 1, 2
"""Why a run stopped: its end, a policy is to choose, or `fills` is nearly full."""
_OVERTAKEN_S, _OVERTAKEN_MOST_S = 0.05, 2.0


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
    d.later_ns = min(d.later_ns, t_ns + HORIZONS_NS[0])
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
        strike(f, side, level, _OVERTAKEN_S, _OVERTAKEN_MOST_S)
    if f.desk[0].quoting:
        requote(f)


@inlined_kernel
def _on_refused(f: Fast, kind: int, order: int, side: int) -> None:
    at = find_order(f, order)
    level = f.levels[order % QUEUE]
    if kind == CREATE_CROSSED or kind == AMEND_CROSSED or kind == AMEND_MISSED:
        f.desk[0].crossed += kind != AMEND_MISSED
        strike(f, side, level, _OVERTAKEN_S, _OVERTAKEN_MOST_S)
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
    elif kind == FUNDED:
        pay_funding(f, r.price, r.twice_mid)
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
    step.equity = net_beyond_holding(f)
    step.target = d.hold_target
    step.realised = d.cash + d.cost
    step.fees = d.fees
    step.funding = d.funding
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
def _observe(f: Fast, trail: Trail, t_ns: int) -> None:
    """The features of a quote cycle: the market's from the trail, and ours."""
    head = trail.head[0]
    at = (t_ns - head.cycle_ns) // head.cycle_step_ns
    for k in range(f.features.size):
        f.features[k] = trail.features[at, k]
    prepare(f)
    own_features(f.market, f.params, f.inventory, t_ns, f.features)


@inlined_kernel
def _begin_cycle(f: Fast, trail: Trail) -> bool:
    """A quote cycle: the step that ends, features for the next; whether quotes are wanted now."""
    d = f.desk[0]
    write_step(f)
    if d.asks:
        _observe(f, trail, d.cycle_ns)
    d.cycle_ns += d.cycle_step_ns
    return may_quote(f)


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
        calls = asking(f, trail, t_ns)
        if calls > 0:
            t_ns = trail.tape.local_ns[calls - 1]
        if go_on(f.venue, trail, t_ns):
            t_ns = next_reply_ns(f.venue)
            pass_by(f, trail, seen_by(f, trail, t_ns - 1))
            arrive(f, trail, t_ns)
            _on_reply(f)
            wake(f)
            if d.fills >= room:
                return FULL
        elif calls > 0:
            pass_by(f, trail, calls)
            arrive(f, trail, t_ns)
            requote(f)
            wake(f)
        else:
            pass_by(f, trail, seen_by(f, trail, t_ns))
            if t_ns == d.cycle_ns:
                arrive(f, trail, t_ns)
                wanted = _begin_cycle(f, trail)
                if wanted and not d.asks:
                    requote(f)
                wake(f)
                if wanted and d.asks:
                    return ASKS
            elif t_ns == d.watch_ns:
                arrive(f, trail, t_ns)
                beat(f)
                wake(f)
                d.calm = is_calm(f)
                plan_beat(f, trail)
            else:
                stop(f, trail, end_ns)
                return OVER


@flat_kernel
def act(f: Fast) -> None:
    """Quotes by the action that the caller wrote into the desk."""
    requote(f)
    wake(f)
