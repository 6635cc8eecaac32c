"""From reservation price and half-spread to orders: rounding, non-crossing, levels, sizes.

The one place that rounds: bids down, asks up, to whole ticks; quantities down to whole lots, but never
below what the venue accepts. On a coarse grid a tick may be as much as the half-spread: a quote that is
out of the reach in which it counts as live by less than a tick goes to the nearer tick, as long as fee
and edge stay in.
"""

import numpy as np

from asmm_daemon.core.params import Params
from asmm_daemon.kernels import flat_kernel

GRID = 1e-9
"""A price this close to the grid, in ticks, lies on it: float noise does not cost a tick."""
REACH_BPS = 5.0
REACH_TICKS = 2.0
REACH_HALF_SPREADS = 1.5
COARSE_TICKS = 10.0
"""Below this reach a tick is worth moving for; on a finer grid a quote stays where the model wants it."""
SAFE_HALF_SPREADS = 1.4
"""Where a quote is moved in: the rest is for what mid and half-spread change until the next decision."""


@flat_kernel
def bid_ticks(price_ticks: float) -> int:
    """The highest whole tick at or below a price in ticks."""
    return int(np.floor(price_ticks + GRID))


@flat_kernel
def ask_ticks(price_ticks: float) -> int:
    """The lowest whole tick at or above a price in ticks."""
    return int(np.ceil(price_ticks - GRID))


@flat_kernel
def live_reach(params: Params, mid_ticks: float, half_spread: float, multiple: float) -> float:
    """The widest of 5 bps, 2 ticks and `multiple` half-spreads, in ticks from the mid."""
    return max(REACH_BPS * 1e-4 * mid_ticks, REACH_TICKS, multiple * half_spread / params[0].tick)


@flat_kernel
def rounded(side: int, price: float, mid: float, safe: float, reach: float, dearest: float) -> int:
    """Whole ticks of a quote, all in ticks.

    Args:
        side: +1 bid, -1 ask.
        price: what the model asks for.
        mid: of the market.
        safe: distance from the mid beyond which a quote is moved in, if a tick brings it within `reach`.
        reach: distance from the mid up to which a quote counts as live.
        dearest: the best price at which fee and edge are still in.
    """
    ticks = bid_ticks(price) if side > 0 else ask_ticks(price)
    far = side * (mid - ticks)
    comes_in = far > safe and far - 1.0 <= reach < COARSE_TICKS
    return ticks + side if comes_in and side * (dearest - ticks) >= 1.0 else ticks


@flat_kernel
def min_lots(params: Params, price: int) -> int:
    """The fewest lots that the venue accepts at a price in ticks."""
    p = params[0]
    need = int(np.ceil(p.min_notional / (price * p.tick * p.lot)))
    return max(need, p.min_qty_lots, 1)


@flat_kernel
def max_lots(params: Params) -> int:
    """The most lots of a single order."""
    p = params[0]
    most = int(np.floor(p.max_order / p.lot + GRID))
    return min(most, p.max_qty_lots) if p.max_qty_lots > 0 else most


@flat_kernel
def order_lots(params: Params, price: int, full: float, fullness: float, room: float) -> int:
    """Lots of one order, 0 when none fits.

    Args:
        params: the market's parameters.
        price: ticks.
        full: lots of a full order.
        fullness: |q|/q_max on the side that increases inventory (0 on the other): the order shrinks to
            max(venue minimum, full × (1 − fullness)).
        room: lots that inventory, exposure and balance still allow.
    """
    if not (full > 0.0 and room >= 1.0 and price > 0):
        return 0
    least = min_lots(params, price)
    lots = int(np.floor(full * max(1.0 - fullness, 0.0) + GRID))
    lots = min(max(lots, least), max_lots(params))
    if room < lots:
        lots = int(room)
    return lots if lots >= least else 0


@flat_kernel
def level_step(params: Params, m_ticks: float) -> int:
    """Ticks between two levels of a side."""
    return max(int(np.rint(params[0].level_spacing_bps * 1e-4 * m_ticks)), 1)
