"""Fills against the mid, and which of them closed at a profit."""

from decimal import Decimal
from math import isnan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmm_daemon.backtest.trades import closing_gains, markouts, spread_captured_bps
from asmm_daemon.core.position import Holding
from tests.backtest.made_results import made_fills

MOVES = st.lists(
    st.tuples(st.sampled_from([1, -1]), st.integers(900, 1100).map(lambda i: i / 10), st.integers(1, 5)),
    max_size=40,
)


def test_spread_is_signed_against_the_mid():
    """A buy a tenth below and a sell of thrice the size a tenth above 100 both captured 10 bps."""
    assert spread_captured_bps(made_fills((1, 99.9, 1))) == pytest.approx(10 / 0.999)
    both = made_fills((1, 99.9, 1), (-1, 100.1, 3))
    assert spread_captured_bps(both) == pytest.approx((10 / 0.999 + 3 * 10 / 1.001) / 4)
    assert spread_captured_bps(made_fills((1, 100.1, 1))) < 0
    assert isnan(spread_captured_bps(made_fills()))


def test_markouts_weigh_by_quantity_and_leave_out_the_unknown():
    """Bought 1 and sold 3 at 100, the mid at 100.1 after: −5 bps a unit; unknown mids do not count."""
    fills = made_fills((1, 100.0, 1), (-1, 100.0, 3), later=100.1)
    fills["later"][:, 3] = np.nan
    fills["later"][1, 2] = np.nan
    first, second, third, fourth = markouts(fills)
    assert (first.horizon_s, first.fills, second.fills, third.fills, fourth.fills) == (1.0, 2, 2, 1, 0)
    assert first.bps == pytest.approx(-5.0)
    assert third.bps == pytest.approx(10.0)
    assert isnan(fourth.bps)
    assert isnan(fourth.adverse_bps)


@given(MOVES, st.integers(950, 1050))
def test_spread_captured_is_markout_and_adverse_selection(moves, later):
    """What the mid took after a fill and what was left of it add up to the spread captured."""
    fills = made_fills(*moves, later=later / 10)
    for mark in markouts(fills):
        if moves:
            assert mark.bps + mark.adverse_bps == pytest.approx(spread_captured_bps(fills), abs=1e-6)


def test_closing_gains_by_hand():
    """Bought 2 at 10 and 2 at 12, sold 1 at 12 (+1), sold 4 at 10 (−3, turned), bought 1 at 9 (+1)."""
    fills = made_fills((1, 10, 2), (1, 12, 2), (-1, 12, 1), (-1, 10, 4), (1, 9, 1))
    assert closing_gains(fills).tolist() == pytest.approx([1.0, -3.0, 1.0])
    assert closing_gains(made_fills()).size == 0


@given(MOVES)
def test_closing_gains_are_the_ledgers(moves):
    """They add up to what the daemon's exact position book realises."""
    held = Holding()
    for side, price, qty in moves:
        held = held.moved(Decimal(side * qty), Decimal(str(price)))
    realised = float(held.cash + held.cost)
    assert closing_gains(made_fills(*moves)).sum() == pytest.approx(realised, abs=1e-5)


def test_tenths_that_close_in_full_leave_no_rest():
    """0.1 and 0.2 bought and 0.3 sold is flat: the next buy opens and closes nothing."""
    fills = made_fills((1, 10, 0.1), (1, 10, 0.2), (-1, 11, 0.3), (1, 50, 0.1), (-1, 51, 0.1))
    assert closing_gains(fills).tolist() == pytest.approx([0.3, 0.1])
