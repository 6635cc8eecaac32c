"""Checkpoints: damage is named, and a write that is killed leaves the one before."""

import numpy as np
import orjson
import pytest

from asmm_daemon.errors import ModelError
from asmm_daemon.learn.checkpoint import load_checkpoint, save_checkpoint
from asmm_daemon.learn.rng import restore_rng, rng_state

ARRAYS = {"weights": np.arange(5, dtype=np.float32), "rng": np.arange(40, dtype=np.uint8)}


@pytest.fixture
def folder(tmp_path):
    save_checkpoint(tmp_path, 10, {"step": 10}, ARRAYS)
    return tmp_path


def test_what_was_saved_comes_back(folder):
    """Meta and arrays, types included; an earlier file is gone after the next."""
    save_checkpoint(folder, 20, {"step": 20}, ARRAYS)
    meta, arrays = load_checkpoint(folder)
    assert meta == {"step": 20}
    assert {name: array.dtype for name, array in arrays.items()} == {n: a.dtype for n, a in ARRAYS.items()}
    assert sorted(path.name for path in folder.iterdir()) == ["checkpoint-20.safetensors", "checkpoint.json"]


def test_a_folder_without_one_is_empty(tmp_path):
    """A training starts anew there."""
    assert load_checkpoint(tmp_path) is None


def test_a_kill_between_the_two_files_leaves_the_one_before(folder):
    """New arrays without their head, whole or half written, change nothing."""
    (folder / "checkpoint-20.safetensors").write_bytes(b"whole")
    (folder / "checkpoint.json.partial").write_bytes(b"{")
    assert load_checkpoint(folder)[0] == {"step": 10}


def flip(path):
    raw = bytearray(path.read_bytes())
    raw[-1] ^= 1
    path.write_bytes(raw)


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (lambda f: flip(f / "checkpoint-10.safetensors"), r"checkpoint-10\.safetensors: damaged"),
        (lambda f: (f / "checkpoint-10.safetensors").unlink(), "No such file"),
        (lambda f: (f / "checkpoint.json").write_text("{"), "not JSON"),
        (lambda f: (f / "checkpoint.json").write_text("{}"), "keys should be"),
        (
            lambda f: (f / "checkpoint.json").write_bytes(
                orjson.dumps(orjson.loads((f / "checkpoint.json").read_bytes()) | {"format": "x"})
            ),
            "format 'x'",
        ),
    ],
)
def test_damage_is_named(folder, harm, named):
    """A flipped bit, a missing file, a cut or foreign head: one message with the file's name."""
    harm(folder)
    with pytest.raises(ModelError, match=named):
        load_checkpoint(folder)


def test_a_generator_goes_on_where_it_was():
    """Between two halves of a 64-bit word, too."""
    rng = np.random.default_rng(3)
    rng.integers(0, 7, 5)
    kept = rng_state(rng)
    wanted = rng.integers(0, 7, 9).tolist(), rng.normal(size=3).tolist()
    other = np.random.default_rng(4)
    restore_rng(other, kept)
    assert (other.integers(0, 7, 9).tolist(), other.normal(size=3).tolist()) == wanted
