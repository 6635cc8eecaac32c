"""κ and A of λ(δ) = A·e^(−κδ): how far and how often taker orders reach, per side."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

INTENSITY = np.dtype(
    [
        ("exposure_ns", np.int64),  # time up to which exposure is counted; 0: not started
        # per side: [0] buying takers (they reach our asks), [1] selling takers (our bids)
        ("orders", np.float64, (2,)),  # decayed count of taker orders, kappa_halflife_s
        ("cleared", np.float64, (2,)),  # of them, those that cleared the best level
        ("beyond", np.float64, (2,)),  # of them, those that reached half a spread or more
        ("excess", np.float64, (2,)),  # Σ of the reach beyond half a spread, ticks
        ("touch", np.float64, (2,)),  # Σ of half a spread, ticks
        ("seconds", np.float64),  # decayed exposure with a valid book
        ("slow_beyond", np.float64),  # as `beyond` and `excess`, both sides, slow_halflife_s
        ("slow_excess", np.float64),
        ("prior_ticks", np.float64),  # 1/κ of the prior, ticks; 0: not set
        # the taker order whose trades are still being merged
        ("side", np.int64),  # 0: none
        ("exch_ns", np.int64),
        ("local_ns", np.int64),
        ("furthest", np.int64),  # ticks
        ("qty", np.int64),  # lots
        ("reference", np.float64),  # price the quotes referred to, ticks
        ("half_spread", np.float64),  # ticks
        ("best_qty", np.int64),  # lots visible at the best level it met
    ],
    align=True,
)
Intensity = NDArray[Any]
"""One-element array of dtype INTENSITY."""
