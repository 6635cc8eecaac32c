"""The backtest, its environment and its sweep beside hftbacktest, on one tape and in one run.

hftbacktest quotes every cycle by the same formula, from the median κ and with the order size of our run:
once from plain Python (with its default depth), once in a compiled loop with its fastest depth. So the
tape, the latency and the number of cycles are the same. Both widen the model's half-spread alike: at the
model's own, fills are so many that what is measured is the requoting after each, which ours does at once.
Orders and fills are told beside each line.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, cast

import numpy as np
from bench_kernel import POWER, after_snapshot, to_events
from bench_table import Effort, Line, alternate
from hftbacktest import (
    GTX,
    LIMIT,
    BacktestAsset,
    HashMapMarketDepthBacktest,
    ROIVectorMarketDepthBacktest,
)
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.fast.sweep import run_sweep
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup, instrument_of, unseen
from asmm_daemon.backtest.spool import Spool, mapped
from asmm_daemon.backtest.timeline import Timeline, timeline
from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.spec import AccountLimits, MarketLimits, MarketSpec
from asmm_daemon.events import DEPTH, GAP, Rows
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.learn.tape_env import GAMMAS, SKEWS, Reward, TapeEnv
from asmm_daemon.tape.checkpoints import build
from asmm_daemon.tape.columns import TapeInfo, concat
from asmm_daemon.tape.load import load_tape
from asmm_daemon.units import NS_PER_S

GOALS = {"python": 4.0, "compiled": 1.5, "sweep": 20.0, "fast cycle": 4.0, "env": 3.0, "envs": 8.0}
START_GOAL_S, MEMORY_GOAL_MB, LINEAR_GOAL = 0.5, 250.0, 1.2
START_NS = 1_767_657_600 * NS_PER_S
DAY_S = 86_400
SETS, ENVS = 64, 32
TAUS_S, WIDTHS = (5.0, 10.0, 20.0, 40.0), (1.0, 1.5, 2.0, 3.0)
WIDER = 3.0
"""Half-spreads of the model by which both quote."""
NEVER_S = 1e6
"""A requote that the price asks for comes this late: never."""
STANDX_DAY_NS = 1_767_657_600 * NS_PER_S
"""2026-01-06."""


def quote(hbt: Any, cycle_ns: int, kappa: float, risk_lots: float, lots: float, told: Any) -> None:
    """Avellaneda–Stoikov every cycle, in ticks: γ̂ = 0.1·κ, τ = 20 s, σ² of the cycles' changes."""
    variance = 0.0
    last = 0.0
    number = 1
    bid_id = ask_id = 0
    while hbt.elapse(cycle_ns) == 0:
        told[0] += 1
        hbt.clear_inactive_orders(0)
        depth = hbt.depth(0)
        best_bid, best_ask = depth.best_bid, depth.best_ask
        if not best_bid < best_ask:
            continue
        mid = 0.5 * (best_bid + best_ask)
        if last > 0.0:
            variance += 0.06 * ((mid - last) ** 2 / (cycle_ns * 1e-9) - variance)
        last = mid
        shift = 0.1 * kappa * variance * 20.0
        half = WIDER * (np.log(1.1) / (0.1 * kappa) + 0.5 * shift)
        reservation = mid - hbt.position(0) / risk_lots * shift
        bid = min(np.floor(reservation - half), best_ask - 1.0)
        ask = max(np.ceil(reservation + half), best_bid + 1.0)
        has_bid = has_ask = False
        orders = hbt.orders(0).values()
        while orders.has_next():
            order = orders.get()
            if order.cancellable:
                if order.order_id == bid_id and order.price == bid:
                    has_bid = True
                elif order.order_id == ask_id and order.price == ask:
                    has_ask = True
                else:
                    hbt.cancel(0, order.order_id, False)
        if not has_bid:
            bid_id = number
            hbt.submit_buy_order(0, number, bid, lots, GTX, LIMIT, False)
            number += 1
        if not has_ask:
            ask_id = number
            hbt.submit_sell_order(0, number, ask, lots, GTX, LIMIT, False)
            number += 1
    told[1] = number - 1
    told[2] = hbt.state_values(0).num_trades


