"""The watchdog of the fast engine: `core.supervisor` and `core.switches` as kernels."""

from asmm_daemon.backtest.fast.gate import GRID, fits, max_inventory
from asmm_daemon.backtest.fast.money import open_ledger, watch_account
from asmm_daemon.backtest.fast.quoting import cancel, limit_share, may_quote, requote, sync
from asmm_daemon.backtest.fast.records import (
    ACTIVE,
    DISCONNECT,
    DRAWDOWN,
    FLASH,
    HALTED,
    INVALID,
    INVENTORY_HIGH,
    LEAVING,
    LIMITING,
    PAUSED,
    PAUSING,
    RECONCILE,
    REDUCING,
    RING,
    STALE,
    STARTUP,
    STUCK,
    SWEEPING,
    WARMING,
    WATCH_NS,
    Fast,
)
from asmm_daemon.backtest.fast.table import any_cancellable, cancellable, open_lots
from asmm_daemon.backtest.venue import CANCEL_ALL, PROVE, request
from asmm_daemon.backtest.venue import RECONCILE as ASK_ACCOUNT
from asmm_daemon.core.supervisor import INVALID_GRACE_S, SWEEP_EVERY_S
from asmm_daemon.kernels import hot_kernel, inlined_kernel, inner_kernel
from asmm_daemon.units import NS_PER_S

_URGENT = STARTUP | RECONCILE


@inlined_kernel
def _set(f: Fast, cause: int, holds: bool) -> None:  # noqa: FBT001 (kernels are called by position)
    d = f.desk[0]
    d.causes = d.causes | cause if holds else d.causes & ~cause


@hot_kernel
def _watch_book(f: Fast) -> None:
    d = f.desk[0]
    limits = f.limits[0]
    valid = f.market.market[0].valid
    if valid:
        d.invalid_ns = -1
    elif d.invalid_ns < 0:
        d.invalid_ns = d.now_ns
    age_s = (d.now_ns - d.proof_ns) / NS_PER_S
    _set(f, STALE, age_s > limits.stale_after_s)
    if d.invalid_ns >= 0 and (d.now_ns - d.invalid_ns) / NS_PER_S > INVALID_GRACE_S:
        _set(f, INVALID, True)
    elif valid:
        _set(f, INVALID, False)
    asked_s = (d.now_ns - d.asked_ns) / NS_PER_S
    if age_s >= limits.book_silence_s and asked_s >= limits.prove_every_s:
        d.asked_ns = d.now_ns
        request(f.venue, d.now_ns, PROVE, -1, 0, 0, 0, 0)


@hot_kernel
def _watch_channel(f: Fast) -> None:
    d = f.desk[0]
    if (d.now_ns - d.heard_ns) / NS_PER_S > f.limits[0].account_disconnect_after_s:
        _set(f, DISCONNECT, True)
    elif d.causes & DISCONNECT:
        _set(f, DISCONNECT, False)
        _set(f, RECONCILE, True)
        d.reconciling = False


@hot_kernel
def _new_second(f: Fast, second: int, mid: float) -> None:
    d = f.desk[0]
    new = f.seconds[d.seconds % RING]
    new.second = second
    new.low = new.high = mid
    if d.seconds == d.seconds_from:
        d.low = d.high_mid = mid
    d.seconds += 1
    d.low = min(d.low, mid)
    d.high_mid = max(d.high_mid, mid)


@inner_kernel
def forget_seconds(f: Fast) -> None:
    """Makes `low` and `high_mid` those of the flash window: until then they may be of older mids too."""
    d = f.desk[0]
    d.seconds_from = max(d.seconds_from, d.seconds - RING)
    newest = f.seconds[(d.seconds - 1) % RING]
    while f.seconds[d.seconds_from % RING].second < newest.second - f.limits[0].flash_window_s:
        d.seconds_from += 1
    d.low, d.high_mid = newest.low, newest.high
    for i in range(d.seconds_from, d.seconds):
        d.low = min(d.low, f.seconds[i % RING].low)
        d.high_mid = max(d.high_mid, f.seconds[i % RING].high)


