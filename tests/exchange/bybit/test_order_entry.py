from decimal import Decimal

import pytest

from asmm_daemon.events import DEPTH, TRADE
from asmm_daemon.exchange.bybit.codes import ApiError
from asmm_daemon.exchange.orders import Origin

TOPICS = ("order", "execution", "execution.fast", "position", "wallet")


def test_a_resting_order_is_told_as_new(desk):
    """An accepted limit order returns its ids and comes as New, whole, on the order topic."""
    room = desk()
    room.hub.names.update(TOPICS)
    ids = room.limit("Buy", "99.5", "0.2", orderLinkId="asmm-1", timeInForce="PostOnly")
    (event,) = room.hub.take("order")
    (order,) = event["data"]
    assert (order["orderId"], order["orderLinkId"]) == (ids["orderId"], "asmm-1") == tuple(ids.values())
    expected = {
        "category": "linear",
        "orderStatus": "New",
        "cancelType": "UNKNOWN",
        "rejectReason": "EC_NoError",
        "timeInForce": "PostOnly",
        "price": "99.5",
        "qty": "0.2",
        "leavesQty": "0.2",
        "leavesValue": "19.9",
        "cumExecQty": "0",
        "avgPrice": "",
        "orderType": "Limit",
        "side": "Buy",
        "positionIdx": 0,
        "smpType": "None",
        "reduceOnly": False,
    }
    assert {key: order[key] for key in expected} == expected
    assert event["topic"] == "order"
    assert event["creationTime"] == int(order["createdTime"])
    assert room.hub.take("execution") == []


def test_a_passive_fill_is_told_on_every_topic(desk, rows):
    """A fill brings an execution with its fee, the order's state, the position and the wallet."""
    room = desk()
    room.hub.names.update(TOPICS)
    ids = room.limit("Buy", "99.5", "0.2", orderLinkId="asmm-1")
    for name in TOPICS:
        room.hub.take(name)
    room.bench.feed.add(rows(50, (DEPTH, 1, 1000, 0), (DEPTH, 1, 999, 0)), rows(60, (TRADE, -1, 995, 80)))
    room.bench.to(100)
    (message,) = room.hub.take("execution")
    (execution,) = message["data"]
    expected = {
        "category": "linear",
        "orderId": ids["orderId"],
        "orderLinkId": "asmm-1",
        "execPrice": "99.5",
        "execQty": "0.080",
        "execType": "Trade",
        "execValue": "7.96",
        "execFee": "0.001592",
        "feeRate": "0.0002",
        "feeCurrency": "USDT",
        "leavesQty": "0.12",
        "orderQty": "0.2",
        "isMaker": True,
        "side": "Buy",
    }
    assert {key: execution[key] for key in expected} == expected
    (fast,) = room.hub.take("execution.fast")[0]["data"]
    assert (fast["execId"], fast["orderLinkId"], fast["seq"]) == (execution["execId"], "", execution["seq"])
    (order,) = room.hub.take("order")[-1]["data"]
    assert (order["orderStatus"], order["cumExecQty"], order["avgPrice"]) == (
        "PartiallyFilled",
        "0.08",
        "99.5",
    )
    assert order["cumFeeDetail"] == {"USDT": "0.001592"}
    (position,) = room.hub.take("position")[-1]["data"]
    assert (position["side"], position["size"], position["entryPrice"]) == ("Buy", "0.08", "99.5")
    (wallet,) = room.hub.take("wallet")[-1]["data"]
    (coin,) = wallet["coin"]
    assert (coin["coin"], coin["walletBalance"]) == ("USDT", "99999.998408")
    assert room.state.server.exchange.log is not None
    assert {line["tid"] for line in room.bench.lines("fill")} == {execution["execId"]}