def _compiled() -> Callable[..., None]:
    import numba  # noqa: PLC0415  (hftbacktest's objects enter numba as classes: no cache)

    return cast("Callable[..., None]", numba.njit(quote))


compiled_quote = _compiled()


@dataclass(frozen=True, slots=True)
class Market:
    """A tape in both forms."""

    name: str
    info: TapeInfo
    tape: Timeline
    events: NDArray[Any]

    @classmethod
    def of(cls, name: str, info: TapeInfo, rows: Rows) -> "Market":
        """For hftbacktest there are no gaps, and the feed has the median delay throughout."""
        rows = after_snapshot(rows)
        events = to_events(rows[rows["kind"] != GAP])
        delay = int(np.median(rows["local_ns"] - rows["exch_ns"]))
        events["local_ts"] = events["exch_ts"] + max(delay, 0)
        return cls(name, info, timeline(rows), events)

    def until(self, seconds: float) -> "Market":
        """Its beginning."""
        tape = self.tape
        to = int(np.searchsorted(tape.local_ns, tape.local_ns[0] + int(seconds * NS_PER_S)))
        events = int(np.searchsorted(self.events["exch_ts"], tape.venue_ns[to - 1], side="right"))
        return replace(self, tape=timeline(tape.rows[: tape.ends[to - 1]]), events=self.events[:events])


def made_up(seconds: int) -> Market:
    """A synthetic market."""
    source = SyntheticSource("BTCUSDT", "binanceusdm", START_NS, 1, START_NS + seconds * NS_PER_S)
    tape = concat(list(source))
    return Market.of("made-up BTCUSDT", tape.info, tape.rows)


def setup(info: TapeInfo, *, cycle_s: float = 5.0, follows: bool = False, **knobs: Any) -> Setup:
    """The daemon's defaults without fees; quotes move on the cycle alone unless `follows`."""
    still = {"half_spread_factor": WIDER} | ({} if follows else {"requote_bps": NEVER_S})
    params = QuoteParams(**(still | knobs))
    limits = MarketLimits(
        max_inventory=Decimal(str(params.max_inventory)),
        max_order=Decimal(str(params.max_order)),
        min_requote_s=0.1 if follows else NEVER_S,
    )
    unit = instrument_of(info, maker=Decimal(0), taker=Decimal(0))
    spec = MarketSpec(unit, params, limits, FixedPolicy(params.gamma, params.skew))
    return Setup("bench", unseen(spec), AccountLimits(capital=Decimal(100_000)), cycle_s=cycle_s)


class Reference:
    """hftbacktest on a market, with what our run has found out about it."""

    def __init__(self, market: Market, ours: Result, cycle_s: float) -> None:
        tick, lot = float(market.info.tick), float(market.info.lot)
        mid = float(np.nanmedian(ours.steps["mid"]))
        self._market = market
        self._cycle_ns = int(cycle_s * NS_PER_S)
        self._kappa = float(np.nanmedian(ours.steps["kappa"][ours.steps["kappa"] > 0.0])) * tick
        self._risk_lots = min(1.0, 50_000.0 / mid) / 50.0 / lot
        self._lots = 0.01 / lot
        self.cycles = self.orders = self.fills = 0

    def _asset(self) -> BacktestAsset:
        rows = self._market.tape.rows
        prices = rows["price"][(rows["kind"] == DEPTH) & (rows["price"] > 0)]
        return (
            BacktestAsset()
            .data(self._market.events)
            .linear_asset(1.0)
            .constant_order_latency(10_000_000, 10_000_000)
            .power_prob_queue_model(POWER)
            .no_partial_fill_exchange()
            .trading_value_fee_model(0.0, 0.0)
            .tick_size(1.0)
            .lot_size(1.0)
            .roi_lb(float(prices.min()) - 10.0)
            .roi_ub(float(prices.max()) + 10.0)
        )

    def seconds(self, kind: Any, loop: Callable[..., None]) -> float:
        """Processor seconds of a run from its first event on; building the backtest is not counted."""
        hbt = kind([self._asset()])
        told = np.zeros(3)
        spent = cpu(lambda: loop(hbt, self._cycle_ns, self._kappa, self._risk_lots, self._lots, told))
        hbt.close()
        self.cycles, self.orders, self.fills = (int(count) for count in told)
        return spent

    def python(self) -> float:
        """From plain Python."""
        return self.seconds(HashMapMarketDepthBacktest, quote)

    def compiled(self) -> float:
        """In its compiled loop with its fastest depth."""
        return self.seconds(ROIVectorMarketDepthBacktest, compiled_quote)


