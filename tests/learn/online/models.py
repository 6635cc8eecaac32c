"""Small models, and markets that tests of online learning share."""

from dataclasses import replace

import numpy as np

from asmm_daemon.core.features import FEATURE_NAMES
from asmm_daemon.learn.model_file import ModelSpec, load_model, save_model
from asmm_daemon.learn.tape_env import GAMMAS, SKEWS

WIDTH = len(FEATURE_NAMES)


def spec(**changed):
    """The JSON half of a small model of the usual grid."""
    plain = ModelSpec.plain((16,), GAMMAS, SKEWS)
    values = {"mean": (0.5,) * WIDTH, "scale": (2.0,) * WIDTH, "reward_unit": 0.25, "seed": 3, "steps": 10}
    return replace(plain, **(values | changed))


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
