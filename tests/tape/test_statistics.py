"""Measures of a tape, on a market made by hand."""

from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon.errors import TapeError
from asmm_daemon.events import CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.tape.columns import Tape, TapeInfo, empty_rows
from asmm_daemon.tape.statistics import measure, table
from asmm_daemon.units import NS_PER_S

INFO = TapeInfo("x", "binance", "AUSDT", "A", "USDT", Decimal("0.1"), Decimal("0.01"), Decimal(5))


def message(t_s, *items):
    rows = empty_rows(len(items))
    rows["exch_ns"] = rows["local_ns"] = int(t_s * NS_PER_S)
    for row, item in zip(rows, items, strict=True):
        row["kind"], row["side"], row["price"], row["qty"] = item
    rows["last"][-1] = True
    return rows


def book(t_s, bid, ask, qty=10):
    levels = [(DEPTH, 1, bid, qty), (DEPTH, -1, ask, qty), (DEPTH, 1, bid - 100, 90)]
    return message(t_s, (CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0), *levels)


def measured(*messages):
    return measure([Tape(INFO, np.concatenate(messages))])


def test_spread_and_touch_are_medians_in_plain_units():
    """A spread of 4 ticks at 10,000 ticks is 4 bps; 10 lots at 1,000 quote are 100 in quote currency."""
    seen = measured(book(0, 9998, 10002), book(1, 9998, 10002), book(2, 9998, 10002))
    assert seen.spread_ticks == 4
    assert seen.spread_bps == pytest.approx(4)
    assert seen.touch_usd == pytest.approx(10 * 0.01 * 1000)
    assert seen.near_touch_ratio == pytest.approx(1)


def test_trades_of_one_instant_and_side_are_one_order():
    """Three trades, two of them one taker: two orders, the first of 5 lots."""
    trades = [
        message(1, (TRADE, 1, 10002, 2)),
        message(1, (TRADE, 1, 10003, 3)),
        message(2, (TRADE, -1, 9998, 5)),
    ]
    seen = measured(book(0, 9998, 10002), *trades, book(10, 9998, 10002))
    assert seen.orders_per_s == pytest.approx(0.2)
    assert seen.order_usd == pytest.approx(5 * 0.01 * 1000, rel=1e-3)


def test_a_markout_is_in_the_takers_favour():
    """He bought, and a second later the mid stood one basis point higher."""
    trade = message(2, (TRADE, 1, 10002, 1))
    seen = measured(book(0, 9998, 10002), trade, book(2.5, 9999, 10003), book(9, 9999, 10003))
    assert seen.markout_1s == pytest.approx(1, rel=1e-3)


def test_unknown_times_do_not_count():
    """A GAP ends the time that is measured, and no return crosses it."""
    gap = message(3, (GAP, 0, 0, 0))
    seen = measured(book(0, 9998, 10002), gap, book(9, 10098, 10102), book(12, 10098, 10102))
    assert seen.hours == pytest.approx(6 / 3600)
    assert seen.sigma_1s == 0


def test_nothing_to_measure_is_an_error():
    """An empty source is named as such."""
    with pytest.raises(TapeError, match="no rows"):
        measure([])


def test_the_table_sets_tapes_side_by_side():
    """One line a measure, one column a tape."""
    seen = measured(book(0, 9998, 10002), book(1, 9998, 10002))
    lines = table({"a": seen, "b": seen}).splitlines()
    assert lines[0].split() == ["measure", "a", "b"]
    assert lines[2].split() == ["spread_ticks", "4", "4"]
