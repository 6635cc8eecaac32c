"""The checks and repairs that every reader and writer of rows shares."""

from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon.errors import TapeError
from asmm_daemon.events import BBO, DEPTH, GAP, TRADE
from asmm_daemon.tape.columns import (
    Quality,
    Tape,
    TapeInfo,
    concat,
    empty_rows,
    gap_row,
    message_ends,
    repair_local,
    validate,
)

INFO = TapeInfo("binance", "binance", "AUSDT", "A", "USDT", Decimal("0.01"), Decimal("0.1"), Decimal(5))


def good_rows():
    rows = empty_rows(3)
    rows["kind"] = DEPTH, BBO, TRADE
    rows["side"] = 1, -1, 1
    rows["price"], rows["qty"] = 100, 5
    rows["exch_ns"] = 10, 10, 20
    rows["local_ns"] = 11, 11, 20
    rows["last"] = False, True, True
    return rows


def test_good_rows_pass():
    """Rows that keep the rules raise nothing, a removed level and a GAP included."""
    rows = good_rows()
    rows["qty"][0] = 0
    validate(np.concatenate([rows, gap_row(30, 30)]), "x")


@pytest.mark.parametrize(
    ("column", "row", "value", "what"),
    [
        ("kind", 1, 9, "unknown kind"),
        ("side", 0, 0, "a side"),
        ("price", 0, 0, "price"),
        ("qty", 2, 0, "quantity"),
        ("qty", 0, -1, "quantity"),
        ("local_ns", 2, 19, "local_ns before exch_ns"),
        ("local_ns", 0, 25, "backwards"),
        ("last", 2, False, "inside a message"),
    ],
)
def test_a_broken_rule_names_origin_and_row(column, row, value, what):
    """The error carries where the row came from, its number and the rule."""
    rows = good_rows()
    rows[column][row] = value
    with pytest.raises(TapeError, match=rf"tape\.x: row (10{row + 1}|10{row + 2}|103).*{what}"):
        validate(rows, "tape.x", 100)


def test_concat_joins_only_one_market():
    """Chunks of one grid become one tape; of two grids they are refused, and so is nothing."""
    tape = Tape(INFO, good_rows())
    assert concat([tape, tape]).rows.size == 6
    with pytest.raises(TapeError, match="different markets"):
        concat([tape, Tape(replace(INFO, tick=Decimal(1)), good_rows())])
    with pytest.raises(TapeError, match="empty"):
        concat([])


def test_message_ends_follow_the_last_flag():
    """A message ends with the row that carries `last`."""
    assert message_ends(good_rows()) == [2, 3]


def test_receive_times_are_raised_and_counted():
    """Local times never precede venue time, the row before, or the chunk before."""
    quality = Quality()
    exch = np.array([10, 20, 30, 40])
    local = np.array([12, 19, 50, 45])
    assert repair_local(exch, local, 15, quality).tolist() == [15, 20, 50, 50]
    assert quality.late_local == 3


def test_a_gap_is_a_message_of_its_own():
    """One row, kind GAP, last."""
    row = gap_row(5, 7)[0]
    assert (row["kind"], row["last"], row["exch_ns"], row["local_ns"]) == (GAP, True, 5, 7)
