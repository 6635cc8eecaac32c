"""The engine event by event: refusals, foreign orders, balances, spot, funding."""

from dataclasses import replace

from asmm_daemon.core.spec import MarketLimits
from asmm_daemon.events import (
    Accepted,
    BalanceEvent,
    Cancel,
    CancelAccepted,
    Cause,
    FillEvent,
    FundingEvent,
    Operator,
    OrderStatus,
    OrderUpdate,
    Place,
    Query,
    Reconcile,
    Rejected,
)
from tests.core.bench import KNOBS, Bench, D, S, cancelled, instrument


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


def test_amends_that_a_fill_overtook_do_not_make_the_side_wait():
    """-2013, 110001: the order had just been filled; its side quotes again within half a second."""
    bench = Bench()
    orders = bench.ready()
    bench.accept(orders)
    (bid,) = (order for order in orders if order.side == 1)
    for _ in range(3):
        bench.feed(Rejected(bench.later(0.001), 0, bid.cid, "amend", Cause.NOT_FOUND, "110001", ""))
    price, qty = bench.unit.price(bid.price), bench.unit.qty(bid.qty)
    t = bench.later(0.001)
    bench.feed(FillEvent(t, 0, bid.cid, "", "t1", 1, price, qty, D(0), "USDT", True, t, "stream"))
    bench.book()
    assert [c for _ in range(5) for c in bench.watch(0.1) if isinstance(c, Place) and c.side == 1]


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


def test_funding_is_booked_once_into_equity():
    """A payment changes equity, not the position, and only once."""
    bench = Bench()
    bench.ready()
    before = bench.engine.view().equity
    for _ in range(2):
        bench.feed(FundingEvent(bench.later(), 0, D("-3.5"), "USDT", "f1"))
    assert bench.engine.view().equity == before - D("3.5")


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


def test_orders_that_the_venue_ends_unasked_are_slowed_down():
    """Some venues accept a crossing post-only order and then cancel it: that storm is throttled too."""
    bench = Bench()
    bid, ask = bench.ready()
    bench.accept((bid, ask))
    order, count = bid, 0
    for _ in range(100):
        commands = bench.feed(cancelled(bench, order, "v0")) if order else []
        bench.book()
        commands += bench.watch(0.05)
        placed = [c for c in commands if isinstance(c, Place)]
        count += len(placed)
        order = placed[0] if placed else None
    assert 3 <= count <= 10
