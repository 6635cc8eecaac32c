"""Switches and faults between engine and venue, and what would happen without each safeguard."""

from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon.core.reconcile import Reconciler
from asmm_daemon.core.spec import AccountLimits
from asmm_daemon.events import (
    GAP,
    ROW,
    Cancel,
    CancelAll,
    Channel,
    ChannelEvent,
    MarketData,
    Operator,
    Place,
    ProveBook,
    Reconcile,
)
from asmm_daemon.exchange.orders import NewOrder, OrderType, Tif
from tests.sim.checks import Invariants, placed_after, same_books
from tests.sim.driver import S
from tests.sim.scenario import both, make, sweep

D = Decimal


def test_inventory_switch_reduces_and_ends():
    """S2: above 90 % only the reducing side is placed; below 60 % both sides quote again."""
    sim = make(60, trades=sweep(2, 20, -1) + sweep(30, 12, 1))
    rules = Invariants(sim, "0.3")
    sim.run(25)
    market = sim.engine.view().markets[0]
    assert market.state == "REDUCING"
    assert market.inventory > D("0.27")
    since = next(t.t_ns for t in sim.engine.view().transitions if t.after == "REDUCING")
    assert not placed_after(sim, since, side=1)
    assert {o.side for o in sim.open_orders} == {-1}
    sim.run(30)
    assert sim.engine.view().state == "ACTIVE"
    assert {o.side for o in sim.open_orders} == {1, -1}
    rules.check()
    same_books(sim)


def test_without_the_inventory_switch_the_increasing_side_keeps_resting():
    """Switched off: at 95 % the daemon still bids."""
    sim = make(30, trades=sweep(2, 20, -1), reduce_above=9.0)
    sim.run(25)
    assert sim.engine.view().markets[0].inventory > D("0.27")
    assert 1 in {o.side for o in sim.open_orders} or placed_after(sim, sim.now - 10 * S, side=1)


def test_a_long_reducing_ends_with_a_bounded_taker_order():
    """After 30 s of a post-only order at the touch an IOC order takes the inventory down, where allowed."""
    sim = make(80, trades=sweep(2, 16, -1), reduce_ioc=True)
    rules = Invariants(sim, "0.3")
    sim.run(20)
    assert sim.engine.view().state == "REDUCING"
    sim.run(40)
    assert any(isinstance(c, Place) and c.tif == "IOC" for _, c in sim.commands)
    assert sim.engine.view().markets[0].inventory < D("0.18")
    rules.check()
    same_books(sim)


def losing(account):
    """Buys near the top of a fall: the loss passes 15 % of a small capital."""
    return make(
        60,
        trades=sweep(2, 6, -1, every_s=0.5),
        path=lambda t: 300_000 - min(max(0, int((t - 10) * 400)), 6_000),
        account=account,
        reduce_above=2.0,
        flash_move=1.0,
    )


def test_drawdown_halts_latches_and_survives_a_restart():
    """S3, S19: nothing rests after 5 s, nothing new is placed, and only a resume ends it."""
    sim = losing(AccountLimits(capital=D(500), drawdown_soft=0.9))
    sim.run(30)
    view = sim.engine.view()
    assert view.state == "HALTED"
    tripped = next(t.t_ns for t in view.transitions if t.after == "HALTED")
    assert not placed_after(sim, tripped)
    assert not sim.open_orders
    sim.kill()
    sim.run(1)
    sim.start()
    sim.run(5)
    assert sim.engine.view().state == "HALTED"
    assert sim.engine.halted
    assert not placed_after(sim, tripped)
    sim.feed(Operator(sim.now, "resume", "looked at it"))
    assert not sim.engine.halted
    sim.run(5)
    assert sim.engine.view().state == "ACTIVE"
    assert any(r.kind == "peak" and r.key == "reset" for r in sim.journal)


def test_without_the_drawdown_switch_it_goes_on_quoting():
    """Switched off: the same loss leaves orders resting."""
    sim = losing(AccountLimits(capital=D(500), drawdown_soft=99, drawdown_halt=99))
    sim.run(30)
    assert sim.engine.view().drawdown > 0.15
    assert sim.open_orders


def test_flatten_on_halt_sends_only_reduce_only_orders():
    """Where the account asks for it, the halted position is worked down, and nothing else is sent."""
    sim = losing(AccountLimits(capital=D(500), drawdown_soft=0.9, flatten_on_halt=True))
    sim.run(30)
    tripped = next(t.t_ns for t in sim.engine.view().transitions if t.after == "HALTED")
    assert sim.engine.view().state == "HALTED"
    later = placed_after(sim, tripped)
    assert later
    assert all(order.reduce_only and order.side == -1 for order in later)


def test_soft_drawdown_only_reduces():
    """More than 5 % below the peak: reduce-only at half size."""
    sim = losing(AccountLimits(capital=D(1_500)))
    sim.run(25)
    view = sim.engine.view()
    assert 0.05 < view.drawdown < 0.15
    assert view.state == "REDUCING"
    assert {o.side for o in sim.open_orders} <= {-1}


def test_flash_crash_pulls_everything_and_cools_down():
    """S14: a move beyond the limit: nothing rests two seconds later, quotes return after the cool-down."""
    sim = make(120, path=lambda t: 300_000 if t < 10 else 288_000, flash_move=0.03)
    sim.run(12.2)
    assert sim.engine.view().markets[0].causes == ("flash_crash",)
    assert not sim.open_orders
    sim.run(50)
    assert not sim.open_orders
    sim.run(40)
    assert len(sim.open_orders) == 2


