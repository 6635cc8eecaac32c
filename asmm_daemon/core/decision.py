"""The whole decision: state, parameters, inventory and action in, desired quotes and their reasons out.

    m = microprice·(1 − funding rate near a funding), q = (inventory − target)/risk_lot, γ̂ = γ·κ
    r = m − q·(shift per risk lot),  h = c·m + model half-spread + min_edge, then the clamps
    bid = r − h + skew·h,  ask = r + h + skew·h

Every number on the way is kept in the DECISION record, in quote and base currency; only quotes are in
ticks and lots. The record before the call decides nothing.
"""

import numpy as np

from asmm_daemon.core import intensity as flow
from asmm_daemon.core import volatility as vol
from asmm_daemon.core.book import ASK, BID
from asmm_daemon.core.decision_record import DECISION, Clamp, Decision, Missing, new_decision
from asmm_daemon.core.inventory import (
    INVENTORY,
    PULL,
    QUOTE,
    REDUCE,
    Inventory,
    ask_room,
    bid_room,
    effective_max,
    new_inventory,
    target,
)
from asmm_daemon.core.market import MarketState, advance
from asmm_daemon.core.models import clamp_half_spread, model_half_spread, model_shift
from asmm_daemon.core.params import MAX_LEVELS, RISK_LOTS, Model, Params
from asmm_daemon.core.quotes import (
    REACH_HALF_SPREADS,
    SAFE_HALF_SPREADS,
    level_step,
    live_reach,
    max_lots,
    min_lots,
    order_lots,
    rounded,
)
from asmm_daemon.kernels import flat_kernel, hot_kernel
from asmm_daemon.units import NS_PER_S

__all__ = [
    "DECISION",
    "INVENTORY",
    "PULL",
    "QUOTE",
    "REDUCE",
    "Clamp",
    "Decision",
    "Inventory",
    "Missing",
    "decide",
    "new_decision",
    "new_inventory",
    "requote_due",
]

# kernels read plain integers
_NO_BOOK = int(Missing.BOOK)
_NO_SIGMA = int(Missing.SIGMA)
_NO_KAPPA = int(Missing.KAPPA)
_NO_ACTION = int(Missing.ACTION)
_NO_PRICE = int(Missing.PRICE)
_TAU = int(Clamp.TAU)
_KAPPA = int(Clamp.KAPPA)
_TOUCH = int(Clamp.BID_TOUCH)
_COLLAR = int(Clamp.BID_COLLAR)
_ROOM = int(Clamp.BID_ROOM)
_OFF = int(Clamp.BID_OFF)
_FUNDING = int(Clamp.FUNDING)
_CONSTANT = int(Model.CONSTANT_SPREAD)
_LINEAR = int(Model.LINEAR_CONSTANT_SPREAD)


@hot_kernel
def _estimates(state: MarketState, params: Params, out: Decision) -> None:
    # σ, κ, A and τ, from ticks to quote currency
    m = state.market[0]
    p = params[0]
    d = out[0]
    kappa, kappa_ask, kappa_bid, slow = flow.kappas(state.intensity, params, m.mid)
    if flow.at_bound(kappa, m.mid):
        d.clamps |= _KAPPA
    d.kappa = kappa / p.tick
    d.kappa_ask, d.kappa_bid = kappa_ask / p.tick, kappa_bid / p.tick
    d.intensity_a = flow.arrival(state.intensity, kappa)
    d.tau = vol.horizon(state.volatility, params, slow, m.now_ns - m.first_ns)
    if d.tau == p.tau_min_s or d.tau == p.tau_max_s:
        d.clamps |= _TAU
    current = vol.current(state.volatility)
    normal = vol.normal(state.volatility)
    d.vol_ratio = current / normal
    growth = vol.growth(state.volatility, d.tau)
    d.sigma = vol.at_horizon(current, growth) * p.tick
    d.sigma_normal = vol.at_horizon(normal, growth) * p.tick
    if flow.is_prior(state.intensity, params):
        d.missing |= _NO_KAPPA
    if not vol.is_ready(state.volatility):
        d.vol_ratio = 1.0
        if p.model != _CONSTANT and p.model != _LINEAR:
            d.missing |= _NO_SIGMA


