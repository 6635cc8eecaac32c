"""Double DQN (van Hasselt, Guez and Silver 2016): the networks, their optimiser and one update.

Every random number comes from generators seeded by the hyper-parameters, and one thread computes: the
same seed gives the same weights bit for bit on the same machine.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils import deterministic

from asmm_daemon.learn.adam import Adam
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.networks import DensePass, Parameters, Shape
from asmm_daemon.learn.normalise import Running
from asmm_daemon.learn.passes import DenseLearning, Pass, RecurrentLearning, Scaling
from asmm_daemon.learn.protocol import Observations
from asmm_daemon.learn.recurrent import LstmPass
from asmm_daemon.learn.replay import Draw, Ring
from asmm_daemon.learn.schedule import Linear

Cell = tuple[NDArray[np.float32], NDArray[np.float32]]


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread and deterministic algorithms, as long as it lasts. Small networks are fastest so.

    Denormal numbers count as zero: the moments of weights behind dead units decay into them, and one step
    of Adam then takes twenty times as long.
    """
    for kind in (np.float32, np.float64):
        np.finfo(kind)  # measured once and kept; without denormals numpy would warn
    threads, strict = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    filled = deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.set_num_threads(1)
    torch.set_deterministic_debug_mode("error")  # use_deterministic_algorithms would load the whole compiler
    torch.set_flush_denormal(True)
    deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        with torch.no_grad():
            yield
    finally:
        torch.set_flush_denormal(False)
        deterministic.fill_uninitialized_memory = filled  # type: ignore[attr-defined]
        torch.set_num_threads(threads)
        torch.set_deterministic_debug_mode(strict)


