"""From drawn replay rows to temporal-difference errors and back, dense or recurrent, in fixed memory.

Both offer the same four steps: `load` rows, `errors` by the double target, `descend` from the slope of
the loss at every error into gradients, and `act` for the present observations.
"""

from collections.abc import Mapping
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.networks import DensePass, Parameters, Shape
from asmm_daemon.learn.recurrent import LstmPass

Fields = Mapping[str, Tensor]


class Scaling:
    """Normalises observations in place: the mean, scale and clip of the features as tensors."""

    def __init__(self, features: int, clip: float) -> None:
        self._mean = torch.zeros(features)
        self._factor = torch.ones(features)
        self._clip = clip

    def set(self, mean: NDArray[np.float64], scale: NDArray[np.float64]) -> None:
        """Takes over what was measured so far."""
        self._mean.copy_(torch.from_numpy(mean))
        self._factor.copy_(torch.from_numpy(1.0 / scale))

    def __call__(self, rows: Tensor) -> None:
        """(rows − mean)/scale within ±clip, in place."""
        rows.sub_(self._mean).mul_(self._factor).clamp_(-self._clip, self._clip)


def double_target(gain: Tensor, discount: Tensor, online: Tensor, target: Tensor) -> Tensor:
    """R + d·Q_target(s', argmax_a Q_online(s', a)) (van Hasselt et al. 2016).

    Args:
        gain: rewards summed, (n,).
        discount: what the next state is discounted by, 0 where the episode terminated, (n,).
        online: values of the next states by the network that learns, (n, actions).
        target: the same by the target network.
    """
    return gain + discount * chosen(target, online.argmax(1))


def chosen(values: Tensor, actions: Tensor) -> Tensor:
    """values[n, actions[n]]: shape (n,)."""
    return values.gather(1, actions[:, None]).squeeze(1)


class Pass(Protocol):
    """What the learner needs of a network."""

    def load(self, fields: Fields, index: Tensor, scaling: Scaling) -> None:
        """Gathers the rows at `index`."""

    def errors(self, online: Parameters, target: Parameters, generator: torch.Generator | None) -> Tensor:
        """Q(s, a) minus the double target; a fresh tensor of as many as are learned from."""

    def descend(self, slopes: Tensor, online: Parameters, gradients: Parameters) -> None:
        """Gradients of a loss whose slope at every error is given."""

    def per_row(self, errors: Tensor) -> Tensor:
        """Errors as one number per drawn row, for its priority."""

    def spread(self, weights: Tensor) -> Tensor:
        """Weights per drawn row as weights per error, which sum to the count of rows on average."""


class DenseLearning:
    """Transitions through the dense network: s and s' go through the online network in one batch."""

    def __init__(self, shape: Shape, hyper: Hyper) -> None:
        rows = hyper.batch
        self._rows = rows
        self._online = DensePass(shape, 2 * rows, rows, hyper.dropout)
        self._target = DensePass(shape, rows)
        self._action = torch.zeros(rows, dtype=torch.int64)
        self._gain = torch.zeros(rows)
        self._discount = torch.zeros(rows)

    def load(self, fields: Fields, index: Tensor, scaling: Scaling) -> None:
        """Gathers transitions."""
        both = self._online.input
        torch.index_select(fields["obs"], 0, index, out=both[: self._rows])
        torch.index_select(fields["next"], 0, index, out=both[self._rows :])
        scaling(both)
        self._target.input.copy_(both[self._rows :])
        torch.index_select(fields["action"], 0, index, out=self._action)
        torch.index_select(fields["gain"], 0, index, out=self._gain)
        torch.index_select(fields["discount"], 0, index, out=self._discount)

    def errors(self, online: Parameters, target: Parameters, generator: torch.Generator | None) -> Tensor:
        """One error per transition."""
        values = self._online.forward(online, generator)
        later = self._target.forward(target)
        wanted = double_target(self._gain, self._discount, values[self._rows :], later)
        return chosen(values[: self._rows], self._action) - wanted

    def descend(self, slopes: Tensor, online: Parameters, gradients: Parameters) -> None:
        """Through the dense layers."""
        self._online.delta[-1].zero_().scatter_(1, self._action[:, None], slopes[:, None])
        self._online.backward(online, gradients)

    def per_row(self, errors: Tensor) -> Tensor:
        """The errors themselves."""
        return errors

    def spread(self, weights: Tensor) -> Tensor:
        """The weights themselves."""
        return weights


class RecurrentLearning:
    """Stretches through the LSTM: one unrolling gives the values of every state and its successors."""

    def __init__(self, shape: Shape, hyper: Hyper) -> None:
        rows, length, burn_in = hyper.batch, hyper.sequence, hyper.burn_in
        self._rows, self._length, self._burn_in = rows, length, burn_in
        steps = burn_in + length + 1
        self._lstms = [LstmPass(shape, steps, rows, burn_in) for _ in range(2)]
        self._online = DensePass(shape, (length + 1) * rows, length * rows, hyper.dropout)
        self._target = DensePass(shape, (length + 1) * rows)
        self._fields: dict[str, Tensor] = {}
        self._action = self._next = torch.zeros(0, dtype=torch.int64)

    def load(self, fields: Fields, index: Tensor, scaling: Scaling) -> None:
        """Gathers stretches, time first."""
        obs = fields["obs"][index].transpose(0, 1)
        first = fields["first"][index].t()[:, :, None]
        for lstm in self._lstms:
            lstm.input.copy_(obs)
            scaling(lstm.input)
            torch.sub(1.0, first, out=lstm.keep)
            lstm.hidden[0].copy_(fields["hidden"][index])
            lstm.memory[0].copy_(fields["memory"][index])
        names = ("action", "gain", "discount", "boot", "valid")
        self._fields = {name: fields[name][index].t().reshape(-1) for name in names}
        row = torch.arange(self._rows).repeat(self._length)
        self._next = self._fields["boot"] * self._rows + row
        self._action = self._fields["action"]

    def errors(self, online: Parameters, target: Parameters, generator: torch.Generator | None) -> Tensor:
        """One error per learned step of every stretch, time first; 0 where a step is not valid."""
        values = self._values(0, online, generator)
        later = self._values(1, target, None)
        ahead = self._next
        wanted = double_target(self._fields["gain"], self._fields["discount"], values[ahead], later[ahead])
        learned = chosen(values[: self._action.numel()], self._action)
        return (learned - wanted) * self._fields["valid"]

    def _values(self, which: int, theta: Parameters, generator: torch.Generator | None) -> Tensor:
        lstm, dense = self._lstms[which], (self._online, self._target)[which]
        dense.input.copy_(lstm.forward(theta)[self._burn_in :].reshape(dense.input.shape))
        return dense.forward(theta, generator)

    def descend(self, slopes: Tensor, online: Parameters, gradients: Parameters) -> None:
        """Through the dense layers and back in time."""
        self._online.delta[-1].zero_().scatter_(1, self._action[:, None], slopes[:, None])
        self._online.backward(online, gradients, into_input=True)
        below = self._online.delta[0].view(self._length, self._rows, -1)
        self._lstms[0].backward(online, gradients, below)

    def per_row(self, errors: Tensor) -> Tensor:
        """0.9 of the largest and 0.1 of the mean error of a stretch, as in R2D2."""
        sizes = errors.abs().view(self._length, self._rows)
        return 0.9 * sizes.max(0).values + 0.1 * sizes.mean(0)

    def spread(self, weights: Tensor) -> Tensor:
        """A stretch's weight shared by its steps."""
        return weights.repeat(self._length) / self._length
