"""Runs of consecutive stretches of tape as one run, as if the account had gone on.

Each run starts flat, so a position left at the end of one counts as closed at the last mid there: its
unrealised part becomes realised, equity goes on from where it stood, inventory starts again from zero.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.result import Result
from asmm_daemon.errors import AsmmError

Floats = NDArray[np.float64]


def merge(results: Sequence[Result]) -> Result:
    """One run out of consecutive ones; settings are those that all share, counts are summed.

    Raises AsmmError when there is none, when they differ in market, strategy, capital or cycle, or when
    one starts before its predecessor ended.
    """
    if not results:
        raise AsmmError("no runs to join: give at least one")
    first = results[0]
    for other in results[1:]:
        for name in ("info", "strategy", "capital", "cycle_s"):
            mine, theirs = getattr(first, name), getattr(other, name)
            if mine != theirs:
                raise AsmmError(f"runs that differ in {name} cannot be joined: {mine} and {theirs}")
    _check_order(results)
    steps, fills = _chained(results)
    counts: dict[str, int] = {}
    for result in results:
        for name, count in result.counts.items():
            counts[name] = counts.get(name, 0) + count
    shared = {
        name: value
        for name, value in first.settings.items()
        if all(name in r.settings and r.settings[name] == value for r in results)
    }
    return replace(first, steps=steps, fills=fills, counts=counts, settings=shared)


def _check_order(results: Sequence[Result]) -> None:
    ran = [result for result in results if result.steps.size]
    for before, after in pairwise(ran):
        ended, starts = int(before.steps["t_ns"][-1]), int(after.steps["t_ns"][0])
        if starts <= ended:
            raise AsmmError(f"runs overlap: one ends at {ended} ns, the next begins at {starts} ns")


def _chained(results: Sequence[Result]) -> tuple[NDArray[Any], NDArray[Any]]:
    steps = np.concatenate([result.steps for result in results])
    fills = np.concatenate([result.fills for result in results])
    at = filled = orders = 0
    net = fees = funding = volume = 0.0
    for result in results:
        part = steps[at : at + result.steps.size]
        made = fills[filled : filled + result.fills.size]
        at, filled = at + part.size, filled + made.size
        made["order"] += orders
        orders = int(made["order"].max()) + 1 if made.size else orders
        if part.size:
            part["equity"] = known_equity(part) + net
            part["realised"] += net + fees - funding
            part["fees"] += fees
            part["funding"] += funding
            part["volume"] += volume
            net, fees, funding, volume = (
                float(part[name][-1]) for name in ("equity", "fees", "funding", "volume")
            )
    return steps, fills


def known_equity(steps: NDArray[Any]) -> Floats:
    """Equity (n,) of every step: where the mid was not known yet, the last known one, else zero."""
    equity: Floats = steps["equity"]
    known = np.isfinite(equity)
    last = np.maximum.accumulate(np.where(known, np.arange(equity.size), -1))
    return np.where(last >= 0, equity[last], 0.0)


def changes(values: NDArray[Any]) -> Floats:
    """What each step added (n,) to a count (n,) that starts from zero."""
    return np.diff(values, prepend=0.0)
