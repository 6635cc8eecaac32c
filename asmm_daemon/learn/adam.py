"""Adam (Kingma and Ba 2015) on one flat buffer: clip, moments and step in a single compiled pass."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.kernels import flat_kernel

BETA_1, BETA_2, EPSILON = np.float32(0.9), np.float32(0.999), 1e-8
_ONE = np.float32(1.0)
Floats = NDArray[np.float32]


@flat_kernel
def descend(
    theta: Floats,
    gradient: Floats,
    mean: Floats,
    square: Floats,
    scale: np.float32,
    rate: np.float32,
    epsilon: np.float32,
) -> None:
    """θ −= rate·m/(√v + ε) after taking scale·gradient into the moments; all arrays of one length."""
    for i in range(theta.size):
        slope = gradient[i] * scale
        mean[i] = BETA_1 * mean[i] + (_ONE - BETA_1) * slope
        square[i] = BETA_2 * square[i] + (_ONE - BETA_2) * slope * slope
        theta[i] -= rate * mean[i] / (np.sqrt(square[i]) + epsilon)


class Adam:
    """Moments of the gradient of `size` parameters."""

    def __init__(self, size: int) -> None:
        self._mean = np.zeros(size, np.float32)
        self._square = np.zeros(size, np.float32)
        self._steps = 0

    def step(self, theta: Floats, gradient: Floats, scale: float, rate: float) -> None:
        """One step down, by `scale` times the gradient; θ −= rate·m̂/(√v̂ + ε).

        The correction of the moments' start, m̂ = m/(1 − β₁ᵗ) and v̂ = v/(1 − β₂ᵗ), is taken into the rate
        and ε.
        """
        self._steps += 1
        start = (1.0 - float(BETA_2) ** self._steps) ** 0.5
        corrected = rate * start / (1.0 - float(BETA_1) ** self._steps)
        numbers = np.float32(scale), np.float32(corrected), np.float32(EPSILON * start)
        descend(theta, gradient, self._mean, self._square, *numbers)

    def state(self) -> dict[str, NDArray[Any]]:
        """For a checkpoint."""
        return {"mean": self._mean, "square": self._square, "steps": np.array([self._steps])}

    def restore(self, state: Mapping[str, NDArray[Any]]) -> None:
        """The reverse of `state`."""
        self._mean[:] = state["mean"]
        self._square[:] = state["square"]
        self._steps = int(state["steps"][0])
