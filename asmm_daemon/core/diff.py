"""Desired quotes against working orders: the fewest commands that bring one to the other.

A slot is one side and level; at most one order lives in it (S4). An order within tolerance keeps its
queue place. Cancels come first, then amendments and replacements that retreat from the other side,
then those that approach it, then new orders: so our own quotes never cross on the way (S9).
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.kernels import flat_kernel, hot_kernel

KEEP, WAIT, PLACE, AMEND, CANCEL, REPLACE = 0, 1, 2, 3, 4, 5
"""WAIT: the slot is taken by an order whose request is under way or unknown."""
SLOTS = 64

DESIRED = np.dtype(
    [("side", np.int64), ("level", np.int64), ("price", np.int64), ("lots", np.int64)], align=True
)
"""A wanted quote; ticks and lots, lots 0: nothing wanted in that slot."""
WORKING = np.dtype(
    [
        ("side", np.int64),
        ("level", np.int64),
        ("price", np.int64),
        ("left", np.int64),
        ("free", np.bool_),  # live, no request under way
        ("leaving", np.bool_),  # a cancel is under way
        ("amendable", np.bool_),
        ("replaceable", np.bool_),  # one request cancels it and creates its successor
    ],
    align=True,
)
CHANGE = np.dtype([("action", np.int64), ("working", np.int64), ("desired", np.int64)], align=True)
"""`working`, `desired`: row numbers, -1 for none."""


@flat_kernel
def _rank(change: Any, desired: NDArray[Any], working: NDArray[Any]) -> int:
    """Sending order: cancels, moves that retreat, moves that approach, new orders, the rest."""
    if change.action == CANCEL:
        return 0
    if change.action == AMEND or change.action == REPLACE:
        move = desired[change.desired].price - working[change.working].price
        return 1 if move * working[change.working].side < 0 else 2
    return 3 if change.action == PLACE else 4


@flat_kernel
def _judge(want: Any, order: Any, tolerance_ticks: int, qty_tolerance: float) -> int:
    """What becomes of a working order whose slot wants `want`."""
    if not order.free:
        return WAIT
    if want.lots <= 0:
        return CANCEL
    near = abs(want.price - order.price) <= tolerance_ticks
    if near and abs(want.lots - order.left) <= qty_tolerance * want.lots:
        return KEEP
    if order.amendable:
        return AMEND
    return REPLACE if order.replaceable else CANCEL


@flat_kernel
def _nth(working: NDArray[Any], k: int, staying: int) -> int:
    """The k-th working order when the `staying` ones come first."""
    leaving = k >= staying
    left = k - staying if leaving else k
    for w in range(len(working)):
        if working[w].leaving == leaving:
            if left == 0:
                return w
            left -= 1
    return -1


@hot_kernel
def diff(
    desired: NDArray[Any],
    working: NDArray[Any],
    tolerance_ticks: int,
    qty_tolerance: float,
    out: NDArray[Any],
) -> int:
    """Fills `out` (CHANGE, at least len(desired) + len(working) rows) in sending order; returns how many.

    `desired` has at most one row per slot, 62 in all. Working orders in slots that nobody wants, and all
    but the first of a slot, are cancelled; an order that leaves counts only where no other has the slot,
    since its successor may rest already.
    """
    count = 0
    taken = 0  # one bit a row of `desired`
    staying = 0
    for w in range(len(working)):
        staying += not working[w].leaving
    for k in range(len(working)):
        w = _nth(working, k, staying)
        order = working[w]
        match = -1
        for d in range(len(desired)):
            if desired[d].side == order.side and desired[d].level == order.level and not taken >> d & 1:
                match = d
        action = WAIT if order.leaving else CANCEL
        if not order.leaving and match >= 0:
            action = _judge(desired[match], order, tolerance_ticks, qty_tolerance)
        elif not order.free:
            action = WAIT
        if match >= 0:
            taken |= 1 << match
        out[count].action, out[count].working, out[count].desired = action, w, match
        count += 1
    for d in range(len(desired)):
        if not taken >> d & 1 and desired[d].lots > 0:
            out[count].action, out[count].working, out[count].desired = PLACE, -1, d
            count += 1
    for i in range(1, count):
        j = i
        while j > 0 and _rank(out[j], desired, working) < _rank(out[j - 1], desired, working):
            action, w, d = out[j].action, out[j].working, out[j].desired
            out[j].action, out[j].working, out[j].desired = (
                out[j - 1].action,
                out[j - 1].working,
                out[j - 1].desired,
            )
            out[j - 1].action, out[j - 1].working, out[j - 1].desired = action, w, d
            j -= 1
    return count


def warm_up() -> None:
    """Compiles the kernels on the shapes that the engine uses."""
    diff(np.zeros(1, DESIRED), np.zeros(1, WORKING), 0, 0.0, np.zeros(2, CHANGE))
