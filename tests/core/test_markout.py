"""The mid a minute after a fill, against its price."""

from math import isnan, nan

import pytest

from asmm_daemon.core.markout import Markouts
from asmm_daemon.events import FillEvent
from tests.core.bench import D, S


def _fill(side, price, qty, venue_s):
    return FillEvent(
        venue_s * S,
        0,
        "c",
        "o",
        str(venue_s),
        side,
        D(price),
        D(qty),
        D(0),
        "USDT",
        True,
        venue_s * S,
        "stream",
    )


def test_mean_is_weighted_by_quantity():
    """A bought lot that rose 10 bps and three sold ones that rose as much: -5 bps a unit."""
    marks = Markouts()
    marks.add(_fill(1, "100", "1", 0))
    marks.add(_fill(-1, "100", "3", 0))
    marks.measure(59 * S, 200.0)
    assert isnan(marks.mean_bps)
    marks.measure(60 * S, 100.1)
    assert marks.mean_bps == pytest.approx(-5.0)
    assert not marks.waiting


def test_a_mid_that_is_missing_or_late_measures_nothing():
    """Without a mid at the minute's end the fill is left out."""
    marks = Markouts()
    marks.add(_fill(1, "100", "1", 0))
    marks.measure(60 * S, nan)
    marks.add(_fill(1, "100", "1", 1))
    marks.measure(63 * S, 100.1)
    assert isnan(marks.mean_bps)
    assert not marks.waiting
