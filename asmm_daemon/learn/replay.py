"""What the learner remembers: preallocated rings in numpy, drawn evenly or by priority.

`Transitions` holds single transitions with their n-step return ready made; `sequences.py` holds stretches
for a recurrent network. Both draw through `Ring`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.learn.protocol import Observations, Step
from asmm_daemon.learn.sum_tree import SumTree

Arrays = dict[str, NDArray[Any]]
Indices = NDArray[np.int64]
SMALLEST_PRIORITY = 1e-3


@dataclass(frozen=True, slots=True)
class Draw:
    """Rows to learn from, and how much each counts."""

    index: Indices
    weights: NDArray[np.float32]
    """(N·P)^−β over its maximum in the batch; all 1 when drawn evenly."""


class Ring:
    """A ring of rows whose columns are `fields`; the newest row overwrites the oldest.

    Args:
        capacity: rows.
        fields: name → array of shape (capacity, …).
        power: exponent of the priorities (α); None draws evenly.
    """

    def __init__(self, capacity: int, fields: Arrays, power: float | None) -> None:
        self.capacity = capacity
        self.fields = fields
        self.size = 0
        self._next = 0
        self._power = power
        self._tree = None if power is None else SumTree(capacity)
        self._highest = 1.0

    def append(self, rows: Mapping[str, NDArray[Any]]) -> None:
        """Takes rows in; new ones get the highest priority seen, so that each is tried once."""
        count = len(next(iter(rows.values())))
        index = (self._next + np.arange(count)) % self.capacity
        for name, values in rows.items():
            self.fields[name][index] = values
        self._next = (self._next + count) % self.capacity
        self.size = min(self.size + count, self.capacity)
        if self._tree is not None and self._power is not None:
            self._tree.put(index, np.full(count, self._highest**self._power))

    def draw(self, rng: np.random.Generator, count: int, beta: float) -> Draw:
        """`count` rows, with repetition."""
        if self._tree is None:
            return Draw(rng.integers(0, self.size, count), np.ones(count, np.float32))
        index = self._tree.draw(rng.random(count))
        weights = (self.size * self._tree.weights(index) / self._tree.total) ** -beta
        return Draw(index, (weights / weights.max()).astype(np.float32))

    def prioritise(self, index: Indices, errors: NDArray[np.float32]) -> None:
        """Sets priorities to |error|."""
        if self._tree is not None and self._power is not None:
            priorities = np.abs(errors).astype(np.float64) + SMALLEST_PRIORITY
            self._highest = max(self._highest, float(priorities.max()))
            self._tree.put(index, priorities**self._power)

    @property
    def prioritised(self) -> bool:
        """Whether errors change what is drawn."""
        return self._tree is not None

    def state(self) -> Arrays:
        """Everything for a checkpoint: the filled rows and the tree."""
        kept: Arrays = {f"field.{name}": values[: self.size] for name, values in self.fields.items()}
        kept["place"] = np.array([self.size, self._next])
        kept["highest"] = np.array([self._highest])
        return kept if self._tree is None else kept | {"tree": self._tree.tree}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The reverse of `state`."""
        self.size, self._next = (int(value) for value in state["place"])
        self._highest = float(state["highest"][0])
        for name, values in self.fields.items():
            values[: self.size] = state[f"field.{name}"]
        if self._tree is not None:
            self._tree.tree[:] = state["tree"]


class Transitions(Ring):
    """Transitions (s, a, R, s', d): R the sum of up to n discounted rewards, d what s' is discounted by.

    d is γ^m after m rewards, 0 when the episode terminated. At an episode's end the started sums are
    completed with what there is; a truncated one is valued further from its last observation.
    """

    def __init__(
        self,
        capacity: int,
        n_envs: int,
        n_features: int,
        *,
        discount: float,
        n_step: int,
        power: float | None = None,
    ) -> None:
        fields: Arrays = {
            "obs": np.zeros((capacity, n_features), np.float32),
            "next": np.zeros((capacity, n_features), np.float32),
            "action": np.zeros(capacity, np.int64),
            "gain": np.zeros(capacity, np.float32),
            "discount": np.zeros(capacity, np.float32),
        }
        super().__init__(capacity, fields, power)
        self._gamma, self._n = discount, n_step
        self._time = 0
        self._open = np.zeros((n_step, n_envs), np.bool_)
        self._obs = np.zeros((n_step, n_envs, n_features), np.float32)
        self._action = np.zeros((n_step, n_envs), np.int64)
        self._gain = np.zeros((n_step, n_envs))

    def add(self, obs: Observations, actions: NDArray[np.int64], step: Step) -> None:
        """One step of every environment, from `obs` by `actions`."""
        start = self._time % self._n
        self._obs[start], self._action[start], self._gain[start] = obs, actions, 0.0
        self._open[start] = True
        ended = step.terminated | step.truncated
        for age in range(min(self._n, self._time + 1) - 1, -1, -1):
            slot = (self._time - age) % self._n
            self._gain[slot] += self._gamma**age * step.reward
            ready = self._open[slot] & (ended | (age == self._n - 1))
            if ready.any():
                self._emit(slot, ready, age + 1, step)
                self._open[slot] &= ~ready
        self._time += 1

    def _emit(self, slot: int, ready: NDArray[np.bool_], rewards: int, step: Step) -> None:
        discount = np.where(step.terminated[ready], 0.0, self._gamma**rewards)
        rows = {
            "obs": self._obs[slot][ready],
            "next": step.final[ready],
            "action": self._action[slot][ready],
            "gain": self._gain[slot][ready],
            "discount": discount,
        }
        self.append(rows)

    def state(self) -> Arrays:
        """Everything for a checkpoint, the unfinished sums too."""
        own: Arrays = {"open": self._open, "obs": self._obs, "action": self._action, "gain": self._gain}
        return super().state() | own | {"time": np.array([self._time])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The reverse of `state`."""
        super().restore(state)
        for name in ("open", "obs", "action", "gain"):
            getattr(self, f"_{name}")[:] = state[name]
        self._time = int(state["time"][0])