@flat_kernel
def _action(params: Params, gamma: float, skew: float, out: Decision) -> None:
    p = params[0]
    d = out[0]
    d.gamma, d.skew = gamma, skew
    if not (p.gamma_min <= gamma <= p.gamma_max and abs(skew) <= p.skew_max):
        d.gamma, d.skew = p.gamma, p.skew
        d.missing |= _NO_ACTION
    d.gamma_hat = d.gamma * d.kappa


@flat_kernel
def _place(params: Params, inventory: Inventory, out: Decision, side: int, first: int, room: float) -> None:
    # levels of one side, from its first price outwards; ask clamps are the bid's, one bit up
    p = params[0]
    d = out[0]
    prices = d.bid_price if side > 0 else d.ask_price
    qtys = d.bid_qty if side > 0 else d.ask_qty
    bit = 1 if side > 0 else 2
    m_ticks = d.micro / p.tick
    step = level_step(params, m_ticks)
    size = p.order_size / d.m if p.size_in_quote else p.order_size
    full = size / p.lot * inventory[0].size_factor
    bound = d.max_inventory - d.target if side > 0 else d.target + (0.0 if p.spot else d.max_inventory)
    fullness = 0.0
    if d.q * side > 0.0:
        fullness = d.q * side * d.risk_lot / bound if bound > 0.0 else 1.0
    for i in range(d.levels):
        price = first - side * i * step
        prices[i] = price
        if abs(price - m_ticks) > p.collar_bps * 1e-4 * m_ticks or price <= 0:
            d.clamps |= _COLLAR * bit
            continue
        lots = order_lots(params, price, full, fullness, room)
        if lots < order_lots(params, price, full, fullness, np.inf):
            d.clamps |= _ROOM * bit
        qtys[i] = lots
        room -= lots
        full *= p.level_size_factor


@hot_kernel
def _reduce(state: MarketState, params: Params, inventory: Inventory, out: Decision) -> None:
    # one order at the touch that shrinks |inventory| (spot: towards the middle of its range)
    m = state.market[0]
    d = out[0]
    p = params[0]
    centre = 0.5 * d.max_inventory / p.lot if p.spot else 0.0
    excess = inventory[0].lots - centre
    side = -1 if excess > 0.0 else 1
    d.clamps |= _OFF * (1 if side < 0 else 2)
    price = m.ask if side < 0 else m.bid
    room = ask_room(params, inventory, d.m) if side < 0 else bid_room(params, inventory, d.m, m.ask * p.tick)
    lots = int(min(float(max_lots(params)), np.floor(abs(excess) + 1e-9), room))
    if lots < min_lots(params, price):
        lots = 0
    if side < 0:
        d.ask_price[0] = price
        d.ask_qty[0] = 0 if inventory[0].ask_off else lots
    else:
        d.bid_price[0] = price
        d.bid_qty[0] = 0 if inventory[0].bid_off else lots


@hot_kernel
def _quote(state: MarketState, params: Params, inventory: Inventory, out: Decision) -> None:
    m = state.market[0]
    p = params[0]
    d = out[0]
    lean = d.skew * d.half_spread
    safe = live_reach(params, m.mid, d.half_spread, SAFE_HALF_SPREADS)
    reach = live_reach(params, m.mid, d.half_spread, REACH_HALF_SPREADS)
    least = max(d.fee, 0.0) + p.min_edge_bps * 1e-4 * d.m
    low, high = d.reservation - d.half_spread + lean, d.reservation + d.half_spread + lean
    bid = rounded(BID, low / p.tick, m.mid, safe, reach, (d.m - least) / p.tick)
    ask = rounded(ASK, high / p.tick, m.mid, safe, reach, (d.m + least) / p.tick)
    if bid >= m.ask:
        bid = m.ask - 1
        d.clamps |= _TOUCH
    if ask <= m.bid:
        ask = m.bid + 1
        d.clamps |= _TOUCH * 2
    ask = max(ask, bid + 1)
    d.levels = min(max(p.levels, 1), MAX_LEVELS)
    if inventory[0].bid_off or inventory[0].mode != QUOTE:
        d.clamps |= _OFF
    else:
        _place(params, inventory, out, BID, bid, bid_room(params, inventory, d.m, m.ask * p.tick))
    if inventory[0].ask_off or inventory[0].mode != QUOTE:
        d.clamps |= _OFF * 2
    else:
        _place(params, inventory, out, ASK, ask, ask_room(params, inventory, d.m))


