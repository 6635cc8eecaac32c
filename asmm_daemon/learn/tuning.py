"""Tuning of the baseline on training data: Optuna over γ, skew, τ, half-spread multiplier and minimum.

Every trial is one backtest. A trial that quotes both sides near the market for less of the healthy time
than the participation floor is worth less than any that keeps it: otherwise the best maker is the one
that does not make.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from types import MappingProxyType
from typing import Literal

import optuna

from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.statistics import Statistics, measure
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.errors import ConfigError

FLOOR = 0.8
"""Share of healthy time with both sides within max(5 bps, 2 ticks) of the mid."""
SCORES = {"pnl": "pnl_net", "sharpe": "sharpe_step", "pnl_to_map": "pnl_to_map"}
Score = Literal["pnl", "sharpe", "pnl_to_map"]
Sampler = Literal["tpe", "genetic", "random"]
Judge = Callable[[Sequence[Setup]], Iterable[Statistics]]
"""The figures of each set-up over the training data, in their order."""
FAR_BELOW = -1e9
SPACE = {
    "gamma": (0.005, 5.0, True),
    "skew": (-1.0, 1.0, False),
    "tau_s": (5.0, 120.0, True),
    "half_spread_factor": (0.3, 5.0, True),
    "min_half_spread_bps": (0.0, 5.0, False),
}
"""What is searched: lowest, highest, whether on a logarithmic scale."""
DEFAULTS = {"gamma": 0.1, "skew": 0.0, "tau_s": 20.0, "half_spread_factor": 1.0, "min_half_spread_bps": 0.0}
"""The first trial of every study."""


@dataclass(frozen=True, slots=True)
class Tuned:
    """The best trial: the set-up, what it scored in training, and all trials as (parameters, score)."""

    setup: Setup
    parameters: dict[str, float]
    statistics: Statistics
    trials: tuple[tuple[dict[str, float], float], ...]


def sampler_of(name: Sampler, seed: int, batch: int = 1) -> optuna.samplers.BaseSampler:
    """Optuna's sampler: `genetic` is NSGA-II. Within a batch TPE keeps away from its other trials."""
    if name == "genetic":
        return optuna.samplers.NSGAIISampler(seed=seed, population_size=20)
    if name == "random":
        return optuna.samplers.RandomSampler(seed=seed)
    return optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=batch > 1)


def suggest(
    trial: optuna.trial.BaseTrial, fixed: Mapping[str, float] = MappingProxyType({})
) -> dict[str, float]:
    """One point of the search space, with what is fixed of it."""
    ranges = {name: space for name, space in SPACE.items() if name not in fixed}
    drawn = {name: trial.suggest_float(name, low, high, log=log) for name, (low, high, log) in ranges.items()}
    return drawn | dict(fixed)


def with_parameters(setup: Setup, parameters: dict[str, float], name: str = "tuned") -> Setup:
    """The set-up with a point of the search space."""
    quote = replace(
        setup.spec.quote,
        gamma=parameters["gamma"],
        skew=parameters["skew"],
        tau_min_s=parameters["tau_s"],
        tau_max_s=parameters["tau_s"],
        half_spread_factor=parameters["half_spread_factor"],
        min_half_spread_bps=parameters["min_half_spread_bps"],
    )
    policy = FixedPolicy(quote.gamma, quote.skew)
    return replace(setup, name=name, spec=replace(setup.spec, quote=quote, policy=policy))


def score_of(statistics: Statistics, score: Score, floor: float = FLOOR) -> float:
    """What a study maximises: the figure, or, below the floor, how far below it."""
    share = statistics.quoted_both_share
    if not share >= floor:
        return FAR_BELOW * (1.0 + floor - (share if isfinite(share) else 0.0))
    value = float(getattr(statistics, SCORES[score]))
    return value if isfinite(value) else FAR_BELOW


def in_turn(backtest: Callable[[Setup], list[Result]]) -> Judge:
    """Backtests of this process, one after the other."""
    return lambda setups: (measure(*backtest(setup)) for setup in setups)


def tune(
    setup: Setup,
    judge: Judge,
    *,
    trials: int,
    seed: int = 1,
    score: Score = "pnl",
    sampler: Sampler = "tpe",
    batch: int = 1,
    fixed: Mapping[str, float] | None = None,
    progress: Callable[[int, float], None] | None = None,
) -> Tuned:
    """The best parameters by `trials` backtests on the training data.

    Args:
        setup: the strategy to tune; its model and limits stay.
        judge: runs set-ups over the training data; `in_turn`, or a cluster's.
        trials: how many; the first is the set-up's own default γ with nothing else changed.
        seed: of the sampler: the same seed, the same study.
        score: `pnl` (net), `sharpe` (per step) or `pnl_to_map`.
        sampler: `tpe`, `genetic` (NSGA-II) or `random`.
        batch: trials that are asked for at a time, before any of them is told. The study depends on it,
            and not on how many of them the judge runs side by side.
        fixed: parameters that are not searched, by name.
        progress: told the trial's number and the best score so far.

    Raises:
        ConfigError: fewer than one trial, or less than one at a time.
    """
    for name, value in (("trials", trials), ("batch", batch)):
        if value < 1:
            raise ConfigError(f"{name} = {value}: at least 1")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    fixed = dict(fixed or {})
    study = optuna.create_study(direction="maximize", sampler=sampler_of(sampler, seed, batch))
    found: list[Statistics] = []
    study.enqueue_trial({name: value for name, value in DEFAULTS.items() if name not in fixed})
    while len(found) < trials:
        asked = [study.ask() for _ in range(min(batch, trials - len(found)))]
        setups = [with_parameters(setup, suggest(trial, fixed)) for trial in asked]
        for trial, statistics in zip(asked, judge(setups), strict=True):
            study.tell(trial, score_of(statistics, score))
            found.append(statistics)
            if progress is not None:
                progress(len(found), study.best_value)
    best = study.best_trial
    return Tuned(
        with_parameters(setup, best.params | fixed),
        best.params | fixed,
        found[best.number],
        tuple((t.params | fixed, float(t.value if t.value is not None else FAR_BELOW)) for t in study.trials),
    )
