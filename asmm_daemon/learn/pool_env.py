"""Several environments as one: copies over many tapes, stepped one after the other."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import ConfigError
from asmm_daemon.learn.protocol import Observations, State, Step, VectorEnv


class PoolEnv:
    """The copies of `envs` in their order.

    Args:
        envs: environments with the same features and actions; each keeps its own random numbers.

    Raises:
        ConfigError: there are none, or they differ in features or actions.
    """

    def __init__(self, envs: Sequence[VectorEnv]) -> None:
        sizes = {(env.n_features, env.n_actions) for env in envs}
        if len(sizes) != 1:
            raise ConfigError(
                f"environments of (features, actions) {sorted(sizes)}: expected one or more of one size"
            )
        self.n_features, self.n_actions = sizes.pop()
        self.n_envs = sum(env.n_envs for env in envs)
        self._envs = tuple(envs)
        edges = np.cumsum([0, *(env.n_envs for env in envs)])
        self._places = [slice(low, high) for low, high in pairwise(edges)]
        shape = self.n_envs, self.n_features
        self._step = Step(
            np.zeros(shape, np.float32),
            np.zeros(self.n_envs, np.float32),
            np.zeros(self.n_envs, np.bool_),
            np.zeros(self.n_envs, np.bool_),
            np.zeros(shape, np.float32),
        )

    def reset(self, seed: int) -> Observations:
        """Starts every copy anew; each environment gets a seed of its own."""
        for number, (env, place) in enumerate(zip(self._envs, self._places, strict=True)):
            own = np.random.SeedSequence([seed, number]).generate_state(1)
            self._step.obs[place] = env.reset(int(own[0]))
        return self._step.obs

    def step(self, actions: NDArray[np.int64]) -> Step:
        """One step of every copy."""
        for env, place in zip(self._envs, self._places, strict=True):
            for into, part in zip(self._step, env.step(actions[place]), strict=True):
                into[place] = part
        return self._step

    def state(self) -> State:
        """Every environment's own."""
        return {f"{n}.{key}": value for n, env in enumerate(self._envs) for key, value in env.state().items()}

    def restore(self, state: State) -> None:
        """The reverse of `state`."""
        for number, env in enumerate(self._envs):
            prefix = f"{number}."
            env.restore({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})
