"""What a learner is told of a quote cycle, and of which cycles it is told nothing."""

from math import nan

import numpy as np
import pytest

from asmm_daemon.core.policy import Action
from asmm_daemon.events import GAP, ROW, CycleTick, FillEvent, MarketData, Operator
from tests.core.bench import Bench, D, Odd


def cycle(bench, seconds=0.1):
    """A quote cycle, and what it tells; a flawless state stands in for a day of market."""
    bench.feed(CycleTick(bench.later(seconds), 1, 0))
    return bench.engine.moment(0)


@pytest.fixture
def bench(monkeypatch):
    """Quoting by a policy of a grid; features are known."""

    def known(_market, _params, _inventory, _t_ns, out):
        out[:] = np.arange(out.size)

    monkeypatch.setattr("asmm_daemon.core.quoter.features", known)
    made = Bench(policy=Odd(Action(0.2, 0.5, 12)))
    made.accept(made.ready())
    return made


def test_a_chosen_action_makes_a_moment(bench):
    """Time, features, index; flat and without fees there is no wealth."""
    moment = cycle(bench)
    assert (moment.t_ns, moment.index, moment.wealth) == (bench.t, 12, 0.0)
    assert moment.features.tolist() == list(range(moment.features.size))


def test_wealth_counts_losses_before_they_are_realised_and_gains_after(bench):
    """The dampened reward's: an unrealised gain is nothing yet; fees are paid at once."""
    price, qty = D("60000.0"), D("0.05")
    bench.feed(
        FillEvent(
            bench.later(), 0, "", "x", "t1", 1, price, qty, D("0.6"), "USDT", maker=True,
            venue_ns=bench.t, source="stream",
        )
    )  # fmt: skip
    bench.book(600_400, 600_410)
    assert cycle(bench).wealth == pytest.approx(-0.6)
    bench.book(599_600, 599_610)
    assert cycle(bench).wealth == pytest.approx(-0.6 + 0.05 * (59960.5 - 60000))


def test_a_fallback_tells_nothing(bench):
    """The action in force was plain quoting, not the model's."""
    bench.spec.policy.action = Action(nan, nan, -1)
    assert cycle(bench) is None
    bench.spec.policy.action = Action(0.2, 0.5, 12)
    assert cycle(bench) is not None


def test_a_pause_tells_nothing_and_is_counted(bench):
    """Two moments with a pause between them can be told apart."""
    before = cycle(bench)
    bench.feed(Operator(bench.later(), "pause", "test"))
    assert cycle(bench) is None
    bench.feed(Operator(bench.later(), "unpause", "test"))
    bench.watch()
    assert cycle(bench).pauses == before.pauses + 1


def test_a_gap_tells_nothing(bench):
    """A book that is not known has no price to act on."""
    rows = np.zeros(1, ROW)
    rows["exch_ns"] = rows["local_ns"] = bench.later()
    rows["kind"], rows["last"] = GAP, True
    bench.feed(MarketData(bench.t, 0, rows))
    assert cycle(bench) is None


def test_between_two_cycles_there_is_no_moment(bench):
    """It belongs to the event that was taken in last."""
    assert cycle(bench) is not None
    bench.watch()
    assert bench.engine.moment(0) is None
