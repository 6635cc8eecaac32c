"""The four quoting models behind one door, and the bounds that their half-spread is held to."""

from asmm_daemon.core.avellaneda_stoikov import as_half_spread, as_shift
from asmm_daemon.core.decision_record import Clamp, Decision
from asmm_daemon.core.glft import glft_half_spread, glft_shift
from asmm_daemon.core.inventory import effective_max
from asmm_daemon.core.params import RISK_LOTS, Model, Params
from asmm_daemon.kernels import flat_kernel

# kernels read plain integers
_MIN_HALF = int(Clamp.MIN_HALF_SPREAD)
_MAX_HALF = int(Clamp.MAX_HALF_SPREAD)
_VOL_HIGH = int(Clamp.VOL_HIGH)
_VOL_EXTREME = int(Clamp.VOL_EXTREME)
_CONSTANT = int(Model.CONSTANT_SPREAD)
_LINEAR = int(Model.LINEAR_CONSTANT_SPREAD)
_GLFT = int(Model.GLFT)


@flat_kernel
def model_half_spread(params: Params, out: Decision, sigma: float) -> float:
    """The model's half-spread at a volatility, with fee and edge, in quote currency, before clamps."""
    p = params[0]
    d = out[0]
    if p.model == _CONSTANT or p.model == _LINEAR:
        half = p.constant_half_spread_bps * 1e-4 * d.m
    elif p.model == _GLFT:
        delta = order_risk_lots(params, d.m)
        half = glft_half_spread(d.gamma_hat, d.kappa, d.intensity_a, sigma, delta, p.inventory_term)
    else:
        half = as_half_spread(d.gamma_hat, d.kappa, sigma, d.tau, p.inventory_term)
    return d.fee + half * p.half_spread_factor + p.min_edge_bps * 1e-4 * d.m


@flat_kernel
def model_shift(params: Params, out: Decision, half_spread: float) -> float:
    """Quote currency by which one risk lot of inventory lowers the middle of the quotes."""
    p = params[0]
    d = out[0]
    if p.model == _CONSTANT:
        return 0.0
    if p.model == _LINEAR:
        return p.linear_skew * half_spread / RISK_LOTS
    if p.model == _GLFT:
        return glft_shift(d.gamma_hat, d.kappa, d.intensity_a, d.sigma, order_risk_lots(params, d.m))
    return as_shift(d.gamma_hat, d.sigma, d.tau)


@flat_kernel
def order_risk_lots(params: Params, m: float) -> float:
    """Size of a full order in risk lots: GLFT's Δ."""
    p = params[0]
    size = p.order_size / m if p.size_in_quote else p.order_size
    return min(size, p.max_order) / (effective_max(params, m) / RISK_LOTS)


@flat_kernel
def clamp_half_spread(params: Params, out: Decision) -> None:
    """Bounds the half-spread; a volatility spike is a floor relative to its value at normal volatility.

    The spike's floor may pass the maximum: quotes beyond the collar are pulled instead.
    """
    p = params[0]
    d = out[0]
    least = max(p.min_half_spread_bps * 1e-4 * d.m, 0.0)
    most = p.max_half_spread_bps * 1e-4 * d.m
    half = d.half_spread_model
    if half < least:
        d.clamps |= _MIN_HALF
    elif half > most:
        d.clamps |= _MAX_HALF
    half = min(max(half, least), most)
    d.half_spread_normal = min(max(model_half_spread(params, out, d.sigma_normal), least), most)
    if d.vol_ratio > p.vol_extreme_ratio:
        half = max(half, p.vol_extreme_factor * d.half_spread_normal)
        d.clamps |= _VOL_EXTREME
    elif d.vol_ratio > p.vol_high_ratio:
        half = max(half, p.vol_high_factor * d.half_spread_normal)
        d.clamps |= _VOL_HIGH
    d.half_spread = half
