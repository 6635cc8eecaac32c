"""A binary tree of sums: draws an index with probability proportional to its weight in log₂(n) steps."""

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.kernels import flat_kernel

Floats = NDArray[np.float64]
Indices = NDArray[np.int64]


@flat_kernel
def put(tree: Floats, leaves: int, index: Indices, weights: Floats) -> None:
    """Sets the weights of some leaves and the sums above them. Leaf i lies at `leaves` + i, the root at 1."""
    for n in range(index.size):
        node = leaves + index[n]
        tree[node] = weights[n]
        node //= 2
        while node >= 1:
            tree[node] = tree[2 * node] + tree[2 * node + 1]
            node //= 2


@flat_kernel
def draw(tree: Floats, leaves: int, uniform: Floats, index: Indices) -> None:
    """Stratified: uniform[n] in [0, 1) picks within the n-th of equal shares of the total weight."""
    share = tree[1] / uniform.size
    for n in range(uniform.size):
        left = (n + uniform[n]) * share
        node = 1
        while node < leaves:
            node *= 2
            if left >= tree[node] and tree[node + 1] > 0.0:
                left -= tree[node]
                node += 1
        index[n] = node - leaves


class SumTree:
    """Weights of `size` items, none negative."""

    def __init__(self, size: int) -> None:
        self.leaves = 1 << (size - 1).bit_length()
        self.tree = np.zeros(2 * self.leaves)

    @property
    def total(self) -> float:
        """Sum of all weights."""
        return float(self.tree[1])

    def put(self, index: Indices, weights: Floats) -> None:
        """Sets the weights of the items at `index`."""
        put(self.tree, self.leaves, index, weights)

    def draw(self, uniform: Floats) -> Indices:
        """One item for each number in [0, 1), one from each equal share of the total."""
        index = np.empty(uniform.size, np.int64)
        draw(self.tree, self.leaves, uniform, index)
        return index

    def weights(self, index: Indices) -> Floats:
        """Weights of the items at `index`."""
        chosen: Floats = self.tree[self.leaves + index]
        return chosen
