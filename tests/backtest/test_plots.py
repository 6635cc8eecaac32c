"""What the plots show: no spike is lost, no hole is bridged."""

import base64

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmm_daemon.backtest.chain import merge
from asmm_daemon.backtest.plots import MAX_POINTS, inventory_limit, payload, thinned
from tests.backtest.made_results import DAY, T0, made_result, market_result


def _unpacked(column):
    return np.frombuffer(base64.b64decode(column["f32"]), "<f4").astype(float) + column["offset"]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 400), st.integers(0, 99), st.floats(0, 1))
def test_thinning_keeps_every_buckets_extremes(n, seed, share_unknown):
    """Smallest and largest of each bucket stay, in their order; all are real values."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=n)
    values[rng.random(n) < share_unknown] = np.nan
    times, columns, size = thinned(np.arange(n, dtype=float), {"x": values}, most=40)
    kept = columns["x"]
    assert kept.size == times.size <= max(40, 1)
    assert (np.diff(times) >= 0).all()
    if size == 1:
        assert np.array_equal(kept, values, equal_nan=True)
        return
    for i in range(0, kept.size, 2):
        bucket = values[i // 2 * size : (i // 2 + 1) * size]
        known = bucket[np.isfinite(bucket)]
        if known.size:
            assert {kept[i], kept[i + 1]} == {known.min(), known.max()}
            first, second = (np.flatnonzero(bucket == kept[j])[0] for j in (i, i + 1))
            assert first <= second
        else:
            assert np.isnan(kept[i : i + 2]).all()


def test_a_spike_of_one_cycle_in_a_long_run_is_shown():
    """Among 100,000 steps one stands out and stays."""
    equity = np.zeros(100_000)
    equity[77_777] = -42.0
    drawn = payload(made_result(equity, cycle_s=0.1))
    net = _unpacked(drawn["series"]["net"])
    assert net.size <= MAX_POINTS
    assert net.min() == -42.0
    assert drawn["step_s"] == pytest.approx(0.5)


def test_prices_survive_packing():
    """Float32 against an offset is finer than a tick; what is unknown stays unknown."""
    result = market_result(hours=2)
    mid = _unpacked(payload(result)["series"]["mid"])
    assert np.isnan(mid[:3]).all()
    assert mid[3:] == pytest.approx(result.steps["mid"][3:], abs=1e-3)


def test_hole_between_days_breaks_the_lines():
    """Two days apart have an empty point in between."""
    run = merge([made_result([1.0, 2.0]), made_result([1.0, 2.0], t0=T0 + 2 * DAY)])
    net = _unpacked(payload(run)["series"]["net"])
    assert np.isnan(net).tolist() == [False, False, True, False, False]


def test_limit_is_the_effective_maximum():
    """The smaller of the inventory's and the exposure's limit; none without settings."""
    result = made_result([0.0, 0.0], mid=[100.0, 200.0])
    assert inventory_limit(result) is None
    result.settings["max_inventory"] = "1.5"
    assert inventory_limit(result).tolist() == [1.5, 1.5]
    result.settings["max_exposure"] = 200.0
    assert inventory_limit(result).tolist() == [1.5, 1.0]
