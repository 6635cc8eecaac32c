"""The environment as Gymnasium knows it, single and vectorised, for whoever brings a learner of their own.

env = MarketEnv(lambda n: lessons.env(lessons.train, reward, n_envs=n, episode_s=3600.0))
"""

from collections.abc import Callable
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from asmm_daemon.learn.protocol import VectorEnv as Copies

Make = Callable[[int], Copies]
"""Makes that many copies."""
_SEEDS = 2**31


def _spaces(env: Copies) -> tuple[gymnasium.Space[Any], gymnasium.Space[Any]]:
    box = gymnasium.spaces.Box(-np.inf, np.inf, (env.n_features,), np.float32)
    return box, gymnasium.spaces.Discrete(env.n_actions)


class MarketEnv(gymnasium.Env[NDArray[np.float32], np.int64]):
    """One copy. Observations are raw features; rewards in the reward's unit."""

    def __init__(self, make: Make) -> None:
        self._env = make(1)
        self.metadata = {"render_modes": []}
        self.observation_space, self.action_space = _spaces(self._env)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """A random start; the same seed, the same start."""
        super().reset(seed=seed, options=options)
        chosen = seed if seed is not None else int(self.np_random.integers(_SEEDS))
        return self._env.reset(chosen)[0].copy(), {}

    def step(self, action: np.int64 | int) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """One quote cycle with the action held."""
        told = self._env.step(np.array([action], np.int64))
        over = bool(told.terminated[0]), bool(told.truncated[0])
        return told.final[0].copy(), float(told.reward[0]), *over, {}


class MarketVectorEnv(VectorEnv[NDArray[np.float32], NDArray[np.int64], NDArray[Any]]):
    """Copies that are stepped together; one that ended starts anew within the same step."""

    def __init__(self, make: Make, num_envs: int) -> None:
        self._env = make(num_envs)
        self.metadata = {"autoreset_mode": AutoresetMode.SAME_STEP}
        self.num_envs = num_envs
        self.single_observation_space, self.single_action_space = _spaces(self._env)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)

    def reset(
        self, *, seed: int | list[int | None] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """A random start of every copy."""
        first = seed[0] if isinstance(seed, list) else seed
        super().reset(seed=first, options=options)
        chosen = first if first is not None else int(self.np_random.integers(_SEEDS))
        return self._env.reset(chosen).copy(), {}

    def step(
        self, actions: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[Any], NDArray[Any], NDArray[Any], dict[str, Any]]:
        """One quote cycle of every copy; `final_obs` in the info holds what ended episodes ended on."""
        told = self._env.step(np.asarray(actions, np.int64))
        over = told.terminated | told.truncated
        info: dict[str, Any] = {}
        if over.any():
            final = np.full(self.num_envs, None, dtype=object)
            for i in np.flatnonzero(over):
                final[i] = told.final[i].copy()
            info = {"final_obs": final, "_final_obs": over}
        return told.obs.copy(), told.reward.copy(), told.terminated.copy(), told.truncated.copy(), info