class Learner:
    """Online and target network of one training. Call its methods within `reproducible()`."""

    def __init__(self, hyper: Hyper, n_features: int, n_actions: int) -> None:
        self.hyper = hyper
        self.shape = Shape.of(hyper, n_features, n_actions)
        self.online = Parameters(self.shape)
        self.target = Parameters(self.shape)
        self.updates = 0
        self.features = Running(n_features)
        self.rewards = Running(1)
        self._generator = torch.Generator().manual_seed(hyper.seed)
        self.online.initialise(self._generator)
        self._move_target(1.0)
        self.settled = self.online if hyper.average_share == 1.0 else Parameters(self.shape)
        """The weights to evaluate and export: the online ones, or their running average."""
        self._average(1.0)
        self._gradients = Parameters(self.shape)
        self._adam = Adam(self.online.flat.numel())
        self._flat = self.online.flat.numpy(), self._gradients.flat.numpy()
        self._lr, self._bend = hyper.learning_rate, hyper.huber
        self._rate = Linear(hyper.learning_rate, hyper.learning_rate_end, hyper.steps)
        self._scaling = Scaling(n_features, hyper.feature_clip)
        recurrent = hyper.kind == "lstm"
        self._pass: Pass = (RecurrentLearning if recurrent else DenseLearning)(self.shape, hyper)
        self._acting: dict[int, Acting] = {}

    def prepare(self, step: int) -> None:
        """Brings normalisation, learning rate and Huber's bend up to date; once a step of the envs."""
        self._scaling.set(self.features.mean, self.features.scale)
        self._lr = self._rate.at(step)
        self._bend = self.hyper.huber * float(self.rewards.scale[0])

    def rate(self, step: int) -> float:
        """The learning rate at a step."""
        return self._rate.at(step)

    def update(self, fields: Mapping[str, Tensor], draw: Draw, ring: Ring) -> float:
        """One update on drawn rows; returns the mean loss.

        The loss is Huber's with its bend at `huber` deviations of the reward: the slope at an error e is
        e clamped to ±δ.
        """
        self._pass.load(fields, torch.from_numpy(draw.index), self._scaling)
        dropout = self._generator if self.hyper.dropout else None
        errors = self._pass.errors(self.online, self.target, dropout)
        slopes = errors.clamp(-self._bend, self._bend)
        loss = float(slopes.dot(errors) - 0.5 * slopes.dot(slopes)) / errors.numel()
        if ring.prioritised:
            slopes.mul_(self._pass.spread(torch.from_numpy(draw.weights)))
            ring.prioritise(draw.index, self._pass.per_row(errors).numpy())
            slopes.div_(self.hyper.batch)
        else:
            slopes.div_(errors.numel())
        self._pass.descend(slopes, self.online, self._gradients)
        self._descend()
        return loss

    def _descend(self) -> None:
        self._gradients.unfold()
        norm = float(torch.linalg.vector_norm(self._gradients.flat))
        scale = min(1.0, self.hyper.clip_norm / max(norm, 1e-12))
        self._adam.step(*self._flat, scale, self._lr)
        self.online.fold()
        self.updates += 1
        self._average(self.hyper.average_share)
        if self.updates % self.hyper.target_every == 0:
            self._move_target(self.hyper.target_share)

    def _move_target(self, share: float) -> None:
        self.target.flat.lerp_(self.online.flat, share)
        self.target.fold()

    def _average(self, share: float) -> None:
        if self.settled is not self.online:
            self.settled.flat.lerp_(self.online.flat, share)

    def start(self, n_envs: int) -> Cell:
        """The state of a network that has seen nothing, for every environment; no cells if it has none."""
        return (np.zeros((n_envs, self.shape.cells), np.float32),) * 2

    def values(
        self, obs: Observations, cell: Cell, theta: Parameters | None = None
    ) -> tuple[NDArray[np.float32], Cell]:
        """Action values (n, actions) of the observations, and the state after them; online unless `theta`."""
        rows = len(obs)
        if rows not in self._acting:
            self._acting[rows] = Acting(self.shape, rows)
        return self._acting[rows](theta or self.online, self._scaling, obs, cell)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """Everything for a checkpoint."""
        state: dict[str, NDArray[np.generic]] = {
            "online": self.online.flat.numpy(),
            "target": self.target.flat.numpy(),
            "settled": self.settled.flat.numpy(),
            "generator": self._generator.get_state().numpy(),
            "updates": np.array([self.updates]),
        }
        for name, owner in self._owners().items():
            state |= {f"{name}.{key}": value for key, value in owner.state().items()}
        return state

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """The reverse of `state`."""
        for name, theta in (("online", self.online), ("target", self.target), ("settled", self.settled)):
            theta.flat.copy_(torch.from_numpy(state[name]))
            theta.fold()
        self._generator.set_state(torch.from_numpy(state["generator"].copy()))
        self.updates = int(state["updates"][0])
        for name, owner in self._owners().items():
            prefix = f"{name}."
            owner.restore({k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)})

    def _owners(self) -> dict[str, Adam | Running]:
        return {"adam": self._adam, "features": self.features, "rewards": self.rewards}


class Acting:
    """Buffers for choosing actions in `rows` environments at once."""

    def __init__(self, shape: Shape, rows: int) -> None:
        self._dense = DensePass(shape, rows)
        self._lstm = LstmPass(shape, 1, rows) if shape.cells else None

    def __call__(
        self, theta: Parameters, scaling: Scaling, obs: Observations, cell: Cell
    ) -> tuple[NDArray[np.float32], Cell]:
        """Values of the observations, and the state after them."""
        seen = self._dense.input if self._lstm is None else self._lstm.input[0]
        seen.copy_(torch.from_numpy(obs))
        scaling(seen)
        if self._lstm is not None:
            self._lstm.hidden[0].copy_(torch.from_numpy(cell[0]))
            self._lstm.memory[0].copy_(torch.from_numpy(cell[1]))
            self._dense.input.copy_(self._lstm.forward(theta)[0])
            cell = (self._lstm.hidden[1].numpy().copy(), self._lstm.memory[1].numpy().copy())
        return self._dense.forward(theta).numpy(), cell
