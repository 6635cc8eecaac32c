"""A recording cut into UTC days: nothing lost, nothing twice, each with the book so far."""

import numpy as np
import pytest

from asmm_daemon.backtest.days import DAY_NS, days
from asmm_daemon.core.book import new_book
from asmm_daemon.errors import TapeError
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.tape.window import fold
from tests.backtest.markets import START_NS, S

HOUR = 3600 * S


@pytest.fixture(scope="module")
def source():
    """Two hours on each side of midnight."""
    start = START_NS + DAY_NS - 2 * HOUR
    return SyntheticSource("NEXOUSDT", "binance", start, 3, start + 4 * HOUR)


def told(day):
    """The rows of a day itself, without what warms it up."""
    return day.rows[day.rows["local_ns"] >= day.begin_ns]


def test_every_row_belongs_to_one_day(source):
    """The days together are the recording."""
    whole = np.concatenate([tape.rows for tape in source])
    parts = list(days(source, lead_s=600.0))
    assert len(parts) == 2
    assert parts[1].begin_ns % DAY_NS == 0
    joined = np.concatenate([told(part) for part in parts])
    assert np.array_equal(joined["exch_ns"], whole["exch_ns"])
    assert np.array_equal(joined["qty"], whole["qty"])


def test_a_day_begins_with_the_book_so_far(source):
    """What lies before a day gives the same best prices as the whole recording up to there."""
    whole = np.concatenate([tape.rows for tape in source])
    day = list(days(source, lead_s=600.0))[1]
    one, other = new_book(), new_book()
    fold(one, whole[whole["local_ns"] < day.begin_ns])
    fold(other, day.rows[day.rows["local_ns"] < day.begin_ns])
    assert one.head["bid"] == other.head["bid"]
    assert one.head["ask"] == other.head["ask"]


def test_a_stretch_is_cut_out(source):
    """--from and --to: only messages between them are traded on."""
    start = START_NS + DAY_NS - HOUR
    parts = list(days(source, lead_s=300.0, start_ns=start, end_ns=start + HOUR // 2))
    assert len(parts) == 1
    rows = told(parts[0])
    assert rows["local_ns"][0] >= start
    assert rows["local_ns"][-1] < start + HOUR // 2
    assert parts[0].rows["local_ns"][0] < start


def test_an_empty_stretch_is_an_error(source):
    """A time that the recording does not cover is said, not run."""
    with pytest.raises(TapeError, match="no message"):
        list(days(source, start_ns=START_NS + 40 * DAY_NS))


def test_a_start_long_before_the_recording_is_the_recordings_own(source):
    """Days that have no message are passed over, however many they are."""
    early, plain = (list(days(source, lead_s=600.0, start_ns=start)) for start in (0, None))
    assert len(early) == len(plain) == 2
    assert early[0].begin_ns == START_NS
    for one, other in zip(early, plain, strict=True):
        assert np.array_equal(told(one)["local_ns"], told(other)["local_ns"])
