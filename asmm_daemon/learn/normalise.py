"""Running mean and deviation (Chan, Golub and LeVeque 1979): of the features, and of the reward."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

SMALLEST_DEVIATION = 1e-6
"""A feature that moves less counts as constant and is only centred."""


class Running:
    """Mean and variance of the rows seen so far. `size` values per row; sums in float64."""

    def __init__(self, size: int) -> None:
        self.count = 0
        self.mean: NDArray[np.float64] = np.zeros(size)
        self._squares: NDArray[np.float64] = np.zeros(size)

    def add(self, rows: NDArray[np.float32]) -> None:
        """Takes rows (n, size) in."""
        rows64 = rows.astype(np.float64)
        count, mean = len(rows64), rows64.mean(axis=0)
        away = mean - self.mean
        total = self.count + count
        self._squares += ((rows64 - mean) ** 2).sum(axis=0) + away**2 * (self.count * count / total)
        self.mean += away * (count / total)
        self.count = total

    @property
    def scale(self) -> NDArray[np.float64]:
        """Standard deviation of each value; 1 where nothing is known or nothing moves."""
        if self.count < 2:
            return np.ones_like(self.mean)
        deviation = np.sqrt(self._squares / self.count)
        return np.where(deviation > SMALLEST_DEVIATION, deviation, 1.0)

    def state(self) -> dict[str, NDArray[np.generic]]:
        """For a checkpoint."""
        return {"count": np.array([self.count]), "mean": self.mean.copy(), "squares": self._squares.copy()}

    def restore(self, state: Mapping[str, NDArray[np.generic]]) -> None:
        """The reverse of `state`."""
        self.count = int(state["count"][0])
        self.mean = np.array(state["mean"], np.float64)
        self._squares = np.array(state["squares"], np.float64)


def normalised(
    rows: NDArray[np.float32], mean: NDArray[np.float64], scale: NDArray[np.float64], clip: float
) -> NDArray[np.float32]:
    """(rows − mean)/scale, clipped to ±clip; computed as the daemon does, in float64."""
    return np.clip((rows - mean) / scale, -clip, clip).astype(np.float32)
