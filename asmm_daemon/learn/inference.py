"""A trained network run in numpy: equal to torch within rounding, without importing torch.

Inputs are normalised by the model's own mean and scale. A network is an optional LSTM cell (gates in
the order input, forget, cell, output, as torch lays them), then dense layers, then a linear head of
one value per action.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.features import FEATURES_ID
from asmm_daemon.core.policy import Action

Values = NDArray[np.float64]
Cell = tuple[Values, Values]
"""Hidden and cell state of the LSTM."""


def _sigmoid(x: Values) -> Values:
    return 0.5 * (1.0 + np.tanh(0.5 * x))


def _relu(x: Values) -> Values:
    return np.maximum(x, 0.0)


def _tanh(x: Values) -> Values:
    return np.tanh(x)


ACTIVATIONS: dict[str, Callable[[Values], Values]] = {"relu": _relu, "tanh": _tanh}


@dataclass(frozen=True, slots=True)
class Dense:
    """An affine map: weight (out, in), bias (out,)."""

    weight: Values
    bias: Values

    def __call__(self, x: Values) -> Values:
        """Applies it to x (…, in)."""
        return x @ self.weight.T + self.bias


class Network:
    """Action values of a normalised state.

    Args:
        tensors: by the names of `asmm-model/1`, already checked.
        dense: how many hidden dense layers there are.
        activation: a key of ACTIVATIONS.
        recurrent: whether an LSTM comes first.
    """

    def __init__(
        self, tensors: Mapping[str, NDArray[np.float32]], *, dense: int, activation: str, recurrent: bool
    ) -> None:
        held = {name: np.asarray(tensor, np.float64) for name, tensor in tensors.items()}
        self._layers = [Dense(held[f"layers.{n}.weight"], held[f"layers.{n}.bias"]) for n in range(dense)]
        self._head = Dense(held["head.weight"], held["head.bias"])
        self._activation = ACTIVATIONS[activation]
        self._inputs = self._gates = None
        if recurrent:
            self._inputs = Dense(held["lstm.weight_ih"], held["lstm.bias_ih"])
            self._gates = Dense(held["lstm.weight_hh"], held["lstm.bias_hh"])

    def start(self) -> Cell | None:
        """The state of a network that has seen nothing; None when it remembers nothing."""
        if self._gates is None:
            return None
        width = self._gates.weight.shape[1]
        return np.zeros(width), np.zeros(width)

    def values(self, x: Values, cell: Cell | None) -> tuple[Values, Cell | None]:
        """Action values of x (…, in) and the state after it."""
        if self._inputs is not None and self._gates is not None and cell is not None:
            hidden, memory = cell
            gate_in, forget, new, gate_out = np.split(self._inputs(x) + self._gates(hidden), 4, axis=-1)
            memory = _sigmoid(forget) * memory + _sigmoid(gate_in) * np.tanh(new)
            x = _sigmoid(gate_out) * np.tanh(memory)
            cell = (x, memory)
        for layer in self._layers:
            x = self._activation(layer(x))
        return self._head(x), cell


class ModelPolicy:
    """A trained agent as the policy of a market: the action of the highest value.

    A state that is not finite, or values that are not, give an action of nan with index -1: the caller
    refuses it and quotes without the agent. `sha256` is the weights'.
    """

    features_id = FEATURES_ID

    def __init__(
        self,
        name: str,
        network: Network,
        *,
        mean: Sequence[float],
        scale: Sequence[float],
        clip: float,
        actions: Sequence[Action],
        sha256: str,
    ) -> None:
        self.name = name
        self.sha256 = sha256
        self.actions = tuple(actions)
        self._network = network
        self._mean = np.asarray(mean, np.float64)
        self._scale = np.asarray(scale, np.float64)
        self._clip = clip
        self._cell = network.start()

    def reset(self) -> None:
        """Forgets the past."""
        self._cell = self._network.start()

    def act(self, features: Values, t_ns: int) -> Action:
        """The action for one cycle; `features` in raw units, at least as many as the model reads."""
        del t_ns
        values, cell = self._network.values(self._normalised(features), self._cell)
        if not np.isfinite(values).all():
            return Action(float("nan"), float("nan"), -1)
        self._cell = cell
        return self.actions[int(values.argmax())]

    def act_batch(self, features: Values) -> NDArray[np.int64]:
        """Action indices of the rows, -1 where there is none.

        A recurrent model reads them as consecutive cycles from a fresh start; its own state stays.
        """
        values = self.values(features)
        return np.where(np.isfinite(values).all(axis=1), values.argmax(axis=1), -1).astype(np.int64)

    def values(self, features: Values) -> Values:
        """Action values of the rows of `features`: shape (n, actions)."""
        x = self._normalised(np.asarray(features, np.float64))
        cell = self._network.start()
        if cell is None:
            return self._network.values(x, None)[0]
        rows = np.empty((len(x), len(self.actions)))
        for n, row in enumerate(x):
            rows[n], after = self._network.values(row, cell)
            cell = after if np.isfinite(rows[n]).all() else cell
        return rows

    def _normalised(self, features: Values) -> Values:
        x = features[..., : self._mean.size]
        return np.clip((x - self._mean) / self._scale, -self._clip, self._clip)
