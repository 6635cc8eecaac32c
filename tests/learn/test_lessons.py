"""Lessons: the unit that rewards are divided by."""

import numpy as np
import pytest

from asmm_daemon.core.params import QuoteParams
from asmm_daemon.errors import TapeError
from asmm_daemon.learn.lessons import reward_unit

STEPS = np.dtype([("half_spread", "f8"), ("kappa", "f8"), ("mid", "f8")])


def test_a_reward_unit_is_an_order_at_the_usual_distance():
    """Order size × median 1/κ of the cycles that quoted, whether the size is in base or in quote currency."""
    rows = [(1.0, 0.5, 100.0), (1.0, 0.25, 200.0), (1.0, 0.1, 400.0)]
    steps = np.array([*rows, (np.nan, 9.0, 100.0), (1.0, 0.0, 100.0), (1.0, 9.0, 0.0)], STEPS)
    assert reward_unit(QuoteParams(order_size=3.0), steps) == pytest.approx(3.0 * 4.0)
    in_quote = QuoteParams(order_size=600.0, size_in_quote=True)
    assert reward_unit(in_quote, steps) == pytest.approx(600.0 / 200.0 * 4.0)


def test_without_a_quote_there_is_no_unit():
    """A stretch too short to quote in is named, not divided by."""
    with pytest.raises(TapeError, match="not one quote"):
        reward_unit(QuoteParams(), np.zeros(3, STEPS))
