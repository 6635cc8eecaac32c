"""Ratios and drawdowns, against empyrical and by hand."""

from math import isnan, sqrt

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from asmm_daemon.backtest.ratios import annualised, drawdown_ratio, drawdowns, sharpe, sortino

CAPITAL = 10_000.0
SERIES = arrays(float, st.integers(3, 60), elements=st.integers(-1000, 1000).map(lambda i: i / 8))


@given(SERIES.filter(lambda change: np.ptp(change) > 0))
def test_sharpe_is_empyricals(change):
    """Per period and annualised over 365 days, of returns on a fixed capital."""
    returns = change / CAPITAL
    assert sharpe(change) == pytest.approx(empyrical.sharpe_ratio(returns, annualization=1))
    assert annualised(sharpe(change)) == pytest.approx(empyrical.sharpe_ratio(returns, annualization=365))


@given(SERIES.filter(lambda change: change.min() < 0))
def test_sortino_is_empyricals(change):
    """Per period and annualised over 365 days, with gains counting as zero in the risk."""
    returns = change / CAPITAL
    assert sortino(change) == pytest.approx(empyrical.sortino_ratio(returns, annualization=1))
    assert annualised(sortino(change)) == pytest.approx(empyrical.sortino_ratio(returns, annualization=365))


@given(SERIES)
def test_relative_drawdown_is_empyricals(change):
    """The same wealth as compounded returns falls by the same share."""
    equity = np.cumsum(change)
    wealth = CAPITAL + np.concatenate([[0.0], equity])
    assert (wealth > 0).all()
    expected = -empyrical.max_drawdown(wealth[1:] / wealth[:-1] - 1)
    assert drawdown_ratio(equity, CAPITAL) == pytest.approx(expected, abs=1e-12)


def test_by_hand():
    """Changes 3, −1, 2, −2: mean ½, deviation √(17/3), downside √(5/4)."""
    change = np.array([3.0, -1.0, 2.0, -2.0])
    assert sharpe(change) == pytest.approx(0.5 / sqrt(17 / 3))
    assert sortino(change) == pytest.approx(0.5 / sqrt(5 / 4))


def test_drawdown_starts_from_zero():
    """An equity that only falls is below its start, although it never had a peak of its own."""
    assert drawdowns(np.array([-1.0, -3.0, 2.0, 1.5])).tolist() == [1.0, 3.0, 0.0, 0.5]
    assert drawdown_ratio(np.array([-1.0, -3.0, 2.0, 1.0]), 10.0) == pytest.approx(0.3)
    assert drawdown_ratio(np.zeros(0), 10.0) == 0.0
    assert drawdowns(np.zeros(0)).size == 0


@pytest.mark.parametrize("change", [[], [1.0], [0.0, 0.0], [0.1, 0.1, 0.1], np.diff([0, 0.1, 0.2, 0.3, 0.4])])
def test_no_ratio_without_risk(change):
    """Too few changes, or equal ones up to rounding, have no ratio."""
    assert isnan(sharpe(np.array(change, float)))
    assert isnan(sortino(np.array(change, float)))


@given(SERIES.filter(lambda change: np.ptp(change) > 0), st.floats(0.01, 100))
def test_ratios_have_no_unit(change, scale):
    """In another currency the ratios are the same."""
    assert sharpe(change * scale) == pytest.approx(sharpe(change))
    assert sortino(change * scale) == pytest.approx(sortino(change), nan_ok=True)
