"""The environment as Gymnasium's own checker sees it."""

import warnings

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from asmm_daemon.core.params import to_record
from asmm_daemon.learn.gym_env import MarketEnv, MarketVectorEnv
from asmm_daemon.learn.tape_env import Reward, TapeEnv
from asmm_daemon.tape.checkpoints import build
from tests.backtest.markets import setup, synthetic

WIDTH = 16384


@pytest.fixture(scope="module")
def make():
    info, tape = synthetic(20)
    made = setup(info)
    checkpoints = build([tape.rows], to_record(made.spec.quote, made.spec.instrument), width=WIDTH)
    return lambda n: TapeEnv(made, tape, checkpoints, Reward(1.0), n_envs=n, episode_s=120.0, width=WIDTH)


def test_the_checker_passes(make):
    """Spaces, seeding, determinism and return types are Gymnasium's."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", category=gymnasium.error.DependencyNotInstalled)
        warnings.filterwarnings("ignore", message=".*Box observation space (minimum|maximum) value.*")
        check_env(MarketEnv(make), skip_render_check=True)


def test_an_episode_ends_and_the_next_begins(make):
    """Single: the caller resets; vectorised: it goes on by itself and says how the last one ended."""
    env = MarketEnv(make)
    env.reset(seed=1)
    steps = 0
    over = False
    while not over:
        _, _, terminated, truncated, _ = env.step(7)
        over = terminated or truncated
        steps += 1
    assert 20 <= steps <= 26
    many = MarketVectorEnv(make, 3)
    obs, _ = many.reset(seed=1)
    assert obs.shape == (3, 24)
    infos = [many.step(np.full(3, 7))[4] for _ in range(30)]
    assert any("final_obs" in info for info in infos)