@pytest.mark.parametrize(("category", "status"), [("linear", "Cancelled"), ("spot", "Rejected")])
def test_a_crossing_post_only_is_accepted_and_then_ended(desk, category, status):
    """A post-only order that would take is answered with ids, then ends on the stream with its reason."""
    room = desk(category)
    room.hub.names.update(TOPICS)
    ids = room.limit("Buy", "100.1", timeInForce="PostOnly")
    assert set(ids) == {"orderId", "orderLinkId"}
    (order,) = room.hub.take("order")[0]["data"]
    assert (order["orderStatus"], order["rejectReason"]) == (status, "EC_PostOnlyWillTakeLiquidity")
    assert (order["cumExecQty"], order["leavesQty"]) == ("0", "0")
    assert room.hub.take("order") == []
    assert room.hub.take("execution") == []


@pytest.mark.parametrize(
    ("tif", "status", "filled", "reason"),
    [
        ("IOC", "Cancelled", "0.05", "EC_NoImmediateQtyToFill"),
        ("FOK", "Cancelled", "0", "EC_CancelForNoFullFill"),
        ("GTC", "PartiallyFilled", "0.05", "EC_NoError"),
    ],
)
def test_an_aggressive_order_ends_as_its_time_in_force_says(desk, tif, status, filled, reason):
    """IOC keeps what it got, FOK takes all or nothing, GTC rests with the remainder."""
    room = desk()
    room.hub.names.update(TOPICS)
    room.limit("Buy", "100.1", "0.2", timeInForce=tif)
    (order,) = room.hub.take("order")[0]["data"]
    assert (order["orderStatus"], order["cumExecQty"], order["rejectReason"]) == (status, filled, reason)
    executions = [row for message in room.hub.take("execution") for row in message["data"]]
    assert [row["isMaker"] for row in executions] == ([] if filled == "0" else [False])


def test_a_user_cancel_says_so(desk):
    """A cancelled order carries the venue's cancel type and reason."""
    room = desk()
    room.hub.names.add("order")
    room.limit("Sell", "101", orderLinkId="asmm-2")
    room.order("cancel", orderLinkId="asmm-2")
    order = room.hub.take("order")[-1]["data"][0]
    assert (order["orderStatus"], order["cancelType"], order["rejectReason"]) == (
        "Cancelled",
        "CancelByUser",
        "EC_PerCancelRequest",
    )


def test_a_partly_filled_spot_order_has_its_own_end(desk):
    """Only spot knows PartiallyFilledCanceled."""
    room = desk("spot")
    room.hub.names.add("order")
    ids = room.limit("Buy", "100.1", "0.2")
    room.order("cancel", orderId=ids["orderId"])
    assert room.hub.take("order")[-1]["data"][0]["orderStatus"] == "PartiallyFilledCanceled"


REFUSALS = [
    ("linear", {"side": "Up"}, 10001, "Side invalid"),
    ("spot", {"side": "Up"}, 170117, "Invalid side."),
    ("linear", {"symbol": "NOPE"}, 10001, "params error: symbol invalid NOPE"),
    ("spot", {"symbol": "NOPE"}, 170121, "Invalid symbol."),
    ("linear", {"qty": "0"}, 10001, "Qty invalid"),
    ("linear", {"qty": "NaN"}, 10001, "Qty invalid"),
    ("linear", {"qty": "1_0"}, 10001, "Qty invalid"),
    ("linear", {"price": "1e40"}, 110003, "Order price is out of permissible range."),
    ("linear", {"side": "Sell", "price": "10000000.1"}, 110003, "Order price is out of permissible range."),
    ("linear", {"price": "110.1"}, 110003, "Order price exceeds the allowable range."),
    ("spot", {"price": "1e40"}, 170132, "Order price too high."),
    ("linear", {"qty": "0.0001"}, 10001, "The number of contracts exceeds minimum limit allowed"),
    ("linear", {"qty": "0.0015"}, 10001, "Qty invalid"),
    ("spot", {"qty": "0.0015"}, 170137, "Order quantity has too many decimals."),
    ("linear", {"price": "99.55"}, 10001, "Price invalid"),
    ("spot", {"price": "99.55"}, 170134, "Order price has too many decimals."),
    ("linear", {"qty": "0.001"}, 110094, "Order does not meet minimum order value "),
    ("spot", {"qty": "0.001"}, 170140, "Order value exceeded lower limit."),
    ("linear", {"qty": "999", "price": "99"}, 110007, "ab not enough for new order"),
    ("spot", {"side": "Sell", "qty": "900"}, 170131, "Insufficient balance."),
    ("linear", {"side": "Sell", "reduceOnly": True}, 110017, None),
    ("linear", {"timeInForce": "GFD"}, 10001, "TimeInForce invalid"),
    ("linear", {"positionIdx": 1}, 10001, "position idx not match position mode"),
    ("linear", {"orderLinkId": "x" * 37}, 10001, None),
    ("linear", {"triggerPrice": "90"}, 10001, None),
    ("linear", {"category": "futures"}, 10001, "params error: Category is invalid"),
    ("linear", {"smpType": "Both"}, 10001, None),
]


