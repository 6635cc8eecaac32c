"""Learner updates per second beside a plain loop in the manner of CleanRL, on the same network and batch.

The plain loop is dqn.py of CleanRL without its logging: `nn.Sequential`, a numpy replay sampled and copied
to tensors at every update, `mse_loss`, `zero_grad`, `backward`, `torch.optim.Adam`, a target network copied
now and then; one environment, one action and one update a step. Ours is the training loop's collector and
learner: several environments at once, and as many updates as they made steps.
"""

import itertools
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from bench_table import Effort, Line, alternate, median
from numpy.typing import NDArray

from asmm_daemon.learn.collect import Collector
from asmm_daemon.learn.ddqn import Learner, reproducible
from asmm_daemon.learn.hyper import GUIDE_LAYERS, Hyper
from asmm_daemon.learn.protocol import Observations, State, Step

GOAL = 2.0
FEATURES, ACTIONS, ENVS = 24, 20, 16
REPLAY, TARGET_EVERY = 100_000, 1_000


class Noise:
    """Environments that cost next to nothing, so that learning is what is measured."""

    n_features, n_actions = FEATURES, ACTIONS

    def __init__(self, n_envs: int) -> None:
        self.n_envs = n_envs
        rng = np.random.default_rng(0)
        self._obs = rng.normal(size=(64, n_envs, FEATURES)).astype(np.float32)
        self._reward = rng.normal(size=(64, n_envs)).astype(np.float32)
        self._never = np.zeros(n_envs, np.bool_)
        self._n = 0

    def reset(self, seed: int) -> Observations:
        """The first of its observations."""
        del seed
        return self._obs[0]

    def step(self, actions: NDArray[np.int64]) -> Step:
        """The next of them."""
        del actions
        self._n = (self._n + 1) % 64
        obs = self._obs[self._n]
        return Step(obs, self._reward[self._n], self._never, self._never, obs)

    def state(self) -> State:
        """Where it is."""
        return {"n": np.array([self._n])}

    def restore(self, state: State) -> None:
        """Back to there."""
        self._n = int(state["n"][0])


class Ours:
    """Collector and learner, as `train` runs them."""

    def __init__(self, batch: int) -> None:
        hyper = Hyper(batch=batch, layers=GUIDE_LAYERS, replay=REPLAY, target_every=TARGET_EVERY)
        self._learner = Learner(hyper, FEATURES, ACTIONS)
        self._collector = Collector(Noise(ENVS), self._learner)
        self._rng = np.random.default_rng(1)
        self._batch = batch
        with reproducible():
            for _ in range(REPLAY // ENVS):
                self._collector.step(0)

    def update(self) -> None:
        """Draws and learns."""
        replay = self._collector.replay
        draw = replay.draw(self._rng, self._batch, 1.0)
        self._learner.update(self._collector.fields, draw, replay)

    def loop(self, updates: int) -> None:
        """As many steps of single environments as updates."""
        for _ in range(updates // ENVS):
            self._collector.step(200_000)
            for _ in range(ENVS):
                self.update()

    def updates(self, updates: int) -> None:
        """Without acting."""
        for _ in range(updates):
            self.update()


class Plain:
    """The loop that one would write first."""

    def __init__(self, batch: int) -> None:
        self._online, self._target = _sequential(), _sequential()
        self._adam = torch.optim.Adam(self._online.parameters(), lr=1e-3)
        rng = np.random.default_rng(0)
        self._obs = rng.normal(size=(REPLAY, FEATURES)).astype(np.float32)
        self._next = rng.normal(size=(REPLAY, FEATURES)).astype(np.float32)
        self._action = rng.integers(0, ACTIONS, (REPLAY, 1))
        self._reward = rng.normal(size=REPLAY).astype(np.float32)
        self._done = np.zeros(REPLAY, np.float32)
        self._env, self._rng = Noise(1), rng
        self._batch, self._count = batch, 0
        self._last = self._env.reset(0)

    def update(self) -> None:
        """Samples, copies to tensors, learns."""
        index = self._rng.integers(0, REPLAY, self._batch)
        obs, following = torch.tensor(self._obs[index]), torch.tensor(self._next[index])
        action, reward = torch.tensor(self._action[index]), torch.tensor(self._reward[index])
        done = torch.tensor(self._done[index])
        with torch.no_grad():
            best, _ = self._target(following).max(dim=1)
            wanted = reward + 0.99 * best * (1 - done)
        values = self._online(obs).gather(1, action).squeeze()
        loss = torch.nn.functional.mse_loss(wanted, values)
        self._adam.zero_grad()
        loss.backward()
        self._adam.step()
        self._count += 1
        if self._count % TARGET_EVERY == 0:
            self._target.load_state_dict(self._online.state_dict())

    def loop(self, updates: int) -> None:
        """An action, a step, a row of the replay and an update."""
        for n in range(updates):
            if self._rng.random() < 0.05:
                action = self._rng.integers(0, ACTIONS, 1)
            else:
                action = torch.argmax(self._online(torch.Tensor(self._last)), dim=1).numpy()
            taken = self._env.step(action)
            row = n % REPLAY
            self._obs[row], self._next[row] = self._last[0], taken.obs[0]
            self._action[row], self._reward[row] = action, taken.reward[0]
            self._last = taken.obs
            self.update()

    def updates(self, updates: int) -> None:
        """Without acting."""
        for _ in range(updates):
            self.update()


def _sequential() -> torch.nn.Sequential:
    widths = (FEATURES, *GUIDE_LAYERS)
    layers: list[torch.nn.Module] = []
    for below, above in itertools.pairwise(widths):
        layers += [torch.nn.Linear(below, above), torch.nn.ReLU()]
    return torch.nn.Sequential(*layers, torch.nn.Linear(widths[-1], ACTIONS))


def _per_s(action: Callable[[int], None], count: int) -> float:
    """Per second of processor time: others on the machine count less than on a clock."""
    start = time.process_time()
    action(count)
    return count / (time.process_time() - start)


def _reproducibly_per_s(action: Callable[[int], None], count: int) -> float:
    with reproducible():
        return _per_s(action, count)


def lines(effort: Effort) -> list[Line]:
    """Updates per second: of the whole loop and of the learning alone, at the guide's batch and a larger one.

    Both run on one thread: with more, the plain loop is no faster on networks this small.
    """
    found = []
    runs, count = effort.of(9, 5), effort.of(800, 320)
    layers = "-".join(str(width) for width in GUIDE_LAYERS)
    torch.set_num_threads(1)
    for batch, goal in ((64, GOAL), (256, None)):
        ours, plain = Ours(batch), Plain(batch)
        for name, what in (("loop", "whole loop"), ("updates", "learning alone")):
            ways = [
                partial(_reproducibly_per_s, getattr(ours, name), count),
                partial(_per_s, getattr(plain, name), count),
            ]
            for way in ways:
                way()
            own, base = (median(values) for values in alternate(runs, ways))
            found.append(
                Line(
                    part="learn",
                    what=f"{what}, batch {batch}",
                    ours=own,
                    baseline="plain loop in torch",
                    base=base,
                    unit="updates/s",
                    goal=goal if name == "loop" else None,
                    at_least=True,
                    note=f"{layers}, one thread each, medians of {runs}",
                )
            )

    return found
