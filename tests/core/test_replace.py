"""Cancel and create in one request: both orders count, one slot holds both, and each half has its outcome."""

from dataclasses import replace

import pytest

from asmm_daemon.core.engine import Engine
from asmm_daemon.core.order_state import OrderState
from asmm_daemon.core.spec import Identity, MarketLimits
from asmm_daemon.events import (
    Accepted,
    Cancel,
    Cause,
    Operator,
    OrderStatus,
    OrderUpdate,
    Place,
    Query,
    Rejected,
    Replace,
    Unknown,
)
from tests.core.bench import KNOBS, Bench, D, instrument

HELD = (("BTC", D(10), D(0)), ("USDT", D(1_000_000), D(0)))
S = OrderState


def spot(**limits):
    """Two quotes of 0.05 that rest in the middle of the range, on a venue that replaces."""
    bench = Bench(
        unit=instrument(product="binance"),
        knobs=replace(KNOBS, max_inventory=float(limits.get("max_inventory", 1))),
        limits=MarketLimits(**limits),
        can_amend=False,
        can_replace=True,
    )
    orders = bench.ready(balances=HELD)
    bench.accept(orders)
    bench.records.clear()
    return bench, orders


def up(bench):
    """The market moves 3 bps up; what the engine sends."""
    bench.later()
    return bench.book(600_180, 600_190)


def states(bench, *cids):
    """States of orders."""
    orders = bench.engine._desks[0].table.orders
    return [orders[cid].state for cid in cids]


def ended(bench, cid, *, filled=0, status=OrderStatus.CANCELLED):
    """The venue ended an order, as the reply to the request tells."""
    order = bench.engine._desks[0].table.orders[cid]
    t = bench.later(0.001)
    fields = (order.oid, status, order.side, order.price, order.qty, filled, t, "rest")
    return bench.feed(OrderUpdate(t, 0, cid, *fields))


def refused(bench, cid, request, cause):
    """The venue refused one half."""
    return bench.feed(Rejected(bench.later(0.001), 0, cid, request, cause, "-1", ""))


def test_a_moved_quote_is_replaced_in_one_request():
    """Old and new count as open together, and both records stand before the command (S1, S7)."""
    bench, (bid, ask) = spot()
    ask_move, bid_move = up(bench)
    assert isinstance(ask_move, Replace)
    assert (ask_move.old_cid, ask_move.side, bid_move.old_cid) == (ask.cid, -1, bid.cid)
    assert bid_move.place == Place(0, bid_move.cid, 1, 0, bid_move.price, 50, False, "PO")
    assert states(bench, bid.cid, bid_move.cid) == [S.PENDING_CANCEL, S.PENDING_NEW]
    assert bench.engine._desks[0].table.open_lots(1) == bid.qty + bid_move.qty
    kinds = [(r.kind, r.key) for r in bench.records if r.kind in ("cancel", "intent")]
    assert kinds == [
        (k, c) for m in (ask_move, bid_move) for k, c in (("cancel", m.old_cid), ("intent", m.cid))
    ]


def test_the_successor_takes_over_the_slot():
    """The old order's end and the new one's acknowledgement cause nothing further."""
    bench, (bid, _) = spot()
    move = up(bench)[1]
    assert not ended(bench, bid.cid)
    assert not bench.feed(Accepted(bench.later(0.001), 0, move.cid, "n1"))
    assert states(bench, bid.cid, move.cid) == [S.CANCELLED, S.LIVE]
    assert not bench.watch()


def test_an_acknowledgement_before_the_end_cancels_nothing():
    """The new order is no extra while its predecessor is only said to leave, nor is it replaced yet (S4)."""
    bench, (bid, _) = spot()
    move = up(bench)[1]
    assert not bench.feed(Accepted(bench.later(0.001), 0, move.cid, "n1"))
    bench.later()
    bench.book(600_360, 600_370)
    assert states(bench, bid.cid, move.cid) == [S.PENDING_CANCEL, S.LIVE]
    ended(bench, bid.cid)
    assert states(bench, move.cid) == [S.PENDING_CANCEL]


def test_what_does_not_fit_together_is_cancelled_first():
    """S1: a maximum that holds one of the two orders only; the new one follows the old one's end."""
    bench, (bid, ask) = spot(max_inventory=D("0.16"), max_order=D("0.1"))
    commands = up(bench)
    assert [(type(c), c.cid) for c in commands] == [(Cancel, ask.cid), (Cancel, bid.cid)]
    assert [c.side for c in ended(bench, ask.cid) if isinstance(c, Place)] == [-1]
    assert [c.side for c in ended(bench, bid.cid) if isinstance(c, Place)] == [1]


