"""The environment over a tape: seeded, restartable, and paying what the backtest pays."""

import numpy as np
import pytest

from asmm_daemon.backtest.fast.engine import Course, scout_for
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.core.book import set_window
from asmm_daemon.core.params import Model, to_record
from asmm_daemon.core.policy import Action
from asmm_daemon.errors import ConfigError
from asmm_daemon.events import FUNDING, MARK
from asmm_daemon.learn.tape_env import GAMMAS, SKEWS, Reward, TapeEnv
from asmm_daemon.tape.checkpoints import Checkpoints, build
from tests.backtest.markets import START_NS, S, setup, synthetic

WIDTH = 16384


@pytest.fixture(scope="module")
def world():
    info, tape = synthetic(40)
    made = setup(info)
    return info, tape, made, build([tape.rows], to_record(made.spec.quote, made.spec.instrument), width=WIDTH)


def env(world, **options):
    """An environment with episodes of ten minutes."""
    _, tape, made, checkpoints = world
    return TapeEnv(
        made, tape, checkpoints, options.pop("reward", Reward(1.0)), width=WIDTH, episode_s=600.0, **options
    )


def test_the_same_seed_gives_the_same_episodes(world):
    """Observations and rewards repeat bit for bit."""
    actions = np.random.default_rng(0).integers(0, 20, (40, 4))
    told = []
    for _ in range(2):
        e = env(world, n_envs=4)
        seen = [e.reset(5).copy()]
        for row in actions:
            step = e.step(row)
            seen += [step.obs.copy(), step.reward.copy()]
        told.append(np.concatenate([part.ravel() for part in seen]))
    assert np.array_equal(*told)


def test_a_restored_environment_goes_on_alike(world):
    """After a restart from `state`, the next steps are the same."""
    rng = np.random.default_rng(1)
    e = env(world, n_envs=3)
    e.reset(2)
    for _ in range(130):
        e.step(rng.integers(0, 20, 3))
    kept = {name: value.copy() for name, value in e.state().items()}
    after = [e.step(np.array([k, k + 1, k + 2])).reward.copy() for k in range(8)]
    fresh = env(world, n_envs=3)
    fresh.reset(99)
    fresh.restore(kept)
    again = [fresh.step(np.array([k, k + 1, k + 2])).reward.copy() for k in range(8)]
    assert np.array_equal(after, again)


def test_where_the_window_of_a_checkpoint_lies_changes_nothing(world, monkeypatch):
    """The feed's changes lie in the venue's window, and a crossed book moves the daemon's at other times."""
    actions = np.random.default_rng(2).integers(0, 20, (100, 8))

    def rewards():
        e = env(world, n_envs=8)
        e.reset(6)
        return np.array([e.step(row).reward.copy() for row in actions])

    restore = Checkpoints.restore

    def moved(self, i, into):
        row = restore(self, i, into)
        set_window(into.book, int(into.book.head[0]["lo"]) + 500)
        return row

    there = rewards()
    monkeypatch.setattr(Checkpoints, "restore", moved)
    assert np.array_equal(there, rewards())


