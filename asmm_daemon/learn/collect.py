"""Acting: ε-greedy steps into the replay, and greedy evaluation on other environments."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.learn.ddqn import Cell, Learner
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.networks import as_tensors
from asmm_daemon.learn.protocol import VectorEnv
from asmm_daemon.learn.replay import Transitions
from asmm_daemon.learn.rng import restore_rng, rng_state
from asmm_daemon.learn.schedule import Linear
from asmm_daemon.learn.sequences import Sequences


def make_replay(hyper: Hyper, env: VectorEnv) -> Transitions | Sequences:
    """The replay that the network needs."""
    power = hyper.priority_power if hyper.prioritised else None
    if hyper.kind == "mlp":
        return Transitions(
            hyper.replay,
            env.n_envs,
            env.n_features,
            discount=hyper.discount,
            n_step=hyper.n_step,
            power=power,
        )
    return Sequences(
        max(hyper.replay // hyper.sequence, hyper.batch),
        env.n_envs,
        env.n_features,
        cells=hyper.layers[0],
        burn_in=hyper.burn_in,
        length=hyper.sequence,
        discount=hyper.discount,
        n_step=hyper.n_step,
        power=power,
    )


class Collector:
    """Steps the training environments and remembers what they gave.

    The statistics of features and rewards grow here, from every observation that an action is chosen on.
    """

    def __init__(self, env: VectorEnv, learner: Learner) -> None:
        hyper = learner.hyper
        self._env, self._learner = env, learner
        self.replay = make_replay(hyper, env)
        self.fields = as_tensors(self.replay.fields)
        self._epsilon = Linear(hyper.epsilon, hyper.epsilon_end, hyper.epsilon_steps)
        self._explore = np.random.default_rng([hyper.seed, 1])
        self._obs = np.array(env.reset(hyper.seed), np.float32)
        self._cell = learner.start(env.n_envs)
        self.reward_sum, self.reward_count = 0.0, 0

    def epsilon(self, step: int) -> float:
        """Share of random actions."""
        return self._epsilon.at(step)

    def step(self, step: int) -> None:
        """One step of every environment, ε-greedy."""
        learner, envs = self._learner, self._env.n_envs
        learner.features.add(self._obs)
        learner.prepare(step)
        values, after = learner.values(self._obs, self._cell)
        random = self._explore.random(envs) < self.epsilon(step)
        drawn = self._explore.integers(0, self._env.n_actions, envs)
        actions = np.where(random, drawn, values.argmax(axis=1))
        taken = self._env.step(actions)
        learner.rewards.add(taken.reward[:, None])
        if isinstance(self.replay, Sequences):
            self.replay.add(self._obs, actions, taken, self._cell)
        else:
            self.replay.add(self._obs, actions, taken)
        self._obs = np.array(taken.obs, np.float32)
        self._cell = forget(after, taken.terminated | taken.truncated)
        self.reward_sum += float(taken.reward.sum())
        self.reward_count += envs

    def state(self) -> dict[str, NDArray[Any]]:
        """Everything for a checkpoint."""
        state: dict[str, NDArray[Any]] = {
            "obs": self._obs,
            "hidden": self._cell[0],
            "memory": self._cell[1],
            "explore": rng_state(self._explore),
            "reward": np.array([self.reward_sum, self.reward_count]),
        }
        for name, held in (("replay", self.replay.state()), ("env", self._env.state())):
            state |= {f"{name}.{key}": value for key, value in held.items()}
        return state

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The reverse of `state`."""
        self._obs = np.array(state["obs"])
        self._cell = (np.array(state["hidden"]), np.array(state["memory"]))
        restore_rng(self._explore, state["explore"])
        self.reward_sum, self.reward_count = float(state["reward"][0]), int(state["reward"][1])
        for name, owner in (("replay", self.replay), ("env", self._env)):
            prefix = f"{name}."
            owner.restore({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})


def forget(cell: Cell, ended: NDArray[np.bool_]) -> Cell:
    """The state with that of ended episodes cleared: the next observation begins another."""
    kept = ~ended[:, None]
    return cell[0] * kept, cell[1] * kept


def evaluate(learner: Learner, env: VectorEnv, steps: int, seed: int) -> float:
    """Mean reward per step of the greedy policy; the same seed gives the same episodes."""
    obs = np.asarray(env.reset(seed), np.float32)
    cell = learner.start(env.n_envs)
    learner.settled.fold()
    total = 0.0
    for _ in range(steps):
        values, cell = learner.values(obs, cell, learner.settled)
        taken = env.step(values.argmax(axis=1))
        total += float(taken.reward.sum())
        obs = np.asarray(taken.obs, np.float32)
        cell = forget(cell, taken.terminated | taken.truncated)
    return total / (steps * env.n_envs)
