"""κ and A of λ(δ) = A·e^(−κδ): how far and how often taker orders reach, per side.

One observation is one taker order: trades of the same side and venue time are merged, and the furthest
price counts. Its reach is measured from the mid of the last quote cycle, from which quotes were made.
Orders that only hit the best level fill nothing behind its queue, and they are most of all; so those
count that go beyond half a spread by at least a tick and by NEAR times the mean of all that do: the law
is fitted where quotes stand. Their excess over that is taken as geometric on ticks, of which
κ = ln(1 + n·tick/Σexcess)/tick is the maximum-likelihood estimate; an excess counts as at most OUTLIER
slow means, or a single sweep would set κ for hours. A is their rate over the time with a valid book
(silence counts, gaps do not), carried back to δ = 0. Until orders were seen a prior stands in, weighted
as so many orders. Lengths are in ticks.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import int64
from asmm_daemon.core.params import Params
from asmm_daemon.core.volatility import SAMPLE_S
from asmm_daemon.kernels import flat_kernel

PRIOR_RATE = 0.02
"""Prior rate of orders of one side that go beyond the best level, 1/s, weighted as one order."""
NEAR = 0.5
"""Share of the mean excess over the touch below which an order says nothing of where quotes stand."""
OUTLIER = 5.0
"""Slow means (at least a tick) at which one order's excess is capped: e⁻⁵ of a geometric law lies above."""
ASKS_MEET = int64(0)
"""Index of buying takers, who reach our asks."""
BIDS_MEET = int64(1)
"""Index of selling takers, who reach our bids."""
REACH_MIN_TICKS = 0.5
"""Least 1/κ."""
REACH_MAX = 0.01
"""Largest 1/κ, as a share of the price."""

INTENSITY = np.dtype(
    [
        ("beyond", np.float64, (2,)),  # decayed count of orders that count, kappa_halflife_s
        ("excess", np.float64, (2,)),  # Σ of their excess, ticks
        ("from_mid", np.float64, (2,)),  # Σ of the reach from which it was counted, ticks
        ("seconds", np.float64),  # decayed exposure with a valid book
        ("slow_beyond", np.float64),  # as `beyond` and `excess`, both sides, slow_halflife_s
        ("slow_excess", np.float64),
        ("all_beyond", np.float64),  # orders beyond half a spread and a tick, slow_halflife_s
        ("all_excess", np.float64),  # Σ of their excess over that, ticks
        ("prior_ticks", np.float64),  # 1/κ of the prior, ticks; 0: not set
        # the taker order whose trades are still being merged
        ("side", np.int64),  # 0: none
        ("exch_ns", np.int64),
        ("local_ns", np.int64),
        ("furthest", np.int64),  # ticks
        ("reference", np.float64),  # mid of the last cycle before it, ticks
        ("touch", np.float64),  # half a spread and a tick, ticks
    ],
    align=True,
)
Intensity = NDArray[Any]
"""One-element array of dtype INTENSITY."""


@flat_kernel
def _prior_excess(intensity: Intensity, params: Params) -> float:
    # the prior is so many orders with the mean excess that a geometric law of its κ has
    prior = max(intensity[0].prior_ticks, REACH_MIN_TICKS)
    return params[0].kappa_prior_orders / np.expm1(1.0 / prior)


@flat_kernel
def _mean_excess(params: Params, prior_excess: float, orders: float, excess: float) -> float:
    return (excess + prior_excess) / max(orders + params[0].kappa_prior_orders, 1e-9)


@flat_kernel
def add_trade(
    intensity: Intensity,
    params: Params,
    side: int,
    price: int,
    exch_ns: int,
    local_ns: int,
    reference: float,
    half_spread: float,
) -> None:
    """Takes one trade; it joins the taker order before it when side and venue time are the same."""
    e = intensity[0]
    if side == e.side and exch_ns == e.exch_ns:
        if (price - e.furthest) * side > 0:
            e.furthest = price
        return
    close_order(intensity, params)
    e.side = side
    e.exch_ns = exch_ns
    e.local_ns = local_ns
    e.furthest = price
    e.reference = reference
    e.touch = half_spread + 1.0