class Scripted:
    """A policy that plays a list of actions of the grid."""

    name = "scripted"
    features_id = "guide22/1"

    def __init__(self, actions):
        self.actions = iter(actions)

    def reset(self):
        """Keeps its place."""

    def act(self, features, t_ns):
        """The next action."""
        i = next(self.actions)
        return Action(GAMMAS[i // len(SKEWS)], SKEWS[i % len(SKEWS)], i)


def backtest(policy, info, tape, start_ns):
    """Ten minutes from a checkpoint, the quote cycles where the environment has them: on the tape's grid."""
    scout = scout_for([policy], tape, start_ns)
    course = Course(policy, scout, asks=True)
    first_ns = int(tape.local_ns[0])
    cycle_ns = first_ns + ((scout.start_ns - first_ns) // (5 * S) + 1) * 5 * S
    scout.trail.head["next_cycle_ns"] = course.daemon.desk["cycle_ns"] = cycle_ns
    for trail in scout.stretches(start_ns + 600 * S):
        course.go_on(trail)
    return course.result(info, tape)


def test_rewards_add_up_to_the_backtest(world):
    """With the penalised reward and no penalty, an episode's rewards are the backtest's net PnL."""
    info, tape, _, checkpoints = world
    actions = np.random.default_rng(3).integers(0, 20, 200)
    e = env(world, reward=Reward(0.5, "penalised"), start_ns=START_NS + 900 * S)
    e.reset(4)
    number = int(e.state()["begun"][0])
    total, steps = 0.0, 0
    while True:
        step = e.step(actions[steps : steps + 1])
        total += 0.5 * float(step.reward[0])
        steps += 1
        if step.truncated[0]:
            break
    start = int(checkpoints.t_ns[number])
    result = backtest(setup(info, policy=Scripted(actions)), info, tape, start)
    assert steps >= 115
    before_the_first_action = float(result.steps["equity"][0])
    assert total == pytest.approx(result.pnl - before_the_first_action, abs=1e-3)
    assert total != 0.0


def test_an_episode_is_paid_funding_at_the_mark():
    """A funding time inside it, at a mark told before it began; an earlier one, told again, pays nothing."""
    due_ns = START_NS + 8 * 3600 * S
    info, tape = synthetic(20, start_ns=due_ns - 900 * S)
    told = tape.rows[np.flatnonzero(tape.rows["kind"] == FUNDING)].copy()
    told["price"] = 10_000_000
    early, mark = told.copy(), told.copy()
    early["exch_ns"] = early["local_ns"] = mark["exch_ns"] = mark["local_ns"] = tape.local_ns[0]
    mark["kind"], mark["price"] = MARK, 500_000
    rows = np.concatenate([mark, early, tape.rows[tape.rows["kind"] != FUNDING]])
    at = int(np.searchsorted(rows["local_ns"], due_ns + 1))
    tape = timeline(np.concatenate([rows[:at], early, told, rows[at:]]))
    knobs = {"model": Model.CONSTANT_SPREAD, "constant_half_spread_bps": 1.0, "order_size": 0.05}
    made = setup(info, **knobs)
    checkpoints = build([tape.rows], to_record(made.spec.quote, made.spec.instrument), width=WIDTH)
    span = {"start_ns": due_ns - 500 * S, "end_ns": due_ns + 250 * S}
    e = env((info, tape, made, checkpoints), reward=Reward(1.0, "penalised"), **span)
    e.reset(4)
    number = int(e.state()["begun"][0])
    actions = np.random.default_rng(3).integers(0, 20, 200)
    paid = [float(e.step(actions[n : n + 1]).reward[0]) for n in range(115)]
    start = int(checkpoints.t_ns[number])
    policy = setup(info, policy=Scripted(actions), **knobs)
    steps = backtest(policy, info, tape, start).steps
    assert abs(steps["funding"][-1]) > 100.0
    assert np.unique(steps["funding"]).size == 2
    np.testing.assert_allclose(paid, np.diff(steps["equity"])[:115], atol=1e-3)


def test_dampened_rewards_pay_no_unrealised_gain(world):
    """The reference's reward never exceeds the change of net PnL by an open gain."""
    seen = []
    for kind in ("dampened", "penalised"):
        e = env(world, reward=Reward(1.0, kind), n_envs=2)
        e.reset(8)
        seen.append(np.array([e.step(np.array([6, 6])).reward.copy() for _ in range(60)]).cumsum(axis=0))
    assert (seen[0] <= seen[1] + 1e-4).all()
    assert (seen[0] < seen[1] - 1e-3).any()


def test_an_episode_that_does_not_fit_is_refused(world):
    """The message names both lengths."""
    _, tape, made, checkpoints = world
    with pytest.raises(ConfigError, match="does not fit"):
        TapeEnv(made, tape, checkpoints, Reward(1.0), width=WIDTH, episode_s=86_400.0)


def test_a_reward_with_a_memory_forgets_old_inventory(world):
    """It is short of ΔPnL by the move of the mid times what was held half a minute before."""
    info, *_ = world
    actions = np.random.default_rng(4).integers(0, 20, (60, 3))
    whole, short = (
        env(world, n_envs=3, reward=Reward(1.0, "penalised", memory_s=memory_s))
        for memory_s in (float("inf"), 30.0)
    )
    whole.reset(8)
    short.reset(8)
    held, mids, missing = [], [], []
    for row in actions:
        held.append(short._many.desk["lots"][:, 0] * float(info.lot))
        mids.append(short._many.market.market["mid"][:, 0] * float(info.tick))
        missing.append(whole.step(row).reward - short.step(row).reward)
    mids.append(short._many.market.market["mid"][:, 0] * float(info.tick))
    for n in range(60):
        old = held[n - 6] if n >= 6 else np.zeros(3)
        assert missing[n] == pytest.approx(old * (mids[n + 1] - mids[n]), abs=1e-3)
    assert np.abs(missing).max() > 0.01
