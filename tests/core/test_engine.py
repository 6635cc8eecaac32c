"""The engine event by event: policies, refusals, operators, reloads, events that come out of nowhere."""

from dataclasses import replace
from decimal import Decimal
from math import nan

import numpy as np
import pytest

from asmm_daemon.core.engine import Engine
from asmm_daemon.core.params import Model, QuoteParams
from asmm_daemon.core.policy import Action, FixedPolicy
from asmm_daemon.core.spec import AccountLimits, Identity, MarketLimits, MarketSpec
from asmm_daemon.errors import ConfigError
from asmm_daemon.events import (
    CLEAR,
    DEPTH,
    ROW,
    TRADE,
    Accepted,
    BalanceEvent,
    Cancel,
    CancelAccepted,
    CancelAll,
    Cause,
    Channel,
    CycleTick,
    FillEvent,
    FundingEvent,
    History,
    MarketData,
    Operator,
    OrderStatus,
    OrderUpdate,
    Place,
    PositionEvent,
    Proof,
    ProveBook,
    Query,
    Reconcile,
    Rejected,
    Snapshot,
    WatchTick,
)
from asmm_daemon.units import Instrument, Lots

D = Decimal
S = 1_000_000_000
T0 = 1_700_000_000 * S


def instrument(**changes):
    fields = {
        "symbol": "BTCUSDT",
        "product": "binanceusdm",
        "base": "BTC",
        "quote": "USDT",
        "tick": D("0.1"),
        "lot": D("0.001"),
        "min_notional": D(5),
        "min_qty": Lots(1),
        "max_qty": Lots(1_000_000),
        "maker": D("0.0002"),
        "taker": D("0.0005"),
    } | changes
    return Instrument(**fields)


KNOBS = QuoteParams(model=Model.CONSTANT_SPREAD, constant_half_spread_bps=2.0, order_size=0.05)


class Bench:
    """An engine fed by hand; time moves only with its events."""

    def __init__(self, *, policy=None, unit=None, knobs=KNOBS, limits=None, epoch=1):
        self.unit = unit or instrument()
        policy = policy or FixedPolicy(knobs.gamma)
        self.spec = MarketSpec(self.unit, knobs, limits or MarketLimits(), policy)
        self.account = AccountLimits(capital=D(100_000))
        self.engine = Engine([self.spec], self.account, Identity("asmm-", epoch))
        self.t = T0
        self.records = []

    def feed(self, event):
        """One event, its records kept."""
        commands = self.engine.step(event)
        self.records += self.engine.drain_records()
        return commands

    def later(self, seconds=0.1):
        """Moves time on."""
        self.t += int(seconds * S)
        return self.t

    def book(self, bid=600_000, ask=600_010, qty=500):
        """A whole new book."""
        items = [(CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0)]
        items += [(DEPTH, 1, bid - k, qty) for k in range(5)]
        items += [(DEPTH, -1, ask + k, qty) for k in range(5)]
        rows = np.zeros(len(items), ROW)
        rows["exch_ns"] = rows["local_ns"] = self.t
        rows["id"] = -1
        for row, (kind, side, price, lots) in zip(rows, items, strict=True):
            row["kind"], row["side"], row["price"], row["qty"] = kind, side, price, lots
        rows["last"][-1] = True
        return self.feed(MarketData(self.t, 0, rows))

    def snapshot(self, qty=0, orders=(), fills=(), balances=()):
        """The venue's account."""
        position = PositionEvent(self.t, 0, D(qty), D(0))
        balances = tuple(BalanceEvent(self.t, *b) for b in balances)
        if self.unit.is_spot:
            position = None
        return self.feed(Snapshot(self.t, 0, tuple(orders), tuple(fills), balances, position))

    def watch(self, seconds=0.1):
        """The watchdog's beat, the private stream alive."""
        self.later(seconds)
        self.feed(Proof(self.t, None, Channel.PRIVATE))
        return self.feed(WatchTick(self.t))

    def ready(self, **snapshot):
        """Book, reconciliation, ACTIVE; returns the first orders."""
        self.book()
        self.watch()
        commands = self.snapshot(**snapshot)
        return [c for c in commands + self.watch() if isinstance(c, Place)]

    def accept(self, orders):
        """Acknowledges orders."""
        for k, order in enumerate(orders):
            self.feed(Accepted(self.later(0.001), 0, order.cid, f"v{k}"))

    def reject(self, order, cause, code="-1"):
        """Refuses an order."""
        return self.feed(Rejected(self.later(0.001), 0, order.cid, "create", cause, code, ""))

    @property
    def market(self):
        """The market's view."""
        return self.engine.view().markets[0]


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


