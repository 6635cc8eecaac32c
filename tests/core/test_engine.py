"""The engine event by event: start, policies, operators, reloads, views."""

from dataclasses import replace
from math import nan

import numpy as np
import pytest

from asmm_daemon.core.engine import Engine
from asmm_daemon.core.params import Model
from asmm_daemon.core.policy import Action
from asmm_daemon.core.spec import Identity
from asmm_daemon.errors import ConfigError
from asmm_daemon.events import (
    ROW,
    TRADE,
    Cancel,
    CancelAll,
    Channel,
    CycleTick,
    History,
    MarketData,
    Operator,
    Place,
    Proof,
    ProveBook,
    Reconcile,
    WatchTick,
)
from tests.core.bench import KNOBS, T0, Bench, D, Odd, S, cancelled, fill_features, instrument


def test_nothing_is_placed_before_the_account_is_reconciled():
    """S8: a valid book alone brings a request for a snapshot, no order."""
    bench = Bench()
    bench.book()
    commands = bench.watch() + bench.watch() + bench.feed(CycleTick(bench.later(), 0, 0))
    assert any(isinstance(c, Reconcile) for c in commands)
    assert not any(isinstance(c, Place) for c in commands)
    assert [c.side for c in bench.snapshot() if isinstance(c, Place)] == [1, -1]


def test_ids_name_instance_strategy_epoch_and_fit_every_venue():
    """S4, S21: at most 36 of the allowed characters, prefix first, no id twice over restarts."""
    one, two = Bench(epoch=1).ready(), Bench(epoch=2).ready()
    ids = [order.cid for order in one + two]
    assert len(set(ids)) == 4
    assert all(cid.startswith("asmm-as0-") and len(cid) <= 36 for cid in ids)
    assert all(
        set(cid) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") for cid in ids
    )


def test_every_order_has_its_intent_in_the_same_step():
    """S7: the record stands in the queue before the command is handed out."""
    bench = Bench()
    orders = bench.ready()
    intents = {r.key: r.data for r in bench.records if r.kind == "intent"}
    assert intents.keys() == {order.cid for order in orders}
    assert intents[orders[0].cid]["price"] == orders[0].price


@pytest.mark.parametrize(
    ("action", "reason"),
    [
        (Action(nan, 0.0, 3), "not finite"),
        (Action(0.1, float("inf"), 3), "not finite"),
        (Action(1e9, 0.0, 3), "out of range"),
        (Action(0.1, -50.0, 3), "out of range"),
    ],
)
def test_a_policy_that_answers_nonsense_is_replaced_by_plain_quoting(action, reason, monkeypatch):
    """NaN and absurd actions are refused, counted and said; both sides stay quoted."""
    monkeypatch.setattr("asmm_daemon.core.quoter.features", fill_features)
    bench = Bench(policy=Odd(action))
    bench.ready()
    bench.book()
    bench.feed(CycleTick(bench.later(0.1), 0, 0))
    assert bench.market.fallbacks == {reason: 1}
    assert bench.market.explain.fallback == reason
    assert bench.market.gamma == pytest.approx(KNOBS.gamma)
    assert bench.market.state == "ACTIVE"


def test_features_with_a_hole_never_reach_a_policy():
    """Before there is enough history a learned policy is not asked."""
    bench = Bench(policy=Odd(Action(0.5, 0.0, 7)))
    bench.ready()
    bench.engine._desks[0].features[:] = nan
    bench.book()
    bench.feed(CycleTick(bench.later(0.1), 0, 0))
    if not np.isfinite(bench.engine.features(0)).all():
        assert bench.market.fallbacks == {"features": 1}


def test_a_good_action_is_held_and_explained(monkeypatch):
    """γ and skew of the grid are in the decision, the view and the record."""
    monkeypatch.setattr("asmm_daemon.core.quoter.features", fill_features)
    bench = Bench(policy=Odd(Action(0.9, 0.5, 17)))
    bench.ready()
    bench.feed(CycleTick(bench.later(0.1), 0, 0))
    assert (bench.market.gamma, bench.market.skew) == (0.9, 0.5)
    assert bench.market.explain.index == 17


def test_a_policy_forgets_after_a_long_pause():
    """After more than a minute of PAUSED the policy is reset before it acts again."""
    policy = Odd(Action(0.1, 0.0, 1))
    bench = Bench(policy=policy)
    bench.ready()
    before = policy.resets
    bench.feed(Operator(bench.later(), "pause", "lunch"))
    for _ in range(70):
        bench.book()
        bench.watch(1.0)
        bench.feed(Proof(bench.t, None, Channel.REST))
    bench.book()
    bench.feed(Operator(bench.later(), "unpause", "back"))
    assert bench.market.state == "ACTIVE"
    assert policy.resets == before + 1