@hot_kernel
def decide(
    state: MarketState,
    params: Params,
    inventory: Inventory,
    gamma: float,
    skew: float,
    t_ns: int,
    out: Decision,
) -> bool:
    """Fills `out` with the desired quotes of both sides; returns whether there are any.

    Between decisions call it again with the γ and skew held: it reads the state anew.
    """
    advance(state, params, t_ns)
    m = state.market[0]
    p = params[0]
    d = out[0]
    d.t_ns = t_ns
    d.model, d.mode = p.model, inventory[0].mode
    d.missing = d.clamps = d.levels = 0
    for i in range(MAX_LEVELS):
        d.bid_price[i] = d.bid_qty[i] = d.ask_price[i] = d.ask_qty[i] = 0
    d.micro, d.mid = m.micro * p.tick, m.mid * p.tick
    if not m.valid:
        d.missing = _NO_BOOK
        return False
    _estimates(state, params, out)
    _action(params, gamma, skew, out)
    d.m = d.micro
    ahead_ns = m.funding_ns - t_ns
    if p.funding_shift and not p.spot and 0 <= ahead_ns <= d.tau * NS_PER_S and np.isfinite(m.funding_rate):
        d.m -= m.funding_rate * d.micro
        d.clamps |= _FUNDING
    d.max_inventory = effective_max(params, d.m)
    d.target = target(params, d.m)
    d.risk_lot = d.max_inventory / RISK_LOTS
    d.q = (inventory[0].lots * p.lot - d.target) / d.risk_lot
    d.fee = p.maker_fee * d.m if p.fee_in_spread else 0.0
    d.half_spread_model = model_half_spread(params, out, d.sigma)
    clamp_half_spread(params, out)
    d.shift = model_shift(params, out, d.half_spread)
    d.reservation = d.m - d.q * d.shift
    if not (np.isfinite(d.reservation) and np.isfinite(d.half_spread) and abs(d.reservation) < 1e3 * d.m):
        d.missing |= _NO_PRICE
    if d.missing & (_NO_SIGMA | _NO_PRICE) or inventory[0].mode == PULL:
        return False
    if inventory[0].mode == REDUCE:
        d.levels = 1
        _reduce(state, params, inventory, out)
    else:
        _quote(state, params, inventory, out)
    quoted = 0
    for i in range(d.levels):
        quoted += d.bid_qty[i] + d.ask_qty[i]
    return quoted > 0


@hot_kernel
def held_prices(params: Params, decision: Decision) -> tuple[float, float, float, float]:
    """Microprice and mid of a decision and how far each may go until it is made anew, all in ticks.

    The microprice counts from a whole tick on; the mid from half a tick, its smallest step: on a coarse
    grid it decides on which tick a quote still counts as live (`quotes.rounded`).
    """
    p = params[0]
    micro = decision[0].micro / p.tick
    mid = decision[0].mid / p.tick
    share = p.requote_bps * 1e-4
    return micro, max(1.0, share * micro), mid, max(0.499, share * mid)


@flat_kernel
def requote_due(state: MarketState, params: Params, decision: Decision) -> bool:
    """Whether the price left the decision's by more than requote_bps."""
    market = state.market[0]
    micro, micro_reach, mid, mid_reach = held_prices(params, decision)
    return market.valid and (abs(market.micro - micro) > micro_reach or abs(market.mid - mid) > mid_reach)
