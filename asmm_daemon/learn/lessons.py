"""A recording made ready to learn from: training and validation on one tape, never beyond its end."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline
from asmm_daemon.core.features import FEATURE_NAMES
from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.learn.tape_env import GAMMAS, SKEWS, Reward, RewardKind, TapeEnv
from asmm_daemon.learn.tuning import Score
from asmm_daemon.tape.checkpoints import Checkpoints, build, load_or_build
from asmm_daemon.tape.columns import TapeInfo

WIDTH = 16384
"""Ticks that a book spans."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of the receive clock, in ns."""

    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Goal:
    """What is learned from, and what the best network is chosen by; `penalty` and `memory_s` as in Reward."""

    reward: RewardKind = "dampened"
    penalty: float = 0.0
    memory_s: float = float("inf")
    score: Score = "pnl"


@dataclass(frozen=True, slots=True)
class Lessons:
    """One market's tape with its checkpoints, cut into training and validation.

    `reward_unit` and `mid` (the median one, in quote currency) are those of the training stretch.
    """

    setup: Setup
    info: TapeInfo
    tape: Timeline
    checkpoints: Checkpoints
    train: Span
    validation: Span
    reward_unit: float
    mid: float
    gammas: tuple[float, ...] = GAMMAS
    skews: tuple[float, ...] = SKEWS

    def env(self, span: Span, reward: Reward, *, n_envs: int, episode_s: float) -> TapeEnv:
        """Copies that start and end within a stretch."""
        return TapeEnv(
            self.setup,
            self.tape,
            self.checkpoints,
            reward,
            n_envs=n_envs,
            episode_s=episode_s,
            gammas=self.gammas,
            skews=self.skews,
            start_ns=span.start_ns,
            end_ns=span.end_ns,
            width=WIDTH,
        )

    def backtest(self, setup: Setup, span: Span) -> Result:
        """A strategy over a stretch, warm from what lies before."""
        return run_fast(setup, self.info, self.tape, begin_ns=span.start_ns, end_ns=span.end_ns)

    @property
    def feature_names(self) -> tuple[str, ...]:
        """What a model reads."""
        return FEATURE_NAMES


def checkpoints_of(setup: Setup, rows: Rows, tape_file: Path | None = None) -> Checkpoints:
    """Where episodes over these rows may start; kept beside the tape where they come from one."""
    params = to_record(setup.spec.quote, setup.spec.instrument)
    if tape_file is None:
        return build([rows], params, width=WIDTH)
    return load_or_build(tape_file, rows, params, width=WIDTH)


def prepare(
    setup: Setup, info: TapeInfo, tape: Timeline, checkpoints: Checkpoints, train: Span, validation: Span
) -> Lessons:
    """Takes the reward's unit and the mid. `checkpoints` are `checkpoints_of` the whole tape.

    Raises TapeError when the training stretch has no quotes to take the unit from.
    """
    plain = replace(setup.spec, policy=FixedPolicy(setup.spec.quote.gamma))
    seen = run_fast(
        replace(setup, spec=plain), info, tape, begin_ns=train.start_ns, end_ns=train.end_ns
    ).steps
    unit, mid = reward_unit(setup.spec.quote, seen), float(np.nanmedian(seen["mid"]))
    return Lessons(setup, info, tape, checkpoints, train, validation, unit, mid)


def reward_unit(quote: QuoteParams, steps: NDArray[Any]) -> float:
    """Order size × the median 1/κ, in quote currency: what a fill at the usual distance earns.

    A constant, since a divisor that moves with the half-spread would let a wide γ shrink its losses.
    `steps` are those of a result, or of several joined. Raises TapeError when none of them quoted.
    """
    quoted = steps[np.isfinite(steps["half_spread"]) & (steps["kappa"] > 0) & (steps["mid"] > 0)]
    if not quoted.size:
        raise TapeError("the training stretch has not one quote: is it too short, or the order too small?")
    size = quote.order_size / float(np.median(quoted["mid"])) if quote.size_in_quote else quote.order_size
    return size * float(np.median(1.0 / quoted["kappa"]))
