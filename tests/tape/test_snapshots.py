"""Snapshots become the changes between them."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asmm_daemon.core.book import apply, is_valid, new_book, qty_at
from asmm_daemon.events import CLEAR, DEPTH, GAP
from asmm_daemon.tape.columns import Quality, validate
from asmm_daemon.tape.snapshots import SnapshotBook


def books(*snapshots, depth=3):
    """(4, n, depth) out of ([(bid, qty)…], [(ask, qty)…]) pairs."""
    array = np.zeros((4, len(snapshots), depth), np.int64)
    for k, (bids, asks) in enumerate(snapshots):
        for first, side in ((0, bids), (2, asks)):
            for j, (price, qty) in enumerate(side):
                array[first, k, j], array[first + 1, k, j] = price, qty
    return array


def times(*at_ns):
    return np.array([(t, t + 1, 7) for t in at_ns], np.int64)


def changes(rows):
    return [(int(r["side"]), int(r["price"]), int(r["qty"])) for r in rows if r["kind"] == DEPTH]


def test_the_first_snapshot_clears_and_sets_everything():
    """Both sides are cleared, then every level is set, in one message with its id and times."""
    rows = SnapshotBook(Quality()).rows(times(100), books(([(10, 1), (9, 2)], [(11, 3)])))
    assert rows["kind"].tolist() == [CLEAR, CLEAR, DEPTH, DEPTH, DEPTH]
    assert changes(rows) == [(1, 10, 1), (1, 9, 2), (-1, 11, 3)]
    assert rows["last"].tolist() == [False] * 4 + [True]
    assert set(rows["exch_ns"]) == {100}
    assert set(rows["local_ns"]) == {101}
    assert set(rows["id"]) == {7}


def test_only_changes_follow():
    """An unchanged level gives no row; a snapshot without a change gives no message."""
    book = SnapshotBook(Quality())
    first = ([(10, 1), (9, 2)], [(11, 3), (12, 4)])
    book.rows(times(1), books(first))
    assert book.rows(times(2), books(first)).size == 0
    rows = book.rows(times(3), books(([(10, 1), (9, 5)], [(12, 4), (13, 1)])))
    assert changes(rows) == [(1, 9, 5), (-1, 11, 0), (-1, 13, 1)]


def test_levels_beyond_the_visible_range_stay():
    """A level below the deepest visible bid stays; when the range reaches it again without it, it goes."""
    book = SnapshotBook(Quality())
    book.rows(times(1), books(([(10, 1), (9, 2), (8, 3)], [(20, 1)])))
    assert changes(book.rows(times(2), books(([(12, 1), (11, 1), (10, 1)], [(20, 1)])))) == [
        (1, 12, 1),
        (1, 11, 1),
    ]
    rows = book.rows(times(3), books(([(10, 1), (7, 1)], [(20, 1)])))
    assert changes(rows) == [(1, 12, 0), (1, 11, 0), (1, 9, 0), (1, 8, 0), (1, 7, 1)]


def test_silence_is_a_gap_and_a_fresh_book():
    """More than 1.5 s without a snapshot: GAP 1.5 s after the last, then the whole book again."""
    quality = Quality()
    book = SnapshotBook(quality)
    same = ([(10, 1)], [(11, 1)])
    rows = book.rows(times(0, 1_500_000_000, 3_100_000_000), books(same, same, same))
    assert rows["kind"].tolist() == [CLEAR, CLEAR, DEPTH, DEPTH, GAP, CLEAR, CLEAR, DEPTH, DEPTH]
    gap = rows[4]
    assert (gap["exch_ns"], gap["local_ns"], gap["last"]) == (3_000_000_000, 3_000_000_001, True)
    assert (quality.gaps, quality.gap_ns) == (1, 1_600_000_000)
    validate(rows, "x")


def test_the_ask_of_a_locked_book_moves_up_one_tick():
    """Its quantity joins the level above; an unlocked book stays as it is."""
    quality = Quality()
    book = SnapshotBook(quality, locked_step=1)
    assert changes(book.rows(times(1), books(([(10, 1)], [(10, 2), (11, 3)])))) == [(1, 10, 1), (-1, 11, 5)]
    assert changes(book.rows(times(2), books(([(10, 1)], [(11, 3)])))) == [(-1, 11, 3)]
    assert quality.locked == 1


SIDE = st.dictionaries(st.integers(1, 40), st.integers(1, 9), min_size=1, max_size=6)


@given(st.lists(st.tuples(SIDE, SIDE), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_replaying_the_changes_gives_each_snapshot(snapshots):
    """After each message the book shows, within the visible range, exactly the snapshot."""
    source, book = SnapshotBook(Quality()), new_book(256)
    for t, (bids, asks) in enumerate(snapshots):
        below = sorted(bids.items(), reverse=True)
        above = sorted((price + 40, qty) for price, qty in asks.items())
        rows = source.rows(times(t), books((below, above), depth=6))
        for row in rows:
            apply(book, row["kind"], row["side"], row["price"], row["qty"])
        assert is_valid(book)
        assert (book.head[0]["bid"], book.head[0]["ask"]) == (below[0][0], above[0][0])
        for side, shown in ((1, below), (-1, above)):
            low, high = sorted((shown[0][0], shown[-1][0]))
            for price in range(low, high + 1):
                assert qty_at(book, side, price) == dict(shown).get(price, 0)
