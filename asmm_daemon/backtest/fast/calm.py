"""Beats of the watchdog that change nothing, and until when they are left out.

While no cause holds and nothing happens to us, a beat reads the time, the age of what was heard and the
mid. Within a band of mids each switch stays as it is and no peak is passed: the first beat that counts
is the one that sees a mid beyond it, or finds the time come.
"""

import numpy as np

from asmm_daemon.backtest.fast.gate import fits
from asmm_daemon.backtest.fast.money import account_rests, mid_at_peak
from asmm_daemon.backtest.fast.quoting import limit_share
from asmm_daemon.backtest.fast.records import ACTIVE, Fast
from asmm_daemon.backtest.fast.trail import SILENCE_NS, Trail
from asmm_daemon.backtest.fast.watch import beat_by, forget_seconds, orders_fit
from asmm_daemon.kernels import hot_kernel, inner_kernel
from asmm_daemon.units import NS_PER_S

BAND = 1e-3
"""The widest band, as a share of the mid; until the next quote cycle the mid seldom leaves it."""


@inner_kernel
def is_calm(f: Fast) -> bool:
    """Whether beats change nothing until the mid, the time or something that happens to us calls one."""
    d = f.desk[0]
    settled = d.opened and d.quoting and not (d.refused or d.moved or d.reconciling or d.soft)
    return (
        settled
        and d.state == ACTIVE
        and d.causes == 0
        and d.off == d.decided_off == 0
        and d.flash_ns == 0
        and d.stuck_ns < 0
        and not f.limits[0].can_replace
        and f.market.market[0].valid
    )


@hot_kernel
def _silent_ns(f: Fast, trail: Trail) -> int:
    # when the book's silence calls, which comes before the account's
    d = f.desk[0]
    limits = f.limits[0]
    head = trail.head[0]
    least_s = min(limits.book_silence_s, limits.stale_after_s, limits.account_disconnect_after_s)
    least_ns = int(least_s * NS_PER_S)
    if least_ns <= SILENCE_NS:
        return d.proof_ns + least_ns
    while d.silence < head.silences and trail.silences[d.silence].to_ns <= d.now_ns:
        d.silence += 1
    for k in range(d.silence, head.silences):
        from_ns = max(trail.silences[k].from_ns, d.proof_ns)
        if trail.silences[k].to_ns - from_ns >= least_ns:
            return from_ns + least_ns
    return max(head.proof_ns, d.proof_ns) + least_ns


@hot_kernel
def _calm_until(f: Fast, trail: Trail) -> int:
    # when silence, the next reconciliation, the next quote cycle or the stretch's end calls
    d = f.desk[0]
    due_ns = d.reconcile_ns + int(f.limits[0].account_reconcile_every_s * NS_PER_S)
    return min(_silent_ns(f, trail) - 1, due_ns - 1, d.cycle_ns, trail.head[0].stop_ns + 1)


@inner_kernel
def _rests_at(f: Fast, mid: float) -> bool:
    # whether a calm beat that sees this mid (ticks) leaves every switch as it is, the flash watch aside
    m = f.market.market[0]
    limits = f.limits[0]
    now = m.mid
    m.mid = mid
    if f.params[0].spot:
        inside = limit_share(f) <= min(limits.reduce_above, limits.stuck_above)
    else:
        inside = fits(f, f.desk[0].lots, min(limits.reduce_above, limits.stuck_above))
    rests = inside and account_rests(f) and orders_fit(f)
    m.mid = now
    return rests


@inner_kernel
def _edge(f: Fast, far: float) -> float:
    # the end of the band towards a mid: that one, else where equity is at its peak, else no way at all
    if _rests_at(f, far):
        return far
    mid = f.market.market[0].mid
    peak = 2.0 * mid_at_peak(f)
    near = (np.floor(peak) if far > mid else np.ceil(peak)) / 2.0
    return near if min(mid, far) <= near <= max(mid, far) and _rests_at(f, near) else mid


@hot_kernel
def _band(f: Fast) -> tuple[float, float]:
    # the mids, in ticks, within which calm beats change nothing: each switch reads the mid in one direction
    d = f.desk[0]
    mid = f.market.market[0].mid
    low, high = mid * (1.0 - BAND), mid * (1.0 + BAND)
    widest = 1.0 + f.limits[0].flash_move
    if not max(high, d.high_mid) <= widest * min(low, d.low):
        forget_seconds(f)
    if not max(high, d.high_mid) <= widest * min(low, d.low):
        return mid, mid
    return _edge(f, low), _edge(f, high)


@hot_kernel
def plan_beat(f: Fast, trail: Trail) -> None:
    """The next beat after the last one, or, where all is calm, the first that counts."""
    d = f.desk[0]
    head = trail.head[0]
    until_ns = 0
    if d.calm:
        until_ns = _calm_until(f, trail)
        low, high = _band(f)
        for at in range(d.move, head.moves):
            move = trail.moves[at]
            if move.t_ns >= until_ns or not move.valid or move.mid < low or move.mid > high:
                until_ns = min(until_ns, move.t_ns)
                break
    d.watch_ns = beat_by(f, until_ns)
