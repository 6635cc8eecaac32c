"""Cancel-replace on Binance spot: what each reply says of the old order and of the new one."""

import asyncio
from decimal import Decimal

import pytest
from aiohttp import web
from fake_venue import FakeVenue, Recorder

from asmm_daemon.clock import Clock
from asmm_daemon.events import Accepted, Cause, OrderStatus, OrderUpdate, Rejected, Replace, Unknown
from asmm_daemon.units import Instrument, Lots
from asmm_daemon.venue.dialects import connection
from asmm_daemon.venue.executor import Executor
from asmm_daemon.venue.protocol import VenueSettings

PATH = ("POST", "/api/v3/order/cancelReplace")
MARKET = Instrument(
    symbol="AAAUSDT",
    product="binance",
    base="AAA",
    quote="USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    min_notional=Decimal(5),
    min_qty=Lots(1),
    max_qty=Lots(1_000_000),
    maker=Decimal(0),
    taker=Decimal(0),
)
MOVE = Replace(0, "asmm-2", 1, 0, 1000, 100, False, "PO", "asmm-1", "11")
GONE = {
    "symbol": "AAAUSDT",
    "origClientOrderId": "asmm-1",
    "orderId": 11,
    "clientOrderId": "random",
    "transactTime": 7,
    "price": "99.90",
    "origQty": "0.100",
    "executedQty": "0.040",
    "status": "CANCELED",
    "side": "BUY",
}
MADE = {"symbol": "AAAUSDT", "orderId": 12, "clientOrderId": "asmm-2", "transactTime": 7}
UNTIMELY = {"code": -2011, "msg": "Unknown order sent."}
CROSSING = {"code": -2010, "msg": "Order would immediately match and take."}
POOR = {"code": -2010, "msg": "Account has insufficient balance for requested action."}


def both(cancelled, created, *, ended=GONE, made=MADE):
    """The four fields of a reply."""
    results = {"cancelResult": cancelled, "newOrderResult": created}
    return results | {"cancelResponse": ended, "newOrderResponse": made}


def half(code, *outcome, **bodies):
    """An error reply with its data."""
    return {"code": code, "msg": "Order cancel-replace failed.", "data": both(*outcome, **bodies)}


def told(*replies, busy=False, command=MOVE):
    """What the executor says after these (status, body) replies, and the forms that it sent."""

    async def scenario():
        fake = FakeVenue()
        fake.replies[PATH] = [answer(*reply) for reply in replies]
        async with fake.serve():
            settings = VenueSettings("binance", ("AAAUSDT",), "KEY", "SECRET", f"http://{fake.url}", "ws://x")
            exchange, requests, dialect = connection(settings, Clock())
            dialect.adopt((MARKET,))
            requests.measure_clock = dialect.server_ms
            if busy:
                requests.limiter.set_limits({"orders-short": (1.0, 60.0)})
                assert await requests.limiter.acquire(0, {"orders-short": 1.0})
            sink, awaited = Recorder(), []
            executor = Executor(dialect, Clock(), settings, sink, awaited.append)
            try:
                await executor.replace(command)
            finally:
                await exchange.close()
        assert awaited == [e.cid for e in sink.of(Accepted)]
        return sink.events, [form for form in fake.forms if "cancelReplaceMode" in form]

    return asyncio.run(scenario())


def answer(status, body):
    """A scripted response; text as it is, None cuts the connection."""

    async def reply(form):
        if isinstance(body, str):
            return web.Response(text=body, status=status, content_type="application/json")
        if form.get("symbol") != "AAAUSDT":
            raise web.HTTPBadRequest(text="{}")
        return web.json_response(body, status=status)

    return reply


def refusal(event):
    """The parts of a refusal that matter."""
    return event.cid, event.request, event.cause


def test_success_ends_the_old_order_and_accepts_the_new():
    """One request, STOP_ON_FAILURE, post-only; the old order's executions are told with its end."""
    (end, accepted), (form,) = told((200, both("SUCCESS", "SUCCESS")))
    assert (end.cid, end.oid, end.status, end.filled, end.source) == (
        "asmm-1",
        "11",
        OrderStatus.CANCELLED,
        40,
        "rest",
    )
    assert (type(accepted), accepted.cid, accepted.oid) == (Accepted, "asmm-2", "12")
    sent = ("cancelReplaceMode", "cancelOrderId", "type", "newClientOrderId", "price", "quantity")
    assert [form[name] for name in sent] == [
        "STOP_ON_FAILURE",
        "11",
        "LIMIT_MAKER",
        "asmm-2",
        "100.0",
        "0.100",
    ]