def test_an_executed_old_order_leaves_nothing_created():
    """The cancel came too late: it is asked about, the slot waits for the answer and for nothing else."""
    bench, (bid, _) = spot()
    move = up(bench)[1]
    assert not refused(bench, move.cid, "create", Cause.NOT_ATTEMPTED)
    asked = refused(bench, bid.cid, "cancel", Cause.NOT_FOUND)
    assert [(type(c), c.cid) for c in asked] == [(Query, bid.cid)]
    assert states(bench, bid.cid, move.cid) == [S.UNKNOWN_CANCEL, S.REJECTED]
    assert not [c for c in bench.watch() if isinstance(c, (Place, Replace))]
    commands = ended(bench, bid.cid)
    assert [c.side for c in commands if isinstance(c, Place)] == [1]


def test_a_post_only_refusal_of_the_new_order_reprices_after_a_wait():
    """The old order is gone all the same."""
    bench, (bid, _) = spot()
    move = up(bench)[1]
    refused(bench, move.cid, "create", Cause.POST_ONLY)
    assert not [c for c in ended(bench, bid.cid) if isinstance(c, Place)]
    assert states(bench, bid.cid, move.cid) == [S.CANCELLED, S.REJECTED]
    bench.later(0.2)
    assert [c.side for c in bench.watch() if isinstance(c, Place)] == [1]


def test_what_was_never_sent_leaves_the_old_order_resting():
    """A spent budget: the order that lags behind stays, the one that leads goes, and both slots wait."""
    bench, (bid, ask) = spot()
    for move in up(bench):
        refused(bench, move.cid, "create", Cause.RATE_LIMIT)
        commands = refused(bench, move.old_cid, "cancel", Cause.RATE_LIMIT)
        assert [c.cid for c in commands if isinstance(c, Cancel)] == [ask.cid] * (move.old_cid == ask.cid)
    assert states(bench, bid.cid) == [S.LIVE]
    bench.later(1.0)
    bench.book(600_180, 600_190)
    moved = [c for c in bench.watch() if isinstance(c, Replace)]
    assert [c.old_cid for c in moved] == [bid.cid]


def test_an_outcome_that_nobody_knows_holds_both():
    """Both are asked about; an old order found open is not replaced while the new one is in doubt (S4)."""
    bench, (bid, _) = spot()
    move = up(bench)[1]
    for cid, request in ((move.cid, "create"), (bid.cid, "cancel")):
        commands = bench.feed(Unknown(bench.later(0.001), 0, cid, request, "time-out"))
        assert [(type(c), c.cid) for c in commands] == [(Query, cid)]
    assert bench.engine._desks[0].table.open_lots(1) == bid.qty + move.qty
    ended(bench, bid.cid, status=OrderStatus.OPEN)
    assert states(bench, bid.cid, move.cid) == [S.LIVE, S.UNKNOWN_NEW]
    bench.later()
    assert not [c for c in bench.book(600_360, 600_370) if isinstance(c, (Place, Replace)) and c.side > 0]


@pytest.mark.parametrize("action", ["pause", "stop", "halt"])
def test_nothing_but_cancels_leaves_once_nothing_may_rest(action):
    """The old order is cancelled by itself at once, the new one as soon as it is known."""
    bench, orders = spot()
    moves = up(bench)
    commands = bench.feed(Operator(bench.later(), action, "test")) + bench.watch()
    assert not [c for c in commands if isinstance(c, (Place, Replace))]
    assert {c.cid for c in commands if isinstance(c, Cancel)} >= {o.cid for o in orders}
    assert not [c for c in bench.watch() if isinstance(c, Cancel)]
    bench.accept(moves)
    assert {c.cid for c in bench.watch() if isinstance(c, Cancel)} == {m.cid for m in moves}


def test_a_restart_in_between_asks_about_both():
    """S8: the journal's cancel and intent bring both orders back as unknown."""
    bench = Bench(unit=instrument(product="binance"), can_amend=False, can_replace=True)
    old = bench.ready(balances=HELD)
    bench.accept(old)
    moves = up(bench)
    fresh = Engine([bench.spec], bench.account, Identity("asmm-", 2))
    fresh.restore(bench.records)
    orders = fresh._desks[0].table.orders.values()
    assert {o.cid for o in orders if o.state.unknown} == {c.cid for c in (*old, *moves)}
