"""The paired, studentised block bootstrap: its coverage, its degenerate cases and its words."""

from math import inf, isinf, isnan, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from asmm_daemon.backtest.bootstrap import Difference, paired, scope, studentised, verdict
from asmm_daemon.errors import AsmmError
from tests.backtest.made_results import DAY, T0, made_result, market_result

BLOCKS, STEPS, SERIES = 24, 360, 300


def _autocorrelated(seed):
    """Changes (SERIES, BLOCKS·STEPS) of mean 0.05 whose neighbours correlate by 0.9, with fat tails."""
    rng = np.random.default_rng(seed)
    noise = rng.standard_t(4, (BLOCKS * STEPS, SERIES))
    for i in range(1, noise.shape[0]):
        noise[i] += 0.9 * noise[i - 1]
    return noise.T + 0.05


def _coverage(changes, steps):
    sums = changes.reshape(changes.shape[0], -1, steps).sum(axis=2)
    hours = np.full(sums.shape[1], steps / STEPS)
    found = [studentised(row, hours, seed=i, resamples=399) for i, row in enumerate(sums)]
    return np.mean([d.low <= 0.05 * STEPS <= d.high for d in found])


def test_interval_covers_what_it_says_on_autocorrelated_changes():
    """Of 300 series the 95 % interval holds the truth in 92–98 %; blocks of one step would in under 60 %."""
    changes = _autocorrelated(seed=7)
    assert 0.92 <= _coverage(changes, STEPS) <= 0.98
    assert _coverage(changes[:100, : 2 * STEPS], 1) < 0.6


@settings(max_examples=50, deadline=None)
@given(arrays(float, st.integers(3, 30), elements=st.floats(-100, 100, width=32)), st.integers(0, 5))
def test_p_agrees_with_the_interval(sums, seed):
    """Zero lies outside exactly when p is at most 0.05; the estimate lies inside."""
    found = studentised(sums, np.ones(sums.size), seed=seed, resamples=999)
    assert found.per_hour == pytest.approx(sums.mean(), abs=1e-9)
    if not isnan(found.p) and found.per_hour != 0:
        assert (found.low > 0 or found.high < 0) == (found.p <= 0.05)
        assert found.low <= found.per_hour <= found.high


def test_short_blocks_weigh_by_their_length():
    """Half an hour at the edge counts half: 3 and 1 over 1 h and ½ h are 4 in 1½ hours."""
    found = studentised(np.array([3.0, 1.0, 5.0]), np.array([1.0, 0.5, 1.5]), seed=1)
    assert found.per_hour == pytest.approx(3.0)
    assert found.blocks == 3


def test_seed_decides():
    """The same seed gives the same interval, another one nearly the same."""
    sums, hours = np.random.default_rng(1).normal(1, 2, 40), np.ones(40)
    first = studentised(sums, hours, seed=1)
    assert studentised(sums, hours, seed=1) == first
    other = studentised(sums, hours, seed=2)
    assert other != first
    assert other.low == pytest.approx(first.low, abs=0.1)


def test_degenerate_cases():
    """Nothing, one block, equal strategies, a constant difference, and two blocks."""
    nothing = studentised(np.zeros(0), np.zeros(0), seed=1)
    assert nothing.blocks == 0
    assert isnan(nothing.per_hour)
    single = studentised(np.array([3.0]), np.ones(1), seed=1)
    assert single.per_hour == 3.0
    assert isnan(single.p)
    assert studentised(np.zeros(9), np.ones(9), seed=1) == Difference(0.0, 0.0, 0.0, 1.0, 0.95, 9)
    constant = studentised(np.full(9, 0.1), np.ones(9), seed=1)
    assert constant.per_hour == pytest.approx(0.1)
    assert isnan(constant.low)
    two = studentised(np.array([1.0, 2.0]), np.ones(2), seed=1)
    assert isinf(two.high)
    assert two.p > 0.05


def test_pairs_of_results():
    """A strategy that earns a little more every hour is told from its twin, whatever the market did."""
    base = market_result(seed=6, hours=24, cycle_s=30.0)
    rng = np.random.default_rng(6)
    ahead = base.steps.copy()
    ahead["equity"] += np.cumsum(rng.normal(0.05, 0.2, ahead.size))
    better = market_result(seed=6, hours=24, cycle_s=30.0, strategy="better")
    better.steps[:] = ahead
    found = paired([better], [base], seed=1)
    assert found.blocks == 24
    assert found.per_hour == pytest.approx((better.pnl - base.pnl) / 24)
    assert found.low > 0
    assert found.p <= 0.05
    opposite = paired([base], [better], seed=1)
    assert (opposite.low, opposite.high) == pytest.approx((-found.high, -found.low))


def test_other_hours_are_refused():
    """Strategies over different stretches cannot be paired; the error says how they differ."""
    ours, theirs = made_result([1.0] * 9, strategy="a"), made_result([1.0] * 8, strategy="b")
    with pytest.raises(AsmmError, match="a and b did not run over the same hours: 1 hours with 45 s"):
        paired([ours], [theirs], seed=1)
    with pytest.raises(AsmmError, match="same hours"):
        paired([ours], [made_result([1.0] * 9, t0=T0 + DAY)], seed=1)


def test_words():
    """Under twenty days nothing is said of others; better is not winning while money is lost."""
    assert scope(19.99) == "within these days"
    assert scope(20) == "across days"
    ahead = Difference(1.0, 0.5, 1.5, 0.01, 0.95, 48)
    behind = Difference(-1.0, -1.5, -0.5, 0.01, 0.95, 48)
    assert verdict("a", "b", ahead, pnl_net=3.0, days=2) == "a beats b within these days"
    assert verdict("a", "b", ahead, pnl_net=-3.0, days=2) == "a loses less than b within these days"
    assert verdict("a", "b", behind, pnl_net=3.0, days=30) == "b beats a across days"
    for p in (0.2, nan):
        unclear = Difference(1.0, -inf, inf, p, 0.95, 2)
        assert verdict("a", "b", unclear, 3.0, 2) == "no difference shown between a and b within these days"
