"""The recorded market: as the daemon saw it, and without the daemon."""

import numpy as np
import pytest

from asmm_daemon.core.features import N_STATE, features
from asmm_daemon.core.inventory import new_inventory
from asmm_daemon.core.market import copy_market, new_market, on_message, on_rows, set_own
from asmm_daemon.core.params import to_record
from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP, ROW, TRADE
from asmm_daemon.learn.online.reel import Reel
from asmm_daemon.tape.columns import validate
from tests.backtest.markets import S, setup, synthetic

T0 = 1_000 * S


def params():
    """As the daemon's defaults have them."""
    info, _ = synthetic(0.2)
    spec = setup(info).spec
    return to_record(spec.quote, spec.instrument)


def message(t_ns, *rows):
    """One message of (kind, side, price, qty)."""
    made = np.zeros(len(rows), ROW)
    made["exch_ns"] = made["local_ns"] = t_ns
    for name, column in zip(("kind", "side", "price", "qty"), zip(*rows, strict=True), strict=True):
        made[name] = column
    made["last"][-1] = True
    return made


class Live:
    """A market that is recorded as the daemon does."""

    def __init__(self, window_s=60.0, **options):
        self.params, self.state, self.reel = params(), new_market(), Reel(window_s, **options)
        self.t_ns = T0
        self.see((CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0), (DEPTH, 1, 100, 50), (DEPTH, -1, 102, 50))

    def see(self, *rows):
        """A message, a second after the one before."""
        self.t_ns += S
        self.take(message(self.t_ns, *rows))

    def take(self, rows):
        """A message as it is."""
        on_message(self.state, self.params, rows)
        self.reel.add(self.state, rows)

    def own(self, side, price, qty):
        """What rests of ours."""
        set_own(self.state, self.params, side, price, qty)

    def stretch(self):
        """What was recorded, once the window is over."""
        self.t_ns += 60 * S
        self.see((TRADE, 1, 102, 1))
        return self.reel.take()

    def replayed(self):
        """The market at the end of the replay."""
        stretch = self.stretch()
        rows = stretch.tape().rows
        validate(rows, "reel")
        state = copy_market(stretch.start)
        on_rows(state, self.params, rows)
        return state


def book(state):
    """Occupied prices of both sides with their lots."""
    lo = int(state.book.head[0]["lo"])
    sides = (state.book.bids, state.book.asks)
    return [{lo + int(i): int(side[i]) for i in np.flatnonzero(side)} for side in sides]


def test_our_orders_are_not_recorded():
    """A level that shows us is recorded without us; one that is ours alone is not there."""
    live = Live()
    live.see((DEPTH, 1, 99, 20))
    live.own(1, 100, 5)
    live.own(-1, 101, 5)
    live.see((DEPTH, 1, 100, 55), (DEPTH, -1, 101, 5))
    assert book(live.replayed()) == [{99: 20, 100: 50}, {102: 50}]


def test_with_our_orders_left_in_the_market_would_be_another():
    """The harm: a recording as it came shows our own quote as the market's best."""
    live = Live()
    live.own(-1, 101, 5)
    rows = message(live.t_ns + S, (DEPTH, -1, 101, 5))
    on_message(live.state, live.params, rows)
    as_it_came = new_market()
    first = message(T0, (CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0), (DEPTH, 1, 100, 50), (DEPTH, -1, 102, 50))
    for each in (first, rows):
        on_message(as_it_came, live.params, each)
    assert as_it_came.market["ask"][0] == 101
    assert live.state.market["ask"][0] == 102


def test_a_level_is_put_right_when_ours_comes_late_or_goes_early():
    """The book may show us before we know, and still after we think that we are gone."""
    live = Live()
    live.see((DEPTH, 1, 100, 55))
    live.own(1, 100, 5)
    live.see((TRADE, 1, 102, 1))
    live.own(1, 100, 0)
    live.see((TRADE, 1, 102, 1))
    live.see((DEPTH, 1, 100, 40))
    assert book(live.replayed()) == [{100: 40}, {102: 50}]


def test_a_best_price_that_is_ours_alone_clears_its_level():
    """BBO rows have a quantity; without us there is none."""
    live = Live()
    live.own(1, 101, 5)
    live.see((BBO, 1, 101, 5))
    assert book(live.replayed()) == [{100: 50}, {102: 50}]


def test_a_gap_stays_a_gap():
    """Nothing is put right in a book that is not known."""
    live = Live()
    live.see((TRADE, 1, 102, 1))
    live.own(1, 100, 5)
    live.see((GAP, 0, 0, 0))
    state = live.replayed()
    assert not state.market["valid"][0]


def test_features_of_the_replay_are_the_daemons():
    """On a made-up market with orders of ours coming and going, the recording gives the same features."""
    info, tape = synthetic(3)
    made = setup(info).spec
    live = Live.__new__(Live)
    live.params, live.state, live.reel = to_record(made.quote, made.instrument), new_market(), Reel(90.0)
    rng = np.random.default_rng(2)
    begin, stretch, seen = 0, None, None
    for end in tape.ends:
        begin, rows = int(end), tape.rows[begin:end]
        if stretch is None and live.state.market["valid"][0] and rng.random() < 0.2:
            side = int(rng.choice((1, -1)))
            top = int(live.state.book.head[0]["bid" if side > 0 else "ask"])
            live.own(side, top, int(rng.integers(0, 4)))
        before = copy_market(live.state)
        live.take(rows)
        stretch = stretch or live.reel.take()
        if stretch is not None and seen is None:
            seen = before
            break
    state = copy_market(stretch.start)
    on_rows(state, live.params, stretch.tape().rows)
    told = []
    for market in (seen, state):
        out = np.zeros(N_STATE)
        features(market, live.params, new_inventory(), stretch.end_ns, out)
        told.append(out)
    np.testing.assert_allclose(told[1], told[0], rtol=1e-9)


@pytest.mark.parametrize(("options", "least"), [({"window_s": 5.0}, 3), ({"most_rows": 8}, 3)])
def test_memory_is_bounded(options, least):
    """A stretch ends with its time or its rows, and only the latest one waits."""
    live = Live(**options)
    taken = []
    for n in range(60):
        live.see((DEPTH, 1, 90 + n % 5, 1 + n % 3))
        stretch = live.reel.take() if n % 20 == 19 else None
        if stretch is not None:
            taken.append(stretch)
    assert len(taken) >= least
    assert all(each.rows <= 9 for each in taken)
    assert live.reel.take() is None
