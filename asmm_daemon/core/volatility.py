"""σ: root mean square of 5 s changes of the mid, with a variance-ratio correction to the horizon τ.

The mid is sampled on a fixed 5 s grid; a sample without a valid book is NaN, and a change counts only
between two valid samples, so gaps are left out. Variances are decayed means. The ratio of 60 s to 5 s
variance, VR, gives σ(τ) = σ₅·VR^(ln(τ/5)/(2·ln 12)): below 1 where the mid bounces, above 1 where it
trends. The current σ answers in about a minute, the slow one in a day; `normal` is the mean of the
current σ over hours, against which a spike is measured. Lengths are in ticks.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.params import Params, TauMode
from asmm_daemon.kernels import flat_kernel

SESSION = int(TauMode.SESSION)
SAMPLE_S = 5.0
SAMPLE_NS = 5_000_000_000
"""Distance of the samples of the mid."""
LONG = 12
"""Samples in the long change (60 s) from which the variance ratio is found."""
MIN_CHANGES = 6
"""Changes (30 s) from which σ counts as ready."""
RATIO_PRIOR = 60.0
"""Weight, in long changes, of a variance ratio of 1."""
RATIO_MIN, RATIO_MAX = 0.2, 5.0
SIGMA_FLOOR = 0.0645
"""Least σ in ticks/√s: half a tick in 60 s, so that a still market is not taken as riskless."""
NORMAL_FLOOR = 0.129
"""Least normal σ in ticks/√s: one tick in 60 s, so that single ticks are no spike."""

VOLATILITY = np.dtype(
    [
        ("samples", np.int64),  # samples since the start
        ("mids", np.float64, (LONG + 1,)),  # ring of sampled mids, ticks; NaN without a valid book
        ("changes", np.int64),  # changes since σ last became unknown
        ("fast_sq", np.float64),  # decayed Σ change², ticks², sigma_halflife_s
        ("fast_w", np.float64),  # its weight, changes
        ("slow_sq", np.float64),  # as above over slow_halflife_s: 5 s changes
        ("slow_w", np.float64),
        ("long_sq", np.float64),  # and 60 s changes
        ("long_w", np.float64),
        ("normal", np.float64),  # decayed Σ of the current σ, ticks/√s, normal_halflife_s
        ("normal_w", np.float64),
    ],
    align=True,
)
Volatility = NDArray[Any]
"""One-element array of dtype VOLATILITY."""


@flat_kernel
def add_sample(volatility: Volatility, params: Params, mid: float) -> None:
    """Takes the next 5 s sample of the mid in ticks; NaN when the book is not valid."""
    v = volatility[0]
    p = params[0]
    ring = v.mids
    n = v.samples
    ring[n % (LONG + 1)] = mid
    change = mid - ring[(n - 1) % (LONG + 1)] if n >= 1 else np.nan
    long = mid - ring[(n - LONG) % (LONG + 1)] if n >= LONG else np.nan
    v.samples = n + 1
    fast = 0.5 ** (SAMPLE_S / p.sigma_halflife_s)
    slow = 0.5 ** (SAMPLE_S / p.slow_halflife_s)
    normal = 0.5 ** (SAMPLE_S / p.normal_halflife_s)
    v.fast_sq *= fast
    v.fast_w *= fast
    v.slow_sq *= slow
    v.slow_w *= slow
    v.long_sq *= slow
    v.long_w *= slow
    v.normal *= normal
    v.normal_w *= normal
    if np.isfinite(change):
        v.changes += 1
        v.fast_sq += change * change
        v.fast_w += 1.0
        v.slow_sq += change * change
        v.slow_w += 1.0
    elif v.fast_w < 1.0:
        v.changes = 0
    if np.isfinite(long):
        v.long_sq += long * long
        v.long_w += 1.0
    if is_ready(volatility):
        v.normal += current(volatility)
        v.normal_w += 1.0


@flat_kernel
def is_ready(volatility: Volatility) -> bool:
    """Whether enough changes were seen for σ."""
    v = volatility[0]
    return v.changes >= MIN_CHANGES and v.fast_w > 0.0


@flat_kernel
def current(volatility: Volatility) -> float:
    """The current σ at 5 s, ticks/√s; 0 before the first change."""
    v = volatility[0]
    if v.fast_w <= 0.0:
        return 0.0
    return np.sqrt(v.fast_sq / v.fast_w / SAMPLE_S)


@flat_kernel
def slow(volatility: Volatility) -> float:
    """The slow σ̄ at 5 s, ticks/√s, at least SIGMA_FLOOR."""
    v = volatility[0]
    if v.slow_w <= 0.0:
        return SIGMA_FLOOR
    return max(np.sqrt(v.slow_sq / v.slow_w / SAMPLE_S), SIGMA_FLOOR)


@flat_kernel
def normal(volatility: Volatility) -> float:
    """Normal σ at 5 s, ticks/√s, at least NORMAL_FLOOR."""
    v = volatility[0]
    if v.normal_w <= 0.0:
        return max(current(volatility), NORMAL_FLOOR)
    return max(v.normal / v.normal_w, NORMAL_FLOOR)


@flat_kernel
def ratio_exponent(volatility: Volatility) -> float:
    """The a in variance(τ) = variance(5 s)·(τ/5)^a: ln VR/ln 12."""
    v = volatility[0]
    if v.slow_w <= 0.0 or v.slow_sq <= 0.0:
        return 0.0
    short = v.slow_sq / v.slow_w / SAMPLE_S
    ratio = (v.long_sq / (LONG * SAMPLE_S * short) + RATIO_PRIOR) / (v.long_w + RATIO_PRIOR)
    return np.log(min(max(ratio, RATIO_MIN), RATIO_MAX)) / np.log(float(LONG))


@flat_kernel
def growth(volatility: Volatility, tau_s: float) -> float:
    """σ at a horizon of τ seconds as a multiple of σ at 5 s."""
    return (tau_s / SAMPLE_S) ** (0.5 * ratio_exponent(volatility))


@flat_kernel
def at_horizon(sigma: float, grown: float) -> float:
    """σ at 5 s carried to a horizon by its `growth`, at least SIGMA_FLOOR (ticks/√s)."""
    return max(sigma * grown, SIGMA_FLOOR)


@flat_kernel
def rolling_tau(volatility: Volatility, kappa_ticks: float) -> float:
    """τ = 2/(κ̄·σ̄(τ))² in seconds, solved with σ̄ at its own horizon; κ̄ in 1/ticks.

    With σ̄² = s²·(τ/5)^a: ln τ·(1 + a) = ln(2/(κ̄·s)²) + a·ln 5.
    """
    exponent = ratio_exponent(volatility)
    risk = kappa_ticks * slow(volatility)
    return np.exp((np.log(2.0 / (risk * risk)) + exponent * np.log(SAMPLE_S)) / (1.0 + exponent))


@flat_kernel
def warm_candles(volatility: Volatility, params: Params, closes: NDArray[np.float64]) -> None:
    """Starts σ from the closes of one-minute candles, oldest first, in ticks.

    Trade prices bounce between bid and ask: the autocovariance of their changes takes that out
    (Roll 1984), since a change of the mid has variance var + 2·cov(Δₜ, Δₜ₊₁).
    """
    v = volatility[0]
    p = params[0]
    n = closes.size - 1
    if n < 2:
        return
    var = 0.0
    cov = 0.0
    for i in range(n):
        change = closes[i + 1] - closes[i]
        var += change * change
        if i > 0:
            cov += change * (closes[i] - closes[i - 1])
    share = min(max(1.0 + 2.0 * cov / var, RATIO_MIN), 1.0) if var > 0.0 else 1.0
    minute_s = LONG * SAMPLE_S
    fast_decay = 0.5 ** (minute_s / p.sigma_halflife_s)
    slow_decay = 0.5 ** (minute_s / p.slow_halflife_s)
    normal_decay = 0.5 ** (minute_s / p.normal_halflife_s)
    for i in range(n):
        change = closes[i + 1] - closes[i]
        square = share * change * change
        # a minute is LONG changes of 5 s whose squares sum to the minute's, and LONG long samples
        v.fast_sq = v.fast_sq * fast_decay + square
        v.fast_w = v.fast_w * fast_decay + LONG
        v.slow_sq = v.slow_sq * slow_decay + square
        v.slow_w = v.slow_w * slow_decay + LONG
        v.long_sq = v.long_sq * slow_decay + LONG * square
        v.long_w = v.long_w * slow_decay + LONG
        v.normal = v.normal * normal_decay + LONG * current(volatility)
        v.normal_w = v.normal_w * normal_decay + LONG
    v.changes = MIN_CHANGES


@flat_kernel
def horizon(volatility: Volatility, params: Params, kappa_ticks: float, age_ns: int) -> float:
    """τ in seconds: rolling from slow averages within its bounds, or what is left of the session."""
    p = params[0]
    if p.tau_mode == SESSION:
        return p.session_s - (age_ns * 1e-9) % p.session_s
    return min(max(rolling_tau(volatility, kappa_ticks), p.tau_min_s), p.tau_max_s)
