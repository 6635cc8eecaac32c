"""What one quote cycle costs: the engine on a live book, its orders answered as a venue would.

The shipped configuration on the made-up BTCUSDT market: every message and watchdog's beat goes through
the engine, a cycle comes every 5 s of market, and the time of `Engine.step(CycleTick)` with its journal
records (22 features, estimators, policy, model, risk, order diff) is taken in CPU time of the thread.
"""

import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
from bench_table import Effort, Line, alternate, median, quantile

from asmm_daemon import config as configuration
from asmm_daemon import specs
from asmm_daemon.core.engine import Engine
from asmm_daemon.core.policy import FixedPolicy, Policy
from asmm_daemon.core.spec import Identity, MarketSpec
from asmm_daemon.events import (
    TRADE,
    Accepted,
    Amend,
    AmendAccepted,
    BalanceEvent,
    Cancel,
    CancelAccepted,
    CancelAll,
    Channel,
    Command,
    CycleTick,
    Event,
    FillEvent,
    MarketData,
    OrderStatus,
    OrderUpdate,
    Place,
    PositionEvent,
    Proof,
    ProveBook,
    Query,
    Reconcile,
    Rows,
    Snapshot,
    WatchTick,
)
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.learn import model_file
from asmm_daemon.tape.columns import message_ends
from asmm_daemon.units import NS_PER_MS, NS_PER_S, Instrument, Side

ROOT = Path(__file__).resolve().parents[1]
START_NS = 1_767_657_600 * NS_PER_S
CYCLE_NS, BEAT_NS = 5 * NS_PER_S, NS_PER_S // 10
WARM_CYCLES = 30
GOAL_MS, GOAL_NETWORK_MS = 1.0, 1.5
GAMMAS, SKEWS = (0.01, 0.1, 0.2, 0.9), (-1.0, -0.5, 0.0, 0.5, 1.0)
LAYERS = (128, 256, 128)


@dataclass(slots=True)
class Resting:
    """One order as the venue holds it; ticks and lots."""

    cid: str
    oid: str
    side: Side
    price: int
    qty: int


