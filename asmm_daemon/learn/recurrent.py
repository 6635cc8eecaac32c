"""The LSTM below the dense layers, forwards and backwards in time, with episodes that end midway.

Gates in torch's order (input i, forget f, new g, output o):
    c' = f·c + i·g,  h' = o·tanh(c')
Where a step is the first of an episode, the state before it is zero and no gradient passes.
"""

import torch
from torch import Tensor

from asmm_daemon.learn.networks import Parameters, Shape


class LstmPass:
    """Buffers for `rows` sequences of `steps` steps; gradients stop `burn_in` steps after the start.

    Fill `input` (steps, rows, features), `keep` (steps, rows, 1) with 0 where an episode begins, else 1,
    and the state before the first step, `hidden[0]` and `memory[0]` (rows, cells); `output` is then
    (steps, rows, cells).
    """

    def __init__(self, shape: Shape, steps: int, rows: int, burn_in: int = 0) -> None:
        cells = shape.cells
        self.input = torch.zeros(steps, rows, shape.features)
        self.keep = torch.ones(steps, rows, 1)
        self.hidden = torch.zeros(steps + 1, rows, cells)
        self.memory = torch.zeros(steps + 1, rows, cells)
        self.output = self.hidden[1:]
        self._gates = torch.zeros(steps, rows, 4 * cells)
        self._hidden_in = torch.zeros(steps, rows, cells)
        self._memory_in = torch.zeros(steps, rows, cells)
        self._delta = torch.zeros(steps, rows, 4 * cells)
        self._steps, self._burn_in, self._cells = steps, burn_in, cells

    def forward(self, theta: Parameters) -> Tensor:
        """The hidden states after every step."""
        bias = theta.named["lstm.bias_ih"] + theta.named["lstm.bias_hh"]
        recurrent = theta.named["lstm.weight_hh"].t()
        flat = self._gates.view(-1, 4 * self._cells)
        torch.addmm(bias, self.input.view(flat.shape[0], -1), theta.named["lstm.weight_ih"].t(), out=flat)
        for t in range(self._steps):
            hidden, memory, gates = self._hidden_in[t], self._memory_in[t], self._gates[t]
            torch.mul(self.hidden[t], self.keep[t], out=hidden)
            torch.mul(self.memory[t], self.keep[t], out=memory)
            gates.addmm_(hidden, recurrent)
            gate_in, forget, new, gate_out = gates.chunk(4, 1)
            gates[:, : 2 * self._cells].sigmoid_()
            new.tanh_()
            gate_out.sigmoid_()
            torch.mul(forget, memory, out=self.memory[t + 1]).addcmul_(gate_in, new)
            torch.tanh(self.memory[t + 1], out=self.hidden[t + 1]).mul_(gate_out)
        return self.output

    def backward(self, theta: Parameters, gradients: Parameters, delta: Tensor) -> None:
        """Gradients of Σ delta ⊙ output[burn_in : burn_in + len(delta)]; delta (steps, rows, cells)."""
        start, end = self._burn_in, self._burn_in + len(delta)
        recurrent = theta.named["lstm.weight_hh"]
        to_hidden = torch.zeros_like(delta[0])
        to_memory = torch.zeros_like(delta[0])
        for t in range(end - 1, start - 1, -1):
            gate_in, forget, new, gate_out = self._gates[t].chunk(4, 1)
            d_in, d_forget, d_new, d_out = self._delta[t].chunk(4, 1)
            squashed = torch.tanh(self.memory[t + 1])
            to_hidden = to_hidden + delta[t - start]
            to_memory = to_memory + to_hidden * gate_out * (1.0 - squashed.square())
            torch.mul(to_hidden * squashed, gate_out * (1.0 - gate_out), out=d_out)
            torch.mul(to_memory * new, gate_in * (1.0 - gate_in), out=d_in)
            torch.mul(to_memory * self._memory_in[t], forget * (1.0 - forget), out=d_forget)
            torch.mul(to_memory * gate_in, 1.0 - new.square(), out=d_new)
            to_memory = to_memory * forget * self.keep[t]
            to_hidden = (self._delta[t] @ recurrent) * self.keep[t]
        self._into_weights(gradients, slice(start, end))

    def _into_weights(self, gradients: Parameters, steps: slice) -> None:
        flat = self._delta[steps].reshape(-1, 4 * self._cells)
        for name, below in (("lstm.weight_ih", self.input), ("lstm.weight_hh", self._hidden_in)):
            torch.mm(flat.t(), below[steps].reshape(flat.shape[0], -1), out=gradients.named[name])
        for name in ("lstm.bias_ih", "lstm.bias_hh"):
            torch.sum(flat, 0, out=gradients.named[name])