class Odd:
    """A policy that answers whatever it was given."""

    name = "odd"
    features_id = "guide22/1"

    def __init__(self, action):
        self.action = action
        self.resets = 0

    def reset(self):
        """Counts."""
        self.resets += 1

    def act(self, features, t_ns):
        """The one answer."""
        return self.action

    def act_batch(self, features):
        """Unused."""
        return np.zeros(len(features), np.int64)


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


def fill_features(market, params, inventory, t_ns, out):
    """Features without a hole."""
    out[:] = 0.5


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


def cancelled(bench, order, oid, filled=0):
    t = bench.later(0.001)
    status = OrderStatus.CANCELLED
    return OrderUpdate(t, 0, order.cid, oid, status, order.side, order.price, order.qty, filled, t, "stream")


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


def test_an_unconfirmed_cancel_is_asked_about_and_repeated():
    """A lost cancel is not believed: the order counts, is asked about, and cancelled again."""
    bench = Bench()
    orders = bench.ready()
    bench.accept(orders)
    bench.feed(Operator(bench.later(), "pause", "look"))
    for order in orders:
        bench.feed(CancelAccepted(bench.later(0.001), 0, order.cid))
    assert bench.engine.open_orders == 2
    later = [c for _ in range(40) for c in bench.watch(0.1)]
    assert {type(c) for c in later if isinstance(c, (Query, Cancel))} == {Query, Cancel}


def test_insufficient_balance_takes_the_side_off_until_balances_are_fresh():
    """The side waits for a balance, and nothing is sent meanwhile."""
    bench = Bench()
    bid, ask = bench.ready()
    bench.feed(Accepted(bench.later(0.001), 0, ask.cid, "v1"))
    bench.reject(bid, Cause.BALANCE)
    assert bench.market.sides_off == {"buy": "insufficient balance"}
    bench.book()
    assert not [c for c in bench.watch(1) if isinstance(c, Place)]
    bench.book()
    bench.feed(BalanceEvent(bench.later(0.1), "USDT", D(1000), D(0)))
    assert [c.side for c in bench.watch() if isinstance(c, Place)] == [1]


def test_post_only_refusals_are_normal_and_slowed_down():
    """The slot tries again from a fresh book, each time later: a storm is throttled."""
    bench = Bench()
    bid, ask = bench.ready()
    bench.feed(Accepted(bench.later(0.001), 0, ask.cid, "v1"))
    order, times = bid, []
    for _ in range(6):
        bench.reject(order, Cause.POST_ONLY, "-5022")
        asked = bench.t
        placed = []
        while not placed:
            bench.book()
            placed = [c for c in bench.watch(0.05) if isinstance(c, Place)]
        order = placed[0]
        times.append((bench.t - asked) / S)
    assert times == sorted(times)
    assert times[-1] > 1.0
    assert bench.market.rejects == {"-5022": 6}


def test_a_refused_reduce_only_means_that_the_position_is_not_what_we_think():
    """-2022: nothing is quoted until a fresh snapshot agrees."""
    bench = Bench()
    bid, _ = bench.ready()
    bench.reject(bid, Cause.REDUCE_ONLY, "-2022")
    commands = bench.watch(1.5)
    assert any(isinstance(c, Reconcile) for c in commands)
    assert bench.market.state == "PAUSED"
    bench.book()
    bench.snapshot()
    bench.book()
    bench.watch()
    assert bench.market.state == "ACTIVE"


