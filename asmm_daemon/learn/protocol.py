"""What a learner asks of an environment: many copies of one market, stepped together, numpy in and out.

An episode that ends starts anew by itself: `obs` is then the first observation of the next episode, and
`final` the last of the one that ended, from which a truncated episode is valued further.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Observations = NDArray[np.float32]
"""Shape (n_envs, n_features), raw units: the learner normalises."""
State = Mapping[str, NDArray[np.generic]]
"""Plain numeric arrays by name; a structured one is handed over as its bytes."""


class Step(NamedTuple):
    """What one step of all copies gave."""

    obs: Observations
    """What the next action is chosen on."""
    reward: NDArray[np.float32]
    """Shape (n_envs,), in the model's reward unit."""
    terminated: NDArray[np.bool_]
    """The episode is over and nothing follows: no value beyond it."""
    truncated: NDArray[np.bool_]
    """The episode was cut off: its last observation still has a value."""
    final: Observations
    """The observation after this step, before any new start: equals `obs` where no episode ended."""


class VectorEnv(Protocol):
    """Copies of an environment. Arrays that it returns may be its own and change with the next step."""

    n_envs: int
    n_features: int
    n_actions: int

    def reset(self, seed: int) -> Observations:
        """Starts every copy anew; the same seed and actions give the same episodes."""

    def step(self, actions: NDArray[np.int64]) -> Step:
        """One step of every copy; actions (n_envs,) in [0, n_actions)."""

    def state(self) -> State:
        """Everything that the future depends on, so that a resumed training goes on as if never stopped."""

    def restore(self, state: State) -> None:
        """Goes back to what `state` said; the observation that followed is the caller's to keep."""
