"""A made-up market of four regimes, calm or volatile with benign or toxic flow, that last some minutes each.

The generator of `exchange.feeds.flow` makes the messages; here are the four characters, the chain that
switches between them, and what an oracle needs: which regime ruled when. In benign flow takers come at
random and the price falls back behind them, so that quoting close pays; in toxic flow they know the
value and pull it along, so that every fill near the mid loses. Neither prices nor flow depend on our
quotes: our orders fill by the kernel of the backtest and leave the tape as it is.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.engine import Course, run_fast, scout_for
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup, instrument_of, unseen
from asmm_daemon.backtest.timeline import Timeline, timeline
from asmm_daemon.core.params import QuoteParams
from asmm_daemon.core.policy import FixedPolicy, Policy
from asmm_daemon.core.spec import AccountLimits, MarketLimits, MarketSpec
from asmm_daemon.exchange.feeds.synthetic import PROFILES, Phase, Profile, SyntheticSource
from asmm_daemon.learn.lessons import WIDTH, checkpoints_of
from asmm_daemon.learn.tape_env import Reward, TapeEnv
from asmm_daemon.tape.columns import TapeInfo, concat
from asmm_daemon.units import NS_PER_S, Product

SYMBOL = "BTCUSDT"
PRODUCT: Product = "binanceusdm"
START_NS = 1_767_657_600 * NS_PER_S
MEAN_S = 1200.0
"""Mean length of a spell; lengths are exponential."""
WARM_S = 1200.0
"""Head of every tape that warms the estimators up and is not judged."""
JUDGED_S = 7200.0
MOST = Decimal("0.05")
"""Largest inventory, five orders: with more, the luck of a position held through a trend drowns what quoting
earns. A cap of the gate alone: q counts in the model's own risk lots, so that a γ widens the quotes more
than one fill shifts them."""

_PLAIN = replace(PROFILES[SYMBOL], wanders=False, following=0.0, jump_bps=0.0, drift_bps=1e-4, book_s=0.2)
_BENIGN = replace(_PLAIN, rate=6.0, size_usd=300.0, informed=0.0, impact=0.0)
_TOXIC = replace(_PLAIN, rate=1.2, size_usd=150.0, informed=4.0, impact=0.3)
_CALM_BPS, _VOLATILE_BPS = 0.6, 1.2

REGIMES: dict[str, Profile] = {
    "calm, benign": replace(_BENIGN, sigma_bps=_CALM_BPS),
    "calm, toxic": replace(_TOXIC, sigma_bps=_CALM_BPS),
    "volatile, benign": replace(_BENIGN, sigma_bps=_VOLATILE_BPS),
    "volatile, toxic": replace(_TOXIC, sigma_bps=_VOLATILE_BPS),
}


@dataclass(frozen=True, slots=True)
class Spell:
    """A stretch under one regime: seconds from the tape's start, and the regime's place in REGIMES."""

    start_s: float
    regime: int


def spells(seed: int, length_s: float) -> tuple[Spell, ...]:
    """The chain of regimes over `length_s`: any of the four first, then always another one."""
    rng = np.random.default_rng([seed, 4])
    found = [Spell(0.0, int(rng.integers(len(REGIMES))))]
    at = float(rng.exponential(MEAN_S))
    while at < length_s:
        found.append(Spell(at, (found[-1].regime + int(rng.integers(1, len(REGIMES)))) % len(REGIMES)))
        at += float(rng.exponential(MEAN_S))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class RegimeTape:
    """One seed of the market with its schedule."""

    seed: int
    info: TapeInfo
    tape: Timeline
    schedule: tuple[Spell, ...]

    @property
    def begin_ns(self) -> int:
        """Where judging begins: the estimators are warm."""
        return START_NS + round(WARM_S * NS_PER_S)

    def regimes(self, t_ns: NDArray[np.int64]) -> NDArray[np.int64]:
        """The regime in force at each time."""
        starts = START_NS + np.array([spell.start_s * NS_PER_S for spell in self.schedule], np.int64)
        ruling = np.array([spell.regime for spell in self.schedule])
        found: NDArray[np.int64] = ruling[np.searchsorted(starts, t_ns, side="right") - 1]
        return found

    def shares(self, result: Result) -> NDArray[np.float64]:
        """Net PnL and hours of a run by regime: shape (2, regimes). A cycle counts where it began."""
        steps = result.steps
        cycle_ns = round(result.cycle_s * NS_PER_S)
        ruling = self.regimes(steps["t_ns"] - cycle_ns)
        gained = np.diff(steps["equity"], prepend=0.0)
        pnl = np.bincount(ruling, weights=gained, minlength=len(REGIMES))
        hours = np.bincount(ruling, minlength=len(REGIMES)) * result.cycle_s / 3600.0
        return np.stack([pnl, hours])


def regime_tape(seed: int, judged_s: float = JUDGED_S) -> RegimeTape:
    """The market of a seed: `WARM_S` to warm up and `judged_s` to be judged on."""
    length_s = WARM_S + judged_s
    schedule = spells(seed, length_s)
    profiles = list(REGIMES.values())
    phases = [Phase(spell.start_s, profiles[spell.regime]) for spell in schedule]
    end_ns = START_NS + round(length_s * NS_PER_S)
    source = SyntheticSource(SYMBOL, PRODUCT, START_NS, seed, end_ns, phases)
    tape = concat(list(source))
    return RegimeTape(seed, tape.info, timeline(tape.rows), schedule)


def regime_setup(info: TapeInfo, policy: Policy | None = None, **knobs: Any) -> Setup:
    """The daemon's defaults on this market, at no fee, with an inventory of five orders at most."""
    quote = QuoteParams(**knobs)
    unit = instrument_of(info, maker=Decimal(0), taker=Decimal("0.0005"))
    policy = policy or FixedPolicy(quote.gamma, quote.skew)
    limits = MarketLimits(max_inventory=MOST, reduce_above=1.0, stuck_above=1.0)
    spec = MarketSpec(unit, quote, limits, policy)
    return Setup("regimes", unseen(spec), AccountLimits(capital=Decimal(100_000)))


def regime_env(
    market: RegimeTape,
    reward: Reward,
    *,
    n_envs: int,
    episode_s: float,
    gammas: tuple[float, ...],
    skews: tuple[float, ...],
) -> TapeEnv:
    """Copies of the daemon on a seed's judged stretch."""
    setup = regime_setup(market.info)
    return TapeEnv(
        setup,
        market.tape,
        checkpoints_of(setup, market.tape.rows),
        reward,
        n_envs=n_envs,
        episode_s=episode_s,
        gammas=gammas,
        skews=skews,
        start_ns=market.begin_ns,
        width=WIDTH,
    )


def run(setup: Setup, market: RegimeTape) -> Result:
    """A set-up over the judged stretch."""
    return run_fast(setup, market.info, market.tape, begin_ns=market.begin_ns)


def run_oracle(setups: Sequence[Setup], market: RegimeTape) -> Result:
    """The same by one who knows the schedule: `setups[r]` quotes while regime r rules."""
    first = int(market.regimes(np.array([market.begin_ns]))[0])
    scout = scout_for(setups, market.tape, market.begin_ns)
    course = Course(setups[first], scout, asks=setups[first].asks)
    for spell in market.schedule:
        start_ns = START_NS + round(spell.start_s * NS_PER_S)
        if start_ns > market.begin_ns:
            for trail in scout.stretches(start_ns):
                course.go_on(trail)
            course.switch(setups[spell.regime])
    for trail in scout.stretches(2**62):
        course.go_on(trail)
    return course.result(market.info, market.tape)
