"""The shadow's trial: only one that is better beyond chance takes over."""

import numpy as np
import pytest

from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.core.market import new_market, on_message
from asmm_daemon.core.params import to_record
from asmm_daemon.core.policy import Action
from asmm_daemon.events import FUNDING, ROW
from asmm_daemon.learn.online.trial import NOTHING, Play, Rule, compare, judge
from tests.backtest.markets import S, setup, synthetic

RULE = Rule(margin=0.0, confidence=0.9, seed=1)


class Always:
    """One γ and one skew, from a grid."""

    name = "always"
    features_id = "guide22/1"

    def __init__(self, gamma, skew=0.0):
        self._action = Action(gamma, skew, 0)

    def reset(self):
        """Has nothing to forget."""

    def act(self, features, t_ns):
        """The one action."""
        return self._action


@pytest.fixture(scope="module")
def market():
    info, tape = synthetic(30)
    return setup(info, maker="0.0002", fee_in_spread=False), tape


def verdict(market, running, shadow, rule=RULE):
    """A trial over half an hour."""
    made, tape = market
    return judge(made, new_market(), tape, running, shadow, rule, lambda: True)


CALM, WILD = Always(5.0), Always(0.01)
"""A fee that no spread covers: WILD fills seven times as often, and pays it each time."""


def test_a_better_shadow_wins(market):
    """Against a model that pays too many fees."""
    found = verdict(market, WILD, CALM)
    assert found.better
    assert not found.worse
    assert found.shadow_per_hour > found.running_per_hour


def test_a_worse_shadow_loses(market):
    """The other way round."""
    found = verdict(market, CALM, WILD)
    assert found.worse
    assert not found.better


def test_an_equal_shadow_is_kept_out(market):
    """The same policy earns the same; that is no reason to change."""
    found = verdict(market, CALM, Always(5.0))
    assert (found.better, found.worse) == (False, False)
    assert found.difference.per_hour == 0.0


def test_the_margin_counts(market):
    """A shadow that is better by less than was asked for is kept out."""
    gain = verdict(market, WILD, CALM).difference.per_hour
    assert not verdict(market, WILD, CALM, Rule(10 * gain, 0.9, 1)).better


def test_a_lucky_shadow_is_kept_out_by_the_interval():
    """One jump makes the whole difference: more money, and nothing shown. Without the interval it wins."""
    steps = np.full(240, 0.0)
    steps[100] = 50.0
    running, shadow = np.zeros(241), np.concatenate([[0.0], steps.cumsum()])
    found = compare(running, shadow, 5.0, RULE)
    assert found.difference.per_hour > 0
    assert not found.better


def test_a_steady_gain_is_shown():
    """As much money, earned evenly."""
    gains = np.random.default_rng(1).normal(0.2, 0.2, 240)
    found = compare(np.zeros(241), np.concatenate([[0.0], gains.cumsum()]), 5.0, RULE)
    assert found.better


@pytest.mark.parametrize("size", [1, 40])
def test_a_short_stretch_tells_nothing(size):
    """Fewer than two cycles a piece."""
    assert compare(np.zeros(size), np.arange(size, dtype=float), 5.0, RULE) is NOTHING


def test_results_that_are_not_finite_tell_nothing():
    """A market that never had a mid has no equity."""
    gains = np.arange(100.0)
    gains[50] = np.nan
    assert compare(np.zeros(100), gains, 5.0, RULE) is NOTHING
    assert "too short" in NOTHING.words("USDT")


def test_a_trial_can_be_given_up(market):
    """Shutdown does not wait for its end."""
    made, tape = market
    left = iter([True] * 5)
    assert judge(made, new_market(), tape, CALM, WILD, RULE, lambda: next(left, False)) is None


def test_both_play_from_the_state_they_are_given(market):
    """A trial changes neither the state nor the tape: it repeats to the byte."""
    made, tape = market
    start = new_market()
    on_message(start, to_record(made.spec.quote, made.spec.instrument), tape.rows[: tape.ends[0]])
    before = start.book.bids.copy()
    one, other = (judge(made, start, tape, CALM, WILD, RULE, lambda: True) for _ in range(2))
    assert one == other
    assert np.array_equal(start.book.bids, before)


def test_an_announced_funding_does_not_stop_the_venue(market):
    """Live funding rows carry the time at which it is due: the simulated venue goes on all the same."""
    made, tape = market
    rows = np.insert(tape.rows, 0, np.zeros(1, ROW))
    rows[0]["exch_ns"], rows[0]["local_ns"] = rows[1]["exch_ns"] + 3600 * S, rows[1]["local_ns"]
    rows[0]["kind"], rows[0]["last"] = FUNDING, True
    fills = []
    for each in (tape, timeline(rows)):
        play = Play(made, new_market(), each, WILD)
        assert len(list(play)) > 300
        fills.append(int(play._course.daemon.desk["fills"][0]))
    assert fills[0] == fills[1] > 100
