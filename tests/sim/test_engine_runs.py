"""The engine makes a market on the embedded exchange's core: quotes, books, restarts, determinism."""

from decimal import Decimal

import pytest

from asmm_daemon.core.engine import Engine
from asmm_daemon.core.params import Model, QuoteParams
from asmm_daemon.core.spec import AccountLimits, Identity, MarketLimits
from asmm_daemon.exchange.feeds.base import make_feed
from tests.sim.checks import Invariants, placed_after, same_books
from tests.sim.driver import START_NS, S, Sim, spec
from tests.sim.script_feed import ScriptFeed

D = Decimal
WIDE = MarketLimits(max_inventory=D("0.3"), max_exposure=D(100_000), repeat_fills=1000)


def quick(**changes):
    """A baseline that quotes at once and stays near the mid."""
    fields = {
        "model": Model.CONSTANT_SPREAD,
        "constant_half_spread_bps": 1.0,
        "order_size": 0.05,
        "max_inventory": 0.3,
    }
    return QuoteParams(**(fields | changes))


def busy_trades(seconds, every_s=1.0):
    """Takers of both sides in turn, each reaching far through the book."""
    count = int(seconds / every_s)
    return [(2 + k * every_s, (-1) ** k, 299_000 if k % 2 else 301_000, 40) for k in range(count)]


@pytest.mark.parametrize("product", ["binance", "binanceusdm", "bybit-spot", "bybit-linear"])
def test_books_equal_the_venues_account_on_every_product(product):
    """Fills, fees, position and realised profit agree exactly, and both sides are quoted throughout."""
    sim = Sim(
        make_feed("synthetic:BTCUSDT", product, START_NS, 7),
        product,
        base={"BTC": D("0.4")} if "usdm" not in product and "linear" not in product else None,
    )
    knobs = quick(constant_half_spread_bps=1.0, fee_in_spread=False, max_inventory=0.8, order_size=0.02)
    limits = MarketLimits(max_inventory=D("0.8"), repeat_fills=1000)
    sim.specs = [spec(m.instrument, quote=knobs, limits=limits) for m in sim.markets]
    sim.heap.clear()
    sim.start()
    rules = Invariants(sim, "0.8")
    sim.run(300)
    market = sim.engine.view().markets[0]
    sim.stop()
    sim.run(5)
    assert not sim.open_orders
    assert market.counts.fills_buy + market.counts.fills_sell >= 5
    assert market.counts.quoted_both_s > 0.9 * market.counts.healthy_s
    rules.check()
    same_books(sim)


def test_the_same_events_give_the_same_commands():
    """Golden replay: the recorded events of a session through a fresh engine give every command again."""
    trades = busy_trades(20)
    feed = ScriptFeed(25, path=lambda t: 300_000 + int(40 * (t % 5)), trades=trades)
    sim = Sim(feed, specs=[spec(feed.instruments[0], quote=quick(), limits=WIDE)])
    log = []
    sim.watchers.append(lambda event, commands: log.append((event, list(commands))))
    sim.run(25)
    fresh = Engine(sim.specs, sim.limits, Identity("sim-", 1))
    records = []
    for event, commands in log:
        assert fresh.step(event) == commands
        records += fresh.drain_records()
    assert records == sim.journal
    assert len([c for _, commands in log for c in commands]) > 50


def test_kill_and_restart_adopts_nothing_and_loses_nothing():
    """S6, S8: after SIGKILL the orders are found and cancelled, the books made whole, ids new."""
    feed = ScriptFeed(60, trades=busy_trades(50))
    sim = Sim(feed, specs=[spec(feed.instruments[0], quote=quick(), limits=WIDE)])
    sim.run(20.3)
    assert sim.open_orders
    sim.kill()
    sim.run(3)
    left = {o.cid for o in sim.open_orders}
    sim.start()
    restarted = sim.now
    sim.run(20)
    first = min(at for at, c in sim.commands if at > restarted and c in placed_after(sim, restarted))
    assert not left & {o.cid for o in sim.open_orders}
    assert first > restarted
    assert sim.engine.view().state == "ACTIVE"
    same_books(sim)


def test_a_restart_without_the_journal_of_open_orders_duplicates_fills(monkeypatch):
    """Switched off: without restoring, the books after a restart no longer equal the venue's."""
    monkeypatch.setattr(Engine, "restore", lambda self, records: None)
    feed = ScriptFeed(60, trades=[(5 + k, -1, 299_000, 40) for k in range(40)])
    sim = Sim(feed, specs=[spec(feed.instruments[0], quote=quick(), limits=WIDE)])
    sim.run(15.3)
    sim.kill()
    sim.run(3)
    sim.start()
    sim.run(10)
    with pytest.raises(AssertionError):
        same_books(sim)


def test_three_markets_share_the_account():
    """Each market quotes, and together they stay within the account's exposure."""
    sim = Sim(
        make_feed("synthetic:BTCUSDT,ETHUSDT,SOLUSDT", "binanceusdm", START_NS, 3),
        account=AccountLimits(capital=D(100_000), max_exposure=D(9_000)),
    )
    rules = quick(order_size=2_000.0, size_in_quote=True, max_inventory=1e6, max_order=1e6)
    limits = MarketLimits(max_inventory=D(10**6), max_order=D(10**6), repeat_fills=1000)
    sim.specs = [spec(m.instrument, quote=rules, limits=limits) for m in sim.markets]
    sim.heap.clear()
    sim.start()
    worst = []
    sim.watchers.append(lambda e, c: worst.append(sum(d.reach() for d in sim.engine._desks)))
    sim.run(60)
    view = sim.engine.view()
    assert [m.state for m in view.markets] == ["ACTIVE"] * 3
    assert all(m.counts.quoted_both_s > 10 for m in view.markets[:1])
    assert max(worst) < D(9_000) * D("1.02")


def test_levels_and_sizes_are_quoted_as_asked():
    """Three levels a side rest at growing distance, one order each."""
    feed = ScriptFeed(10)
    sim = Sim(feed, specs=[spec(feed.instruments[0], quote=quick(levels=3, order_size=0.02), limits=WIDE)])
    rules = Invariants(sim, "0.3", levels=3)
    sim.run(10)
    prices = sorted((o.side, o.price_ticks) for o in sim.open_orders)
    assert len(prices) == 6
    assert len(set(prices)) == 6
    rules.check()


def test_explain_says_why():
    """Each decision leaves one record with its numbers, trigger and what became of each quote."""
    feed = ScriptFeed(12)
    sim = Sim(feed, specs=[spec(feed.instruments[0], quote=quick(), limits=WIDE)])
    sim.run(12)
    explains = sim.engine.explains(0)
    last = [e for e in explains if e.trigger == "cycle"][-1]
    assert {"m", "sigma", "kappa", "intensity_a", "gamma", "q", "tau", "skew", "fee"} <= last.model.keys()
    assert [q.action for q in last.quotes] == ["keep", "keep"]
    assert any(r.kind == "explain" for r in sim.journal)


def test_time_never_runs_backwards():
    """An event older than the last one happens now; nothing breaks."""
    feed = ScriptFeed(5)
    sim = Sim(feed, specs=[spec(feed.instruments[0], quote=quick(), limits=WIDE)])
    log = []
    sim.watchers.append(lambda event, commands: log.append(event))
    sim.run(3)
    before = sim.engine.view().t_ns
    sim.engine.step(log[0])
    assert sim.engine.view().t_ns == before
    assert before > START_NS + 2 * S
