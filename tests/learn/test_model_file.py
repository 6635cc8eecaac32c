"""Model files: what loads, what is refused by name, and what the network answers."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import orjson
import pytest
from safetensors.numpy import save_file

from asmm_daemon.core.features import FEATURE_NAMES, FEATURES_ID
from asmm_daemon.errors import ModelError
from asmm_daemon.learn.model_file import ModelSpec, load_model, load_policy, save_model

COUNT = len(FEATURE_NAMES)


def make_spec(kind="mlp", layers=(8, 6), **changes):
    spec = ModelSpec(
        format="asmm-model/1", kind=kind, layers=layers, activation="relu", features_id=FEATURES_ID,
        feature_names=FEATURE_NAMES, mean=(0.5,) * COUNT, scale=(2.0,) * COUNT, clip=5.0, reward_unit=0.25,
        gammas=(0.01, 0.1, 0.2, 0.9), skews=(-1.0, -0.5, 0.0, 0.5, 1.0), index_order="gamma-major",
        cycle_s=5.0, reward="asymmetric", seed=1, steps=100,
        data=({"file": "a.parquet", "sha256": "00", "from": "2026-01-06", "to": "2026-01-07"},),
        versions={"numpy": "2"}, weights_sha256="",
    )  # fmt: skip
    return replace(spec, **changes)


def make_tensors(spec, seed=7):
    rng = np.random.default_rng(seed)
    return {name: rng.normal(0, 0.3, shape).astype(np.float32) for name, shape in spec.shapes().items()}


@pytest.fixture
def saved(tmp_path: Path):
    spec = make_spec()
    save_model(tmp_path / "agent", spec, make_tensors(spec))
    return tmp_path / "agent.json"


def edit(path: Path, **changes):
    raw = orjson.loads(path.read_bytes()) | changes
    path.write_bytes(orjson.dumps({name: value for name, value in raw.items() if value is not ...}))


def test_a_saved_model_loads_as_it_was(saved):
    """Both halves come back exactly, under any of the three names of the pair."""
    spec, tensors = load_model(saved)
    again, _ = load_model(saved.with_suffix(".safetensors"))
    assert spec == again == load_model(saved.with_suffix(""))[0]
    for name, tensor in make_tensors(spec).items():
        assert np.array_equal(tensor, tensors[name])


def test_actions_are_gamma_major(saved):
    """Index = position of γ times the number of skews plus the position of the skew."""
    spec, _ = load_model(saved)
    assert spec.actions[7] == (0.1, 0.0, 7)
    assert len(spec.actions) == 20


def test_a_dense_network_equals_its_formula(saved):
    """Two hidden layers of rectifiers and a linear head, computed here by hand in float32."""
    spec, tensors = load_model(saved)
    policy = load_policy(saved)
    x = np.linspace(-3, 30, COUNT)
    h = np.clip((x - 0.5) / 2.0, -5, 5).astype(np.float32)
    for n in range(2):
        h = np.maximum(tensors[f"layers.{n}.weight"] @ h + tensors[f"layers.{n}.bias"], 0)
    expected = tensors["head.weight"] @ h + tensors["head.bias"]
    assert np.allclose(policy.values(x[None])[0], expected, atol=1e-6)
    assert policy.act(x, 0) == spec.actions[int(expected.argmax())]


def test_a_recurrent_network_equals_its_formula(tmp_path):
    """The LSTM's equations (input, forget, cell, output gates), three steps, then the dense layer."""
    spec = make_spec("lstm", (5, 4), activation="tanh")
    tensors = make_tensors(spec)
    save_model(tmp_path / "agent", spec, tensors)
    policy = load_policy(tmp_path / "agent.json")
    steps = np.random.default_rng(3).normal(0, 2, (3, COUNT))
    hidden, memory = np.zeros(5), np.zeros(5)
    for step in steps:
        x = np.clip((step - 0.5) / 2.0, -5, 5)
        gates = tensors["lstm.weight_ih"] @ x + tensors["lstm.bias_ih"]
        gates = gates + tensors["lstm.weight_hh"] @ hidden + tensors["lstm.bias_hh"]
        i, f, g, o = gates[:5], gates[5:10], gates[10:15], gates[15:]
        memory = memory / (1 + np.exp(-f)) + np.tanh(g) / (1 + np.exp(-i))
        hidden = np.tanh(memory) / (1 + np.exp(-o))
    dense = np.tanh(tensors["layers.0.weight"] @ hidden + tensors["layers.0.bias"])
    expected = tensors["head.weight"] @ dense + tensors["head.bias"]
    assert np.allclose(policy.values(steps)[-1], expected, atol=1e-6)
    acted = [policy.act(step, 0).index for step in steps]
    assert acted == policy.act_batch(steps).tolist()


