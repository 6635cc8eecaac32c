"""Ratios of gain to risk, and drawdowns, of equidistant changes of wealth.

Without a risk-free rate: a market maker's capital is margin, not an investment. A ratio is NaN where it
has no meaning: fewer than two changes, or no risk to divide by.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DAYS_A_YEAR = 365
"""Crypto markets do not close."""
NO_SPREAD = 1e-9
"""A deviation below this share of the mean is the rounding of equal changes, not a risk."""


def sharpe(change: Floats) -> float:
    """mean(Δ)/std(Δ) of changes (n,), with the sample deviation (n − 1).

    Sharpe (1994), The Sharpe ratio, with a benchmark of zero.
    """
    if change.size < 2:
        return float("nan")
    mean, deviation = float(change.mean()), float(change.std(ddof=1))
    return mean / deviation if deviation > NO_SPREAD * abs(mean) else float("nan")


def sortino(change: Floats) -> float:
    """mean(Δ)/√mean(min(Δ, 0)²) of changes (n,): all of them count, gains as zero.

    Sortino and van der Meer (1991), with a minimal acceptable return of zero.
    """
    if change.size < 2:
        return float("nan")
    downside = float(np.sqrt(np.mean(np.minimum(change, 0.0) ** 2)))
    return float(change.mean() / downside) if downside > 0 else float("nan")


def annualised(daily: float) -> float:
    """A ratio of daily changes scaled to a year: × √365."""
    return float(daily * np.sqrt(DAYS_A_YEAR))


def drawdowns(equity: Floats) -> Floats:
    """How far equity (n,), counted from zero, stands below its peak so far: (n,), never negative."""
    return peaks(equity) - equity


def peaks(equity: Floats) -> Floats:
    """The highest equity so far (n,); the start, zero, counts."""
    return np.maximum(np.maximum.accumulate(equity), 0.0) if equity.size else equity


def drawdown_ratio(equity: Floats, capital: float) -> float:
    """The largest share of capital + peak that was lost from a peak; zero without steps."""
    if not equity.size:
        return 0.0
    peak = peaks(equity)
    return float(np.max((peak - equity) / (capital + peak)))
