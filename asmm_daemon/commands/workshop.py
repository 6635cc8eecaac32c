"""What tuning, training and evaluation share: one recording in memory, one set-up, the stretches of it."""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import orjson

from asmm_daemon import config
from asmm_daemon.backtest.days import days
from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline, timeline
from asmm_daemon.commands import strategies
from asmm_daemon.commands.outcome import Outcome
from asmm_daemon.errors import ConfigError
from asmm_daemon.learn.evaluation import KINDS, Agent, Plan, evaluate, folds
from asmm_daemon.learn.lessons import Span, prepare
from asmm_daemon.learn.tape_env import Reward
from asmm_daemon.learn.tuning import Judge, in_turn
from asmm_daemon.tape.columns import Tape, concat
from asmm_daemon.units import NS_PER_S

if TYPE_CHECKING:
    from asmm_daemon.learn.curves import Progress
    from asmm_daemon.learn.hyper import Hyper
    from asmm_daemon.learn.train import TrainResult

LEAD_S = 3600.0
"""Market before the stretch, for the estimators."""


@dataclass(frozen=True, slots=True)
class Shop:
    """One recording and the strategy that is worked on; `begin_ns` to `end_ns` is the stretch asked for."""

    tape: Tape
    timeline: Timeline
    setup: Setup
    begin_ns: int
    end_ns: int

    @property
    def words(self) -> str:
        """Market and stretch, for a person."""
        moments = (datetime.fromtimestamp(t / NS_PER_S, UTC) for t in (self.begin_ns, self.end_ns))
        return f"{self.tape.info.symbol} " + " to ".join(f"{m:%Y-%m-%d %H:%M}" for m in moments)

    def backtest(self, setup: Setup) -> list[Result]:
        """A strategy over the whole stretch."""
        result = run_fast(setup, self.tape.info, self.timeline, begin_ns=self.begin_ns, end_ns=self.end_ns)
        return [result]


def open_workshop(
    data: str,
    path: Path,
    overrides: Sequence[str] | None,
    symbol: str | None,
    start: str | None,
    end: str | None,
    *,
    latency: str,
    fees: str,
    seed: int,
    hours: float,
    strategy: str = "as",
) -> Shop:
    """Reads the recording; the strategy is the configuration's, by default with avellaneda_stoikov."""
    settings = config.load(path, tuple(overrides or ()))
    source = strategies.open_data(data, symbol, settings, seed=seed, hours=hours)
    made = strategies.make_setups([strategy], settings, source.info, fee_text=fees, latency_text=latency)
    begin_ns, end_ns = strategies.moment("--from", start), strategies.moment("--to", end)
    parts = list(days(source, lead_s=LEAD_S, start_ns=begin_ns, end_ns=end_ns))
    rows = [
        part.rows if n == 0 else part.rows[part.rows["local_ns"] >= part.begin_ns]
        for n, part in enumerate(parts)
    ]
    tape = concat([Tape(source.info, each) for each in rows])
    first = parts[0].begin_ns
    last = int(tape.rows["local_ns"][-1])
    return Shop(tape, timeline(tape.rows), next(iter(made.values())), first, last)


@contextmanager
def judge_of(shop: Shop, ray: str | None) -> Iterator[Judge]:
    """Who runs a study's backtests: this process, or a Ray cluster at an address."""
    if ray is None:
        yield in_turn(shop.backtest)
        return
    from asmm_daemon.learn.cluster import Cluster, Stretch

    stretch = Stretch(shop.tape.info, shop.tape.rows, shop.begin_ns, shop.end_ns)
    with Cluster(ray) as cluster:
        yield lambda setups: cluster.judge(stretch, setups)


@dataclass(frozen=True, slots=True)
class Stretches:
    """What is learned from, and what the best network is chosen on."""

    train: Span
    validation: Span


def stretches(shop: Shop, validate: str, purge: str) -> Stretches:
    """Validation at the end, training before it. Raises ConfigError when nothing is left to train on."""
    held, gap = strategies.seconds("--validate", validate), strategies.seconds("--purge", purge)
    border = shop.end_ns - round(held * NS_PER_S)
    end = border - round(gap * NS_PER_S)
    if end - shop.begin_ns < held * NS_PER_S / 4 or held <= 0:
        whole = (shop.end_ns - shop.begin_ns) / NS_PER_S / 3600
        raise ConfigError(f"--validate {validate}: leaves too little to train on of {whole:.1f} h")
    return Stretches(Span(shop.begin_ns, end), Span(border, shop.end_ns))


