"""What is said of a tape: counted by hand on a few rows."""

import numpy as np

from asmm_daemon.events import CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.tape.columns import Quality, empty_rows
from asmm_daemon.tape.inspection import Inspector

S = 1_000_000_000
START = 1_700_000_000 * S
# second, latency in ms, kind, side, price, qty, last
MADE = [
    (0, 1, CLEAR, 1, 0, 0, False), (0, 1, CLEAR, -1, 0, 0, False),
    (0, 1, DEPTH, 1, 100, 5, False), (0, 1, DEPTH, -1, 102, 5, True),
    (1, 2, DEPTH, 1, 102, 5, True),
    (2, 3, DEPTH, 1, 103, 5, True),
    (3, 4, DEPTH, 1, 103, 0, True),
    (4, 5, TRADE, 1, 102, 1, True),
    (6, 0, GAP, 0, 0, 0, True),
    (10, 6, CLEAR, 1, 0, 0, False), (10, 6, CLEAR, -1, 0, 0, False),
    (10, 6, DEPTH, 1, 100, 5, False), (10, 6, DEPTH, -1, 102, 5, True),
]  # fmt: skip


def made():
    rows = empty_rows(len(MADE))
    for row, (second, ms, kind, side, price, qty, last) in zip(rows, MADE, strict=True):
        row["local_ns"] = START + second * S
        row["exch_ns"] = row["local_ns"] - ms * 1_000_000
        row["kind"], row["side"], row["price"], row["qty"], row["last"] = kind, side, price, qty, last
    return rows


def test_a_tape_is_described(tmp_path):
    """Books crossed and locked, gaps and the time without a book, silences, span and clock skew."""
    quality, inspector = Quality(), Inspector()
    inspector.see(made()[:5])
    inspector.see(made()[5:])
    inspector.report(quality)
    assert (quality.rows, quality.books, quality.trades) == (13, 5, 1)
    assert (quality.crossed, quality.locked_left) == (1, 2)
    assert (quality.gaps, quality.gap_ns) == (1, 4 * S)
    assert (quality.silences, quality.silence_max_ns) == (1, 6 * S)
    assert quality.span_ns == 10 * S
    assert (quality.skew_min_ns, quality.skew_max_ns) == (1_000_000, 6_000_000)
    assert abs(quality.skew_median_ns / 3_000_000 - 1) < 0.01


def test_a_book_that_stays_unknown_counts_to_the_end(tmp_path):
    """A gap that no snapshot ends lasts as long as the tape."""
    rows = made()[:9]
    rows["kind"][-1] = GAP
    later = made()[7:8]
    later["local_ns"] = later["exch_ns"] = START + 20 * S
    quality, inspector = Quality(), Inspector()
    inspector.see(np.concatenate([rows, later]))
    inspector.report(quality)
    assert (quality.gaps, quality.gap_ns) == (1, 14 * S)


def test_repairs_of_a_tape_are_carried_on():
    """A tape made from a tape keeps what was repaired; what is measured anew is not added up."""
    quality = Quality()
    quality.carry({"duplicates": 3, "late_local": 2, "local_shift_ns": 9, "gaps": 7, "rows": 5})
    assert (quality.duplicates, quality.late_local, quality.local_shift_ns) == (3, 2, 9)
    assert (quality.gaps, quality.rows) == (0, 0)
