"""Messages to rows."""

from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon.events import CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.units import Instrument, Lots
from asmm_daemon.venue.rows import RowMaker

BTC = Instrument(
    "BTCUSDT",
    "binanceusdm",
    "BTC",
    "USDT",
    Decimal("0.1"),
    Decimal("0.001"),
    Decimal(100),
    Lots(1),
    Lots(10**6),
    Decimal("0.0002"),
    Decimal("0.0005"),
)


@pytest.fixture
def maker() -> RowMaker:
    return RowMaker(BTC)


def test_a_diff_becomes_absolute_levels_bids_first(maker):
    """Each level is one DEPTH row in ticks and lots; only the last row ends the message."""
    rows = maker.depth([["64000.10", "0.500"], ["63999.90", "0"]], [["64000.20", "1.25"]], 5, 9, 77)
    assert rows["kind"].tolist() == [DEPTH] * 3
    assert rows["side"].tolist() == [1, 1, -1]
    assert rows["price"].tolist() == [640001, 639999, 640002]
    assert rows["qty"].tolist() == [500, 0, 1250]
    assert rows["last"].tolist() == [False, False, True]
    assert set(rows["id"].tolist()) == {77}


def test_an_empty_diff_gives_no_rows(maker):
    """A message without levels moves the sequence only."""
    assert maker.depth([], [], 1, 1, 1).size == 0


def test_a_snapshot_clears_both_sides_first(maker):
    """What was in the book before a snapshot is gone after it."""
    rows = maker.snapshot([["1", "1"]], [["2", "1"]], 1, 2, 3)
    assert rows["kind"].tolist() == [CLEAR, CLEAR, DEPTH, DEPTH]
    assert rows["price"][:2].tolist() == [0, 0]


@pytest.mark.parametrize(
    "bids", [[], [["1.05", "1"]], [["1", "0.0005"]], [["nan", "1"]], [["inf", "1"]], [["-1", "1"]]]
)
def test_a_snapshot_that_no_market_has_is_refused(maker, bids):
    """An empty side, a price off the grid, NaN and infinity never become rows."""
    with pytest.raises(ValueError, match="BTCUSDT"):
        maker.snapshot(bids, [["2", "1"]], 1, 1, 1)


def test_a_trade_carries_the_aggressors_side(maker):
    """One TRADE row, complete by itself."""
    row = maker.trade("64000.10", "0.010", -1, 5, 9, 12)[0]
    assert (row["kind"], row["side"], row["price"], row["qty"], row["id"], row["last"]) == (
        TRADE,
        -1,
        640001,
        10,
        12,
        True,
    )


@pytest.mark.parametrize(
    ("price", "qty"), [("nan", "1"), ("inf", "1"), ("0", "1"), ("1", "-1"), ("1", "nan")]
)
def test_an_impossible_trade_is_refused(maker, price, qty):
    """Non-finite, zero and negative numbers raise instead of reaching the market state."""
    with pytest.raises(ValueError, match="BTCUSDT"):
        maker.trade(price, qty, 1, 1, 1, 1)


def test_the_local_time_is_never_before_the_venues(maker):
    """A recorder's clock that runs behind is repaired as the tape's is."""
    assert maker.trade("1", "1", 1, 10, 3, 1)[0]["local_ns"] == 10
    assert np.all(maker.depth([["1", "1"]], [], 10, 3, 1)["local_ns"] == 10)


def test_a_gap_is_one_row(maker):
    """GAP says that nothing is known from here on."""
    rows = maker.gap(7)
    assert rows.size == 1
    assert rows[0]["kind"] == GAP
    assert rows[0]["last"]
