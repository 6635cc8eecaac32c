"""Replay for a recurrent network: stretches of each environment's stream with the state they began in.

As in R2D2 (Kapturowski et al. 2019): `burn_in` steps only warm up the stored state, `length` steps are
learned from. Stretches overlap by the burn-in, so that every step is learned from once per stretch.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.learn.protocol import Observations, Step
from asmm_daemon.learn.replay import Arrays, Ring

Returns = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.int64], NDArray[np.bool_]]
"""Gains, discounts, steps to bootstrap from, and which count; each (length, n_envs)."""


class Sequences(Ring):
    """Stretches of burn_in + length steps, and the observation after the last.

    Columns per stretch: `obs` (steps + 1, features); `first` (steps + 1), 1 where an episode begins;
    of the learned steps `action`, `gain` (n-step return), `discount` (0 after a termination), `boot`
    (which learned step, or the one after, is bootstrapped from) and `valid` (0 for a truncated
    episode's last step, whose next observation belongs to another episode); the state before it,
    `hidden` and `memory` (cells).
    """

    def __init__(
        self,
        capacity: int,
        n_envs: int,
        n_features: int,
        *,
        cells: int,
        burn_in: int,
        length: int,
        discount: float,
        n_step: int,
        power: float | None = None,
    ) -> None:
        steps = burn_in + length
        wide = {"action": np.int64, "boot": np.int64}
        learned = ("action", "gain", "discount", "boot", "valid")
        fields: Arrays = {
            "obs": np.zeros((capacity, steps + 1, n_features), np.float32),
            "first": np.zeros((capacity, steps + 1), np.float32),
            "hidden": np.zeros((capacity, cells), np.float32),
            "memory": np.zeros((capacity, cells), np.float32),
        }
        fields |= {name: np.zeros((capacity, length), wide.get(name, np.float32)) for name in learned}
        super().__init__(capacity, fields, power)
        self._burn_in, self._length, self._gamma, self._n = burn_in, length, discount, n_step
        self._filled = 0
        self._obs = np.zeros((steps + 1, n_envs, n_features), np.float32)
        self._first = np.ones((steps + 1, n_envs), np.bool_)
        self._hidden = np.zeros((steps, n_envs, cells), np.float32)
        self._memory = np.zeros((steps, n_envs, cells), np.float32)
        self._action = np.zeros((steps, n_envs), np.int64)
        self._reward = np.zeros((steps, n_envs), np.float32)
        self._ends = np.zeros((2, steps, n_envs), np.bool_)

    def add(
        self,
        obs: Observations,
        actions: NDArray[np.int64],
        step: Step,
        cell: tuple[NDArray[np.float32], NDArray[np.float32]],
    ) -> None:
        """One step of every environment; `cell` is the state that the network had before it."""
        t = self._filled
        self._obs[t], self._action[t], self._reward[t] = obs, actions, step.reward
        self._hidden[t], self._memory[t] = cell
        self._ends[0, t], self._ends[1, t] = step.terminated, step.truncated
        self._obs[t + 1] = step.obs
        self._first[t + 1] = step.terminated | step.truncated
        self._filled += 1
        if self._filled == len(self._action):
            self._emit()

    def _emit(self) -> None:
        gain, discount, boot, valid = self._returns()
        rows = {
            "obs": self._obs.swapaxes(0, 1),
            "first": self._first.T,
            "hidden": self._hidden[0],
            "memory": self._memory[0],
            "action": self._action[self._burn_in :].T,
            "gain": gain.T,
            "discount": discount.T,
            "boot": boot.T,
            "valid": valid.T,
        }
        self.append(rows)
        again: tuple[tuple[NDArray[Any], int], ...] = (
            *((kept, self._burn_in) for kept in (self._hidden, self._memory, self._action, self._reward)),
            *((kept, self._burn_in + 1) for kept in (self._obs, self._first)),
        )
        for kept, count in again:
            kept[:count] = kept[self._length :].copy()
        self._ends[:, : self._burn_in] = self._ends[:, self._length :].copy()
        self._filled = self._burn_in

    def _returns(self) -> Returns:
        """n-step returns of the learned steps, shorter where the stretch or the episode ends."""
        terminated, truncated = self._ends[:, self._burn_in :]
        reward = self._reward[self._burn_in :]
        gain = np.zeros(reward.shape)
        discount = np.ones(reward.shape)
        boot = np.zeros(reward.shape, np.int64)
        for t in range(self._length):
            running = np.ones(reward.shape[1], np.bool_)
            for k in range(t, min(t + self._n, self._length)):
                # a truncated step's reward is not followed by an observation of its episode: stop before it
                running &= ~truncated[k] | terminated[k]
                gain[t] += np.where(running, discount[t] * reward[k], 0.0)
                discount[t] *= np.where(running, self._gamma, 1.0)
                boot[t] = np.where(running, k + 1, np.maximum(boot[t], t))
                discount[t] *= np.where(running & terminated[k], 0.0, 1.0)
                running &= ~terminated[k]
        valid = (boot > np.arange(self._length)[:, None]) | (discount == 0.0)
        return gain, discount, boot, valid

    def state(self) -> Arrays:
        """Everything for a checkpoint, the unfinished stretch too."""
        names = ("obs", "first", "hidden", "memory", "action", "reward", "ends")
        own: Arrays = {name: getattr(self, f"_{name}") for name in names}
        return super().state() | own | {"filled": np.array([self._filled])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The reverse of `state`."""
        super().restore(state)
        for name in ("obs", "first", "hidden", "memory", "action", "reward", "ends"):
            getattr(self, f"_{name}")[:] = state[name]
        self._filled = int(state["filled"][0])
