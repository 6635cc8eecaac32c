"""Walk-forward evaluation: everything is chosen on the past, judged on what nobody has seen.

In each fold the baseline is tuned and the agents are trained on the training stretch; the agents' best
networks are chosen on the validation stretch; every strategy is then run over the test stretch with fees
and latency on. Each gets the same budget of passes over the training stretch. The baseline spends it on
trials. An agent spends half of it on trials without skew, for τ, half-spread multiplier and minimum, as the
paper's agents build on tuned parameters, and learns γ and skew in the other half; its half-spread is held
where the participation floor can be kept.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from asmm_daemon.backtest.fast.follow import NEAR_BPS, NEAR_TICKS
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline
from asmm_daemon.core.params import Model
from asmm_daemon.core.policy import FixedPolicy, Policy
from asmm_daemon.errors import ConfigError
from asmm_daemon.learn.agents import Plan, train_agents
from asmm_daemon.learn.lessons import Lessons, Span, prepare
from asmm_daemon.learn.tape_env import Grid
from asmm_daemon.learn.tuning import FLOOR, in_turn, tune
from asmm_daemon.tape.checkpoints import Checkpoints
from asmm_daemon.tape.columns import TapeInfo
from asmm_daemon.units import NS_PER_S

QUIET = "no_quotes"
TUNED = "tuned_as"
WITHIN_FLOOR_BPS = 4.0
"""The widest half-spread, fee included, of a constant-spread strategy that keeps the participation floor."""
BOUNDS = ("min_half_spread_bps", "max_half_spread_bps")
"""Of an agent's half-spread."""


