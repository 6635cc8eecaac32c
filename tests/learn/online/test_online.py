"""The thread beside a running engine: it observes, stays in its budget, and fails alone."""

import threading
import time

import numpy as np
import pytest

from asmm_daemon.app import _fail_open
from asmm_daemon.core.policy import Action
from asmm_daemon.errors import StateError
from asmm_daemon.events import CycleTick, MarketData
from asmm_daemon.learn.ddqn import reproducible
from asmm_daemon.learn.model_file import load_policy
from asmm_daemon.learn.online.exploring import Exploring
from asmm_daemon.learn.online.online import Online
from asmm_daemon.learn.online.student import Takeover
from tests.learn.online.models import WIDTH, write


@pytest.fixture(autouse=True, scope="module")
def warm():
    """What torch imports at the first use takes seconds, as in the daemon before it trades."""
    with reproducible():
        yield


class Pupil:
    """A student that does what a test says."""

    def __init__(self, m=0, work=lambda _: False):
        self.m, self.takeover, self.moments, self.ended = m, None, [], threading.Event()
        self._work, self.reel = work, self
        self.rows = []

    def add(self, *told):
        """A moment, or a message of the reel."""
        (self.moments if len(told) == 1 else self.rows).append(told[-1])

    def work(self, pause):
        """Scripted."""
        return self._work(pause)

    def view(self):
        """Nothing to see."""
        return "lesson"

    def end(self):
        """Remembers."""
        self.ended.set()


class Engine:
    """What is asked of one."""

    def __init__(self, moment="moment"):
        self._moment = moment

    def market(self, m):
        """The state."""
        return f"state {m}"

    def moment(self, m):
        """The last cycle."""
        return self._moment


def online(*pupils, share=0.5):
    """Not started."""
    return Online(pupils, cpu_share=share, cycle_s=5.0, guard=_fail_open)


CYCLE = CycleTick(1, 1, 0)


def test_events_reach_their_market():
    """Messages its reel, every cycle its chain; a market without a model is not recorded."""
    pupil = Pupil(m=1)
    made = online(pupil)
    made.observe(Engine(), MarketData(1, 1, np.zeros(2)))
    made.observe(Engine(), MarketData(1, 0, np.zeros(2)))
    made.observe(Engine(None), CYCLE)
    assert len(pupil.rows) == 1
    assert pupil.moments == [None]


def test_nothing_takes_over_while_nothing_is_quoted():
    """A cycle without an action is a pause, a halt or a book that is not known."""
    pupil = Pupil()
    made = online(pupil)
    pupil.takeover = Takeover(0, "BTCUSDT", None, None, {}, "")
    assert made.takeover(Engine(None)) is None
    assert made.takeover(Engine()) is pupil.takeover


@pytest.mark.parametrize("error", [StateError("the disk is full"), ValueError("a bug"), MemoryError()])
def test_a_failure_ends_the_learning_alone(error, capfd):
    """It is said once, the thread ends, and what happens afterwards is ignored."""

    def work(_):
        raise error

    pupil = Pupil(work=work)
    made = online(pupil)
    made.start()
    assert pupil.ended.wait(10)
    made.join(5.0)
    assert type(error).__name__ in made.view().failure
    made.observe(Engine(), CYCLE)
    made.failed(ValueError("again"))
    assert pupil.moments == []
    assert made.takeover(Engine()) is None
    assert "again" not in made.view().failure


def test_a_failure_on_the_event_loop_ends_the_learning_alone():
    """What observes the engine may fail: the engine's own step has returned, and nothing is thrown."""

    class Broken(Engine):
        """Of which a moment cannot be read."""

        def moment(self, m):
            raise KeyError(m)

    made = online(Pupil())
    observe = _fail_open(made.observe, made.failed)
    observe(Broken(), CYCLE)
    observe(Broken(), CYCLE)
    assert made.view().failure == "KeyError: 0"


def test_without_the_guard_a_failure_would_reach_the_engine():
    """The harm: the same error through the daemon's own guard stops trading."""
    made = online(Pupil())
    with pytest.raises(AttributeError):
        made.observe(None, CYCLE)


def test_the_thread_ends_when_asked():
    """Within a piece of work, whether busy or idle."""
    for work in (lambda _: True, lambda _: False):
        pupil = Pupil(work=work)
        made = online(pupil)
        made.start()
        begun = time.monotonic()
        made.ask_to_stop()
        made.join(5.0)
        assert pupil.ended.is_set()
        assert time.monotonic() - begun < 2.0


def test_the_thread_keeps_its_share():
    """Busy all the time, as the system counts."""

    def work(_):
        until = time.thread_time() + 0.002
        while time.thread_time() < until:
            pass
        return True

    made = online(Pupil(work=work), share=0.2)
    made.start()
    time.sleep(1.5)
    used = made.view().cpu_share
    made.join(5.0)
    assert 0 < used < 0.22


def test_exploring_draws_by_time_and_seed(tmp_path):
    """A share of the cycles, the same in every replay; the rest is the model's."""
    model = load_policy(write(tmp_path, always=7))
    one, other = (Exploring(model, 0.2, 5) for _ in range(2))
    state = np.zeros(WIDTH)
    taken = [one.act(state, t).index for t in range(0, 5000, 5)]
    assert taken == [other.act(state, t).index for t in range(0, 5000, 5)]
    assert 0.14 < np.mean(np.array(taken) != 7) < 0.24
    assert set(taken) == set(range(20))
    assert one.sha256 == model.sha256


def test_a_model_that_fails_is_not_covered_up(tmp_path):
    """Its nan reaches the caller, which falls back and counts it."""
    model = load_policy(write(tmp_path))
    always = Exploring(model, 0.999, 5)
    state = np.full(WIDTH, np.nan)
    assert all(always.act(state, t).index == -1 for t in range(20))
    assert isinstance(always.act(state, 1), Action)