def cpu(action: Callable[[], object]) -> float:
    """Processor seconds of an action: others on the machine count less than on a clock."""
    start = time.process_time()
    action()
    return time.process_time() - start


def faster(what: str, ours: float, baseline: str, base: float, goal: str | None, note: str) -> Line:
    """How many times faster ours is, both given in seconds."""
    return Line(
        part="backtest",
        what=what,
        ours=1.0 / ours,
        baseline=baseline,
        base=1.0 / base,
        unit="runs/s",
        goal=None if goal is None else GOALS[goal],
        at_least=True,
        note=note,
    )


def best(runs: int, ways: list[Callable[[], float]]) -> list[float]:
    """The least of each way's times, measured in turns after one run that is not counted."""
    for way in ways:
        way()
    return [min(found) for found in alternate(runs, ways)]


def day_lines(market: Market, cycle_s: float, runs: int, *, goal: str | None = "python") -> list[Line]:
    """A run at a cycle beside hftbacktest, with quotes that move on the cycle and with our default."""
    still, live = setup(market.info, cycle_s=cycle_s), setup(market.info, cycle_s=cycle_s, follows=True)
    ours = run_fast(still, market.info, market.tape)
    theirs = Reference(market, ours, cycle_s)
    times = best(
        runs,
        [
            lambda: cpu(lambda: run_fast(still, market.info, market.tape)),
            lambda: cpu(lambda: run_fast(live, market.info, market.tape)),
            theirs.python,
            theirs.compiled,
        ],
    )
    hours = (market.tape.local_ns[-1] - market.tape.local_ns[0]) / NS_PER_S / 3600
    counts = ours.counts
    note = (
        f"{market.name}, {hours:.1f} h, {market.tape.rows.size} rows; cycles, orders and amendments, fills: "
        f"{len(ours.steps)}, {counts['orders'] + counts['amends']}, {len(ours.fills)} ours, "
        f"{theirs.cycles}, {theirs.orders}, {theirs.fills} theirs; least of {runs}"
    )
    what = f"{cycle_s:g} s cycle"
    python, compiled = "hftbacktest from Python", "hftbacktest compiled, ROIVector"
    follows = f"{what}, quotes follow the price"
    return [
        faster(what, times[0], python, times[2], goal, note),
        faster(what, times[0], compiled, times[3], "compiled" if goal == "python" else None, ""),
        faster(follows, times[1], python, times[2], None, "our default; theirs still moves on the cycle"),
        faster(follows, times[1], compiled, times[3], None, ""),
    ]


