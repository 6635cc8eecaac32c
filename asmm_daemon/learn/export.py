"""From what was learned to an `asmm-model/1` file, checked against torch before anyone trades on it."""

import platform
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from asmm_daemon.errors import ModelError
from asmm_daemon.learn.ddqn import Learner
from asmm_daemon.learn.inference import Network
from asmm_daemon.learn.model_file import ModelSpec, save_model
from asmm_daemon.learn.networks import Shape

TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class About:
    """What a model file says beyond the network; the learner knows no markets. Meanings as in ModelSpec."""

    feature_names: tuple[str, ...]
    gammas: tuple[float, ...]
    skews: tuple[float, ...]
    reward: str
    reward_unit: float
    cycle_s: float
    data: tuple[dict[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Learned:
    """A network as it was at one step: the model file's tensors and the normalisation they expect."""

    shape: Shape
    tensors: dict[str, NDArray[np.float32]]
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    clip: float
    seed: int
    step: int

    @classmethod
    def of(cls, learner: Learner, step: int) -> "Learned":
        """A copy of what the learner knows now."""
        features, hyper = learner.features, learner.hyper
        learner.settled.fold()
        held = learner.settled.exported()
        return cls(
            learner.shape, held, features.mean.copy(), features.scale, hyper.feature_clip, hyper.seed, step
        )


def versions() -> dict[str, str]:
    """What a network was trained with, for its model file."""
    return {"python": platform.python_version(), "numpy": np.__version__, "torch": str(torch.__version__)}


def spec_of(learned: Learned, about: About) -> ModelSpec:
    """The JSON half of what was learned; the hash of the weights comes with the file."""
    shape = learned.shape
    return replace(
        ModelSpec.plain(shape.layers, about.gammas, about.skews),
        kind=shape.kind,
        activation=shape.activation,
        feature_names=about.feature_names,
        mean=tuple(learned.mean.tolist()),
        scale=tuple(learned.scale.tolist()),
        clip=learned.clip,
        reward_unit=about.reward_unit,
        cycle_s=about.cycle_s,
        reward=about.reward,
        seed=learned.seed,
        steps=learned.step,
        data=about.data,
        versions=versions(),
    )


def export_model(path: Path, learned: Learned, about: About) -> ModelSpec:
    """Writes NAME.json and NAME.safetensors. Raises ModelError, also if numpy's answer is not torch's."""
    check_against_torch(learned)
    return save_model(path, spec_of(learned, about), learned.tensors)


def check_against_torch(learned: Learned) -> None:
    """Raises ModelError unless `inference.Network` and torch's own layers agree within TOLERANCE."""
    shape = learned.shape
    rows = np.random.default_rng(0).normal(0.0, 1.0, (64, shape.features))
    ours = numpy_values(learned, rows)
    theirs = torch_values(learned, rows)
    away = float(np.abs(ours - theirs).max())
    if not away <= TOLERANCE * max(1.0, float(np.abs(theirs).max())):
        raise ModelError(f"the exported network is {away:.2g} off torch's values, more than {TOLERANCE:g}")


def numpy_values(learned: Learned, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values of normalised rows, consecutive if recurrent, by the daemon's own inference."""
    shape = learned.shape
    network = Network(
        learned.tensors,
        dense=len(shape.widths) - 2,
        activation=shape.activation,
        recurrent=bool(shape.cells),
    )
    cell = network.start()
    if cell is None:
        return network.values(rows, None)[0]
    found = []
    for row in rows:
        values, cell = network.values(row, cell)
        found.append(values)
    return np.array(found)


def torch_values(learned: Learned, rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same by torch's own layers, in float64."""
    shape, tensors = learned.shape, learned.tensors
    held = {name: torch.from_numpy(value.astype(np.float64)) for name, value in tensors.items()}
    x = torch.from_numpy(rows)
    with torch.no_grad():
        if shape.cells:
            lstm = torch.nn.LSTM(shape.features, shape.cells, dtype=torch.float64)
            names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
            lstm.load_state_dict({f"{name}_l0": held[f"lstm.{name}"] for name in names})
            x = lstm(x)[0]
        squash = torch.relu if shape.activation == "relu" else torch.tanh
        for n in range(len(shape.widths) - 2):
            x = squash(torch.nn.functional.linear(x, held[f"layers.{n}.weight"], held[f"layers.{n}.bias"]))
        x = torch.nn.functional.linear(x, held["head.weight"], held["head.bias"])
    values: NDArray[np.float64] = x.numpy()
    return values
