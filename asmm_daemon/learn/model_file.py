"""Model files, `asmm-model/1`: NAME.json says what a network is, NAME.safetensors holds its weights.

Loading refuses, by name, whatever is missing, extra, misshapen, damaged or made for other features or
actions. Never pickle.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self, get_args, get_origin

import numpy as np
import orjson
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load, save

from asmm_daemon.core.features import FEATURE_NAMES, FEATURES_ID, N_FEATURES
from asmm_daemon.core.policy import Action
from asmm_daemon.errors import ModelError
from asmm_daemon.files import write_whole
from asmm_daemon.learn.inference import ACTIVATIONS, ModelPolicy, Network

FORMAT = "asmm-model/1"
INDEX_ORDER = "gamma-major"
KINDS = ("mlp", "lstm")
_DATA_KEYS = frozenset({"file", "sha256", "from", "to"})


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """The JSON half of a model, key by key.

    `layers` are the widths of the hidden layers; of an `lstm` the first is the recurrent one.
    `mean` and `scale` normalise the features, in their order, and the result is clipped to ±`clip`.
    `reward_unit` is what the rewards were divided by, in quote currency; `cycle_s` the time an action
    holds.
    """

    format: str
    kind: str
    layers: tuple[int, ...]
    activation: str
    features_id: str
    feature_names: tuple[str, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    clip: float
    reward_unit: float
    gammas: tuple[float, ...]
    skews: tuple[float, ...]
    index_order: str
    cycle_s: float
    reward: str
    seed: int
    steps: int
    data: tuple[dict[str, str], ...]
    versions: dict[str, str]
    weights_sha256: str

    @classmethod
    def plain(cls, layers: Sequence[int], gammas: Sequence[float], skews: Sequence[float]) -> Self:
        """A dense network of so many hidden units that reads our features as they are."""
        return cls(
            format=FORMAT,
            kind="mlp",
            layers=tuple(layers),
            activation="relu",
            features_id=FEATURES_ID,
            feature_names=FEATURE_NAMES,
            mean=(0.0,) * len(FEATURE_NAMES),
            scale=(1.0,) * len(FEATURE_NAMES),
            clip=10.0,
            reward_unit=1.0,
            gammas=tuple(gammas),
            skews=tuple(skews),
            index_order=INDEX_ORDER,
            cycle_s=5.0,
            reward="dampened",
            seed=0,
            steps=0,
            data=(),
            versions={},
            weights_sha256="",
        )

    @property
    def actions(self) -> tuple[Action, ...]:
        """The action of each index: γ varies slowest."""
        pairs = [(gamma, skew) for gamma in self.gammas for skew in self.skews]
        return tuple(Action(gamma, skew, index) for index, (gamma, skew) in enumerate(pairs))

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Names and shapes of the tensors that such a network has."""
        count = len(self.gammas) * len(self.skews)
        return tensor_shapes(self.kind, self.layers, len(self.feature_names), count)


