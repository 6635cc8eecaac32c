"""What online learning does to the quote cycle: the same market on the clock, with and without the thread.

A cycle comes every quarter of a second, and the market's messages and the watchdog's beats lie between
two of them as they do in the daemon. The time on the clock of a cycle is taken as the daemon's own metric
takes it: the engine's step with its journal records, and what learning is told of it. The learner has a
network of the usual size and more to learn than it can; trials of its shadow fall into the run.
"""

import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from bench_cycle import (
    BEAT_NS,
    CYCLE_NS,
    START_NS,
    WARM_CYCLES,
    Venue,
    made_up_market,
    make_engine,
    make_model,
)
from bench_table import Effort, Line, alternate, median, quantile

from asmm_daemon.backtest.setup import Setup, unseen
from asmm_daemon.core.spec import AccountLimits
from asmm_daemon.events import Channel, CycleTick, Event, MarketData, Proof, Rows, WatchTick
from asmm_daemon.learn import model_file
from asmm_daemon.learn.online.chain import Transition
from asmm_daemon.learn.online.online import Online
from asmm_daemon.learn.online.rules import Options
from asmm_daemon.learn.online.store import Store
from asmm_daemon.learn.online.student import Student, transitions_key
from asmm_daemon.learn.online.warm import warm_up
from asmm_daemon.units import NS_PER_MS, Instrument

PERIOD_S = 0.25
CPU_SHARE = 0.2
GOAL = 2.0
STORED = 20_000
WINDOW_S = 300.0
Messages = list[tuple[int, Rows]]


@dataclass(slots=True)
class Cycles:
    """Milliseconds on the clock of each cycle of all runs, and what learning did meanwhile."""

    wall_ms: list[float] = field(default_factory=list)
    shares: list[float] = field(default_factory=list)
    updates: int = 0
    trials: int = 0


def lines(effort: Effort) -> list[Line]:
    """The ratio of the two p99, and the share of a core that was used."""
    cycles, runs = effort.of(300, 120), effort.of(3, 2)
    instrument, messages = made_up_market(cycles + WARM_CYCLES)
    warm_up()
    without, learning = Cycles(), Cycles()
    with tempfile.TemporaryDirectory(prefix="asmm-bench-") as scratch:
        folder = Path(scratch)
        path = make_model(folder)
        _store(folder, model_file.load_model(path)[0])

        def off() -> float:
            return _run(instrument, messages, path, None, without)

        def on() -> float:
            return _run(instrument, messages, path, folder, learning)

        alternate(runs, [off, on])
    return [_ratio(without, learning, runs), _share(learning)]


def _store(folder: Path, spec: model_file.ModelSpec) -> None:
    """Transitions of an earlier session: more than the runs can work off."""
    store = Store(folder / "learning" / "BTCUSDT.transitions", len(spec.feature_names), transitions_key(spec))
    rng = np.random.default_rng(1)
    rows = rng.normal(0, 1, (STORED + 1, len(spec.feature_names))).astype(np.float32)
    actions, rewards = rng.integers(0, len(spec.actions), STORED), rng.normal(0, 1, STORED)
    store.append(
        [Transition(n, rows[n], int(actions[n]), float(rewards[n]), rows[n + 1]) for n in range(STORED)]
    )
    store.close()


def _run(instrument: Instrument, messages: Messages, path: Path, folder: Path | None, kept: Cycles) -> float:
    engine = make_engine(instrument, model_file.load_policy(path))
    venue = Venue(instrument, engine)
    if folder is None:
        _play(venue, messages, None, kept)
        return 0.0
    options = Options(WINDOW_S, 64, 1e-4, 0.0, 0.9, 1)
    limits = AccountLimits(capital=instrument.tick * 10**7)

    def simulated(m: int) -> Setup:
        return Setup("trial", unseen(engine.specs[m]), limits)

    student = Student(0, instrument.symbol, path, folder / "learning", lambda: options, simulated)
    online = Online([student], cpu_share=CPU_SHARE, cycle_s=PERIOD_S, guard=lambda work, _failed: work)
    online.start()
    _wait_for_updates(student)
    _play(venue, messages, online, kept)
    view = online.view()
    online.join(10.0)
    kept.shares.append(view.cpu_share)
    kept.updates += view.markets[0].updates
    kept.trials += view.markets[0].trials
    return 0.0


def _wait_for_updates(student: Student) -> None:
    pause = threading.Event()
    for _ in range(600):
        if student.view().updates:
            return
        pause.wait(0.05)
    raise SystemExit("the learner did not begin within 30 s")


def _play(venue: Venue, messages: Messages, online: Online | None, kept: Cycles) -> None:
    """The market on the clock; cycles after the warm ones are measured."""
    engine = venue.engine
    per_beat = PERIOD_S * BEAT_NS / CYCLE_NS
    begun, beat, cycle = time.monotonic(), 0, 0

    def told(event: Event) -> None:
        if online is not None:
            online.observe(engine, event)

    for t_ns, rows in messages:
        while START_NS + beat * BEAT_NS <= t_ns:
            now = START_NS + beat * BEAT_NS
            time.sleep(max(begun + beat * per_beat - time.monotonic(), 0.0))
            venue.feed(Proof(now, None, Channel.PRIVATE))
            venue.feed(WatchTick(now))
            if now >= START_NS + (cycle + 1) * CYCLE_NS:
                cycle += 1
                event, clock = CycleTick(now, cycle, 0), time.perf_counter_ns()
                commands = list(engine.step(event))
                engine.drain_records()
                told(event)
                if cycle > WARM_CYCLES:
                    kept.wall_ms.append((time.perf_counter_ns() - clock) / NS_PER_MS)
                for command in commands:
                    for answer in venue.answer(command, now):
                        venue.feed(answer)
            beat += 1
        message = MarketData(t_ns, 0, rows)
        venue.feed(message)
        told(message)
        venue.trade(rows, t_ns)


def _ratio(without: Cycles, learning: Cycles, runs: int) -> Line:
    halves = [f"{median(each.wall_ms):.3f}" for each in (learning, without)]
    return Line(
        part="online",
        what="quote cycle p99 with online learning",
        ours=quantile(learning.wall_ms, 0.99),
        baseline="without",
        base=quantile(without.wall_ms, 0.99),
        unit="ms",
        goal=GOAL,
        note=f"on the clock; median {halves[0]} against {halves[1]} ms; {runs} runs each way, "
        f"{len(learning.wall_ms)} cycles; {learning.updates} updates and {learning.trials} trials meanwhile",
    )


def _share(learning: Cycles) -> Line:
    return Line(
        part="online",
        what="CPU of the learning thread",
        ours=100 * max(learning.shares),
        baseline="",
        base=0.0,
        unit="% of a core",
        goal=100 * CPU_SHARE * 1.05,
        bounds="value",
        note=f"learning.cpu_share = {CPU_SHARE:g}; the highest of the runs",
    )