@dataclass(slots=True)
class Venue:
    """Answers every command at once, and fills an order whole when a trade reaches its price."""

    instrument: Instrument
    engine: Engine
    orders: dict[str, Resting] = field(default_factory=dict)
    position: Decimal = Decimal(0)
    serial: int = 0

    def feed(self, event: Event) -> None:
        """An event, and everything that follows from it."""
        commands = self.engine.step(event)
        self.engine.drain_records()
        for command in list(commands):
            for answer in self.answer(command, event.t_ns):
                self.feed(answer)

    def trade(self, rows: Rows, t_ns: int) -> None:
        """Fills what a message's trades reach."""
        for row in rows[rows["kind"] == TRADE]:
            price = int(row["price"])
            for order in list(self.orders.values()):
                if order.side * (order.price - price) >= 0 and order.side != int(row["side"]):
                    for event in self._fill(order, t_ns):
                        self.feed(event)

    def answer(self, command: Command, t_ns: int) -> Iterator[Event]:
        """The venue's words to one command."""
        m = command.m
        if isinstance(command, Place):
            self.serial += 1
            order = Resting(command.cid, str(self.serial), command.side, command.price, command.qty)
            self.orders[order.cid] = order
            yield Accepted(t_ns, m, order.cid, order.oid)
            yield self._update(order, t_ns, OrderStatus.OPEN, "stream")
        elif isinstance(command, Amend) and command.cid in self.orders:
            order = self.orders[command.cid]
            order.price, order.qty = command.price, command.qty
            yield AmendAccepted(t_ns, m, order.cid, order.price, order.qty)
            yield self._update(order, t_ns, OrderStatus.OPEN, "stream")
        elif isinstance(command, Cancel) and command.cid in self.orders:
            order = self.orders.pop(command.cid)
            yield CancelAccepted(t_ns, m, order.cid)
            yield self._update(order, t_ns, OrderStatus.CANCELLED, "stream")
        elif isinstance(command, CancelAll):
            for order in [self.orders.pop(cid) for cid in list(self.orders)]:
                yield self._update(order, t_ns, OrderStatus.CANCELLED, "stream")
        elif isinstance(command, Query) and command.cid in self.orders:
            yield self._update(self.orders[command.cid], t_ns, OrderStatus.OPEN, "rest")
        elif isinstance(command, ProveBook):
            yield Proof(t_ns, m, Channel.BOOK)
        elif isinstance(command, Reconcile):
            yield self._snapshot(m, t_ns)

    def _fill(self, order: Resting, t_ns: int) -> Iterator[Event]:
        del self.orders[order.cid]
        self.serial += 1
        unit = self.instrument
        self.position += order.side * unit.qty(order.qty)
        yield FillEvent(
            t_ns=t_ns,
            m=0,
            cid=order.cid,
            oid=order.oid,
            tid=str(self.serial),
            side=order.side,
            price=unit.price(order.price),
            qty=unit.qty(order.qty),
            fee=Decimal(0),
            fee_asset=unit.quote,
            maker=True,
            venue_ns=t_ns,
            source="stream",
        )
        yield self._update(order, t_ns, OrderStatus.FILLED, "stream", filled=order.qty)

    def _update(
        self, order: Resting, t_ns: int, status: OrderStatus, source: str, filled: int = 0
    ) -> OrderUpdate:
        way = "rest" if source == "rest" else "stream"
        numbers = (order.side, order.price, order.qty, filled)
        return OrderUpdate(t_ns, 0, order.cid, order.oid, status, *numbers, t_ns, way)

    def _snapshot(self, m: int, t_ns: int) -> Snapshot:
        orders = tuple(self._update(o, t_ns, OrderStatus.OPEN, "rest") for o in self.orders.values())
        cash = BalanceEvent(t_ns, self.instrument.quote, Decimal(100_000), Decimal(0))
        return Snapshot(t_ns, m, orders, (), (cash,), PositionEvent(t_ns, m, self.position, Decimal(0)))


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of each measured cycle, and how many of them quoted."""

    cpu_ms: list[float]
    wall_ms: list[float]
    quoted: int


def shipped_spec(instrument: Instrument, policy: Policy) -> MarketSpec:
    """The market as `config.toml` has it."""
    market = configuration.load(ROOT / "config.toml", ()).market[0]
    return specs.market_spec(market, instrument, policy, can_amend=True, heartbeat=False)


def make_engine(instrument: Instrument, policy: Policy) -> Engine:
    """An engine of one market under the shipped configuration."""
    limits = specs.account_limits(configuration.load(ROOT / "config.toml", ()))
    return Engine([shipped_spec(instrument, policy)], limits, Identity("bench-", 1))


def made_up_market(cycles: int, seed: int = 1) -> tuple[Instrument, list[tuple[int, Rows]]]:
    """The messages of so many cycles: (receive time, rows)."""
    end_ns = START_NS + (cycles + 1) * CYCLE_NS
    source = SyntheticSource("BTCUSDT", "binanceusdm", START_NS, seed, end_ns)
    found = []
    for tape in source:
        begin = 0
        for end in message_ends(tape.rows):
            rows = tape.rows[begin:end]
            found.append((int(rows["local_ns"][-1]), rows))
            begin = end
    return source.instrument, found


def run_cycles(instrument: Instrument, messages: list[tuple[int, Rows]], policy: Policy) -> Times:
    """The whole market through a fresh engine; the cycles after the warm ones are measured."""
    engine = make_engine(instrument, policy)
    venue = Venue(instrument, engine)
    times = Times([], [], 0)
    quoted = cycle = 0
    beat_ns = START_NS
    for t_ns, rows in messages:
        while beat_ns <= t_ns:
            venue.feed(Proof(beat_ns, None, Channel.PRIVATE))
            venue.feed(WatchTick(beat_ns))
            if beat_ns >= START_NS + (cycle + 1) * CYCLE_NS:
                cycle += 1
                cpu, wall = time.thread_time_ns(), time.perf_counter_ns()
                commands = list(engine.step(CycleTick(beat_ns, cycle, 0)))
                engine.drain_records()
                wall, cpu = time.perf_counter_ns() - wall, time.thread_time_ns() - cpu
                if cycle > WARM_CYCLES:
                    times.cpu_ms.append(cpu / NS_PER_MS)
                    times.wall_ms.append(wall / NS_PER_MS)
                    quoted += engine.explains(0)[-1].trigger == "cycle"
                for command in commands:
                    for answer in venue.answer(command, beat_ns):
                        venue.feed(answer)
            beat_ns += BEAT_NS
        venue.feed(MarketData(t_ns, 0, rows))
        venue.trade(rows, t_ns)
    return replace(times, quoted=quoted)


def make_model(folder: Path, seed: int = 1) -> Path:
    """A network of the usual size with random weights, as a model file."""
    chance = np.random.default_rng(seed)
    spec = replace(model_file.ModelSpec.plain(LAYERS, GAMMAS, SKEWS), seed=seed)
    tensors = {
        name: (chance.standard_normal(shape) / max(shape[-1], 1) ** 0.5).astype(np.float32)
        for name, shape in spec.shapes().items()
    }
    model_file.save_model(folder / "bench", spec, tensors)
    return folder / "bench.json"


def lines(effort: Effort) -> list[Line]:
    """p99 of a cycle with the fixed policy and with a network, on the same market, in turns."""
    cycles, runs = effort.of(1000, 250), effort.of(4, 2)
    instrument, messages = made_up_market(cycles + WARM_CYCLES)
    fixed: list[Times] = []
    network: list[Times] = []
    with tempfile.TemporaryDirectory(prefix="asmm-bench-") as scratch:
        policy = model_file.load_policy(make_model(Path(scratch)))

    def measured(chosen: Policy, kept: list[Times]) -> float:
        kept.append(run_cycles(instrument, messages, chosen))
        return 0.0

    run_cycles(instrument, messages[: len(messages) // 8], policy)
    alternate(runs, [lambda: measured(FixedPolicy(0.1), fixed), lambda: measured(policy, network)])
    return [
        _line("fixed policy", fixed, GOAL_MS),
        _line(f"network {'-'.join(map(str, LAYERS))}", network, GOAL_NETWORK_MS),
    ]


def _line(name: str, runs: list[Times], goal_ms: float) -> Line:
    half = median(median(run.cpu_ms) for run in runs)
    slow = median(quantile(run.cpu_ms, 0.99) for run in runs)
    wall = median(quantile(run.wall_ms, 0.99) for run in runs)
    count, quoted = len(runs[0].cpu_ms), min(run.quoted for run in runs)
    worst = max(max(run.cpu_ms) for run in runs)
    return Line(
        part="cycle",
        what=f"quote cycle p99, {name}",
        ours=slow,
        baseline="budget",
        base=goal_ms,
        unit="ms",
        goal=1.0,
        note=f"median {half:.3f}, worst {worst:.2f} ms of CPU; p99 on the clock {wall:.2f} ms; "
        f"{len(runs)} runs of {count} cycles, {quoted} of them quoting",
    )
