"""Adam (Kingma and Ba 2015) on one flat buffer, in place and without the overhead of a general optimiser."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-8


class Adam:
    """Moments of the gradient of `size` parameters."""

    def __init__(self, size: int) -> None:
        self._mean = torch.zeros(size)
        self._square = torch.zeros(size)
        self._divisor = torch.zeros(size)
        self._steps = 0

    def step(self, parameters: Tensor, gradient: Tensor, rate: float) -> None:
        """One step down: θ −= rate·m̂/(√v̂ + ε), with the moments' start corrected for."""
        self._steps += 1
        self._mean.lerp_(gradient, 1.0 - BETA_1)
        self._square.mul_(BETA_2).addcmul_(gradient, gradient, value=1.0 - BETA_2)
        start = (1.0 - BETA_2**self._steps) ** 0.5
        torch.sqrt(self._square, out=self._divisor).add_(EPSILON * start)
        parameters.addcdiv_(self._mean, self._divisor, value=-rate * start / (1.0 - BETA_1**self._steps))

    def state(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        return {"mean": self._mean.numpy(), "square": self._square.numpy(), "steps": np.array([self._steps])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The reverse of `state`."""
        self._mean.copy_(torch.from_numpy(state["mean"]))
        self._square.copy_(torch.from_numpy(state["square"]))
        self._steps = int(state["steps"][0])