def tensor_shapes(
    kind: str, layers: Sequence[int], features: int, actions: int
) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the tensors of a network, first layer first."""
    shapes: dict[str, tuple[int, ...]] = {}
    width = features
    dense = layers
    if kind == "lstm":
        cells, dense = layers[0], layers[1:]
        shapes |= {"lstm.weight_ih": (4 * cells, width), "lstm.weight_hh": (4 * cells, cells)}
        shapes |= {"lstm.bias_ih": (4 * cells,), "lstm.bias_hh": (4 * cells,)}
        width = cells
    for n, out in enumerate(dense):
        shapes |= {f"layers.{n}.weight": (out, width), f"layers.{n}.bias": (out,)}
        width = out
    return shapes | {"head.weight": (actions, width), "head.bias": (actions,)}


Tensors = Mapping[str, NDArray[np.float32]]


def load_policy(
    path: Path, *, gammas: Sequence[float] | None = None, skews: Sequence[float] | None = None
) -> ModelPolicy:
    """A model file as a policy. Raises ModelError; also when its action grid is not the one given."""
    spec, tensors = load_model(path)
    for name, own, wanted in (("gammas", spec.gammas, gammas), ("skews", spec.skews, skews)):
        if wanted is not None and tuple(wanted) != own:
            raise ModelError(f"{path}: {name} {list(own)} are not the configured {list(wanted)}")
    return policy_of(_pair(path)[0].stem, spec, tensors)


def policy_of(name: str, spec: ModelSpec, tensors: Tensors) -> ModelPolicy:
    """Both halves of a model as a policy; they have been checked against each other."""
    dense = len(spec.layers) - (spec.kind == "lstm")
    network = Network(tensors, dense=dense, activation=spec.activation, recurrent=spec.kind == "lstm")
    return ModelPolicy(
        name,
        network,
        mean=spec.mean,
        scale=spec.scale,
        clip=spec.clip,
        actions=spec.actions,
        sha256=spec.weights_sha256,
    )


def load_model(path: Path) -> tuple[ModelSpec, dict[str, NDArray[np.float32]]]:
    """Both halves of a model, checked against each other. `path` is NAME, NAME.json or NAME.safetensors.

    Raises ModelError naming the key or tensor that is wrong.
    """
    head, body = _pair(path)
    spec = _spec(_read(head), head)
    weights = _read(body)
    if hashlib.sha256(weights).hexdigest() != spec.weights_sha256:
        raise ModelError(f"{body}: its bytes are not those that weights_sha256 in {head.name} names")
    try:
        tensors = load(weights)
    except (SafetensorError, KeyError) as error:
        raise ModelError(f"{body}: not a safetensors file ({error})") from None
    _check_tensors(spec, tensors, body)
    return spec, tensors


def save_model(path: Path, spec: ModelSpec, tensors: Tensors) -> ModelSpec:
    """Writes both halves, weights first, and returns the spec with the weights' hash. Raises ModelError."""
    head, body = _pair(path)
    held = {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}
    weights = save(held)
    raw = asdict(spec) | {"weights_sha256": hashlib.sha256(weights).hexdigest()}
    done = _spec(orjson.dumps(raw), head)
    _check_tensors(done, held, body)
    try:
        write_whole(body, weights)
        write_whole(head, orjson.dumps(raw, option=orjson.OPT_INDENT_2))
    except OSError as error:
        raise ModelError(f"{head}: cannot be written ({error.strerror or error})") from None
    return done


def _pair(path: Path) -> tuple[Path, Path]:
    stem = path.with_suffix("") if path.suffix in (".json", ".safetensors") else path
    return stem.with_name(stem.name + ".json"), stem.with_name(stem.name + ".safetensors")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror or error}") from None


def _spec(content: bytes, path: Path) -> ModelSpec:
    try:
        raw = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise ModelError(f"{path}: not JSON ({error.msg})") from None
    if not isinstance(raw, dict):
        raise ModelError(f"{path}: not a JSON object")
    names = [field.name for field in fields(ModelSpec)]
    for name in names:
        if name not in raw:
            raise ModelError(f"{path}: {name} is missing")
    for name in raw:
        if name not in names:
            raise ModelError(f"{path}: {name} is not a key of {FORMAT}")
    if raw["format"] != FORMAT:
        raise ModelError(f"{path}: format {raw['format']!r}, expected {FORMAT!r}")
    kinds = {field.name: field.type for field in fields(ModelSpec)}
    spec = ModelSpec(**{name: _typed(raw[name], kind, f"{path}: {name}") for name, kind in kinds.items()})
    _check_spec(spec, path)
    return spec


