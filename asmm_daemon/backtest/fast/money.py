"""The ledger of the fast engine, in floats: average cost, equity, peaks."""

import numpy as np

from asmm_daemon.backtest.fast.gate import excess_lots, mid_price
from asmm_daemon.backtest.fast.records import DRAWDOWN, SOFT, Fast
from asmm_daemon.core.inventory import target
from asmm_daemon.core.quotes import min_lots
from asmm_daemon.kernels import hot_kernel, inner_kernel
from asmm_daemon.units import NS_PER_S


@inner_kernel
def move(f: Fast, side: int, price: int, qty: int) -> None:
    """Books an execution at average cost, and its maker fee."""
    d = f.desk[0]
    p = f.params[0]
    signed = side * qty
    value = price * p.tick * qty * p.lot
    after = d.lots + signed
    d.cash -= side * value
    if d.lots * signed >= 0:
        d.cost += side * value
    elif after * d.lots > 0:
        d.cost += d.cost * signed / d.lots
    else:
        d.cost = after * p.lot * price * p.tick
    d.lots = after
    d.fees += value * p.maker_fee
    d.volume += value


@inner_kernel
def pay_funding(f: Fast, rate: int, twice_mark: int) -> None:
    """Longs pay rate × notional at the mark, shorts receive it; `rate` times 1e8, `twice_mark` in ticks."""
    d = f.desk[0]
    p = f.params[0]
    if p.spot:
        return
    mark = 0.5 * twice_mark * p.tick if twice_mark > 0 else mid_price(f)
    d.funding -= d.lots * p.lot * mark * rate * 1e-8


@inner_kernel
def target_lots(f: Fast) -> int:
    """The inventory target in whole lots."""
    return int(np.rint(target(f.params, mid_price(f)) / f.params[0].lot))


@inner_kernel
def open_ledger(f: Fast) -> None:
    """The ledger begins flat, on spot with the inventory target, at the mid."""
    d = f.desk[0]
    p = f.params[0]
    mid = mid_price(f)
    if mid <= 0.0 or d.opened:
        return
    d.opened = True
    if p.spot:
        d.lots = int(np.floor(target(f.params, mid) / p.lot + 1e-9))
        d.cost = d.lots * p.lot * mid
        d.cash = -d.cost


@inner_kernel
def net(f: Fast) -> float:
    """Everything earned since the ledger began, at the mid."""
    d = f.desk[0]
    return d.cash + d.lots * f.params[0].lot * mid_price(f) - d.fees + d.funding


@inner_kernel
def holding(f: Fast) -> float:
    """What the target last held against has earned by now; 0 where equity is not against holding."""
    d = f.desk[0]
    if np.isnan(d.hold_price):
        return 0.0
    return d.hold_excess + d.hold_target * (mid_price(f) - d.hold_price)


@inner_kernel
def _held(f: Fast) -> float:
    """What holding the target since the ledger began would have earned."""
    d = f.desk[0]
    mid = mid_price(f)
    goal = target_lots(f) * f.params[0].lot
    if np.isnan(d.hold_price):
        d.hold_price = mid
        d.hold_target = goal
    if goal != d.hold_target:
        d.hold_excess += d.hold_target * (mid - d.hold_price)
        d.hold_price = mid
        d.hold_target = goal
    return holding(f)


@inner_kernel
def _against_holding(f: Fast) -> bool:
    return f.params[0].spot and f.limits[0].hold_target and f.desk[0].opened and mid_price(f) > 0.0


@inner_kernel
def net_beyond_holding(f: Fast) -> float:
    """`net`, on spot less what holding the target has earned, where the drawdown is measured so."""
    return net(f) - (_held(f) if _against_holding(f) else 0.0)


@inner_kernel
def _is_flat(f: Fast) -> bool:
    least = min_lots(f.params, int(np.floor(f.market.market[0].mid)))
    return abs(excess_lots(f)) < least


@inner_kernel
def _loss(equity: float, peak: float) -> float:
    return 1.0 if peak <= 0.0 else max((peak - equity) / peak, 0.0)


@hot_kernel
def watch_account(f: Fast) -> None:
    """Equity against its peaks: sets DRAWDOWN for good, SOFT until a long flat rest."""
    d = f.desk[0]
    limits = f.limits[0]
    if not d.opened or f.market.market[0].mid <= 0.0:
        return
    equity = limits.account_capital + net_beyond_holding(f)
    if np.isnan(d.peak) or equity > d.peak:
        d.peak = equity
    if np.isnan(d.soft_peak) or equity > d.soft_peak:
        d.soft_peak = equity
    if not d.soft:
        d.soft = _loss(equity, d.soft_peak) > limits.account_drawdown_soft
        d.flat_ns = -1
    elif not _is_flat(f):
        d.flat_ns = -1
    else:
        if d.flat_ns < 0:
            d.flat_ns = d.now_ns
        if d.now_ns - d.flat_ns > limits.account_soft_leave_after_s * NS_PER_S:
            d.soft = False
            d.soft_peak = equity
    if _loss(equity, d.peak) > limits.account_drawdown_halt:
        d.causes |= DRAWDOWN
    d.causes = d.causes | SOFT if d.soft else d.causes & ~SOFT


@inner_kernel
def _equity(f: Fast) -> float:
    """Capital and everything earned, less what the target last held against has."""
    return f.limits[0].account_capital + net(f) - holding(f)


@inner_kernel
def account_rests(f: Fast) -> bool:
    """Whether `watch_account` would change nothing, given that SOFT is not set."""
    d = f.desk[0]
    limits = f.limits[0]
    if _against_holding(f) and target_lots(f) * f.params[0].lot != d.hold_target:
        return False
    equity = _equity(f)
    return (
        equity <= min(d.peak, d.soft_peak)
        and _loss(equity, d.soft_peak) <= limits.account_drawdown_soft
        and _loss(equity, d.peak) <= limits.account_drawdown_halt
    )


@inner_kernel
def mid_at_peak(f: Fast) -> float:
    """The mid, in ticks, from which on equity is a new peak; NaN where the mid does not matter."""
    d = f.desk[0]
    p = f.params[0]
    held = d.lots * p.lot - d.hold_target
    left = min(d.peak, d.soft_peak) - _equity(f)
    return f.market.market[0].mid + left / (held * p.tick) if held != 0.0 else np.nan
