import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from asmm_daemon.core.book import (
    NO_ASK,
    NO_BID,
    apply,
    is_valid,
    match_level,
    new_book,
    next_level,
    qty_at,
    set_level,
)
from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP

ROWS = st.lists(
    st.tuples(
        st.sampled_from([DEPTH, DEPTH, DEPTH, BBO, CLEAR]),
        st.sampled_from([1, -1]),
        st.integers(1, 60),
        st.integers(0, 9),
    ),
    max_size=60,
)


def naive(rows):
    """The two sides as dictionaries of price to lots, by the definitions of the row kinds."""
    sides = {1: {}, -1: {}}
    for kind, side, price, qty in rows:
        levels = sides[side]
        better = [p for p in levels if side * (p - price) > 0]
        if kind == CLEAR:
            better += [price]
        for p in better if kind in (BBO, CLEAR) else []:
            levels.pop(p, None)
        if kind in (DEPTH, BBO):
            levels[price] = qty
    return {side: {p: q for p, q in levels.items() if q > 0} for side, levels in sides.items()}


@settings(deadline=None, max_examples=300)
@given(ROWS)
def test_the_book_agrees_with_dictionaries_of_levels(rows):
    """Any sequence of rows leaves the quantities, best prices and next levels of a naive book."""
    book = new_book(256)
    for kind, side, price, qty in rows:
        apply(book, kind, side, price, qty)
    sides = naive(rows)
    assert book.head[0]["bid"] == max(sides[1], default=NO_BID)
    assert book.head[0]["ask"] == min(sides[-1], default=NO_ASK)
    for side, levels in sides.items():
        for price in range(62):
            assert qty_at(book, side, price) == levels.get(price, 0)
            behind = [p for p in levels if side * (price - p) > 0]
            none = NO_BID if side > 0 else NO_ASK
            assert next_level(book, side, price) == (
                none if not behind else max(behind) if side > 0 else min(behind)
            )


@settings(deadline=None, max_examples=300)
@given(ROWS)
def test_a_matching_book_never_crosses(rows):
    """Whatever levels arrive, the newer one wins and the best bid stays below the best ask."""
    book = new_book(256)
    for _, side, price, qty in rows:
        was = qty_at(book, side, price)
        assert match_level(book, side, price, qty) == was
        head = book.head[0]
        assert head["bid"] < head["ask"]
        assert qty_at(book, side, price) == qty


def test_the_window_follows_the_market_and_keeps_what_it_still_covers():
    """A market that drifts over many window widths keeps its near levels and best prices."""
    book = new_book(128)
    for mid in [*range(1000, 3000, 7), *range(3000, 500, -11)]:
        head = book.head[0]
        for side in (1, -1):
            while (best := int(head["bid"] if side > 0 else head["ask"])) not in (NO_BID, NO_ASK):
                set_level(book, side, best, 0)
        for k in range(1, 5):
            set_level(book, 1, mid - k, 10 * k)
            set_level(book, -1, mid + k, 20 * k)
        assert (head["bid"], head["ask"]) == (mid - 1, mid + 1)
        assert [qty_at(book, 1, mid - k) for k in range(1, 5)] == [10, 20, 30, 40]
        assert [qty_at(book, -1, mid + k) for k in range(1, 5)] == [20, 40, 60, 80]


def test_a_level_far_outside_is_left_out_and_counted():
    """A stray level beyond the window changes neither best price nor window."""
    book = new_book(128)
    set_level(book, 1, 1000, 5)
    set_level(book, -1, 1001, 5)
    lo = int(book.head[0]["lo"])
    set_level(book, 1, 10, 7)
    set_level(book, -1, 90_000, 7)
    head = book.head[0]
    assert (head["lo"], head["bid"], head["ask"], head["dropped"]) == (lo, 1000, 1001, 2)
    assert qty_at(book, 1, 10) == 0


def test_a_jump_beyond_the_window_moves_it():
    """A new best price outside the window becomes its centre and nothing old is left behind."""
    book = new_book(128)
    set_level(book, 1, 1000, 5)
    set_level(book, 1, 5000, 6)
    assert book.head[0]["bid"] == 5000
    set_level(book, 1, 5000, 0)
    assert book.head[0]["bid"] == NO_BID
    assert np.count_nonzero(book.bids) == 0


def test_a_book_is_valid_when_known_two_sided_and_not_crossed():
    """A gap makes the book unknown until a CLEAR; a locked book is valid, a crossed one is not."""
    book = new_book(128)
    apply(book, CLEAR, 1, 0, 0)
    assert not is_valid(book)
    apply(book, DEPTH, 1, 100, 5)
    apply(book, DEPTH, -1, 100, 5)
    assert is_valid(book)
    apply(book, DEPTH, 1, 101, 5)
    assert not is_valid(book)
    apply(book, DEPTH, 1, 101, 0)
    apply(book, GAP, 0, 0, 0)
    assert not is_valid(book)
    apply(book, CLEAR, 1, 0, 0)
    apply(book, DEPTH, 1, 99, 5)
    assert is_valid(book)