def _typed(value: Any, kind: Any, where: str) -> Any:
    """A JSON value as one of the types that ModelSpec uses. Raises ModelError."""
    args = get_args(kind)
    if get_origin(kind) is tuple and isinstance(value, list):
        return tuple(_typed(item, args[0], f"{where}[{n}]") for n, item in enumerate(value))
    if get_origin(kind) is dict and isinstance(value, dict):
        return {name: _typed(item, args[1], f"{where}.{name}") for name, item in value.items()}
    if kind is float and type(value) in (int, float):
        return float(value)
    if kind in (int, str) and type(value) is kind:
        return value
    expected = {int: "a whole number", float: "a number", str: "a text", tuple: "a list", dict: "an object"}
    raise ModelError(f"{where} is {value!r}, expected {expected[get_origin(kind) or kind]}")


def _check_spec(spec: ModelSpec, path: Path) -> None:
    count = len(spec.feature_names)
    own_features = spec.feature_names == FEATURE_NAMES[:count] and count >= N_FEATURES
    finite = all(np.isfinite(v) for v in (*spec.mean, *spec.gammas, *spec.skews, spec.reward_unit))
    data_keys = all(set(item) == _DATA_KEYS for item in spec.data)
    one_of = ", ".join
    checks = (
        (spec.kind in KINDS, "kind", f"{spec.kind!r}, expected one of {one_of(KINDS)}"),
        (spec.activation in ACTIVATIONS, "activation", f"{spec.activation!r}, not in {one_of(ACTIVATIONS)}"),
        (spec.features_id == FEATURES_ID, "features_id", f"{spec.features_id!r}, expected {FEATURES_ID!r}"),
        (own_features, "feature_names", f"not ours: {_difference(spec.feature_names)}"),
        (len(spec.mean) == count, "mean", f"has {len(spec.mean)} values for {count} features"),
        (len(spec.scale) == count, "scale", f"has {len(spec.scale)} values for {count} features"),
        (all(0 < v < np.inf for v in spec.scale), "scale", "holds a value that is not positive"),
        (finite, "mean, gammas, skews or reward_unit", "holds a value that is not finite"),
        (0 < spec.clip < np.inf, "clip", f"{spec.clip}, expected a positive number"),
        (spec.reward_unit > 0, "reward_unit", f"{spec.reward_unit}, expected a positive number"),
        (0 < spec.cycle_s < np.inf, "cycle_s", f"{spec.cycle_s}, expected a positive number"),
        (len(spec.layers) > 0 and min(spec.layers, default=0) > 0, "layers", f"{list(spec.layers)}"),
        (bool(spec.gammas) and min(spec.gammas, default=0) > 0, "gammas", f"{list(spec.gammas)}"),
        (bool(spec.skews), "skews", "is empty"),
        (spec.index_order == INDEX_ORDER, "index_order", f"{spec.index_order!r}, expected {INDEX_ORDER!r}"),
        (data_keys, "data", f"items need {one_of(sorted(_DATA_KEYS))}"),
    )
    for good, name, what in checks:
        if not good:
            raise ModelError(f"{path}: {name} {what}")


def _difference(names: tuple[str, ...]) -> str:
    for n, (own, ours) in enumerate(zip(names, FEATURE_NAMES, strict=False)):
        if own != ours:
            return f"feature {n} is {own!r}, expected {ours!r}"
    return f"{len(names)} features, expected {N_FEATURES} to {len(FEATURE_NAMES)}"


def _check_tensors(spec: ModelSpec, tensors: Tensors, path: Path) -> None:
    shapes = spec.shapes()
    for name, shape in shapes.items():
        if name not in tensors:
            raise ModelError(f"{path}: tensor {name} is missing")
        tensor = tensors[name]
        if tensor.dtype != np.float32:
            raise ModelError(f"{path}: tensor {name} is {tensor.dtype}, expected float32")
        if tensor.shape != shape:
            raise ModelError(f"{path}: tensor {name} has shape {tensor.shape}, expected {shape}")
        if not np.isfinite(tensor).all():
            raise ModelError(f"{path}: tensor {name} holds a value that is not finite")
    for name in tensors:
        if name not in shapes:
            raise ModelError(f"{path}: tensor {name} does not belong to this network")
