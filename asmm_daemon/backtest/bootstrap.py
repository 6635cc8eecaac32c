"""Whether one strategy earned more than another over the same hours, and what may be said of it.

Step changes are autocorrelated, so whole hours are drawn, always of both strategies together (paired),
and each draw is divided by its own standard error (studentised). The interval is the symmetric one of
Hall (1988), The bootstrap and Edgeworth expansion: it holds zero exactly when p exceeds 1 − level.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, nan

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.chain import merge
from asmm_daemon.backtest.periods import HOUR_S, periods
from asmm_daemon.backtest.result import Result
from asmm_daemon.errors import AsmmError

Floats = NDArray[np.float64]

DAYS_FOR_A_CLAIM = 20
"""Below it nothing is claimed about other days."""
RESAMPLES = 9_999
_DRAWN_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Difference:
    """A difference of net PnL in quote currency per hour, its interval, and the p of a difference of zero.

    `low`, `high` and `p` are NaN where one block, or blocks that do not vary, tell nothing.
    """

    per_hour: float
    low: float
    high: float
    p: float
    level: float
    blocks: int


def paired(
    ours: Sequence[Result],
    theirs: Sequence[Result],
    *,
    seed: int,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Difference:
    """Ours minus theirs, by the block bootstrap over the hours of UTC.

    Raises AsmmError when the two did not run over the same hours.
    """
    mine, other = periods(merge(ours), HOUR_S), periods(merge(theirs), HOUR_S)
    same = mine.size == other.size and np.array_equal(mine["start_ns"], other["start_ns"])
    if not same or not np.allclose(mine["seconds"], other["seconds"]):
        raise AsmmError(
            f"{ours[0].strategy} and {theirs[0].strategy} did not run over the same hours: "
            f"{mine.size} hours with {mine['seconds'].sum():.0f} s against "
            f"{other.size} with {other['seconds'].sum():.0f} s"
        )
    hours = mine["seconds"] / HOUR_S
    return studentised(mine["pnl_net"] - other["pnl_net"], hours, seed=seed, level=level, resamples=resamples)


def studentised(
    sums: Floats, hours: Floats, *, seed: int, level: float = 0.95, resamples: int = RESAMPLES
) -> Difference:
    """Bootstrap of Σsums/Σhours over blocks (k,) that are taken as independent of each other.

    `sums`: the difference over each block; `hours`: how long it was. The standard error is that of a
    ratio, from the residuals sums − rate·hours. Draws that hold one block alone have none: they count as
    infinitely far, so that few blocks give a wide interval.
    """
    k = sums.size
    if k == 0:
        return Difference(nan, nan, nan, nan, level, 0)
    rate = float(sums.sum() / hours.sum())
    rest = sums - rate * hours
    error = _error(float(rest @ rest), float(hours.sum()), k)
    if k < 2 or error <= 1e-12 * abs(rate):
        known = k > 1 and rate == 0.0
        return Difference(rate, *((0.0, 0.0, 1.0) if known else (nan, nan, nan)), level, k)
    far = _distances(rest, hours, seed, resamples)
    reach = float(np.sort(far)[min(ceil(level * (resamples + 1)), resamples) - 1]) * error
    p = (1 + np.count_nonzero(far >= abs(rate) / error)) / (resamples + 1)
    return Difference(rate, rate - reach, rate + reach, float(p), level, k)


def _distances(rest: Floats, hours: Floats, seed: int, resamples: int) -> Floats:
    """|t| of each draw (resamples,): how many of its own standard errors it lies from the estimate."""
    rng, k = np.random.default_rng(seed), rest.size
    far = np.empty(resamples)
    for start in range(0, resamples, _DRAWN_AT_ONCE):
        size = min(_DRAWN_AT_ONCE, resamples - start)
        drawn = rng.multinomial(k, np.full(k, 1 / k), size=size).astype(np.float64)
        total = drawn @ hours
        moved = drawn @ rest / total
        squares = drawn @ rest**2 - 2 * moved * (drawn @ (rest * hours)) + moved**2 * (drawn @ hours**2)
        squares[drawn.max(axis=1) == k] = 0.0
        error = np.sqrt(np.maximum(squares, 0.0) * k / (k - 1)) / total
        far[start : start + size] = np.divide(
            np.abs(moved), error, out=np.full(size, np.inf), where=error > 1e-12 * np.abs(moved)
        )
    return far


def _error(squares: float, total: float, k: int) -> float:
    return float(np.sqrt(squares * k / max(k - 1, 1)) / total)


def scope(days: float) -> str:
    """How far a finding reaches: a few days tell of themselves only."""
    return "within these days" if days < DAYS_FOR_A_CLAIM else "across days"


def verdict(ours: str, theirs: str, difference: Difference, pnl_net: float, days: float) -> str:
    """One sentence on ours against theirs. `pnl_net`: what the better one earned in quote currency."""
    names = (ours, theirs) if difference.per_hour >= 0 else (theirs, ours)
    if not difference.p <= 1 - difference.level:
        return f"no difference shown between {ours} and {theirs} {scope(days)}"
    return f"{names[0]} {'beats' if pnl_net > 0 else 'loses less than'} {names[1]} {scope(days)}"