@pytest.mark.parametrize(("category", "change", "code", "message"), REFUSALS)
def test_refusals_have_the_venues_codes(desk, category, change, code, message):
    """Each wrong request gets the return code and message of its category."""
    room = desk(category)
    fields = {"side": "Buy", "orderType": "Limit", "price": "99.5", "qty": "0.1"} | change
    if change.get("qty") == "999":
        room.account.balance("USDT").free = Decimal(100)
    refused = room.order("create", **fields)
    assert isinstance(refused, ApiError)
    assert refused.code == code
    assert refused.message.startswith(message or "")


@pytest.mark.parametrize(
    ("category", "verb", "code", "message"),
    [
        ("linear", "cancel", 110001, "order not exists or too late to cancel"),
        ("linear", "amend", 110001, "order not exists or too late to replace"),
        ("spot", "cancel", 170213, "Order does not exist."),
    ],
)
def test_orders_that_do_not_exist(desk, category, verb, code, message):
    """An unknown, foreign or ended order is told apart from a wrong request."""
    room = desk(category)
    for names in ({"orderId": "12"}, {"orderLinkId": "nope"}):
        refused = room.order(verb, price="99", **names)
        assert (refused.code, refused.message) == (code, message)
    ids = room.limit("Buy", "99.5")
    room.order("cancel", orderId=ids["orderId"])
    assert room.order(verb, price="99", orderId=ids["orderId"]).code == code


def test_a_link_id_is_used_once(desk):
    """A client's id is refused for ever after its first order, even when that has ended."""
    room = desk()
    room.limit("Buy", "99.5", orderLinkId="once")
    room.order("cancel", orderLinkId="once")
    refused = room.limit("Buy", "99.5", orderLinkId="once")
    assert (refused.code, refused.message) == (110072, "OrderLinkedID is duplicate")


def test_amending_changes_terms_and_refuses_nonsense(desk):
    """Price and total quantity change; no change, or a total below what filled, is refused."""
    room = desk()
    room.hub.names.add("order")
    ids = room.limit("Buy", "100.1", "0.2")
    room.hub.take("order")
    assert room.order("amend", orderId=ids["orderId"], price="100.0", qty="0.3") == ids
    order = room.hub.take("order")[0]["data"][0]
    assert (order["orderStatus"], order["price"], order["qty"]) == ("PartiallyFilled", "100.0", "0.3")
    assert order["leavesQty"] == "0.25"
    same = room.order("amend", orderId=ids["orderId"], price="100.0", qty="0.3")
    assert same.message == "The order remains unchanged as the parameters entered match the existing ones."
    assert room.order("amend", orderId=ids["orderId"], qty="0.05").code == 110064


def test_a_post_only_amendment_that_would_take_ends_the_order(desk):
    """The amendment is accepted, then the order ends on the stream."""
    room = desk()
    room.hub.names.add("order")
    ids = room.limit("Buy", "99.5", timeInForce="PostOnly")
    room.hub.take("order")
    assert room.order("amend", orderId=ids["orderId"], price="100.1") == ids
    order = room.hub.take("order")[0]["data"][0]
    assert (order["orderStatus"], order["rejectReason"]) == ("Cancelled", "EC_PostOnlyWillTakeLiquidity")