@flat_kernel
def close_order(intensity: Intensity, params: Params) -> None:
    """Counts the taker order whose trades were being merged."""
    e = intensity[0]
    if e.side == 0:
        return
    i = ASKS_MEET if e.side > 0 else BIDS_MEET
    beyond = e.side * (e.furthest - e.reference) - e.touch
    e.side = 0
    if beyond < 0.0:
        return
    near = NEAR * e.all_excess / e.all_beyond - 1.0 if e.all_beyond > 0.0 else 0.0
    near = max(near, 0.0)
    mean = _mean_excess(params, _prior_excess(intensity, params), e.slow_beyond, e.slow_excess)
    most = OUTLIER * max(mean, 1.0)
    e.all_beyond += 1.0
    e.all_excess += min(beyond, near + most)
    if beyond >= near:
        excess = min(beyond - near, most)
        e.beyond[i] += 1.0
        e.excess[i] += excess
        e.from_mid[i] += e.touch + near
        e.slow_beyond += 1.0
        e.slow_excess += excess


@flat_kernel
def decay(intensity: Intensity, params: Params, exposed_ns: int) -> None:
    """Ages all sums by one 5 s sample, of which `exposed_ns` had a valid book."""
    e = intensity[0]
    p = params[0]
    e.seconds += exposed_ns * 1e-9
    current = 0.5 ** (SAMPLE_S / p.kappa_halflife_s)
    for i in range(2):
        e.beyond[i] *= current
        e.excess[i] *= current
        e.from_mid[i] *= current
    e.seconds *= current
    slow = 0.5 ** (SAMPLE_S / p.slow_halflife_s)
    e.slow_beyond *= slow
    e.slow_excess *= slow
    e.all_beyond *= slow
    e.all_excess *= slow


@flat_kernel
def set_prior_once(intensity: Intensity, params: Params, spread_ticks: float) -> None:
    """Sets the prior where there is none: the configured κ, else 1/κ = max(1 tick, 2 spreads)."""
    p = params[0]
    if intensity[0].prior_ticks > 0.0:
        return
    if p.kappa_prior > 0.0:
        intensity[0].prior_ticks = 1.0 / (p.kappa_prior * p.tick)
    else:
        intensity[0].prior_ticks = max(1.0, 2.0 * spread_ticks)


@flat_kernel
def _estimate(params: Params, prior_excess: float, orders: float, excess: float, mid: float) -> float:
    kappa = np.log1p(1.0 / max(_mean_excess(params, prior_excess, orders, excess), 1e-9))
    return min(max(kappa, 1.0 / (REACH_MAX * mid)), 1.0 / REACH_MIN_TICKS)


@flat_kernel
def at_bound(kappa_ticks: float, mid: float) -> bool:
    """Whether an estimate of κ stands at one of its bounds."""
    return kappa_ticks == 1.0 / (REACH_MAX * mid) or kappa_ticks == 1.0 / REACH_MIN_TICKS


@flat_kernel
def kappas(intensity: Intensity, params: Params, mid: float) -> tuple[float, float, float, float]:
    """The current κ of both sides together, of the asks, of the bids, and the slow κ̄ from which τ is found.

    In 1/ticks, bounded; `mid` in ticks.
    """
    e = intensity[0]
    prior = _prior_excess(intensity, params)
    return (
        _estimate(params, prior, e.beyond[0] + e.beyond[1], e.excess[0] + e.excess[1], mid),
        _estimate(params, prior, e.beyond[ASKS_MEET], e.excess[ASKS_MEET], mid),
        _estimate(params, prior, e.beyond[BIDS_MEET], e.excess[BIDS_MEET], mid),
        _estimate(params, prior, e.slow_beyond, e.slow_excess, mid),
    )


@flat_kernel
def is_prior(intensity: Intensity, params: Params) -> bool:
    """Whether κ is still mostly its prior."""
    return intensity[0].beyond[0] + intensity[0].beyond[1] < params[0].kappa_prior_orders


@flat_kernel
def arrival(intensity: Intensity, kappa_ticks: float) -> float:
    """A of one side (mean of both), 1/s: the rate of orders that count, carried back to δ = 0."""
    e = intensity[0]
    beyond = e.beyond[0] + e.beyond[1]
    rate = (beyond + 2.0) / (2.0 * (e.seconds + 1.0 / PRIOR_RATE))
    reach = (e.from_mid[0] + e.from_mid[1]) / beyond if beyond > 0.0 else 1.0
    return rate * np.exp(min(kappa_ticks * reach, 50.0))
