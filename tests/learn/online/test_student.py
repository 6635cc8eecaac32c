"""One market's learning: what it holds back, when it takes over, what it keeps over a restart."""

from dataclasses import replace

import numpy as np
import pytest

from asmm_daemon.backtest.setup import unseen
from asmm_daemon.core.market import new_market, on_message
from asmm_daemon.core.moment import Moment
from asmm_daemon.core.params import to_record
from asmm_daemon.learn.ddqn import reproducible
from asmm_daemon.learn.online.rules import Options
from asmm_daemon.learn.online.student import Student
from asmm_daemon.learn.tape_env import SKEWS
from tests.backtest.markets import S, setup, synthetic
from tests.learn.online.models import WIDTH, write

OPTIONS = Options(window_s=900.0, min_transitions=64, learning_rate=1e-2, margin=0.0, confidence=0.9, seed=1)
NO_SKEW = SKEWS.index(0.0)
EAGER, CALM = NO_SKEW, 3 * len(SKEWS) + NO_SKEW
"""Indices of γ = 0.01 and γ = 0.9 without skew: where the fee is not covered, fewer fills lose less."""


@pytest.fixture(autouse=True)
def one_thread():
    """As the learning thread computes."""
    with reproducible():
        yield


@pytest.fixture(scope="module")
def market():
    info, tape = synthetic(32)
    made = setup(info, maker="0.0002", fee_in_spread=False)
    return replace(made, spec=unseen(made.spec)), tape


def student(folder, market, *, always=EAGER, **options):
    """Its running model always takes one action."""
    path = write(folder, f"always{always}", always=always)
    given = replace(OPTIONS, **options)
    made = Student(0, "BTCUSDT", path, folder / "learning", lambda: given, lambda _: market[0])
    made.work(lambda: True)
    return made


def show(made, market, windows=1):
    """The market, as the event loop shows it, until so many windows are over."""
    setup_, tape = market
    params, state = to_record(setup_.spec.quote, setup_.spec.instrument), new_market()
    begin = 0
    for end in tape.ends:
        begin, rows = int(end), tape.rows[begin:end]
        on_message(state, params, rows)
        made.reel.add(state, rows)
        if made.reel._done:
            return
    raise AssertionError("the window did not end")


def moments(made, count, *, start_ns=0, pays=None):
    """Quote cycles; the action `pays` earns."""
    rng = np.random.default_rng(1)
    wealth = 0.0
    for n in range(count):
        index = int(rng.integers(0, 20))
        features = rng.normal(0.5, 2.0, WIDTH).astype(np.float32)
        made.add(Moment(start_ns + n * 5 * S, features, index, wealth, pauses=0))
        wealth += 0.25 * (index == pays)


def work(made, most=100_000):
    """Until there is nothing to do."""
    for _ in range(most):
        if not made.work(lambda: True):
            return
    raise AssertionError("it does not come to rest")


def teach(made, best):
    """A shadow that always takes one action, as if it had learned that; returns its student."""
    held = {name: np.zeros_like(tensor) for name, tensor in made._tensors.items()}
    held["head.bias"][best] = 1.0
    made._shadow.start_from(held)
    made._shadow.updates = 1
    made._shadow._allowed = 0
    return made


def test_transitions_wait_for_the_trial_of_their_stretch(tmp_path, market):
    """They are stored at once, and learned from only when the stretch that they lie in is over."""
    made = student(tmp_path, market)
    moments(made, 101, start_ns=int(market[1].local_ns[0]))
    work(made)
    assert made.view().transitions == 0
    assert made._store.seq == 100
    show(made, market)
    work(made)
    assert made.view().transitions > 200
    assert made.view().updates == 4 * made.view().transitions


def test_a_better_shadow_asks_to_take_over(tmp_path, market):
    """It is written and read back; once in force, it is what the next shadow is tried against."""
    made = teach(student(tmp_path, market, always=EAGER), CALM)
    show(made, market)
    made.work(lambda: True)
    assert made.takeover is not None
    assert made.takeover.policy.act(np.zeros(WIDTH), 0).index == CALM
    assert made.takeover.path.exists()
    assert "per hour" in made.takeover.words
    assert made.view().shadow_per_hour > made.view().running_per_hour
    made.put_in_force(made.takeover)
    assert (made.takeover, made.view().swaps) == (None, 1)
    assert made._running.act(np.zeros(WIDTH), 0).index == CALM


def test_a_worse_shadow_does_not_and_starts_over(tmp_path, market):
    """It goes back to the running model's weights."""
    made = teach(student(tmp_path, market, always=CALM), EAGER)
    show(made, market)
    made.work(lambda: True)
    assert made.takeover is None
    assert made.view().trials == 1
    assert made._shadow.policy().act(np.zeros(WIDTH), 0).index == CALM


def test_without_the_trial_a_worse_shadow_would_trade(tmp_path, market):
    """The harm: judged by a rule that any result passes, the losing shadow takes over."""
    made = teach(student(tmp_path, market, always=CALM, margin=-1e9), EAGER)
    show(made, market)
    made.work(lambda: True)
    assert made.takeover is not None
    assert made.view().shadow_per_hour < made.view().running_per_hour


def test_a_shadow_that_has_learned_nothing_is_not_tried(tmp_path, market):
    """It is the running model."""
    made = student(tmp_path, market, min_transitions=100_000)
    show(made, market)
    work(made)
    assert (made.view().trials, made.view().verdict) == (0, "no trial yet")


def test_a_restart_keeps_the_transitions(tmp_path, market):
    """What was stored may be learned from at once: its stretch is over."""
    first = student(tmp_path, market)
    moments(first, 201, pays=7)
    first.work(lambda: True)
    first.end()
    second = student(tmp_path, market)
    assert second.view().transitions == 200
    work(second)
    assert second.view().updates == 800


def test_shutdown_ends_a_trial(tmp_path, market):
    """Nothing is concluded from half of one."""
    made = teach(student(tmp_path, market), CALM)
    show(made, market)
    made.work(lambda: False)
    assert made.takeover is None
    assert made.view().trials == 0
