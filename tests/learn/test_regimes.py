"""The market with regimes: seeded, as different as it says, and an oracle that switches with it."""

from dataclasses import replace

import numpy as np
import pytest

from asmm_daemon.core.features import FEATURE_NAMES
from asmm_daemon.core.policy import Action
from asmm_daemon.errors import ConfigError
from asmm_daemon.exchange.feeds.synthetic import Phase, SyntheticSource
from asmm_daemon.learn.pool_env import PoolEnv
from asmm_daemon.learn.regimes import (
    MEAN_S,
    PRODUCT,
    REGIMES,
    START_NS,
    SYMBOL,
    regime_env,
    regime_setup,
    regime_tape,
    run,
    run_oracle,
    spells,
)
from asmm_daemon.learn.tape_env import Reward
from asmm_daemon.tape.columns import concat
from asmm_daemon.units import NS_PER_S

SEEDS = (31, 32, 33, 34)
CLOSE = {"gamma": 0.1}
AWAY = {"gamma": 6.0}
"""Far from the mid once the inventory is gone."""
GRID = {"gammas": (0.1, 6.0), "skews": (-1.0, 0.0, 1.0)}


@pytest.fixture(scope="module")
def markets():
    """A few seeds, an hour each."""
    return [regime_tape(seed, 3600.0) for seed in SEEDS]


class Watcher:
    """A policy that keeps the features it sees, and quotes close."""

    name = "watcher"
    features_id = "guide22/1"

    def __init__(self):
        self.seen = []

    def reset(self):
        """Keeps what it has."""

    def act(self, features, t_ns):
        """Takes the features down."""
        self.seen.append((t_ns, features.copy()))
        return Action(0.1, 0.0, -1)


def env(market, copies=1):
    """Copies with episodes of ten minutes."""
    return regime_env(market, Reward(0.1, "penalised"), n_envs=copies, episode_s=600.0, **GRID)


def test_the_same_seed_gives_the_same_market():
    """Schedule and messages; another seed gives others."""
    one, same, other = regime_tape(5, 60.0), regime_tape(5, 60.0), regime_tape(6, 60.0)
    assert one.schedule == same.schedule
    for name in one.tape.rows.dtype.names:
        assert np.array_equal(one.tape.rows[name], same.tape.rows[name]), name
    assert one.schedule != other.schedule
    assert not np.array_equal(one.tape.rows["price"][:1000], other.tape.rows["price"][:1000])


def test_spells_last_as_long_as_they_say_and_always_change():
    """Every regime rules for a quarter of the time, in exponential spells about the mean."""
    found = spells(1, 2_000 * MEAN_S)
    regimes = np.array([spell.regime for spell in found])
    lengths = np.diff([spell.start_s for spell in found])
    assert (np.diff(regimes) != 0).all()
    assert lengths.mean() == pytest.approx(MEAN_S, rel=0.1)
    assert lengths.std() == pytest.approx(MEAN_S, rel=0.15)
    ruled = np.bincount(regimes[:-1], weights=lengths) / lengths.sum()
    assert ruled == pytest.approx(np.full(len(REGIMES), 0.25), abs=0.04)


def test_the_schedule_tells_which_regime_rules(markets):
    """A regime begins at its spell's start and rules until the next."""
    market = markets[0]
    starts = np.array([START_NS + int(spell.start_s * NS_PER_S) for spell in market.schedule])
    ruling = [spell.regime for spell in market.schedule]
    assert market.regimes(starts + 1).tolist() == ruling
    assert market.regimes(starts[1:] - NS_PER_S).tolist() == ruling[:-1]


def test_shares_by_regime_add_up(markets):
    """To the run's PnL and its hours."""
    market = markets[0]
    result = run(regime_setup(market.info, **CLOSE), market)
    pnl, hours = market.shares(result)
    assert pnl.sum() == pytest.approx(result.pnl)
    assert hours.sum() == pytest.approx(1.0, abs=0.01)


def test_the_daemon_sees_the_regimes(markets):
    """Prices move more when volatile; toxic flow is one-sided, and prices do not come back from it."""
    names = list(FEATURE_NAMES)
    spread, sided, momentum = (names.index(n) for n in ("range_1m", "trade_flow", "momentum_1m"))
    seen = {regime: [] for regime in range(len(REGIMES))}
    for market in markets:
        watcher = Watcher()
        run(regime_setup(market.info, policy=watcher), market)
        t_ns = np.array([t for t, _ in watcher.seen])
        rows = np.array([features for _, features in watcher.seen])
        settled = market.regimes(t_ns) == market.regimes(t_ns - 120 * NS_PER_S)
        for regime, kept in seen.items():
            kept.append(rows[settled & (market.regimes(t_ns) == regime)])
    rows = [np.concatenate(seen[regime]) for regime in range(len(REGIMES))]
    ranges = [np.median(each[:, spread]) for each in rows]
    sides = [np.abs(each[:, sided]).mean() for each in rows]
    trends = [np.abs(each[:, momentum]).mean() / each[:, spread].mean() for each in rows]
    assert ranges[2] > 1.5 * ranges[0]
    for benign, toxic in ((0, 1), (2, 3)):
        assert sides[toxic] > 1.3 * sides[benign]
        assert trends[toxic] > 1.2 * trends[benign]


