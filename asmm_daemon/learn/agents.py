"""The agents of an evaluation: what each may spend, and their trainings, several in parallel processes."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from asmm_daemon.backtest.spool import Spool, mapped
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.backtest.workers import workers
from asmm_daemon.core.policy import Policy
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.lessons import Goal, Lessons
from asmm_daemon.learn.model_file import load_policy
from asmm_daemon.learn.tape_env import Grid
from asmm_daemon.units import NS_PER_S

Agent = Literal["alpha_as", "alpha_as_rnn"]
KINDS: dict[Agent, Literal["mlp", "lstm"]] = {"alpha_as": "mlp", "alpha_as_rnn": "lstm"}
EVALUATIONS = 16
"""Times that validation is asked in one training."""
UPDATE_EVERY = 4
"""Steps of the environments per update: one in four keeps a training as long as its tuning."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How to evaluate. `budget` counts passes over the training stretch, for the baseline and per agent."""

    budget: int = 40
    seeds: tuple[int, ...] = (1, 2, 3, 4, 5)
    agents: tuple[Agent, ...] = ("alpha_as", "alpha_as_rnn")
    goal: Goal = field(default_factory=Goal)
    grid: Grid = field(default_factory=Grid)
    n_envs: int = 32
    episode_s: float = 3600.0
    hyper: Mapping[str, Any] = field(default_factory=dict)
    """Hyper-parameters that differ from those of `train_agent`."""

    @property
    def trainings(self) -> tuple[tuple[Agent, int], ...]:
        """Agent and seed of each."""
        return tuple((agent, seed) for agent in self.agents for seed in self.seeds)

    @property
    def base_trials(self) -> int:
        """Trials for what an agent quotes on."""
        return max(self.budget // 2, 1)

    @property
    def passes(self) -> int:
        """Passes that an agent learns from."""
        return max(self.budget - self.base_trials, 1)


def hyper_of(agent: Agent, steps: int, seed: int) -> Hyper:
    """The learner's numbers for so many steps: ε falls over half of them.

    A recurrent network is smaller, and sees sixteen sequences an update, of twenty transitions each.
    """
    hyper = Hyper(
        kind=KINDS[agent],
        steps=steps,
        seed=seed,
        epsilon_steps=max(steps // 2, 1),
        evaluate_every=max(steps // EVALUATIONS, 1),
    )
    return replace(hyper, layers=(64, 64), batch=16) if hyper.kind == "lstm" else hyper


def train_agent(lessons: Lessons, plan: Plan, agent: Agent, seed: int, folder: Path) -> None:
    """One training; the best network by validation is the folder's best.json."""
    from asmm_daemon.learn.on_tape import train_on_tape  # noqa: PLC0415 (torch is loaded only where one trains)

    train_s = (lessons.train.end_ns - lessons.train.start_ns) / NS_PER_S
    steps = round(plan.passes * train_s / lessons.setup.cycle_s)
    hyper = replace(hyper_of(agent, steps, seed), steps_per_update=UPDATE_EVERY, learning_rate_end=1e-4)
    hyper = replace(hyper, **plan.hyper)
    train_on_tape(lessons, plan.goal, hyper, folder, n_envs=plan.n_envs, episode_s=plan.episode_s)


def train_agents(
    lessons: Lessons,
    plan: Plan,
    folder: Path,
    *,
    jobs: int = 1,
    progress: Callable[[int], object] | None = None,
) -> dict[str, Policy]:
    """Every training of a plan as a policy: `alpha_as/1` is the agent's first seed.

    Args:
        lessons: the market and its stretches.
        plan: which agents, seeds and hyper-parameters.
        folder: holds a folder for each training, in which that goes on.
        jobs: processes; the networks are the same for any number.
        progress: told how many are done, at the start and after each.

    Raises:
        ConfigError, ModelError: as `train_on_tape`.
        AsmmError: a process was killed.
    """
    told = progress or (lambda _: None)
    told(0)
    for done, _ in enumerate(_trainings(lessons, plan, folder, min(jobs, len(plan.trainings))), 1):
        told(done)
    return {
        f"{agent}/{seed}": load_policy(_own(folder, agent, seed) / "best.json")
        for agent, seed in plan.trainings
    }


def _own(folder: Path, agent: Agent, seed: int) -> Path:
    return folder / f"{agent}-{seed}"


def _trainings(lessons: Lessons, plan: Plan, folder: Path, jobs: int) -> Iterator[None]:
    """Trains, and stops after each training that is done; the processes map the tape's file."""
    if jobs <= 1:
        for agent, seed in plan.trainings:
            train_agent(lessons, plan, agent, seed, _own(folder, agent, seed))
            yield
        return
    spool = Spool()
    spool.write(lessons.tape.rows)
    bare = replace(lessons, tape=timeline(lessons.tape.rows[:0]))
    with workers(jobs) as pool:
        for done in as_completed(
            pool.submit(_train_apart, bare, spool.path, plan, agent, seed, _own(folder, agent, seed))
            for agent, seed in plan.trainings
        ):
            yield done.result()


def _train_apart(lessons: Lessons, rows: Path, plan: Plan, agent: Agent, seed: int, folder: Path) -> None:
    train_agent(replace(lessons, tape=timeline(mapped(rows))), plan, agent, seed, folder)
