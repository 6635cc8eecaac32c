"""Runs of consecutive days as one."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmm_daemon.backtest.chain import changes, merge
from asmm_daemon.backtest.periods import DAY_S, HOUR_S, day_changes, periods
from asmm_daemon.errors import AsmmError
from tests.backtest.made_results import DAY, T0, made_fills, made_result, market_result


def test_money_goes_on_and_inventory_starts_again():
    """A position left at the end of the first run counts as closed at its last mid."""
    first = made_result([1.0, 5.0], [(1, 99, 1)], realised=[0.0, 2.0], fees=[0.0, 1.0], inventory=[1, 1])
    second = made_result([2.0, 3.0], [(-1, 99, 1)], realised=[1.0, 3.0], t0=T0 + DAY, inventory=[-1, 0])
    run = merge([first, second])
    assert run.steps["equity"].tolist() == [1, 5, 7, 8]
    assert run.steps["fees"].tolist() == [0, 1, 1, 1]
    assert run.steps["realised"].tolist() == [0, 2, 7, 9]
    assert run.steps["inventory"].tolist() == [1, 1, -1, 0]
    assert run.fills["order"].tolist() == [0, 1]
    assert first.steps["equity"].tolist() == [1, 5]
    assert run.pnl == first.pnl + second.pnl


def test_settings_that_all_share_and_counts_that_add_up():
    """What differs between the days is not a setting of the whole."""
    first = replace(made_result([1.0]), settings={"fee": 1, "day": 1}, counts={"orders": 2})
    second = replace(made_result([1.0], t0=T0 + DAY), settings={"fee": 1, "day": 2}, counts={"orders": 3})
    run = merge([first, second])
    assert run.settings == {"fee": 1}
    assert run.counts == {"orders": 5}


def test_runs_without_steps_join():
    """An empty day changes nothing."""
    run = merge([made_result([]), made_result([2.0]), made_result([], t0=T0 + DAY)])
    assert run.steps["equity"].tolist() == [2.0]


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (made_result([1.0], t0=T0 + DAY, strategy="other"), "differ in strategy.*by hand and other"),
        (made_result([1.0], t0=T0 + DAY, capital=5.0), "differ in capital"),
        (made_result([1.0], t0=T0 + DAY, cycle_s=1.0), "differ in cycle_s"),
        (made_result([1.0], t0=T0 - DAY), "runs overlap"),
    ],
)
def test_what_cannot_be_joined_says_why(second, reason):
    """The error names what differs, with both values."""
    with pytest.raises(AsmmError, match=reason):
        merge([made_result([1.0]), second])


def test_no_runs_is_an_error():
    """There is nothing to join."""
    with pytest.raises(AsmmError, match="no runs"):
        merge([])


def test_periods_by_hand():
    """A step that ends on the hour belongs to the hour before; idle hours are left out."""
    result = made_result(
        [1.0, 3.0, 2.0, 6.0],
        made_fills((1, 99.0, 1.0), (-1, 101.0, 2.0)),
        cycle_s=1800.0,
        inventory=[1.0, 0.0, -2.0, 0.5],
        volume=[99.0, 99.0, 301.0, 301.0],
        near_both_s=[1800.0, 0.0, 1800.0, 1800.0],
        fees=[0.5, 0.5, 1.0, 1.0],
    )
    result.fills["t_ns"][1] += 3_600_000_000_000
    first, second = periods(result)
    assert first["start_ns"] == T0
    assert second["start_ns"] == T0 + 3_600_000_000_000
    assert (first["pnl_net"], second["pnl_net"]) == (3.0, 3.0)
    assert (first["fills"], second["fills"]) == (1, 1)
    assert (first["drawdown"], second["drawdown"]) == (0.0, 1.0)
    assert (first["fees"], second["fees"]) == (0.5, 0.5)
    assert (first["quoted_both_share"], second["quoted_both_share"]) == (0.5, 1.0)
    assert (second["inventory"], second["inventory_max_abs"]) == (0.5, 2.0)
    assert first["sharpe_step"] == pytest.approx(1.5 / np.std([1, 2], ddof=1))
    assert periods(made_result([])).size == 0
    assert day_changes(made_result([])).size == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 50), st.sampled_from([60, 700, HOUR_S, DAY_S]))
def test_periods_add_up_to_the_run(seed, span_s):
    """Whatever the span, nothing is lost and nothing counts twice."""
    result = market_result(seed=seed, hours=1.3, cycle_s=20.0, t0=T0 + seed * 977_000_000_000)
    rows = periods(result, span_s)
    assert rows["pnl_net"].sum() == pytest.approx(result.pnl)
    assert rows["fills"].sum() == result.fills.size
    assert rows["volume"].sum() == pytest.approx(result.steps["volume"][-1])
    assert rows["seconds"].sum() == result.steps.size * result.cycle_s
    assert (np.diff(rows["start_ns"]) > 0).all()
    assert changes(result.steps["volume"]).min() >= 0
