"""Transitions on disk: nothing is lost by a kill, nothing damaged is read, nothing grows."""

import errno
import subprocess
import sys

import numpy as np
import pytest

from asmm_daemon.errors import StateError
from asmm_daemon.learn.online.chain import Transition
from asmm_daemon.learn.online.store import HEAD_BYTES, Store, record

KEY = {"gammas": (0.1,), "reward_unit": 0.5}


def transition(n):
    """A recognisable one."""
    return Transition(n, np.full(3, n, np.float32), n % 5, n / 8, np.full(3, n + 1, np.float32))


def store(path, *, features=3, key=KEY, capacity=16):
    """A small one."""
    return Store(path / "a.transitions", features, key, capacity=capacity)


def times(made):
    """What was loaded, by time."""
    return made.take_loaded()["t_ns"].tolist()


def test_a_restart_reads_what_was_written(tmp_path):
    """Every field, in order; handed out once."""
    first = store(tmp_path)
    assert times(first) == []
    first.append([transition(n) for n in range(1, 6)])
    first.close()
    second = store(tmp_path)
    loaded = second.take_loaded()
    assert loaded["t_ns"].tolist() == [1, 2, 3, 4, 5]
    assert loaded["action"].tolist() == [1, 2, 3, 4, 0]
    assert loaded["reward"].tolist() == [n / 8 for n in range(1, 6)]
    assert loaded["obs"][2].tolist() == [3.0] * 3
    assert loaded["after"][2].tolist() == [4.0] * 3
    assert times(second) == []


def test_the_newest_overwrite_the_oldest(tmp_path):
    """The file stays as large as its slots, over restarts too."""
    for start in (1, 21):
        made = store(tmp_path)
        made.append([transition(n) for n in range(start, start + 20)])
        made.close()
    assert times(store(tmp_path)) == list(range(25, 41))
    assert made.path.stat().st_size == HEAD_BYTES + 16 * record(3).itemsize


def test_a_kill_loses_nothing_that_was_appended(tmp_path):
    """SIGKILL right after an append, from within the process."""
    code = (
        "import os, signal, sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]);"
        "from test_store import store, transition; made = store(Path(sys.argv[1]));"
        "made.append([transition(n) for n in range(1, 4)]); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), __file__.rpartition("/")[0]], check=False
    )
    assert done.returncode == -9
    assert times(store(tmp_path)) == [1, 2, 3]


def test_a_torn_slot_and_a_cut_tail_are_left_out(tmp_path):
    """What a crash half wrote fails its checksum; the next append goes on behind what is whole."""
    made = store(tmp_path)
    made.append([transition(n) for n in range(1, 6)])
    made.close()
    raw = bytearray(made.path.read_bytes())
    size = record(3).itemsize
    raw[HEAD_BYTES + 2 * size + 20] ^= 1
    made.path.write_bytes(raw[: len(raw) - 7])
    again = store(tmp_path)
    assert times(again) == [1, 3, 4]
    again.append([transition(9)])
    again.close()
    assert times(store(tmp_path)) == [1, 3, 4, 9]


def test_without_the_checksum_a_torn_slot_would_be_learned_from(tmp_path):
    """The harm that the checksum keeps away: the same damage leaves a plausible record."""
    made = store(tmp_path)
    made.append([transition(n) for n in range(1, 6)])
    made.close()
    raw = bytearray(made.path.read_bytes())
    raw[HEAD_BYTES + 2 * record(3).itemsize + 20] ^= 1
    slots = np.frombuffer(bytes(raw[HEAD_BYTES:]), record(3))
    assert np.isfinite(slots["reward"]).all()
    assert (slots["seq"] == np.arange(len(slots))).all()


@pytest.mark.parametrize("changed", [{"key": {**KEY, "reward_unit": 0.6}}, {"features": 4}])
def test_transitions_of_another_model_are_set_aside(tmp_path, changed):
    """Another unit or feature list: the old file is kept under another name, and said."""
    made = store(tmp_path)
    made.append([transition(1)])
    made.close()
    other = store(tmp_path, **changed)
    assert times(other) == []
    assert "a.transitions.old" in other.note
    assert (tmp_path / "a.transitions.old").exists()


def full(*_):
    """A disk without room."""
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize(
    ("write", "said"),
    [(full, "a.transitions cannot be used: No space left"), (lambda *_: 5, "took 5 of 52 bytes")],
)
def test_a_full_disk_is_an_error_that_names_the_file(tmp_path, monkeypatch, write, said):
    """Whether the disk refuses or takes a part."""
    made = store(tmp_path)
    monkeypatch.setattr("os.pwrite", write)
    with pytest.raises(StateError, match=said):
        made.append([transition(1)])
