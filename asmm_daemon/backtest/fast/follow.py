"""Where a daemon stands in the trail of its tape: what it passes by, what it stops at, when its beat counts.

Between two of our own events a daemon reads nothing but the top of its book: time near the mid is counted
from one move of the mid to the next, and estimators are looked up when something is decided.
"""

import numpy as np

from asmm_daemon.backtest.fast.calm import plan_beat
from asmm_daemon.backtest.fast.gate import fits
from asmm_daemon.backtest.fast.quoting import limit_share
from asmm_daemon.backtest.fast.records import WARMING, WATCH_NS, Fast
from asmm_daemon.backtest.fast.trail import Trail, up_to
from asmm_daemon.backtest.fast.watch import beat_by, note_mid
from asmm_daemon.backtest.result import HORIZONS_S
from asmm_daemon.backtest.timeline import NEVER
from asmm_daemon.core import volatility as vol
from asmm_daemon.core.decision import held_prices
from asmm_daemon.kernels import flat_kernel, hot_kernel, inner_kernel
from asmm_daemon.units import NS_PER_S

NEAR_BPS, NEAR_TICKS = 5.0, 2.0
"""A quote within either of the mid is near the market."""
LIMIT_SHARE = 0.9
HORIZONS_NS = tuple(int(horizon * NS_PER_S) for horizon in HORIZONS_S)


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
    for h in range(len(HORIZONS_NS)):
        while d.later[h] < d.fills:
            due = f.fills[d.later[h]].t_ns + HORIZONS_NS[h]
            if due > t_ns:
                d.later_ns = min(d.later_ns, due)
                break
            f.fills[d.later[h]].later[h] = mid
            d.later[h] += 1


@hot_kernel
def pass_by(f: Fast, trail: Trail, message: int) -> None:
    """Sees messages that call for nothing, up to so many."""
    d = f.desk[0]
    if message <= d.message:
        return
    m = f.market.market[0]
    head = trail.head[0]
    while d.move < head.moves:
        move = trail.moves[d.move]
        if move.message > message:
            break
        if d.later_ns <= move.t_ns:
            _read_later(f, move.t_ns)
        count_time(f, move.t_ns)
        if move.t_ns > d.unseen_ns:
            if d.unseen_ns > 0:
                note_mid(f, d.unseen_ns, m.mid)
            d.unseen_ns = beat_by(f, move.t_ns)
        m.mid = move.mid
        m.valid = move.valid
        d.move += 1
    d.message = message
    seen_ns = trail.tape.local_ns[message - 1]
    if d.later_ns <= seen_ns:
        _read_later(f, seen_ns)


@hot_kernel
def seen_by(f: Fast, trail: Trail, t_ns: int) -> int:
    """Messages that the daemon has seen at a time."""
    message = f.desk[0].message
    return message + up_to(trail.tape.local_ns[message : trail.head[0].end], t_ns)


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
def arrive(f: Fast, trail: Trail, t_ns: int) -> None:
    """Time is `t_ns` now, at the messages seen: brings up to that what decisions and switches read."""
    d = f.desk[0]
    m = f.market.market[0]
    head = trail.head[0]
    count_time(f, t_ns)
    d.now_ns = max(d.now_ns, t_ns)
    d.top = trail.top_at[d.message - head.first]
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
def asking(f: Fast, trail: Trail, until_ns: int) -> int:
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
def wake(f: Fast) -> None:
    """After what happened to us the next beat counts, and the price is measured from here."""
    d = f.desk[0]
    d.calm = False
    d.scanned = d.top
    d.watch_ns = beat_by(f, d.now_ns)


@flat_kernel
def enter(f: Fast, trail: Trail, move: int, moment: int, silence: int) -> None:
    """Takes up a stretch of the trail: the next move, the moment in force, the next silence's end."""
    d = f.desk[0]
    d.top = d.scanned = trail.top_at[d.message - trail.head[0].first]
    d.move = move
    d.silence = silence
    _see_moment(f, trail, moment)
    f.market.market[0].first_ns = trail.head[0].first_ns
    if d.calm:
        plan_beat(f, trail)


@inner_kernel
def stop(f: Fast, trail: Trail, end_ns: int) -> None:
    """The last event up to the end may have been one that called for nothing."""
    d = f.desk[0]
    beat_ns = d.beat_ns + max(end_ns - d.beat_ns, 0) // WATCH_NS * WATCH_NS
    seen_ns = trail.tape.local_ns[d.message - 1] if d.message > trail.head[0].first else 0
    t_ns = max(beat_ns, seen_ns)
    if t_ns > d.now_ns:
        arrive(f, trail, t_ns)