def test_an_oracle_of_one_mind_is_a_fixed_setup(markets):
    """Switching between equal set-ups changes no order and no money."""
    market = markets[1]
    setup = regime_setup(market.info, **CLOSE)
    plain, switched = run(setup, market), run_oracle([setup] * 4, market)
    assert len(market.schedule) > 2
    assert switched.counts == plain.counts
    assert np.array_equal(switched.steps["equity"], plain.steps["equity"])


def test_an_oracle_switches_with_the_regime(markets):
    """It quotes by each set-up while its regime rules, from the cycle after the change on."""
    market = markets[1]
    gammas = (0.002, 0.01, 0.05, 0.2)
    setups = [regime_setup(market.info, gamma=gamma, half_spread_factor=50 * gamma) for gamma in gammas]
    steps = run_oracle(setups, market).steps
    ruling = market.regimes(steps["t_ns"])
    settled = ruling == market.regimes(steps["t_ns"] - 10 * NS_PER_S)
    assert np.array_equal(steps["gamma"][settled], np.array(gammas)[ruling[settled]])
    wide = [np.nanmean(steps["half_spread"][settled & (ruling == r)]) for r in np.unique(ruling)]
    assert wide == sorted(wide)


def test_who_knows_the_regime_earns_more(markets):
    """Quoting close pays in benign flow and loses in toxic; an oracle that withdraws keeps the former."""
    totals = np.zeros((3, 2, len(REGIMES)))
    for market in markets:
        close, away = (regime_setup(market.info, **knobs) for knobs in (CLOSE, AWAY))
        oracle = run_oracle([close, away, close, away], market)
        for n, result in enumerate((run(close, market), run(away, market), oracle)):
            totals[n] += market.shares(result)
    close, away, oracle = totals[:, 0]
    assert close[[0, 2]].min() > 0 > close[[1, 3]].max()
    assert oracle.sum() > max(close.sum(), away.sum(), 0.0)
    assert (oracle[[1, 3]] > close[[1, 3]]).all()


def test_phases_out_of_order_are_refused():
    """The first begins at 0 s and each after the one before."""
    profile = next(iter(REGIMES.values()))
    for starts in ((1.0,), (0.0, 5.0, 4.0), (0.0, 0.0)):
        with pytest.raises(ConfigError, match="first and then in order"):
            SyntheticSource(SYMBOL, PRODUCT, 0, 1, None, [Phase(start, profile) for start in starts])


def test_a_phase_of_the_same_character_changes_nothing():
    """Where a phase ends only the blocks' borders move, not the messages."""
    profile = replace(next(iter(REGIMES.values())), wanders=True)
    end_ns = 120 * NS_PER_S
    rows = [
        concat(list(SyntheticSource(SYMBOL, PRODUCT, 0, 1, end_ns, phases))).rows
        for phases in (
            [Phase(0.0, profile)],
            [Phase(0.0, profile), Phase(33.3, profile), Phase(34.0, profile)],
        )
    ]
    for name in rows[0].dtype.names:
        assert np.array_equal(rows[0][name], rows[1][name]), name


def test_a_pool_steps_as_its_parts(markets):
    """Each tape's copies are stepped as if alone, and a pool goes on from its state."""
    pool = PoolEnv([env(markets[0], 2), env(markets[1], 1)])
    assert (pool.n_envs, pool.n_actions) == (3, 6)
    first = pool.reset(3).copy()
    assert np.array_equal(first, pool.reset(3))
    actions = np.random.default_rng(1).integers(0, 6, (130, 3))
    for row in actions:
        pool.step(row)
    kept = {name: value.copy() for name, value in pool.state().items()}
    after = [pool.step(row).obs.copy() for row in actions[:5]]
    fresh = PoolEnv([env(markets[0], 2), env(markets[1], 1)])
    fresh.reset(99)
    fresh.restore(kept)
    assert np.array_equal(after, [fresh.step(row).obs.copy() for row in actions[:5]])
    alone = env(markets[1], 1)
    alone.reset(0)
    alone.restore({k.removeprefix("1."): v for k, v in kept.items() if k.startswith("1.")})
    assert np.array_equal(
        [each[2:] for each in after], [alone.step(row[2:]).obs.copy() for row in actions[:5]]
    )


def test_a_pool_of_unlike_environments_is_refused(markets):
    """They must have the same actions, and there must be one."""
    other = regime_env(markets[0], Reward(0.1), n_envs=1, episode_s=600.0, gammas=(0.1,), skews=(0.0,))
    with pytest.raises(ConfigError, match="of one size"):
        PoolEnv([env(markets[0]), other])
    with pytest.raises(ConfigError, match="of one size"):
        PoolEnv([])
