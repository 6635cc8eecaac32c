"""Training over a recording: the best network is the one whose backtest scores best."""

from dataclasses import replace

import pytest

from asmm_daemon.backtest.statistics import measure
from asmm_daemon.learn.hyper import Hyper
from asmm_daemon.learn.lessons import Goal, Span, checkpoints_of, prepare
from asmm_daemon.learn.model_file import load_policy
from asmm_daemon.learn.on_tape import MARGIN, train_on_tape
from asmm_daemon.learn.tuning import FLOOR, score_of
from tests.backtest.markets import START_NS, S, setup, synthetic

HYPER = Hyper(layers=(16,), steps=512, learn_after=64, batch=16, steps_per_update=4, evaluate_every=128)


@pytest.fixture(scope="module")
def lessons():
    """Forty minutes to learn from, fifteen to choose on."""
    info, tape = synthetic(60)
    train = Span(START_NS + 300 * S, START_NS + 2400 * S)
    validation = Span(START_NS + 2500 * S, START_NS + 3400 * S)
    checkpoints = checkpoints_of(setup(info), tape.rows)
    return prepare(setup(info), info, tape, checkpoints, train, validation)


def test_the_best_network_is_the_one_whose_backtest_scores_best(lessons, tmp_path):
    """What the curves say of the best is what its model file earns over the validation stretch."""
    goal, told = Goal("penalised", 0.01), []
    found = train_on_tape(lessons, goal, HYPER, tmp_path, n_envs=4, progress=told.append)
    spec = replace(lessons.setup.spec, policy=load_policy(tmp_path / "best.json"))
    result = lessons.backtest(replace(lessons.setup, spec=spec), lessons.validation)
    assert found.evaluation == score_of(measure(result), "pnl", FLOOR + MARGIN)
    assert found.evaluation == max(p.evaluation for p in told if p.evaluation == p.evaluation)
    assert len({p.evaluation for p in told}) > 1


def test_an_episode_never_outgrows_its_stretch(lessons, tmp_path):
    """A day's episode over forty minutes of tape is cut to half of them."""
    found = train_on_tape(lessons, Goal(), HYPER, tmp_path, n_envs=2, episode_s=86400.0)
    assert found.finished
