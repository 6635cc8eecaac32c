"""A policy that now and then takes a random action of its model's grid.

Live, the share is 0 unless the owner says otherwise: a random γ and skew cost real money, and the shadow
gets its exploration from the simulation instead. Where it is wanted, the drawing depends on the seed and
the cycle's time alone, so that a recorded session replays to the byte.
"""

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.policy import Action
from asmm_daemon.learn.inference import ModelPolicy


class Exploring:
    """`model` but for a share `epsilon` of the cycles."""

    def __init__(self, model: ModelPolicy, epsilon: float, seed: int) -> None:
        self.name, self.features_id, self.sha256 = model.name, model.features_id, model.sha256
        self._model, self._epsilon, self._seed = model, epsilon, seed

    def reset(self) -> None:
        """Forgets the past."""
        self._model.reset()

    def act(self, features: NDArray[np.float64], t_ns: int) -> Action:
        """The model's action, or one drawn evenly from its grid; a model that fails is never covered up."""
        action = self._model.act(features, t_ns)
        if action.index < 0:
            return action
        rng = np.random.Generator(np.random.Philox(key=[self._seed, t_ns]))
        if rng.random() >= self._epsilon:
            return action
        return self._model.actions[int(rng.integers(len(self._model.actions)))]

    def act_batch(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """The model's own choice."""
        return self._model.act_batch(features)
