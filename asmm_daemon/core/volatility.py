"""σ: root mean square of 5 s changes of the mid, with a variance-ratio correction to the horizon τ."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE_NS = np.int64(5_000_000_000)
"""Distance of the samples of the mid."""
LONG = 12
"""Samples in the long change (60 s) from which the variance ratio is found."""
MIN_CHANGES = 6
"""Changes (30 s) from which σ counts as ready."""

VOLATILITY = np.dtype(
    [
        ("next_ns", np.int64),  # when the next sample of the mid is due; 0: not started
        ("run", np.int64),  # samples since the book last became valid
        ("mids", np.float64, (LONG + 1,)),  # ring of sampled mids, ticks
        ("changes", np.int64),  # changes seen since the start
        ("fast_sq", np.float64),  # decayed sum of squared changes, ticks², sigma_halflife_s
        ("fast_w", np.float64),  # its weight, changes
        ("slow_sq", np.float64),  # as above over slow_halflife_s: 5 s changes
        ("slow_w", np.float64),
        ("long_sq", np.float64),  # 60 s changes
        ("long_w", np.float64),
        ("normal", np.float64),  # decayed sum of the current σ, ticks/√s, normal_halflife_s
        ("normal_w", np.float64),
    ],
    align=True,
)
Volatility = NDArray[Any]
"""One-element array of dtype VOLATILITY."""