def hyper_of(agent: Agent, steps: int, seed: int, given: Sequence[str]) -> "Hyper":
    """The hyper-parameters: the agent's defaults and what a person changed. Raises ConfigError."""
    from asmm_daemon.learn.hyper import Hyper

    defaults = Hyper(kind=KINDS[agent], steps=steps, seed=seed, epsilon_steps=max(steps // 2, 1))
    values: dict[str, Any] = {"evaluate_every": max(steps // 10, 1), "evaluate_steps": 200}
    for item in given:
        name, _, text = item.partition("=")
        if name not in defaults.as_json():
            known = ", ".join(defaults.as_json())
            raise ConfigError(f"--hyper {item}: no {name!r}; there are {known}")
        values[name] = _value(text)
    try:
        return replace(defaults, **values)
    except TypeError as error:
        raise ConfigError(f"--hyper: {error}") from None


def _value(text: str) -> object:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return tuple(value) if isinstance(value, list) else value


def train_here(
    shop: Shop,
    span: Stretches,
    hyper: "Hyper",
    out: Path,
    reward: Literal["dampened", "penalised"],
    penalty: float,
    *,
    resume: bool,
    progress: "Callable[[Progress], object]",
    n_envs: int = 32,
    episode_s: float = 3600.0,
) -> "TrainResult":
    """One training; its folder holds checkpoint, curves and model files."""
    from asmm_daemon.learn.export import About
    from asmm_daemon.learn.train import train

    lessons = prepare(shop.setup, shop.tape.info, shop.tape.rows, span.train, span.validation)
    goal = Reward(lessons.reward_unit, reward, penalty)
    shortest = min(_length_s(span.train), _length_s(span.validation))
    size = min(episode_s, shortest / 2)
    about = About(
        feature_names=lessons.feature_names,
        gammas=lessons.gammas,
        skews=lessons.skews,
        reward=reward,
        reward_unit=lessons.reward_unit,
        cycle_s=shop.setup.cycle_s,
        data=({"file": shop.tape.info.symbol, "sha256": "", **_moments(span.train)},),
    )
    return train(
        lessons.env(span.train, goal, n_envs=n_envs, episode_s=size),
        lessons.env(span.validation, goal, n_envs=n_envs, episode_s=size),
        hyper,
        out,
        progress=progress,
        resume=resume,
        about=about,
    )


def _length_s(span: Span) -> float:
    return (span.end_ns - span.start_ns) / NS_PER_S


def _moments(span: Span) -> dict[str, str]:
    return {
        name: datetime.fromtimestamp(t / NS_PER_S, UTC).isoformat()
        for name, t in (("from", span.start_ns), ("to", span.end_ns))
    }


def plan_of(
    budget: int,
    seeds: int,
    seed: int,
    agents: str,
    score: Literal["pnl", "sharpe", "pnl_to_map"],
    reward: Literal["dampened", "penalised"],
    penalty: float,
) -> Plan:
    """The plan of an evaluation. Raises ConfigError for an unknown agent."""
    chosen: list[Agent] = []
    for name in agents.split(",") if agents != "none" else []:
        known = [agent for agent in get_args(Agent) if agent == name.strip()]
        if not known:
            raise ConfigError(f"--agents {agents}: expected {', '.join(get_args(Agent))}, or none")
        chosen += known
    numbers = tuple(range(seed, seed + seeds))
    return Plan(budget, numbers, tuple(chosen), score, reward=reward, penalty=penalty)


def evaluate_here(
    shop: Shop,
    plan: Plan,
    lengths: tuple[str, str, str, str],
    out: Path | None,
    progress: Callable[[str], None],
) -> Outcome:
    """Walks forward over the whole recording."""
    names = ("--train", "--validate", "--test", "--purge")
    train_s, validation_s, test_s, purge_s = (
        strategies.seconds(name, text) for name, text in zip(names, lengths, strict=True)
    )
    rounds = list(
        folds(
            shop.begin_ns,
            shop.end_ns,
            train_s=train_s,
            validation_s=validation_s,
            test_s=test_s,
            purge_s=purge_s,
        )
    )
    with tempfile.TemporaryDirectory(prefix="asmm-evaluate-") as scratch:
        found = evaluate(
            shop.setup, shop.tape.info, shop.tape.rows, rounds, plan, out or Path(scratch), progress=progress
        )
    return Outcome.of(found)
