"""Desired quotes against working orders: fewest commands, one order per slot, no crossing on the way."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from asmm_daemon.core.diff import AMEND, CANCEL, CHANGE, DESIRED, KEEP, PLACE, REPLACE, WAIT, WORKING, diff


def run(desired, working, tolerance=0, qty_tolerance=0.25):
    d = np.array(desired, DESIRED) if desired else np.zeros(0, DESIRED)
    w = np.array(working, WORKING) if working else np.zeros(0, WORKING)
    out = np.zeros(len(d) + len(w), CHANGE)
    n = diff(d, w, tolerance, qty_tolerance, out)
    return [tuple(int(x) for x in row) for row in out[:n]]


def order(side, level, price, left, *, free=True, leaving=False, amendable=True, replaceable=False):
    return (side, level, price, left, free, leaving, amendable, replaceable)


def test_an_unchanged_quote_keeps_its_place():
    """Within tolerance in ticks and size nothing is sent."""
    assert run([(1, 0, 100, 10)], [order(1, 0, 100, 9)]) == [(KEEP, 0, 0)]
    assert run([(1, 0, 101, 10)], [order(1, 0, 100, 10)], tolerance=1) == [(KEEP, 0, 0)]


def test_a_moved_quote_is_amended_or_replaced():
    """One amendment where the venue has it, otherwise a cancel; the slot stays taken until it is free."""
    assert run([(1, 0, 102, 10)], [order(1, 0, 100, 10)]) == [(AMEND, 0, 0)]
    assert run([(1, 0, 102, 10)], [order(1, 0, 100, 10, amendable=False)]) == [(CANCEL, 0, 0)]
    fixed = order(1, 0, 100, 10, amendable=False, replaceable=True)
    assert run([(1, 0, 102, 10)], [fixed]) == [(REPLACE, 0, 0)]
    assert run([(1, 0, 102, 10)], [order(1, 0, 100, 10, free=False, leaving=True)]) == [(WAIT, 0, 0)]


def test_a_successor_has_the_slot_while_its_predecessor_leaves():
    """Neither cancelled as an extra nor overtaken by a third order; alone, what leaves holds the slot."""
    old = order(1, 0, 100, 10, free=False, leaving=True)
    new = order(1, 0, 102, 10, amendable=False, replaceable=True)
    assert run([(1, 0, 102, 10)], [old, new]) == [(KEEP, 1, 0), (WAIT, 0, -1)]
    assert run([(1, 0, 105, 10)], [old, new]) == [(REPLACE, 1, 0), (WAIT, 0, -1)]
    assert run([], [old, new]) == [(CANCEL, 1, -1), (WAIT, 0, -1)]
    pending = order(1, 0, 102, 10, free=False, amendable=False)
    assert run([(1, 0, 105, 10)], [old, pending]) == [(WAIT, 1, 0), (WAIT, 0, -1)]


def test_unknown_orders_hold_their_slot():
    """S4: no second order is placed where one may still rest."""
    assert run([(1, 0, 100, 10)], [order(1, 0, 100, 10, free=False)]) == [(WAIT, 0, 0)]


def test_a_remainder_too_small_is_brought_up_to_size():
    """A partly executed order that fell below tolerance is renewed."""
    assert run([(1, 0, 100, 10)], [order(1, 0, 100, 3)]) == [(AMEND, 0, 0)]


def test_unwanted_and_extra_orders_are_cancelled_first():
    """Cancels precede amendments, amendments precede new orders."""
    desired = [(1, 0, 99, 5), (-1, 0, 103, 5), (1, 1, 90, 5)]
    working = [order(1, 0, 100, 5), order(1, 7, 80, 5), order(1, 0, 100, 5)]
    assert [a for a, _, _ in run(desired, working)] == [CANCEL, CANCEL, AMEND, PLACE, PLACE]


def test_the_side_that_retreats_moves_first():
    """When the market rises the ask is amended before the bid, when it falls the bid before the ask."""
    up = run([(1, 0, 105, 5), (-1, 0, 108, 5)], [order(1, 0, 100, 5), order(-1, 0, 103, 5)])
    assert up == [(AMEND, 1, 1), (AMEND, 0, 0)]
    down = run([(-1, 0, 98, 5), (1, 0, 95, 5)], [order(-1, 0, 103, 5), order(1, 0, 100, 5)])
    assert down == [(AMEND, 1, 1), (AMEND, 0, 0)]
    stiff = {"amendable": False, "replaceable": True}
    up = run([(1, 0, 105, 5), (-1, 0, 108, 5)], [order(1, 0, 100, 5, **stiff), order(-1, 0, 103, 5, **stiff)])
    assert up == [(REPLACE, 1, 1), (REPLACE, 0, 0)]


SLOT = st.tuples(st.sampled_from([1, -1]), st.integers(0, 2))


@given(
    wanted=st.dictionaries(SLOT, st.tuples(st.integers(90, 110), st.integers(0, 20)), max_size=6),
    working=st.lists(
        st.tuples(
            SLOT,
            st.integers(90, 110),
            st.integers(1, 20),
            st.booleans(),
            st.booleans(),
            st.sampled_from([(True, False), (False, False), (False, True)]),
        ),
        max_size=8,
    ),
)
def test_carrying_out_the_changes_reaches_the_desired_quotes(wanted, working):
    """After every change each slot holds at most one order, and the wanted one where nothing waits."""
    desired = [(side, level, price, lots) for (side, level), (price, lots) in wanted.items()]
    orders = [
        order(
            side,
            level,
            price,
            left,
            free=free and not leaving,
            leaving=leaving,
            amendable=amendable,
            replaceable=replaceable,
        )
        for (side, level), price, left, free, leaving, (amendable, replaceable) in working
    ]
    changes = run(desired, orders)
    assert sorted(w for _, w, _ in changes if w >= 0) == list(range(len(orders)))
    held = {}
    for action, w, d in changes:
        if action in (KEEP, AMEND, REPLACE, WAIT) and w >= 0 and not orders[w][5]:
            held.setdefault(orders[w][:2], []).append(action)
        if action == PLACE:
            assert desired[d][3] > 0
            held.setdefault(desired[d][:2], []).append(PLACE)
        if action in (AMEND, REPLACE):
            assert orders[w][4]
            assert orders[w][6 if action == AMEND else 7]
    for slot, actions in held.items():
        settled = [a for a in actions if a != WAIT]
        assert len(settled) <= 1, slot
        if PLACE in actions:
            assert actions == [PLACE]
            assert not any(o[:2] == slot for o in orders)
