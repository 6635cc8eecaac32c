"""Update ids of order books as each product counts them.

Spot numbers changes one by one, and a diff event's `U` is the last event's `u` plus one. USD-M ids
jump (all symbols share one sequence), and its rules for joining a snapshot to the stream ask for an
event with U <= lastUpdateId <= u: ids are spread by `STRIDE`, and a snapshot's lies between those
of two changes, so that the next event always spans it.
"""

STRIDE = 10
_INSIDE = 5


def first_id(update_id: int, *, spot: bool) -> int:
    """`U` of an event whose first change is `update_id`."""
    return update_id if spot else (update_id - 1) * STRIDE + 1


def last_id(update_id: int, *, spot: bool) -> int:
    """`u` of an event whose last change is `update_id`."""
    return update_id if spot else update_id * STRIDE


def snapshot_id(update_id: int, *, spot: bool) -> int:
    """`lastUpdateId` of a snapshot taken after change `update_id`."""
    return update_id if spot else update_id * STRIDE + _INSIDE