def test_events_for_unknown_orders_change_nothing():
    """Acks, updates and refusals of orders that are not ours are ignored; a fill still counts."""
    bench = Bench()
    bench.ready()
    before = bench.engine.open_orders
    t = bench.later()
    bench.feed(Accepted(t, 0, "somebody", "x"))
    bench.feed(CancelAccepted(t, 0, "somebody"))
    bench.feed(Rejected(t, 0, "somebody", "create", Cause.OTHER, "-1", ""))
    bench.feed(OrderUpdate(t, 0, "somebody", "x", OrderStatus.OPEN, 1, 5, 5, 0, t, "stream"))
    assert bench.engine.open_orders == before
    bench.feed(FillEvent(t, 0, "", "x", "t1", 1, D(60000), D("0.01"), D(0), "USDT", True, t, "stream"))
    assert bench.market.inventory == D("0.01")


def test_an_open_order_of_ours_that_we_do_not_know_is_cancelled():
    """S21, restart: an order with our prefix is adopted and cancelled, another's is left alone."""
    bench = Bench()
    bench.book()
    bench.watch()
    t = bench.t
    mine = OrderUpdate(t, 0, "asmm-as0-0-9", "x1", OrderStatus.OPEN, 1, 599_000, 5, 0, t, "rest")
    other = OrderUpdate(t, 0, "web-1", "x2", OrderStatus.OPEN, 1, 599_000, 5, 0, t, "rest")
    commands = bench.snapshot(orders=(mine, other))
    assert [c.cid for c in commands if isinstance(c, Cancel)] == ["asmm-as0-0-9"]


def test_a_stale_listing_of_an_order_that_is_wholly_booked_cancels_nothing():
    """Executions that add up to the whole order outweigh a listing that still shows it open."""
    bench = Bench()
    bid, _ = orders = bench.ready()
    bench.accept(orders)
    price, qty = bench.unit.price(bid.price), bench.unit.qty(bid.qty)
    t = bench.later()
    bench.feed(FillEvent(t, 0, bid.cid, "v0", "t1", 1, price, qty, D(0), "USDT", True, t, "stream"))
    for _ in range(50):
        bench.book()
        bench.watch()
    old = OrderUpdate(bench.t, 0, bid.cid, "v0", OrderStatus.OPEN, 1, bid.price, bid.qty, 0, bench.t, "rest")
    assert bid.cid not in {getattr(c, "cid", "") for c in bench.snapshot(qty=qty, orders=[old])}


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


def test_funding_is_booked_once_into_equity():
    """A payment changes equity, not the position, and only once."""
    bench = Bench()
    bench.ready()
    before = bench.engine.view().equity
    for _ in range(2):
        bench.feed(FundingEvent(bench.later(), 0, D("-3.5"), "USDT", "f1"))
    assert bench.engine.view().equity == before - D("3.5")


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


def test_spot_never_sells_what_it_does_not_hold():
    """S1 on spot: asks stay within the inventory, bids within the quote balance."""
    bench = Bench(unit=instrument(product="binance"))
    orders = bench.ready(balances=(("BTC", D("0.03"), D(0)), ("USDT", D(10_000), D(0))))
    assert {o.side for o in orders} == {1}
    assert bench.market.state == "REDUCING"


def test_spot_leaves_alone_what_exceeds_its_allocation():
    """Coins beyond the target stay out of the ledger and are never sold."""
    limits = MarketLimits(max_inventory=D("0.5"))
    knobs = replace(KNOBS, max_inventory=0.5)
    bench = Bench(unit=instrument(product="binance"), limits=limits, knobs=knobs)
    bench.ready(balances=(("BTC", D(7), D(0)), ("USDT", D(10_000), D(0))))
    assert bench.market.inventory == D("0.25")


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
