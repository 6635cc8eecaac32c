"""Small models, and markets that tests of online learning share."""

import numpy as np

from asmm_daemon.core.features import FEATURE_NAMES, FEATURES_ID
from asmm_daemon.learn.model_file import FORMAT, INDEX_ORDER, ModelSpec, load_model, save_model
from asmm_daemon.learn.tape_env import GAMMAS, SKEWS

WIDTH = len(FEATURE_NAMES)


def spec(**changed):
    """The JSON half of a small model of the usual grid."""
    values = {
        "format": FORMAT,
        "kind": "mlp",
        "layers": (16,),
        "activation": "relu",
        "features_id": FEATURES_ID,
        "feature_names": FEATURE_NAMES,
        "mean": (0.5,) * WIDTH,
        "scale": (2.0,) * WIDTH,
        "clip": 10.0,
        "reward_unit": 0.25,
        "gammas": GAMMAS,
        "skews": SKEWS,
        "index_order": INDEX_ORDER,
        "cycle_s": 5.0,
        "reward": "dampened",
        "seed": 3,
        "steps": 10,
        "data": (),
        "versions": {},
        "weights_sha256": "",
    }
    return ModelSpec(**(values | changed))


def tensors(made, *, always=None, seed=0):
    """Random weights; with `always`, weights whose best action is that index whatever the state."""
    rng = np.random.default_rng(seed)
    held = {name: rng.normal(0, 0.2, shape).astype(np.float32) for name, shape in made.shapes().items()}
    if always is not None:
        held["head.weight"][:] = 0.0
        held["head.bias"][:] = 0.0
        held["head.bias"][always] = 1.0
    return held


def write(folder, name="model", *, always=None, **changed):
    """A model's files; the path of its JSON."""
    made = spec(**changed)
    save_model(folder / name, made, tensors(made, always=always))
    return folder / f"{name}.json"


def read(path):
    """Both halves."""
    return load_model(path)