def test_reset_forgets(tmp_path):
    """After reset a recurrent policy answers as it did at the start."""
    spec = make_spec("lstm", (5,))
    save_model(tmp_path / "agent", spec, make_tensors(spec))
    policy = load_policy(tmp_path / "agent")
    rng = np.random.default_rng(5)
    steps = rng.normal(0, 3, (40, COUNT))
    first = [policy.act(step, 0) for step in steps]
    policy.reset()
    assert [policy.act(step, 0) for step in steps] == first


@pytest.mark.parametrize("kind", ["mlp", "lstm"])
def test_a_state_that_is_not_finite_gives_no_action(tmp_path, kind):
    """NaN goes in, a NaN action with index -1 comes out, and the next good state is answered again."""
    spec = make_spec(kind)
    save_model(tmp_path / "agent", spec, make_tensors(spec))
    policy = load_policy(tmp_path / "agent")
    bad = np.full(COUNT, np.nan)
    action = policy.act(bad, 0)
    assert np.isnan(action.gamma)
    assert action.index == -1
    assert policy.act(np.zeros(COUNT), 0).index >= 0
    assert policy.act_batch(np.stack([bad, np.zeros(COUNT)]))[0] == -1


def test_a_model_may_read_only_the_22_features(tmp_path):
    """Private extras are left out where the model does not know them."""
    spec = make_spec(feature_names=FEATURE_NAMES[:22], mean=(0.0,) * 22, scale=(1.0,) * 22)
    save_model(tmp_path / "agent", spec, make_tensors(spec))
    policy = load_policy(tmp_path / "agent")
    x = np.arange(COUNT, dtype=float)
    assert policy.act(x, 0) == policy.act(x[:22], 0)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"format": "asmm-model/2"}, "format"),
        ({"kind": "transformer"}, "kind"),
        ({"features_id": "guide22/9"}, "features_id"),
        ({"feature_names": ["price", *FEATURE_NAMES[1:]]}, "feature 0 is 'price'"),
        ({"feature_names": list(FEATURE_NAMES[:21])}, "feature_names"),
        ({"mean": [0.0]}, "mean"),
        ({"scale": [0.0] * COUNT}, "scale"),
        ({"scale": "wide"}, "scale"),
        ({"clip": -1}, "clip"),
        ({"gammas": []}, "gammas"),
        ({"skews": []}, "skews"),
        ({"index_order": "skew-major"}, "index_order"),
        ({"activation": "gelu"}, "activation"),
        ({"layers": [8, 7]}, "layers.1.weight"),
        ({"layers": [8, 6.5]}, r"layers\[1\]"),
        ({"steps": ...}, "steps is missing"),
        ({"optimizer": "adam"}, "optimizer"),
        ({"data": [{"file": "a"}]}, "data"),
        ({"reward_unit": None}, "reward_unit"),
        ({"seed": True}, "seed"),
    ],
)
def test_a_foreign_or_damaged_spec_is_refused_by_name(saved, changes, named):
    """Every key is checked, and the error says which one is wrong."""
    edit(saved, **changes)
    with pytest.raises(ModelError, match=named):
        load_model(saved)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda t: t.pop("head.bias"), "head.bias is missing"),
        (lambda t: t.update(extra=np.zeros(1, np.float32)), "tensor extra"),
        (lambda t: t.update({"head.bias": np.zeros(3, np.float32)}), "head.bias has shape"),
        (lambda t: t.update({"head.bias": np.zeros(20, np.float64)}), "head.bias is float64"),
        (lambda t: t.update({"head.bias": np.full(20, np.nan, np.float32)}), "head.bias holds"),
    ],
)
def test_wrong_tensors_are_refused_by_name(saved, change, named):
    """Missing, extra, misshapen, mistyped and non-finite tensors, each named."""
    tensors = make_tensors(make_spec())
    change(tensors)
    body = saved.with_suffix(".safetensors")
    save_file(tensors, body)
    edit(saved, weights_sha256=hashlib.sha256(body.read_bytes()).hexdigest())
    with pytest.raises(ModelError, match=named):
        load_model(saved)


def test_weights_of_another_model_are_refused(saved):
    """The hash in the JSON half ties it to its weights."""
    body = saved.with_suffix(".safetensors")
    body.write_bytes(body.read_bytes()[:-1] + b"\x00")
    with pytest.raises(ModelError, match="weights_sha256"):
        load_model(saved)


def test_missing_or_unreadable_files_are_named(tmp_path):
    """One message with the file's name for each half."""
    with pytest.raises(ModelError, match=r"agent\.json"):
        load_model(tmp_path / "agent")
    (tmp_path / "agent.json").write_text("{")
    with pytest.raises(ModelError, match="not JSON"):
        load_model(tmp_path / "agent.json")


def test_another_action_grid_is_refused(saved):
    """A configured grid must be the model's own."""
    with pytest.raises(ModelError, match="gammas"):
        load_policy(saved, gammas=(0.1, 0.2))
    assert load_policy(saved, gammas=(0.01, 0.1, 0.2, 0.9)).sha256 == load_model(saved)[0].weights_sha256
