"""The market with a known optimum: the environment, the dynamic programme, and the learner judged by it."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from asmm_daemon.learn import passes
from asmm_daemon.learn.model_market import ModelMarket, ModelMarketEnv, gamma_skew_grid, offset_grid
from asmm_daemon.learn.optimum import Chain, best_constant, best_policy, gain, stationary

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "prove_learning.py"
MARKET = ModelMarket()


@pytest.fixture(scope="module")
def proof():
    """The script that proves learning over ten seeds."""
    spec = importlib.util.spec_from_file_location("prove_learning", SCRIPT)
    module = sys.modules["prove_learning"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["prove_learning"]


@pytest.fixture(scope="module")
def offsets(proof):
    """The grid of bid and ask offsets."""
    return proof.problems()["offsets"]


def test_the_task_needs_inventory(offsets):
    """The best inventory-blind policy earns at most 70 % of the optimum, a random one at most 40 %."""
    chain = offsets.chain
    best = gain(*chain.under(best_policy(chain)))
    assert best > 0
    assert best_constant(chain)[1] <= 0.7 * best
    assert gain(*chain.at_random) <= 0.4 * best


def test_the_discount_costs_nothing_to_speak_of(offsets):
    """The policy that is best with 0.99 earns 99.9 % of the highest average reward."""
    assert offsets.share(best_policy(offsets.chain, 0.99)) > 0.999


def test_the_optimum_is_one():
    """On a small market no policy of all 4^5 does better."""
    market = replace(MARKET, limit=2)
    chain = Chain.of(market, offset_grid(market, (0.3, 1.0)))
    every = np.stack(np.meshgrid(*[np.arange(4)] * 5), -1).reshape(-1, 5)
    best = max(gain(*chain.under(policy)) for policy in every)
    assert gain(*chain.under(best_policy(chain))) == pytest.approx(best, rel=1e-12)


def test_the_environment_is_the_chain(offsets):
    """Sampled rewards and the time at every inventory agree with the exact ones."""
    policy = best_policy(offsets.chain)
    env = ModelMarketEnv(MARKET, offsets.offsets, 4000, episode=10**9)
    obs = env.reset(1)
    total, seen = 0.0, np.zeros(21)
    for n in range(400):
        step = env.step(policy[obs[:, 0].astype(int) + 10])
        if n >= 100:
            total += step.reward.mean() / 300
            seen += np.bincount(step.obs[:, 0].astype(int) + 10, minlength=21) / 4000 / 300
        obs = step.obs
    move, reward = offsets.chain.under(policy)
    assert total == pytest.approx(gain(move, reward), rel=0.01)
    assert seen == pytest.approx(stationary(move), abs=0.003)


def test_an_episode_is_cut_off_and_starts_anew():
    """The last observation is handed over beside the first of the next."""
    env = ModelMarketEnv(MARKET, offset_grid(MARKET, (0.2,)), 500, episode=3)
    env.reset(1)
    steps = [env.step(np.zeros(500, np.int64)) for _ in range(3)]
    assert np.sum([step.truncated for step in steps], axis=0).tolist() == [1] * 500
    for step in steps:
        assert not step.terminated.any()
        assert np.array_equal(step.obs[~step.truncated], step.final[~step.truncated])
        assert not np.array_equal(step.obs[step.truncated], step.final[step.truncated])


def test_quotes_of_gamma_and_skew():
    """Long inventory lowers both quotes, positive skew raises them, and none crosses the mid."""
    grid = gamma_skew_grid(MARKET, (0.1,), (0.0, 0.5), 0.5)
    assert (np.diff(grid.bid[0, 8:13]) > 0).all()
    assert (np.diff(grid.ask[0, 8:13]) < 0).all()
    assert (grid.bid[1] <= grid.bid[0]).all()
    assert (grid.ask[1] >= grid.ask[0]).all()
    assert min(grid.bid.min(), grid.ask.min()) >= 0


@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [0, 1])
def test_the_agent_reaches_the_optimum(proof, offsets, seed):
    """At least 97 % of what the best policy earns, computed exactly; `scripts/prove_learning` runs ten."""
    policy = proof.learn(offsets, replace(proof.HYPER, steps=1_500_000, seed=seed))
    assert offsets.share(policy) >= proof.GOAL


def test_gamma_matters_in_the_task(proof):
    """Held fixed, one γ of the grid is far the best, and without it no policy reaches 97 %."""
    problem = proof.problems()["gamma-skew"]
    chain, skews = problem.chain, len(proof.SKEWS)
    best = gain(*chain.under(best_policy(chain)))
    assert problem.best_gamma() == 0.1
    others = np.array([n for n in range(len(problem.offsets)) if n // skews != proof.GAMMAS.index(0.1)])
    rest = Chain(chain.move[others], chain.reward[others])
    assert gain(*rest.under(best_policy(rest))) < proof.GOAL * best


def test_the_agent_finds_the_best_gamma(proof):
    """With γ × skew actions: at least 97 % of the optimum, most of the time at the γ that is best."""
    problem = proof.problems()["gamma-skew"]
    policy = proof.learn(problem, replace(proof.HYPER, steps=1_000_000))
    assert problem.share(policy) >= proof.GOAL
    assert problem.used_gamma(policy)[0] == problem.best_gamma()


def test_an_agent_that_looks_no_further_than_a_step_fails(proof, offsets, monkeypatch):
    """Without the bootstrap it quotes for the next fill alone and earns less than 70 %."""
    monkeypatch.setattr(passes, "double_target", lambda gain, discount, online, target: gain)
    assert offsets.share(proof.learn(offsets, replace(proof.HYPER, steps=500_000))) < 0.7


def test_an_agent_that_takes_the_worst_of_the_next_state_fails(proof, offsets, monkeypatch):
    """With the sign of its choice turned round it earns less than 97 %."""
    right = passes.double_target
    monkeypatch.setattr(passes, "double_target", lambda g, d, online, target: right(g, d, -online, target))
    assert offsets.share(proof.learn(offsets, replace(proof.HYPER, steps=500_000))) < 0.97
