"""Networks of action values with gradients by hand: every tensor in one flat buffer, nothing allocated.

The layers are those of `asmm-model/1`. One flat buffer makes a step of Adam, a clip and a move of the
target network one operation each, and passes write into memory of their own. Gradients are the
textbook's: dW = δᵀh, δ_below = (δW) ⊙ activation'(h).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.model_file import tensor_shapes


@dataclass(frozen=True, slots=True)
class Shape:
    """What a network looks like from outside and inside."""

    kind: str
    features: int
    layers: tuple[int, ...]
    actions: int
    activation: str
    dueling: bool

    @classmethod
    def of(cls, hyper: Hyper, features: int, actions: int) -> "Shape":
        """The network that the hyper-parameters ask for."""
        return cls(hyper.kind, features, hyper.layers, actions, hyper.activation, hyper.dueling)

    @property
    def cells(self) -> int:
        """Width of the recurrent layer, 0 without one."""
        return self.layers[0] if self.kind == "lstm" else 0

    @property
    def widths(self) -> tuple[int, ...]:
        """Widths of the dense part, from its input to the head."""
        below = self.layers if self.kind == "lstm" else (self.features, *self.layers)
        return (*below, self.actions)

    def learned(self) -> dict[str, tuple[int, ...]]:
        """Shapes of what is learned: the model file's tensors, the head split in two if dueling."""
        shapes = tensor_shapes(self.kind, self.layers, self.features, self.actions)
        if not self.dueling:
            return shapes
        head, bias = shapes.pop("head.weight"), shapes.pop("head.bias")
        return shapes | {
            "value.weight": (1, head[1]),
            "value.bias": (1,),
            "advantage.weight": head,
            "advantage.bias": bias,
        }


class Parameters:
    """The tensors of a network as views of `flat`; `named` holds them by the model file's names.

    With a dueling head Q = V + A − mean(A), and both parts are linear in the last hidden layer: so Q is
    linear in it too, with weights `value + advantage − mean(advantage)`. `fold` computes that head,
    which every pass then uses; `unfold` is the transposed map for gradients.
    """

    def __init__(self, shape: Shape) -> None:
        shapes = shape.learned()
        self.flat = torch.zeros(sum(math.prod(size) for size in shapes.values()))
        parts = torch.split(self.flat, [math.prod(size) for size in shapes.values()])
        self.named = {name: part.view(size) for (name, size), part in zip(shapes.items(), parts, strict=True)}
        self.dueling = shape.dueling
        if shape.dueling:
            for part in ("weight", "bias"):
                self.named[f"head.{part}"] = torch.zeros_like(self.named[f"advantage.{part}"])
        names = [*(f"layers.{n}" for n in range(len(shape.widths) - 2)), "head"]
        held = [(self.named[f"{name}.weight"], self.named[f"{name}.bias"]) for name in names]
        self.dense = [(weight, weight.t(), bias) for weight, bias in held]
        """Weight, its transpose and bias of every dense layer; the last is the head."""

    def initialise(self, generator: torch.Generator) -> None:
        """Uniform within ±1/√fan-in, weights and biases alike, as torch's own layers start."""
        for name, tensor in self.named.items():
            kind = name.split(".")[0]
            weight = self.named.get("lstm.weight_hh" if kind == "lstm" else name.replace("bias", "weight"))
            assert weight is not None
            bound = 1.0 / math.sqrt(weight.shape[1])
            if not (self.dueling and kind == "head"):
                tensor.uniform_(-bound, bound, generator=generator)
        self.fold()

    def fold(self) -> None:
        """Brings the head up to date with its two parts."""
        if self.dueling:
            for part in ("weight", "bias"):
                advantage = self.named[f"advantage.{part}"]
                torch.sub(advantage, advantage.mean(0, keepdim=True), out=self.named[f"head.{part}"])
                self.named[f"head.{part}"].add_(self.named[f"value.{part}"])

    def unfold(self) -> None:
        """Of gradients: hands the head's to its two parts."""
        if self.dueling:
            for part in ("weight", "bias"):
                head = self.named[f"head.{part}"]
                torch.sum(head, 0, keepdim=True, out=self.named[f"value.{part}"])
                torch.sub(head, head.mean(0, keepdim=True), out=self.named[f"advantage.{part}"])

    def exported(self) -> dict[str, NDArray[np.float32]]:
        """Copies of the model file's tensors."""
        parts = ("value", "advantage")
        kept = {name: tensor for name, tensor in self.named.items() if name.split(".")[0] not in parts}
        return {name: tensor.numpy().copy() for name, tensor in kept.items()}


class DensePass:
    """Buffers of the dense part for `rows` rows; the first `learned` of them can be differentiated."""

    def __init__(self, shape: Shape, rows: int, learned: int = 0, dropout: float = 0.0) -> None:
        widths = shape.widths
        self.learned = learned
        self.held = [torch.zeros(rows, width) for width in widths]
        self.input = self.held[0]
        self.values = self.held[-1]
        self.delta = [torch.zeros(learned, width) for width in widths]
        self._relu = shape.activation == "relu"
        self._keep = 1.0 - dropout
        self._masks = [torch.ones(learned, width) for width in widths[1:-1]] if dropout else []

    def forward(self, theta: Parameters, generator: torch.Generator | None = None) -> Tensor:
        """Values of `input`. With a generator the learned rows drop units at random."""
        last = len(self.held) - 1
        for n in range(last):
            _, transposed, bias = theta.dense[n]
            above = self.held[n + 1]
            torch.addmm(bias, self.held[n], transposed, out=above)
            if n + 1 < last:
                above.relu_() if self._relu else above.tanh_()
                if generator is not None and self._masks:
                    mask = self._masks[n].bernoulli_(self._keep, generator=generator).div_(self._keep)
                    above[: self.learned].mul_(mask)
        return self.values

    def backward(self, theta: Parameters, gradients: Parameters, *, into_input: bool = False) -> None:
        """Gradients of Σ delta[-1] ⊙ values over the learned rows; consumes what forward held.

        With `into_input`, delta[0] becomes the gradient with respect to the input.
        """
        for n in range(len(self.held) - 2, -1, -1):
            weight, _, _ = theta.dense[n]
            to_weight, _, to_bias = gradients.dense[n]
            above, below = self.delta[n + 1], self.delta[n]
            held = self.held[n][: self.learned]
            torch.mm(above.t(), held, out=to_weight)
            torch.sum(above, 0, out=to_bias)
            if n > 0 or into_input:
                torch.mm(above, weight, out=below)
            if n > 0:
                if self._masks:
                    below.mul_(self._masks[n - 1])
                    held.mul_(self._keep)
                slope = held.sign_() if self._relu else held.square_().neg_().add_(1.0)
                below.mul_(slope)


def as_tensors(arrays: Mapping[str, NDArray[Any]]) -> dict[str, Tensor]:
    """Tensors that share the arrays' memory."""
    return {name: torch.from_numpy(array) for name, array in arrays.items()}