def sweep_lines(market: Market, runs: int) -> list[Line]:
    """A pass of many parameter sets, per set, beside one run of hftbacktest from Python.

    Over γ and τ, as wide as theirs; beside that over γ and the width, whose narrow half fills many times as
    often, and requotes after each fill.
    """
    gammas = [float(gamma) for gamma in np.geomspace(0.01, 2.0, SETS // 4)]
    grids = {
        "γ and τ": [setup(market.info, gamma=g, tau_min_s=t, tau_max_s=t) for g in gammas for t in TAUS_S],
        "γ and width": [setup(market.info, gamma=g, half_spread_factor=w) for g in gammas for w in WIDTHS],
    }
    theirs = Reference(market, run_fast(setup(market.info), market.info, market.tape), 5.0)
    fills: dict[str, int] = {}

    def sweep(name: str) -> float:
        results: list[Result] = []
        spent = cpu(lambda: results.extend(run_sweep(grids[name], market.info, market.tape)))
        fills[name] = sum(len(result.fills) for result in results) // SETS
        return spent / SETS

    *ours, python = best(runs, [*(lambda name=name: sweep(name) for name in grids), theirs.python])
    return [
        faster(
            f"sweep of {SETS} over {name}, per set",
            seconds,
            "hftbacktest from Python",
            python,
            "sweep" if name == "γ and τ" else None,
            f"5 s cycle, one pass; fills: {fills[name]} a set, {theirs.fills} theirs",
        )
        for name, seconds in zip(grids, ours, strict=True)
    ]


def env_lines(market: Market, runs: int, steps: int) -> list[Line]:
    """Environment steps per second, single and vectorised, beside cycles of hftbacktest from Python.

    By the action that quotes as hftbacktest does here; beside that by random ones, of which each moves both
    quotes and many fill at once.
    """
    one = setup(market.info)
    theirs = Reference(market, run_fast(one, market.info, market.tape), 5.0)
    points = build([market.tape.rows], to_record(one.spec.quote, one.spec.instrument))

    def ours(count: int, *, at_random: bool) -> Callable[[], float]:
        env = TapeEnv(one, market.tape, points, Reward(1.0), n_envs=count)
        env.reset(1)
        same = GAMMAS.index(one.spec.quote.gamma) * len(SKEWS) + SKEWS.index(one.spec.quote.skew)
        first, end = (0, env.n_actions) if at_random else (same, same + 1)
        actions = np.random.default_rng(1).integers(first, end, (steps // count, count))

        def walk() -> None:
            for row in actions:
                env.step(row)

        return lambda: cpu(walk) / (len(actions) * count)

    ways = [ours(count, at_random=at_random) for at_random in (False, True) for count in (1, ENVS)]
    *times, python = best(runs, [*ways, lambda: theirs.python() / max(theirs.cycles, 1)])
    many = f"environment, {ENVS} at once"
    labels = (
        ("environment, single", "env", "5 s steps with 24 features, resets included"),
        (many, "envs", "theirs: a cycle of plain quoting, no features"),
        ("environment, single, random actions", None, ""),
        (f"{many}, random actions", None, ""),
    )
    return [
        Line(
            part="backtest",
            what=what,
            ours=1.0 / seconds,
            baseline="hftbacktest from Python",
            base=1.0 / python,
            unit="steps/s",
            goal=None if goal is None else GOALS[goal],
            at_least=True,
            note=note,
        )
        for seconds, (what, goal, note) in zip(times, labels, strict=True)
    ]


CHILD = """
import json, sys, time
import numpy as np
from bench_backtest import run_day_of, rss_mb
before, started = rss_mb(), time.perf_counter()
if len(sys.argv) > 1:
    run_day_of(sys.argv[1])
print(json.dumps([rss_mb(peak=True) - before, time.perf_counter() - started]))
"""


def rss_mb(*, peak: bool = False) -> float:
    """Resident memory of this process, now or at its peak."""
    name = "VmHWM" if peak else "VmRSS"
    text = Path("/proc/self/status").read_text()
    line = next(line for line in text.splitlines() if line.startswith(name))
    return int(line.split()[1]) / 1024


def run_day_of(path: str) -> None:
    """What a child does after its imports: a day's file, as `asmm backtest` maps it, and its result."""
    units = Decimal("0.1"), Decimal("0.001"), Decimal(5)
    info = TapeInfo("binance", "binanceusdm", "BTCUSDT", "BTC", "USDT", *units)
    run_fast(setup(info), info, timeline(mapped(Path(path))))


def child(*arguments: str) -> tuple[float, float]:
    """Memory above its imports and seconds beyond them, of a process of its own."""
    command = [sys.executable, "-c", CHILD, *arguments]
    out = subprocess.run(command, check=True, capture_output=True, cwd=Path(__file__).parent).stdout
    memory, seconds = json.loads(out)
    return memory, seconds


def process_lines(market: Market, runs: int) -> list[Line]:
    """Time from the imports to the first result of a short tape, and the memory of a day."""
    short, day = Spool(), Spool()
    short.write(market.until(600).tape.rows)
    day.write(market.tape.rows)
    child(str(short.path))
    seconds = min(child(str(short.path))[1] for _ in range(runs))
    memory = child(str(day.path))[0]
    rows = market.tape.rows
    return [
        Line(
            part="backtest",
            what="warm start",
            ours=seconds,
            baseline="",
            base=0.0,
            unit="s",
            goal=START_GOAL_S,
            bounds="value",
            note=f"from the imports to the result of ten minutes, least of {runs}",
        ),
        Line(
            part="backtest",
            what="memory above imports",
            ours=memory,
            baseline="",
            base=0.0,
            unit="MB",
            goal=MEMORY_GOAL_MB,
            bounds="value",
            note=f"peak of a process; its {rows.size} rows, {rows.nbytes / 2**20:.0f} MB, are mapped",
        ),
    ]


def linear_line(market: Market, runs: int) -> Line:
    """Nanoseconds per row of the whole tape beside those of its beginnings."""
    hours = (market.tape.local_ns[-1] - market.tape.local_ns[0]) / NS_PER_S / 3600
    parts = [market.until(3600 * hours * share) for share in (1 / 12, 1 / 4)] + [market]
    one = setup(market.info)
    seconds = best(
        runs, [lambda part=part: cpu(lambda: run_fast(one, part.info, part.tape)) for part in parts]
    )
    each = [1e9 * s / part.tape.rows.size for s, part in zip(seconds, parts, strict=True)]
    told = ", ".join(
        f"{cost:.0f} ns over {hours * share:.1f} h"
        for cost, share in zip(each, (1 / 12, 1 / 4, 1), strict=True)
    )
    return Line(
        part="backtest",
        what="cost per row of the whole tape",
        ours=each[-1],
        baseline="a twelfth of it",
        base=each[0],
        unit="ns",
        goal=LINEAR_GOAL,
        note=told,
    )


def standx(effort: Effort) -> Market | None:
    """One day of the recording, where there is one."""
    folder = effort.data / "standx-btc"
    if not folder.exists():
        return None
    tape = load_tape(folder)
    rows = tape.rows
    first, last = np.searchsorted(rows["local_ns"], [STANDX_DAY_NS, STANDX_DAY_NS + DAY_S * NS_PER_S])
    return Market.of("StandX BTC-USD", tape.info, rows[first:last])


def lines(effort: Effort) -> list[Line]:
    """Every row of the part."""
    market = made_up(effort.of(DAY_S, 7200))
    runs = effort.of(5, 2)
    found = day_lines(market, 5.0, runs)
    recorded = standx(effort)
    if recorded is not None:
        found += day_lines(recorded, 5.0, runs)
    short = market.until(effort.of(7200, 1200))
    found += day_lines(short, 0.1, effort.of(3, 1), goal="fast cycle")
    found += sweep_lines(market, effort.of(2, 1))
    found += env_lines(market, runs, effort.of(16_384, 4096))
    found += process_lines(market, runs)
    found.append(linear_line(market, runs))
    return found