@hot_kernel
def beat_by(f: Fast, t_ns: int) -> int:
    """The first beat after the last one that comes at or after a time."""
    d = f.desk[0]
    return d.beat_ns + max(-((d.beat_ns - t_ns) // WATCH_NS), 1) * WATCH_NS


@inner_kernel
def note_mid(f: Fast, t_ns: int, mid: float) -> None:
    """The flash watch sees a mid, in ticks, at a beat."""
    d = f.desk[0]
    newest = f.seconds[(d.seconds - 1) % RING]
    begins = d.seconds == d.seconds_from
    if begins or t_ns >= (newest.second + 1) * NS_PER_S:
        left_out = d.beat_ns + (t_ns - 1 - d.beat_ns) // WATCH_NS * WATCH_NS
        if not begins and left_out > d.beat_ns:
            # beats left out saw the mid that the last one saw
            for missed in range(newest.second + 1, left_out // NS_PER_S + 1):
                _new_second(f, missed, d.noted)
        newest = f.seconds[(d.seconds - 1) % RING]
        if begins or newest.second != t_ns // NS_PER_S:
            _new_second(f, t_ns // NS_PER_S, mid)
    d.noted = mid
    newest = f.seconds[(d.seconds - 1) % RING]
    if not newest.low <= mid <= newest.high:
        newest.low = min(newest.low, mid)
        newest.high = max(newest.high, mid)
        d.low = min(d.low, mid)
        d.high_mid = max(d.high_mid, mid)


@inner_kernel
def _flash(f: Fast, mid: float) -> bool:
    d = f.desk[0]
    limits = f.limits[0]
    if d.now_ns < d.flash_ns:
        return True
    if d.flash_ns > 0:
        d.flash_ns = 0
        d.seconds_from = d.seconds
    if 0 < d.unseen_ns < d.now_ns:
        note_mid(f, d.unseen_ns, mid)
    note_mid(f, d.now_ns, mid)
    if d.low > 0.0 and d.high_mid / d.low - 1.0 > limits.flash_move:
        forget_seconds(f)
    if d.low > 0.0 and d.high_mid / d.low - 1.0 > limits.flash_move:
        d.flash_ns = d.now_ns + int(limits.flash_cooldown_s * NS_PER_S)
    return d.flash_ns > 0


@inner_kernel
def _stuck(f: Fast, share: float) -> bool:
    d = f.desk[0]
    limits = f.limits[0]
    if d.stuck:
        d.stuck = share > limits.reduce_below
        if not d.stuck:
            d.stuck_ns = -1
    elif share <= limits.stuck_above:
        d.stuck_ns = -1
    else:
        if d.stuck_ns < 0:
            d.stuck_ns = d.now_ns
        d.stuck = d.now_ns - d.stuck_ns > limits.stuck_after_s * NS_PER_S
    return d.stuck


@inner_kernel
def rearm(f: Fast, side: int) -> None:
    """A side that was off by repeated execution may quote again."""
    d = f.desk[0]
    d.off &= ~(1 if side > 0 else 2)
    kept = d.executed
    for i in range(d.executed - 1, d.executed_from - 1, -1):
        if f.executed[i % RING].side != side:
            kept -= 1
            f.executed[kept % RING] = f.executed[i % RING]
    d.executed_from = kept


@hot_kernel
def _watch_inventory(f: Fast) -> None:
    d = f.desk[0]
    limits = f.limits[0]
    if not d.opened:
        return
    least = min(limits.reduce_below, limits.reduce_above, limits.stuck_above)
    if not f.params[0].spot and fits(f, d.lots, least):
        d.high = d.stuck = False
        d.stuck_ns = -1
    else:
        share = limit_share(f)
        d.high = share > (limits.reduce_below if d.high else limits.reduce_above)
        d.stuck = _stuck(f, share)
    _set(f, INVENTORY_HIGH, d.high)
    _set(f, STUCK, d.stuck)
    if f.market.market[0].valid:
        _set(f, FLASH, _flash(f, f.market.market[0].mid))
    if limits.repeat_rearm_s > 0.0:
        for side in (1, -1):
            bit = 1 if side > 0 else 2
            since = d.off_ns[bit - 1]
            if d.off & bit and d.now_ns - since > limits.repeat_rearm_s * NS_PER_S:
                rearm(f, side)


@inlined_kernel
def _enter(f: Fast, state: int) -> None:
    d = f.desk[0]
    if state >= PAUSED:
        d.quoting = False
        sync(f)
    requote(f)


@inlined_kernel
def follow(f: Fast) -> None:
    """Moves the trading state to what its causes ask for, and acts on the change."""
    d = f.desk[0]
    target = ACTIVE
    if d.causes & DRAWDOWN:
        target = HALTED
    elif d.causes & PAUSING:
        target = PAUSED
    elif d.causes & LIMITING:
        target = REDUCING
    if target != d.state:
        before = d.state
        waited_s = (d.now_ns - d.since_ns) / NS_PER_S
        d.state = target if before != HALTED else PAUSED
        d.since_ns = d.now_ns
        if before == PAUSED and waited_s > f.limits[0].account_policy_reset_after_s:
            d.reset = True
        _enter(f, d.state)
    causes = d.causes & SWEEPING
    waited_s = (d.now_ns - d.swept_ns) / NS_PER_S
    if causes & ~d.swept_for or (causes and d.orders > 0 and waited_s > SWEEP_EVERY_S):
        request(f.venue, d.now_ns, CANCEL_ALL, -1, 0, 0, 0, 0)
        d.swept_ns = d.now_ns
    d.swept_for = causes


@inner_kernel
def _chase(f: Fast) -> None:
    d = f.desk[0]
    if d.state < PAUSED:
        return
    for i in range(d.orders):
        order = f.orders[i]
        if cancellable(order) or (order.state == LEAVING and order.replaced):
            cancel(f, i)


@hot_kernel
def orders_fit(f: Fast) -> bool:
    """Whether what our orders may still execute is for certain within the maximum; False: perhaps."""
    d = f.desk[0]
    bids = d.lots + open_lots(f, 1)
    asks = d.lots - open_lots(f, -1)
    return fits(f, bids, 1.0) and (asks >= 0 or (not f.params[0].spot and fits(f, asks, 1.0)))


@hot_kernel
def _trim(f: Fast) -> None:
    """A falling maximum (a rising mid) may leave open orders that are no longer allowed."""
    if not any_cancellable(f) or orders_fit(f):
        return
    d = f.desk[0]
    bids = d.lots + open_lots(f, 1)
    asks = d.lots - open_lots(f, -1)
    most = int(max_inventory(f) / f.params[0].lot + GRID)
    least = 0 if f.params[0].spot else -most
    long = bids > most
    short = asks < least
    for i in range(d.orders):
        if cancellable(f.orders[i]) and (long if f.orders[i].side > 0 else short):
            cancel(f, i)


@inner_kernel
def _reconcile_due(f: Fast) -> bool:
    d = f.desk[0]
    limits = f.limits[0]
    waited_s = (d.now_ns - d.reconcile_ns) / NS_PER_S
    if d.reconciling and waited_s < limits.account_reconcile_timeout_s:
        return False
    urgent = not d.opened or (d.causes & _URGENT) != 0
    return waited_s >= (1.0 if urgent else limits.account_reconcile_every_s)


@inlined_kernel
def watch(f: Fast) -> None:
    """One beat for the market."""
    d = f.desk[0]
    _watch_book(f)
    _watch_channel(f)
    if f.limits[0].spreads_alone or d.ready:
        _set(f, WARMING, False)
    _watch_inventory(f)
    follow(f)
    _chase(f)
    _trim(f)
    if _reconcile_due(f):
        d.reconciling = True
        d.reconcile_ns = d.now_ns
        request(f.venue, d.now_ns, ASK_ACCOUNT, -1, 0, 0, 0, 0)


@inlined_kernel
def on_account(f: Fast) -> None:
    """The venue's account was read: the ledger begins, and what waited for it ends."""
    d = f.desk[0]
    d.reconciling = False
    open_ledger(f)
    if d.opened:
        _set(f, STARTUP, False)
        _set(f, RECONCILE, False)
    watch(f)


@inlined_kernel
def beat(f: Fast) -> None:
    """The watchdog's beat: every switch, then quotes where none are wanted yet or one was refused."""
    watch_account(f)
    watch(f)
    d = f.desk[0]
    d.beat_ns = d.now_ns
    d.unseen_ns = 0
    if not may_quote(f):
        return
    if not d.quoting or d.off != d.decided_off or d.refused:
        requote(f)
    elif d.moved or d.state != ACTIVE or f.limits[0].can_replace:
        sync(f)