def test_spot_market_orders_count_in_quote_or_base(desk):
    """A market buy spends quote by default, base with marketUnit."""
    room = desk("spot")
    room.hub.names.add("order")
    room.order("create", side="Buy", orderType="Market", qty="8")
    room.order("create", side="Buy", orderType="Market", qty="0.06", marketUnit="baseCoin")
    first, second = (message["data"][0] for message in room.hub.take("order"))
    assert (first["cumExecQty"], first["orderStatus"], first["marketUnit"]) == (
        "0.079",
        "Filled",
        "quoteCoin",
    )
    assert (second["cumExecQty"], second["orderStatus"]) == ("0.051", "PartiallyFilledCanceled")


def test_qty_zero_closes_the_position(desk):
    """ReduceOnly with closeOnTrigger and qty 0 sells the whole position."""
    room = desk()
    room.order("create", side="Buy", orderType="Market", qty="0.1")
    fields = {"side": "Sell", "orderType": "Market", "qty": "0", "reduceOnly": True, "closeOnTrigger": True}
    room.order("create", **fields)
    assert room.account.positions["BTCUSDT"].qty == 0
    assert room.order("create", **fields).code == 110017


def test_a_batch_succeeds_and_fails_order_by_order(desk):
    """Two parallel lists tell ids and codes; a failure leaves the rest alone."""
    room = desk()
    good = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.1", "price": "99"}
    body = {"category": "linear", "request": [good | {"orderLinkId": "b1"}, good | {"side": "?"}]}
    outcome = room.trading.batch("create", room.account, body, Origin("rest"), 20)
    assert [row["orderLinkId"] for row in outcome.result["list"]] == ["b1", ""]
    assert outcome.ext["list"] == [{"code": 0, "msg": "OK"}, {"code": 10001, "msg": "Side invalid"}]
    body["request"] = [{"symbol": "BTCUSDT", "orderLinkId": "b1"}, {"symbol": "BTCUSDT", "orderLinkId": "b2"}]
    outcome = room.trading.batch("cancel", room.account, body, Origin("rest"), 20)
    assert [row["code"] for row in outcome.ext["list"]] == [0, 110001]


def test_cancel_all_reaches_what_it_names(desk):
    """Contracts need a symbol, base or settle coin; the answer lists the ended orders."""
    room = desk()
    ids = room.limit("Buy", "99"), room.limit("Sell", "102")
    with pytest.raises(ApiError, match="symbol or settleCoin or baseCoin"):
        room.trading.cancel_all(room.account, {"category": "linear"}, Origin("rest"))
    none = room.trading.cancel_all(room.account, {"category": "linear", "settleCoin": "USDC"}, Origin("rest"))
    assert none.result == {"list": [], "success": "1"}
    every = room.trading.cancel_all(
        room.account, {"category": "linear", "settleCoin": "USDT"}, Origin("rest")
    )
    assert every.result["list"] == list(ids)
    assert room.bench.exchange.open_orders(room.account) == []


def test_self_match_prevention_ends_the_maker(desk):
    """SmpType CancelMaker ends the resting order that would have met its own account."""
    room = desk()
    room.hub.names.add("order")
    resting = room.limit("Sell", "100.1")
    room.hub.take("order")
    taker = room.limit("Buy", "100.1", "0.2", smpType="CancelMaker")
    told = {row["orderId"]: row for message in room.hub.take("order") for row in message["data"]}
    ended = told[resting["orderId"]]
    assert (ended["cancelType"], ended["smpOrderId"]) == ("CancelBySmp", taker["orderId"])
    assert told[taker["orderId"]]["smpOrderId"] == ""


def test_a_reduce_only_order_goes_with_its_position(desk):
    """A resting reduce-only order ends as CancelByReduceOnly once the position is closed."""
    room = desk()
    room.order("create", side="Buy", orderType="Market", qty="0.1")
    resting = room.limit("Sell", "102", "0.1", reduceOnly=True)
    room.hub.names.add("order")
    room.order("create", side="Sell", orderType="Market", qty="0.1")
    told = {row["orderId"]: row for message in room.hub.take("order") for row in message["data"]}
    ended = told[resting["orderId"]]
    assert (ended["orderStatus"], ended["cancelType"], ended["rejectReason"]) == (
        "Cancelled",
        "CancelByReduceOnly",
        "EC_NoError",
    )
