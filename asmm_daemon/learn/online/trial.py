"""The shadow against the running model: both trade the same recent market in the simulation, fees and all.

A policy that always acts alike leaves no trace of what another would have earned, so no estimate from the
daemon's own transitions could tell. The simulation can: its fills are judged by the venue's queue and the
latency. What differs is compared by the paired block bootstrap over equal pieces of the stretch.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.bootstrap import Difference, studentised
from asmm_daemon.backtest.fast.engine import Course
from asmm_daemon.backtest.fast.loop import write_step
from asmm_daemon.backtest.fast.scout import Scout
from asmm_daemon.backtest.fast.vector import DAMPENED, wealth_of
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline
from asmm_daemon.core.market import MarketState
from asmm_daemon.core.moment import Moment
from asmm_daemon.core.params import to_record
from asmm_daemon.core.policy import Policy

BLOCKS = 24
"""Pieces of a stretch that are drawn: ten minutes each of four hours."""
FEWEST_CYCLES = 2 * BLOCKS
"""A shorter stretch tells nothing."""
RESAMPLES = 1_999

Pause = Callable[[], bool]
"""Called between pieces of work: waits as long as the budget asks; False means give up."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a trial ended. `better` and `worse` are the shadow's, beyond chance."""

    running_per_hour: float
    """Net PnL of the running model, quote currency."""
    shadow_per_hour: float
    difference: Difference
    better: bool
    worse: bool

    def words(self, quote: str) -> str:
        """One sentence for log and status."""
        if not self.difference.blocks:
            return "the stretch was too short, or nothing was quoted in it"
        d = self.difference
        return (
            f"shadow {self.shadow_per_hour:.6g} against {self.running_per_hour:.6g} {quote} per hour, "
            f"difference {d.per_hour:.6g} ({d.level:.0%} interval {d.low:.6g} to {d.high:.6g})"
        )


NOTHING = Verdict(nan, nan, Difference(nan, nan, nan, nan, nan, 0), better=False, worse=False)


class Play:
    """One policy's way through a tape from the market before it; iterating tells the moment of each cycle."""

    def __init__(self, setup: Setup, market: MarketState, tape: Timeline, policy: Policy) -> None:
        played = replace(setup, spec=replace(setup.spec, policy=policy))
        params = to_record(setup.spec.quote, setup.spec.instrument)
        self._scout = Scout(tape, params, cycle_s=setup.cycle_s, market=market)
        self._course = Course(played, self._scout, asks=True)

    def __iter__(self) -> Iterator[Moment | None]:
        """A moment for every cycle in which the policy is asked; None where it failed."""
        for trail in self._scout.stretches(2**62):
            for fallback in self._course.cycles(trail):
                yield None if fallback else self._moment()
        write_step(self._course.daemon)

    def _moment(self) -> Moment:
        f = self._course.daemon
        now_ns, index = int(f.desk["now_ns"][0]), int(f.desk["action"][0])
        return Moment(now_ns, f.features.astype(np.float32), index, float(wealth_of(f, DAMPENED)), pauses=0)

    def steps(self) -> NDArray[Any]:
        """The records of all cycles, once it is over."""
        f = self._course.daemon
        return f.steps[: int(f.desk["steps"][0])]


@dataclass(frozen=True, slots=True)
class Rule:
    """When the shadow takes over: better by `margin` (quote currency per hour) at this `confidence`."""

    margin: float
    confidence: float
    seed: int


def judge(
    setup: Setup,
    market: MarketState,
    tape: Timeline,
    running: Policy,
    shadow: Policy,
    rule: Rule,
    pause: Pause,
) -> Verdict | None:
    """Both policies over one stretch of market; None when `pause` said to give up.

    Results count from the first cycle, so that both are compared over the same time.
    """
    if not tape.ends.size:
        return NOTHING
    equity = []
    for policy in (running, shadow):
        one = Play(setup, market, tape, policy)
        for _ in one:
            if not pause():
                return None
        equity.append(one.steps()["equity"].copy())
    return compare(equity[0], equity[1], setup.cycle_s, rule)


def compare(running: NDArray[np.float64], shadow: NDArray[np.float64], cycle_s: float, rule: Rule) -> Verdict:
    """Two equity curves, one value per cycle of the same cycles."""
    if (
        running.size != shadow.size
        or running.size <= FEWEST_CYCLES
        or not np.isfinite(shadow - running).all()
    ):
        return NOTHING
    more = np.array_split(np.diff(shadow - running), BLOCKS)
    hours = np.array([len(part) for part in more]) * cycle_s / 3600
    sums = np.array([part.sum() for part in more])
    found = studentised(sums, hours, seed=rule.seed, level=rule.confidence, resamples=RESAMPLES)
    total = float(hours.sum())
    return Verdict(
        float(running[-1] - running[0]) / total,
        float(shadow[-1] - shadow[0]) / total,
        found,
        better=found.low > rule.margin,
        worse=found.high < -rule.margin,
    )