def test_pause_pulls_everything_and_unpause_quotes_again():
    """A person's pause cancels what rests; the daemon returns by itself."""
    bench = Bench()
    orders = bench.ready()
    bench.accept(orders)
    commands = bench.feed(Operator(bench.later(), "pause", "look"))
    assert {c.cid for c in commands if isinstance(c, Cancel)} == {o.cid for o in orders}
    for k, order in enumerate(orders):
        bench.feed(cancelled(bench, order, f"v{k}"))
    bench.book()
    commands = bench.feed(Operator(bench.later(), "unpause", "ok"))
    assert len([c for c in commands if isinstance(c, Place)]) == 2


def test_halt_latches_with_its_reason_and_cancels_over_every_path():
    """S19: the record is there to be made durable in the same step as the cancels."""
    bench = Bench()
    bench.accept(bench.ready())
    commands = bench.feed(Operator(bench.later(), "halt", "odd fills"))
    assert any(isinstance(c, CancelAll) for c in commands)
    latch = next(r for r in bench.records if r.kind == "latch")
    assert (latch.key, latch.data["on"], latch.data["reason"]) == ("operator_halt", True, "odd fills")
    fresh = Engine([bench.spec], bench.account, Identity("asmm-", 2))
    fresh.restore(bench.records)
    assert fresh.halted


def test_a_silent_book_is_asked_for_its_top():
    """After a second of silence the venue is asked; its proof keeps the quotes."""
    bench = Bench()
    bench.ready()
    assert any(isinstance(c, ProveBook) for c in bench.watch(1.2))
    bench.feed(Proof(bench.later(0.1), 0, Channel.BOOK))
    bench.watch(1.5)
    assert bench.market.state == "ACTIVE"
    bench.watch(1.0)
    assert bench.market.state == "PAUSED"


def test_only_the_book_proves_the_book():
    """Trades, funding and mark rows keep nothing fresh."""
    bench = Bench()
    bench.ready()
    rows = np.zeros(1, ROW)
    rows["kind"], rows["side"], rows["price"], rows["qty"], rows["last"] = TRADE, 1, 600_010, 1, True
    for _ in range(30):
        rows["exch_ns"] = rows["local_ns"] = bench.later(0.1)
        bench.feed(MarketData(bench.t, 0, rows.copy()))
        bench.feed(WatchTick(bench.t))
    assert bench.market.state == "PAUSED"


def test_reload_swaps_between_events_and_journals_each_change():
    """S17: new parameters hold from the next decision; every change has its old and new value."""
    bench = Bench()
    bench.accept(bench.ready())
    wider = replace(bench.spec, quote=replace(KNOBS, constant_half_spread_bps=8.0))
    looser = replace(bench.account, drawdown_halt=0.3)
    bench.engine.apply([wider], looser, bench.later())
    bench.records += bench.engine.drain_records()
    changes = {r.key: (r.data["old"], r.data["new"]) for r in bench.records if r.kind == "reload"}
    assert changes == {
        "quote.constant_half_spread_bps": ("2.0", "8.0"),
        "account.drawdown_halt": ("0.15", "0.3"),
    }
    bench.book()
    bench.feed(CycleTick(bench.later(0.1), 0, 0))
    assert bench.market.half_spread == pytest.approx(60_000.5 * (8 + 2) * 1e-4, rel=1e-3)


def test_a_reload_that_cannot_be_changes_nothing():
    """S17: another market or grid is refused whole."""
    bench = Bench()
    bench.ready()
    other = replace(bench.spec, instrument=instrument(symbol="ETHUSDT"))
    grid = replace(bench.spec, instrument=instrument(tick=D("0.5")), quote=replace(KNOBS, gamma=0.9))
    for wrong in (other, grid):
        with pytest.raises(ConfigError):
            bench.engine.apply([wrong], bench.account, bench.later())
    assert bench.engine.specs == (bench.spec,)
    assert not [r for r in bench.engine.drain_records() if r.kind == "reload"]


def test_history_ends_the_wait_for_sigma():
    """One-minute candles make σ ready, so that quoting waits only for book and reconciliation."""
    knobs = replace(KNOBS, model=Model.AVELLANEDA_STOIKOV)
    bench = Bench(knobs=knobs)
    bench.ready()
    assert "warming" in bench.market.causes
    fresh = Bench(knobs=knobs)
    candles = np.zeros((60, 6), np.int64)
    candles[:, 0] = T0 - np.arange(60, 0, -1) * 60 * S
    closes = 600_000 + np.cumsum(np.where(np.arange(60) % 3, 40, -70))
    candles[:, 1:5] = closes[:, None]
    fresh.feed(History(T0, 0, candles, np.zeros(0, ROW)))
    assert [o.side for o in fresh.ready()] == [1, -1]


def test_views_are_frozen_and_complete():
    """Status, metrics and summary read one snapshot; distances lie between 0 and 1."""
    bench = Bench()
    bench.accept(bench.ready())
    view = bench.engine.view()
    market = view.markets[0]
    assert view.state == market.state == "ACTIVE"
    assert view.open_orders == len(market.orders) == 2
    assert all(0.0 <= value <= 1.0 for value in market.distances.values())
    assert market.distances.keys() >= {"inventory", "drawdown", "disconnect", "stale_book", "flash_crash"}
    with pytest.raises(AttributeError):
        view.state = "HALTED"