def test_a_book_that_goes_silent_is_asked_then_pulled():
    """S11: within 2 s of the last proof nothing rests; a quiet but proven book keeps its quotes."""
    sim = make(60)
    sim.run(10)
    assert len(sim.open_orders) == 2
    sim.silent.add("book")
    sim.run(10)
    assert len(sim.open_orders) == 2
    sim.doing[ProveBook] = lambda command: None
    sim.run(2.3)
    assert not sim.open_orders
    assert "stale_book" in sim.engine.view().causes
    sim.silent.clear()
    sim.primed.clear()
    sim.run(2)
    assert len(sim.open_orders) == 2


def test_without_the_stale_switch_quotes_rest_on_a_dead_book():
    """Switched off: quotes stay although nothing has proven the book for ten seconds."""
    sim = make(60, stale_after_s=1e6)
    sim.run(10)
    sim.silent.add("book")
    sim.run(10)
    assert sim.open_orders


def test_a_gap_makes_the_book_unknown_until_it_is_whole():
    """S11: after a GAP nothing new leaves, and what rests is pulled within two seconds."""
    sim = make(40)
    sim.run(9.9)
    assert len(sim.open_orders) == 2
    sim.feed(gap_event(sim))
    sim.run(1.5)
    assert not sim.open_orders
    assert "invalid_book" in sim.engine.view().causes


def gap_event(sim):
    """The adapter's word that the sequence broke."""
    rows = np.zeros(1, ROW)
    rows["exch_ns"] = rows["local_ns"] = sim.now
    rows["kind"], rows["last"] = GAP, True
    sim.silent.add("book")
    return MarketData(sim.now, 0, rows)


def test_disconnect_cancels_all_and_reconciles_before_quoting():
    """S5, S8: 30 s without the private stream: cancel all; afterwards a snapshot comes first."""
    sim = make(100)
    sim.run(10)
    sim.silent.add("private")
    sim.run(31)
    assert "disconnect" in sim.engine.view().causes
    assert not sim.open_orders
    assert any(isinstance(c, CancelAll) for _, c in sim.commands)
    sim.silent.clear()
    back = sim.now
    sim.run(5)
    asked = min(at for at, c in sim.commands if at > back and isinstance(c, Reconcile))
    placed = min(at for at, c in sim.commands if at > back and isinstance(c, Place))
    assert asked < placed
    assert len(sim.open_orders) == 2


def test_a_private_stream_that_is_down_pulls_quotes_at_once():
    """Quotes do not wait for 30 s when the outage is known."""
    sim = make(40)
    sim.run(10)
    sim.feed(ChannelEvent(sim.now, None, Channel.PRIVATE, False, "listen key expired"))
    sim.run(1)
    assert not sim.open_orders
    sim.feed(ChannelEvent(sim.now, None, Channel.PRIVATE, True, "resubscribed"))
    sim.run(3)
    assert len(sim.open_orders) == 2


def test_fills_that_no_stream_brought_are_found_by_reconciliation():
    """A dropped private message is made good within the reconciliation's ten seconds."""
    sim = make(60, trades=both(5, 20), account=AccountLimits(capital=D(100_000), disconnect_after_s=1e6))
    sim.run(4)
    sim.silent.add("private")
    sim.run(30)
    assert len(sim.venue.trades) > 3
    same_books(sim)


def test_without_reconciliation_dropped_fills_are_lost(monkeypatch):
    """Switched off: the ledger no longer equals the venue's account."""
    monkeypatch.setattr(Reconciler, "due", lambda self, desk: desk.ledger.opened_ns is None)
    sim = make(60, trades=both(5, 20), account=AccountLimits(capital=D(100_000), disconnect_after_s=1e6))
    sim.run(4)
    sim.silent.add("private")
    sim.run(30)
    with pytest.raises(AssertionError):
        same_books(sim)


def test_repeated_execution_takes_the_side_off_until_resumed():
    """S13: the side stays off, over a restart too, until a person re-arms it."""
    sim = make(
        60, trades=sweep(3, 30, -1, every_s=0.3), repeat_fills=3, repeat_window_s=2.0, max_inventory=D(2)
    )
    sim.run(10)
    assert sim.engine.view().markets[0].sides_off == {"buy": "repeated execution"}
    tripped = sim.now
    sim.kill()
    sim.start()
    sim.run(10)
    assert not placed_after(sim, tripped, side=1)
    sim.feed(Operator(sim.now, "resume", "a known counterparty"))
    sim.run(5)
    assert placed_after(sim, tripped, side=1)


def test_stop_leaves_nothing_and_sends_nothing_new():
    """S16: after the stop, orders in flight are resolved and nothing rests."""
    sim = make(30, trades=both(2, 30))
    sim.run(10.003)
    sim.stop()
    stopped = sim.now
    sim.run(3)
    assert not sim.open_orders
    assert sim.engine.open_orders == 0
    assert not placed_after(sim, stopped)


def test_deposits_are_no_profit_and_foreign_orders_are_left_alone():
    """Inventory that comes without a trade of ours is a transfer; an order without our prefix stays."""
    sim = make(60)
    sim.run(10)
    new = NewOrder("BTCUSDT", 1, OrderType.LIMIT, Tif.GTC, D("0.01"), D("29000"), cid="somebody-else")
    sim.exchange.place(sim.venue, new)
    taker = NewOrder("BTCUSDT", 1, OrderType.MARKET, Tif.IOC, D("0.02"), None, cid="by-hand")
    sim.silent.add("private")
    sim.exchange.place(sim.venue, taker)
    sim.silent.clear()
    sim.run(20)
    assert sim.engine.view().markets[0].inventory == D("0.02")
    assert "somebody-else" in {o.cid for o in sim.open_orders}
    assert not any(isinstance(c, Cancel) and c.cid == "somebody-else" for _, c in sim.commands)
