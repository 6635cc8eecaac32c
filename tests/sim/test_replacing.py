"""Replacing quotes on spot: both sides rest throughout, and lost requests break no invariant."""

from decimal import Decimal

import pytest

from asmm_daemon.core.params import Model, QuoteParams
from asmm_daemon.core.risk import Gate
from asmm_daemon.core.spec import MarketLimits
from asmm_daemon.events import Cancel, Replace
from tests.sim.checks import Invariants, same_books
from tests.sim.driver import Sim, spec
from tests.sim.scenario import both
from tests.sim.script_feed import ScriptFeed, instrument
from tests.sim.test_engine_chaos import shaky

D = Decimal


def _triangle(t_s):
    return 300_000 + 6 * abs(int(t_s * 4) % 20 - 10)


def restless(seconds=60, *, trades=(), most="0.6", **options):
    """A spot market whose price moves every quarter of a second, further than the tolerance."""
    feed = ScriptFeed(seconds, path=_triangle, trades=trades, unit=instrument("binance"))
    quote = QuoteParams(
        model=Model.CONSTANT_SPREAD,
        constant_half_spread_bps=1.0,
        order_size=0.05,
        max_inventory=float(most),
    )
    limits = MarketLimits(max_inventory=D(most), max_exposure=D(100_000), repeat_fills=1000, replace_bps=0.1)
    market = spec(feed.instruments[0], quote=quote, limits=limits)
    return Sim(feed, "binance", specs=[market], base={"BTC": D("0.3")}, **options)


def test_both_sides_rest_while_quotes_follow_the_price():
    """One request moves a quote, and no cancel is sent beside it."""
    sim = restless()
    rules = Invariants(sim, "0.6")
    sim.run(5)
    before = sim.engine.view().markets[0].counts
    sim.run(50)
    counts = sim.engine.view().markets[0].counts
    healthy = counts.healthy_s - before.healthy_s
    assert counts.quoted_both_s - before.quoted_both_s > 0.99 * healthy
    assert len([c for _, c in sim.commands if isinstance(c, Replace)]) > 100
    assert not [c for _, c in sim.commands if isinstance(c, Cancel)]
    rules.check()


@pytest.mark.parametrize("seed", range(4))
def test_lost_requests_and_acks_break_no_invariant(seed):
    """S1, S4, S6, S9 hold under a quarter of lost requests and acks, a moving book and both takers."""
    sim = restless(90, trades=both(3, 100), most="0.6")
    rules = Invariants(sim, "0.6")
    shaky(sim, seed)
    sim.run(70)
    sim.fault = lambda command: None
    sim.stop()
    sim.run(15)
    assert not sim.open_orders
    rules.check()
    same_books(sim)


def test_kills_in_the_middle_of_replacements_break_no_invariant():
    """S4, S6, S7, S8: after SIGKILL both orders of a replacement are found, and the books agree."""
    sim = restless(120, trades=both(3, 130))
    rules = Invariants(sim, "0.6")
    for seed, span in enumerate((7.013, 11.262, 9.508)):
        shaky(sim, seed)
        sim.run(span)
        sim.kill()
        sim.run(2)
        sim.start()
    sim.fault = lambda command: None
    sim.run(30)
    sim.stop()
    sim.run(10)
    assert not sim.open_orders
    rules.check()
    same_books(sim)


def test_mutant_a_replacement_counts_only_its_new_order(monkeypatch):
    """Switched off: without the old order's quantity in the gate the maximum is passed (S1)."""
    real = Gate.check

    def blind(self, want, order, facts, t_ns, *, instead=None):
        if instead is None:
            return real(self, want, order, facts, t_ns)
        return None

    monkeypatch.setattr(Gate, "check", blind)
    worst = []
    sim = restless(40, most="0.16")
    most = D("0.16")
    desk = sim.engine._desks[0]
    sim.watchers.append(
        lambda e, c: worst.append(desk.ledger.qty + desk.table.open_lots(1) * desk.spec.instrument.lot)
    )
    sim.run(30)
    assert max(worst) > most
