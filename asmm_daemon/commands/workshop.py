"""What tuning, training and evaluation share: one recording in memory, one set-up, the stretches of it."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

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
from asmm_daemon.learn.agents import Agent, Plan
from asmm_daemon.learn.evaluation import evaluate, folds
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.lessons import Goal, Span, checkpoints_of, prepare
from asmm_daemon.learn.tape_env import Grid, RewardKind
from asmm_daemon.learn.tuning import Judge, Score, in_turn
from asmm_daemon.tape.checkpoints import Checkpoints
from asmm_daemon.tape.columns import Tape, concat
from asmm_daemon.tape.loaders import own
from asmm_daemon.tape.parquet import sha256
from asmm_daemon.units import NS_PER_S

if TYPE_CHECKING:
    from asmm_daemon.learn.curves import Progress
    from asmm_daemon.learn.train import TrainResult

LEAD_S = 3600.0
"""Market before the stretch, for the estimators."""


@dataclass(frozen=True, slots=True)
class Shop:
    """One recording and the strategy that is worked on; `begin_ns` to `end_ns` is the stretch asked for.

    `files` are the recording's, none where the market is made up.
    """

    tape: Tape
    timeline: Timeline
    setup: Setup
    begin_ns: int
    end_ns: int
    files: tuple[Path, ...]

    @property
    def words(self) -> str:
        """Market and stretch, for a person."""
        moments = (datetime.fromtimestamp(t / NS_PER_S, UTC) for t in (self.begin_ns, self.end_ns))
        return f"{self.tape.info.symbol} " + " to ".join(f"{m:%Y-%m-%d %H:%M}" for m in moments)

    def backtest(self, setup: Setup) -> list[Result]:
        """A strategy over the whole stretch."""
        result = run_fast(setup, self.tape.info, self.timeline, begin_ns=self.begin_ns, end_ns=self.end_ns)
        return [result]

    def checkpoints(self) -> Checkpoints:
        """Where episodes may start, kept beside a single tape of ours; says so where that cannot be."""
        own_tape = len(self.files) == 1 and own.READER.knows(self.files[0])
        found = checkpoints_of(self.setup, self.tape.rows, self.files[0] if own_tape else None)
        if found.note:
            print(f"asmm: {found.note}", file=sys.stderr)
        return found


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
    setup = next(iter(made.values()))
    return Shop(tape, timeline(tape.rows), setup, first, last, tuple(source.files))


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


def goal_of(reward: RewardKind, penalty: float, memory: str | None, score: Score) -> Goal:
    """Reward and score as asked for. Raises ConfigError for a memory of the dampened reward."""
    if memory is None:
        return Goal(reward, penalty, score=score)
    if reward == "dampened":
        raise ConfigError(f"--memory {memory}: the dampened reward has none; add --reward penalised")
    return Goal(reward, penalty, strategies.seconds("--memory", memory), score)


def grid_of(setup: Setup, gammas: str | None, skews: str | None) -> Grid:
    """The agent's choices, the usual ones where none are given. Raises ConfigError for a bad one."""
    quote = setup.spec.quote
    ranges = {
        "gammas": (gammas, quote.gamma_min, quote.gamma_max),
        "skews": (skews, -quote.skew_max, quote.skew_max),
    }
    grid = Grid()
    for name, (text, least, most) in ranges.items():
        if text is None:
            continue
        try:
            values = tuple(float(item) for item in text.split(","))
        except ValueError:
            raise ConfigError(f"--{name} {text}: expected numbers with commas between") from None
        if not all(least <= value <= most for value in values):
            raise ConfigError(f"--{name} {text}: the configuration allows {least:g} to {most:g}")
        grid = grid._replace(**{name: values})
    return grid


def changed(given: Sequence[str]) -> dict[str, Any]:
    """`NAME=VALUE` items as hyper-parameters. Raises ConfigError."""
    known = Hyper().as_json()
    values: dict[str, Any] = {}
    for item in given:
        name, _, text = item.partition("=")
        if name not in known:
            raise ConfigError(f"--hyper {item}: no {name!r}; there are {', '.join(known)}")
        values[name] = _value(text)
    replace(Hyper(), **values)
    return values


def _value(text: str) -> object:
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return tuple(value) if isinstance(value, list) else value


def train_here(
    shop: Shop,
    span: Stretches,
    goal: Goal,
    grid: Grid,
    hyper: Hyper,
    out: Path,
    *,
    resume: bool,
    progress: "Callable[[Progress], object]",
) -> "TrainResult":
    """One training; its folder holds checkpoint, curves and model files."""
    from asmm_daemon.learn.on_tape import train_on_tape

    info, checkpoints = shop.tape.info, shop.checkpoints()
    lessons = prepare(shop.setup, info, shop.timeline, checkpoints, span.train, span.validation)
    lessons = replace(lessons, gammas=grid.gammas, skews=grid.skews)
    moments = _moments(span.train)
    seen = [{"file": path.name, "sha256": sha256(path), **moments} for path in shop.files]
    made_up = {"file": f"synthetic:{info.symbol}", "sha256": "", **moments}
    data = tuple(seen) or (made_up,)
    return train_on_tape(lessons, goal, hyper, out, data=data, progress=progress, resume=resume)


def _moments(span: Span) -> dict[str, str]:
    return {
        name: datetime.fromtimestamp(t / NS_PER_S, UTC).isoformat()
        for name, t in (("from", span.start_ns), ("to", span.end_ns))
    }


def plan_of(budget: int, seeds: int, seed: int, agents: str, goal: Goal, hyper: Sequence[str] = ()) -> Plan:
    """The plan of an evaluation. Raises ConfigError for an unknown agent or hyper-parameter."""
    chosen: list[Agent] = []
    for name in agents.split(",") if agents != "none" else []:
        known = [agent for agent in get_args(Agent) if agent == name.strip()]
        if not known:
            raise ConfigError(f"--agents {agents}: expected {', '.join(get_args(Agent))}, or none")
        chosen += known
    numbers = tuple(range(seed, seed + seeds))
    return Plan(budget, numbers, tuple(chosen), goal, hyper=changed(hyper) if chosen else {})


def evaluate_here(
    shop: Shop,
    plan: Plan,
    lengths: tuple[str, str, str, str],
    out: Path | None,
    *,
    jobs: int,
    progress: Callable[[str, float], object],
) -> Outcome:
    """Walks forward over the whole recording; `jobs` processes train."""
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
            shop.setup,
            shop.tape.info,
            shop.timeline,
            shop.checkpoints(),
            rounds,
            plan,
            out or Path(scratch),
            jobs=jobs,
            progress=progress,
        )
    return Outcome.of(found)