@dataclass(frozen=True, slots=True)
class Fold:
    """One round of walking forward: three stretches, each after the one before."""

    train: Span
    validation: Span
    test: Span


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results over the test stretches by strategy, and what tuning and training had chosen."""

    results: dict[str, list[Result]] = field(default_factory=dict)
    chosen: list[dict[str, float]] = field(default_factory=list)
    bases: list[dict[str, float]] = field(default_factory=list)
    """What the agents quoted on."""

    def add(self, name: str, result: Result) -> None:
        """One more fold of a strategy."""
        self.results.setdefault(name, []).append(result)


def folds(
    start_ns: int, end_ns: int, *, train_s: float, validation_s: float, test_s: float, purge_s: float
) -> Iterator[Fold]:
    """Consecutive folds, each moved on by its test stretch; a purged gap stands between the stretches.

    Raises ConfigError when a stretch has no length, or not even one fold fits.
    """
    for name, value in (("train", train_s), ("validate", validation_s), ("test", test_s)):
        if value <= 0.0:
            raise ConfigError(f"--{name} {value:g}s: more than 0 s")
    train, validation, test, purge = (round(s * NS_PER_S) for s in (train_s, validation_s, test_s, purge_s))
    at, count = start_ns, 0
    while at + train + validation + test + 2 * purge <= end_ns:
        second = at + train + purge
        third = second + validation + purge
        yield Fold(Span(at, at + train), Span(second, second + validation), Span(third, third + test))
        at, count = at + test, count + 1
    if not count:
        have, need = (end_ns - start_ns) / NS_PER_S, train_s + validation_s + test_s + 2 * purge_s
        raise ConfigError(f"the recording's {have:.0f} s hold no fold: one needs {need:.0f} s")


def baselines(setup: Setup) -> dict[str, Setup]:
    """The strategies without tuning or training, by name; `no_quotes` never trades."""
    quote = setup.spec.quote
    fee_bps = 1e4 * float(setup.spec.instrument.maker) if quote.fee_in_spread else 0.0
    constant_bps = max(min(quote.constant_half_spread_bps, WITHIN_FLOOR_BPS - fee_bps), 0.1)
    plain = replace(quote, constant_half_spread_bps=constant_bps)
    quotes = {which.name.lower(): replace(plain, model=which) for which in Model}
    quotes[QUIET] = replace(plain, max_half_spread_bps=1e6, min_half_spread_bps=1e6, collar_bps=1.0)
    return {
        name: replace(setup, name=name, spec=replace(setup.spec, quote=quote, policy=_fixed(setup)))
        for name, quote in quotes.items()
    }


def _fixed(setup: Setup) -> Policy:
    return FixedPolicy(setup.spec.quote.gamma, setup.spec.quote.skew)


def evaluate(
    setup: Setup,
    info: TapeInfo,
    tape: Timeline,
    checkpoints: Checkpoints,
    rounds: Sequence[Fold],
    plan: Plan,
    folder: Path,
    *,
    jobs: int = 1,
    progress: Callable[[str, float], object] | None = None,
) -> Evaluation:
    """Every strategy over every fold's test stretch. Trainings lie in `folder` and are resumed there.

    Agents appear once per seed, as `alpha_as/1`. `jobs` processes train; the results are the same for any
    number. `progress` is told what is done next and the share that is done. Raises ConfigError, ModelError
    or TapeError.
    """
    found = Evaluation()
    as_setup = replace(setup, spec=replace(setup.spec, policy=_fixed(setup)))
    for number, fold in enumerate(rounds):
        told = partial(_tell, progress, number, len(rounds), 1 + len(plan.trainings))
        told("tuning", 0)
        lessons = prepare(as_setup, info, tape, checkpoints, fold.train, fold.validation)
        for name, baseline in baselines(as_setup).items():
            found.add(name, lessons.backtest(baseline, fold.test))
        judge = in_turn(lambda candidate: [lessons.backtest(candidate, fold.train)])  # noqa: B023 (called at once)
        score = plan.goal.score
        tuned = tune(as_setup, judge, trials=plan.budget, score=score)
        found.chosen.append(tuned.parameters)
        found.add(TUNED, lessons.backtest(replace(tuned.setup, name=TUNED), fold.test))
        if not plan.trainings:
            continue
        near = within_reach(as_setup, plan.grid, lessons.mid)
        base = tune(near, judge, trials=plan.base_trials, score=score, fixed={"skew": 0.0})
        ground_setup = within_reach(base.setup, plan.grid, lessons.mid)
        quote = ground_setup.spec.quote
        found.bases.append(base.parameters | {name: getattr(quote, name) for name in BOUNDS})
        ground = replace(lessons, setup=ground_setup, gammas=plan.grid.gammas, skews=plan.grid.skews)
        _add_agents(found, ground, fold, plan, folder / f"fold{number + 1}", jobs, told)
    return found


def _add_agents(
    found: Evaluation,
    lessons: Lessons,
    fold: Fold,
    plan: Plan,
    folder: Path,
    jobs: int,
    told: Callable[[str, int], object],
) -> None:
    trained = train_agents(
        lessons,
        plan,
        folder,
        jobs=jobs,
        progress=lambda done: told(f"{done} of {len(plan.trainings)} trainings done", 1 + done),
    )
    for name, policy in trained.items():
        spec = replace(lessons.setup.spec, policy=policy)
        run = replace(lessons.setup, name=name.partition("/")[0], spec=spec)
        found.add(name, lessons.backtest(run, fold.test))


def _tell(
    progress: Callable[[str, float], object] | None, fold: int, folds: int, pieces: int, text: str, done: int
) -> None:
    if progress is not None:
        progress(f"fold {fold + 1} of {folds}: {text}", (fold + done / pieces) / folds)


def within_reach(setup: Setup, grid: Grid, mid: float) -> Setup:
    """The set-up with half-spreads at which no skew of the grid leads away from the market.

    So an agent owes the participation floor by what it quotes on, as the baseline does by its search. `mid`,
    in quote currency, says how much the ticks are that the floor allows.
    """
    quote = setup.spec.quote
    reach_bps = max(NEAR_BPS, 1e4 * NEAR_TICKS * float(setup.spec.instrument.tick) / mid)
    most_bps = reach_bps / (1.0 + max(abs(skew) for skew in grid.skews))
    bounds = {name: min(getattr(quote, name), most_bps) for name in BOUNDS}
    return replace(setup, spec=replace(setup.spec, quote=replace(quote, **bounds)))


def below_floor(results: Sequence[Result], floor: float = FLOOR) -> bool:
    """Whether a strategy quoted both sides near the market for less of the healthy time than it must."""
    healthy = sum(float(result.steps["healthy_s"].sum()) for result in results)
    near = sum(float(result.steps["near_both_s"].sum()) for result in results)
    return not near >= floor * healthy