def test_an_order_without_the_venues_id_is_named_by_ours():
    """An order whose acknowledgement is still missing."""
    _, (form,) = told(
        (200, both("SUCCESS", "SUCCESS")),
        command=Replace(0, "asmm-2", 1, 0, 1000, 100, False, "PO", "asmm-1", ""),
    )
    assert form["cancelOrigClientOrderId"] == "asmm-1"
    assert "cancelOrderId" not in form


def test_a_failed_cancel_creates_nothing():
    """-2022: the old order was executed or gone; that is looked at, the new one is surely not there."""
    body = half(-2022, "FAILURE", "NOT_ATTEMPTED", ended=UNTIMELY, made=None)
    events, _ = told((400, body))
    assert [refusal(e) for e in events] == [
        ("asmm-2", "create", Cause.NOT_ATTEMPTED),
        ("asmm-1", "cancel", Cause.NOT_FOUND),
    ]


@pytest.mark.parametrize(("made", "cause"), [(CROSSING, Cause.POST_ONLY), (POOR, Cause.BALANCE)])
def test_a_refused_create_leaves_the_old_order_cancelled(made, cause):
    """-2021: each half is read for itself."""
    events, _ = told((409, half(-2021, "SUCCESS", "FAILURE", made=made)))
    refused, end = events
    assert refusal(refused) == ("asmm-2", "create", cause)
    assert (end.cid, end.status) == ("asmm-1", OrderStatus.CANCELLED)


def test_halves_that_a_mode_of_ours_cannot_give_are_read_all_the_same():
    """A failed cancel beside a created order: both are open, and the core is told so."""
    events, _ = told((409, half(-2021, "FAILURE", "SUCCESS", ended=UNTIMELY)))
    assert [type(e) for e in events] == [Rejected, Accepted]
    assert refusal(events[0]) == ("asmm-1", "cancel", Cause.NOT_FOUND)


@pytest.mark.parametrize(
    ("status", "code", "words", "cause"),
    [
        (400, -1013, "Filter failure: NOTIONAL", Cause.FILTER),
        (429, -1015, "Too many new orders", Cause.RATE_LIMIT),
        (429, -1003, "Too much request weight", Cause.RATE_LIMIT),
    ],
)
def test_a_refusal_of_the_whole_request_is_one_of_both_halves(status, code, words, cause):
    """Filters and limits are judged before anything is cancelled; it is sent once, as a create is."""
    events, forms = told((status, {"code": code, "msg": words}))
    assert [refusal(e) for e in events] == [("asmm-2", "create", cause), ("asmm-1", "cancel", cause)]
    assert len(forms) == 1


def test_a_spent_budget_sends_nothing():
    """The local limiter refuses the order, and with it the cancel."""
    events, forms = told(busy=True)
    assert [refusal(e) for e in events] == [
        ("asmm-2", "create", Cause.RATE_LIMIT),
        ("asmm-1", "cancel", Cause.RATE_LIMIT),
    ]
    assert not forms


def test_a_clock_fault_is_corrected_and_tried_once_more():
    """-1021 is no outcome of either half."""
    late = (400, {"code": -1021, "msg": "Timestamp for this request"})
    events, forms = told(late, (200, both("SUCCESS", "SUCCESS")))
    assert [type(e) for e in events] == [OrderUpdate, Accepted]
    assert len(forms) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (503, {"code": -1007, "msg": "Timeout waiting for response"}),
        (500, "oops"),
        (200, "no json"),
        (200, "[]"),
        (200, {}),
        (200, {"cancelResult": "SUCCESS"}),
        (409, {"code": -2021, "msg": "partially failed"}),
        (400, {"code": -2022, "msg": "failed", "data": "?"}),
        (200, both("SUCCESS", "SUCCESS", ended={}, made={})),
        (200, both("FAILURE", "FAILURE", ended={}, made=None)),
        (
            200,
            both("SUCCESS", "SUCCESS", ended=GONE | {"origClientOrderId": "x"}, made=MADE | {"orderId": 0}),
        ),
    ],
)
def test_what_cannot_be_told_is_unknown_for_both(status, body):
    """A time-out, a 5xx or a body that says nothing proves neither an end nor an order."""
    events, forms = told((status, body))
    assert [(type(e), e.cid, e.request) for e in events] == [
        (Unknown, "asmm-2", "create"),
        (Unknown, "asmm-1", "cancel"),
    ]
    assert len(forms) == 1


@pytest.mark.parametrize(
    ("bodies", "kinds"),
    [
        ({"ended": None}, [Unknown, Accepted]),
        ({"made": MADE | {"clientOrderId": "x"}}, [Unknown, OrderUpdate]),
    ],
)
def test_one_unreadable_half_does_not_hide_the_other(bodies, kinds):
    """Only the half that says nothing is unknown."""
    events, _ = told((200, both("SUCCESS", "SUCCESS", **bodies)))
    assert [type(e) for e in events] == kinds
