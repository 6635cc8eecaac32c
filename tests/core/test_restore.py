"""The journal back into memory, record by record."""

from asmm_daemon.core.engine import Engine
from asmm_daemon.core.spec import Identity
from asmm_daemon.events import FillEvent, OrderStatus, OrderUpdate
from tests.core.bench import Bench, D, cancelled


def _restored(bench):
    fresh = Engine([bench.spec], bench.account, Identity("asmm-", 2))
    fresh.restore(bench.records)
    return fresh


def _open_ids(engine):
    return {order.cid for order in engine.view().markets[0].orders}


def _fill(bench, order):
    lot, tick = bench.spec.instrument.lot, bench.spec.instrument.tick
    now = bench.later()
    price, qty = order.price * tick, order.qty * lot
    return FillEvent(
        now, 0, order.cid, "v0", "1", order.side, price, qty, D("0.01"), "USDT", True, now, "stream"
    )


def _filled(bench, order):
    now = bench.later()
    status = OrderStatus.FILLED
    return OrderUpdate(
        now, 0, order.cid, "v0", status, order.side, order.price, order.qty, order.qty, now, "stream"
    )


def test_an_order_whose_end_came_before_its_execution_is_not_asked_about():
    """The update that says filled may precede the execution: after both nothing is open."""
    bench = Bench()
    orders = bench.ready()
    bench.accept(orders)
    bench.feed(_filled(bench, orders[0]))
    bench.feed(_fill(bench, orders[0]))
    bench.feed(cancelled(bench, orders[1], "v1"))
    assert _open_ids(_restored(bench)).isdisjoint(order.cid for order in orders)


def test_an_order_that_was_executed_whole_without_a_word_of_its_end_is_restored():
    """A crash between the last execution and the order's own record leaves nothing to cancel."""
    bench = Bench()
    orders = bench.ready()
    bench.accept(orders)
    bench.feed(_fill(bench, orders[0]))
    bench.records = [r for r in bench.records if (r.kind, r.data.get("state")) != ("order", "filled")]
    assert orders[0].cid not in _open_ids(_restored(bench))
