"""The loop: curves, evaluation, model files, and a training that is killed and goes on."""

import csv
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from model_run import HYPER, MARKET, VARIANTS, env, run

from asmm_daemon.core.features import FEATURE_NAMES
from asmm_daemon.errors import ModelError
from asmm_daemon.learn.checkpoint import load_checkpoint
from asmm_daemon.learn.collect import forget
from asmm_daemon.learn.ddqn import Learner, reproducible
from asmm_daemon.learn.export import About, Learned, export_model
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.model_file import load_policy
from asmm_daemon.learn.normalise import Running
from asmm_daemon.learn.train import train

SCRIPT = Path(__file__).with_name("model_run.py")


def same(first, second):
    return all(np.array_equal(first.tensors[name], second.tensors[name]) for name in second.tensors)


def test_a_training_reports_and_keeps_the_best(tmp_path):
    """Curves in CSV and events, the highest evaluation's network as `best`."""
    seen = []
    result = train(env(), env(), HYPER, tmp_path, progress=seen.append)
    with (tmp_path / "curves.csv").open() as file:
        rows = list(csv.DictReader(file))
    evaluations = [p.evaluation for p in seen if p.evaluation == p.evaluation]
    assert result.finished
    assert result.evaluation == max(evaluations)
    assert len(rows) == len(seen)
    assert int(rows[-1]["step"]) == result.step == HYPER.steps
    assert float(rows[-1]["loss"]) > 0
    assert list((tmp_path / "events").glob("events.out.tfevents.*"))


def test_a_judge_may_choose_the_best(tmp_path):
    """The network that the judge liked best is kept, whatever it earns in the environments."""
    liked = []

    def judge(learned):
        liked.append(-abs(learned.step - 3200))
        return float(liked[-1])

    result = train(env(), judge, HYPER, tmp_path)
    assert len(liked) == HYPER.steps // HYPER.evaluate_every
    assert result.best.step == 3200
    assert result.evaluation == max(liked)


@pytest.mark.parametrize("variant", VARIANTS)
def test_kill_and_resume_equals_a_run_that_was_left_alone(tmp_path, variant):
    """SIGKILL in the middle, on with the same command: the same weights to the last bit."""
    whole = run(tmp_path / "whole", variant)
    command = [sys.executable, str(SCRIPT), str(tmp_path / "killed"), variant]
    first = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)})
    head = tmp_path / "killed" / "checkpoint.json"
    deadline = time.monotonic() + 60
    while not head.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    meta, _ = load_checkpoint(tmp_path / "killed")
    assert 0 < meta["step"] < HYPER.steps
    resumed = run(tmp_path / "killed", variant)
    assert same(resumed.last, whole.last)
    assert same(resumed.best, whole.best)
    assert (resumed.step, resumed.updates) == (whole.step, whole.updates)
    with (tmp_path / "killed" / "curves.csv").open() as file:
        steps = [int(row["step"]) for row in csv.DictReader(file)]
    assert steps == sorted(set(steps))


def test_a_stopped_training_says_so_and_goes_on(tmp_path):
    """Asked to stop it saves; a second call finishes as one call would have."""
    whole = train(env(), env(), HYPER, tmp_path / "whole")
    asked = iter([False] * 20 + [True])
    assert not train(env(), env(), HYPER, tmp_path / "half", stop=lambda: next(asked)).finished
    assert same(train(env(), env(), HYPER, tmp_path / "half").last, whole.last)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    """By the name of the first that differs; `resume=False` starts anew."""
    train(env(), env(), HYPER, tmp_path)
    with pytest.raises(ModelError, match=r"discount 0\.99, not 0\.9"):
        train(env(), env(), replace(HYPER, discount=0.9), tmp_path)
    assert train(env(), env(), replace(HYPER, discount=0.9), tmp_path, resume=False).finished


def test_a_learned_network_becomes_a_model_file(tmp_path):
    """The daemon loads it and answers as the learner did."""
    learner = Learner(Hyper(layers=(16, 16), dueling=True), len(FEATURE_NAMES), 4)
    rows = np.random.default_rng(1).normal(3, 2, (50, len(FEATURE_NAMES))).astype(np.float32)
    learner.features.add(rows)
    about = About(FEATURE_NAMES, (0.1, 0.9), (-1.0, 1.0), "asymmetric", 0.5, 5.0)
    export_model(tmp_path / "best", Learned.of(learner, 7), about)
    policy = load_policy(tmp_path / "best", gammas=(0.1, 0.9), skews=(-1.0, 1.0))
    with reproducible():
        learner.prepare(0)
        values = learner.values(rows, learner.start(50))[0]
    assert np.allclose(policy.values(rows.astype(float)), values, atol=1e-5)


def test_the_state_of_an_ended_episode_is_forgotten():
    """Only that environment's."""
    cell = (np.ones((2, 3), np.float32), np.full((2, 3), 2, np.float32))
    hidden, memory = forget(cell, np.array([True, False]))
    assert hidden[:, 0].tolist() == [0, 1]
    assert memory[:, 0].tolist() == [0, 2]


def test_running_mean_and_scale_equal_numpys():
    """In pieces as at once; what never moves is only centred."""
    rows = np.random.default_rng(2).normal(5, 3, (100, 2)).astype(np.float32)
    rows[:, 1] = 4
    running = Running(2)
    for part in np.split(rows, [1, 30]):
        running.add(part)
    assert running.mean == pytest.approx(rows.mean(axis=0), rel=1e-6)
    assert running.scale == pytest.approx([rows[:, 0].std(), 1.0], rel=1e-6)
    assert MARKET.limit == 10
