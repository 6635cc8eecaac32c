"""Transitions: the training environment's rewards, and none where an action did not hold a whole cycle."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from asmm_daemon.backtest.core_engine import CoreRun
from asmm_daemon.core.market import new_market
from asmm_daemon.core.moment import Moment
from asmm_daemon.core.params import to_record
from asmm_daemon.events import CycleTick
from asmm_daemon.learn.online.chain import Chain
from asmm_daemon.learn.online.trial import Play
from asmm_daemon.learn.tape_env import Reward, TapeEnv
from asmm_daemon.tape.checkpoints import build
from tests.backtest.markets import START_NS, S, setup, synthetic
from tests.learn.test_tape_env import Scripted

WIDTH, UNIT, COUNT = 65536, 0.25, 100


@pytest.fixture(scope="module")
def world():
    """A market, and what the environment pays for a list of actions from its beginning.

    There the daemon's quote cycles are the environment's, which lie on the tape's grid.
    """
    info, tape = synthetic(14)
    actions = np.random.default_rng(3).integers(0, 20, 400)
    made = setup(info, maker="0.0001")
    checkpoints = build([tape.rows], to_record(made.spec.quote, made.spec.instrument), width=WIDTH)
    span = {"start_ns": START_NS, "end_ns": int(tape.local_ns[0]) + 710 * S}
    env = TapeEnv(made, tape, checkpoints, Reward(UNIT), width=WIDTH, episode_s=700.0, **span)
    env.reset(0)
    number = int(env.state()["begun"][0])
    rewards = [float(env.step(actions[n : n + 1]).reward[0]) for n in range(COUNT)]
    return info, tape, actions, checkpoints, number, rewards


def test_the_daemons_rewards_are_the_environments(world):
    """The daemon's engine and the environment, by the same actions over the same tape, pay the same."""
    info, tape, actions, checkpoints, number, paid = world
    played = setup(info, maker="0.0001", policy=Scripted(actions))
    chain, found = Chain(5.0, UNIT), []

    class Told(CoreRun):
        """Links every cycle as the daemon does."""

        def _feed(self, *events):
            super()._feed(*events)
            if isinstance(events[0], CycleTick):
                found.append(chain.link(self.engine.moment(0)))

    run = Told(played, info, tape, begin_ns=int(checkpoints.t_ns[number]))
    run.run(int(checkpoints.t_ns[number]) + 700 * S)
    linked = [each for each in found if each is not None][:COUNT]
    assert len(linked) == COUNT
    np.testing.assert_allclose([each.reward for each in linked], paid, atol=1e-4)
    assert [each.action for each in linked] == actions[:COUNT].tolist()
    assert np.count_nonzero(paid) > 10
    for one, other in pairwise(linked):
        assert np.array_equal(one.after, other.obs)


def test_a_simulated_daemons_rewards_are_the_environments(world):
    """The trial's play, from the same state, too."""
    info, tape, actions, checkpoints, number, paid = world
    played = setup(info, maker="0.0001", policy=Scripted(actions))
    start = new_market(WIDTH)
    row = checkpoints.restore(number, start)
    message = int(np.searchsorted(tape.ends, row, side="right"))
    rest = tape._replace(
        ends=tape.ends[message:], venue_ns=tape.venue_ns[message:], local_ns=tape.local_ns[message:]
    )
    rest = rest._replace(rows=tape.rows[row:], ends=rest.ends - row)
    chain = Chain(5.0, UNIT)
    play = Play(played, start, rest, played.spec.policy)
    linked = [each for each in map(chain.link, play) if each is not None][:COUNT]
    np.testing.assert_allclose([each.reward for each in linked], paid, atol=1e-4)


def moment(n, **changed):
    """The n-th cycle of a market that earns 1 a cycle."""
    made = Moment(n * 5 * S, np.full(3, n, np.float32), n % 4, float(n), pauses=0)
    return replace(made, **changed)


def test_a_chain_links_consecutive_cycles():
    """Features and action of the first, the change of wealth in the model's unit, features of the second."""
    chain = Chain(5.0, 0.5)
    assert chain.link(moment(1)) is None
    linked = chain.link(moment(2))
    assert (linked.t_ns, linked.action, linked.reward) == (5 * S, 1, 2.0)
    assert (linked.obs[0], linked.after[0]) == (1.0, 2.0)


@pytest.mark.parametrize(
    "second",
    [
        None,
        moment(2, index=-1),
        moment(2, pauses=1),
        moment(3),
    ],
    ids=["no action", "not from the grid", "a pause between", "a cycle left out"],
)
def test_an_interruption_makes_no_transition(second):
    """Nor does what follows it, until two whole cycles stand side by side again."""
    chain = Chain(5.0, 1.0)
    assert chain.link(moment(1)) is None
    assert chain.link(second) is None
    pauses = second.pauses if second else 0
    at = 3 if second is None or second.t_ns == 10 * S else 4
    assert (chain.link(moment(at, pauses=pauses)) is None) == (second is None or second.index < 0)
    assert chain.link(moment(at + 1, pauses=pauses)) is not None
