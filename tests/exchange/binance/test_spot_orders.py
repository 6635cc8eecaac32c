"""Spot order bodies, events and refusals over a hand-written book."""

import asyncio
import re
from decimal import Decimal

import orjson

from asmm_daemon.exchange.binance.params import CLIENT_ID_RANGE, DECIMAL_RANGE

ROOT = "/api/v3/order"
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
FULL = {
    "symbol", "orderId", "orderListId", "clientOrderId", "transactTime", "price", "origQty", "executedQty",
    "origQuoteOrderQty", "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "workingTime",
    "selfTradePreventionMode", "fills",
}  # fmt: skip
QUERY = {
    "symbol", "orderId", "orderListId", "clientOrderId", "price", "origQty", "executedQty",
    "cummulativeQuoteQty", "status", "timeInForce", "type", "side", "stopPrice", "icebergQty", "time",
    "updateTime", "isWorking", "workingTime", "origQuoteOrderQty", "selfTradePreventionMode",
}  # fmt: skip
REPORT = set("eEscSofqpPFgCxXrilzLnNTtIwmMOZYQWV")


def run(venue, scenario, **options):
    """Runs a scenario against a spot venue."""

    async def main():
        async with venue("binance", **options) as v, asyncio.timeout(30):
            await scenario(v)

    asyncio.run(main())


async def events(v, ws, done):
    """User stream events up to the first that is `done`."""
    seen = []
    while not seen or not done(seen[-1]):
        message = orjson.loads((await ws.receive()).data)
        if "event" in message:
            seen.append(message["event"])
    return seen


async def subscribe(v, ws):
    """Subscribes by signature and returns the subscription id."""
    fields = dict(pair.split("=") for pair in v.sign({"apiKey": "KEY"}).split("&"))
    fields.pop("signature")
    ordered = "&".join(f"{name}={fields[name]}" for name in sorted(fields))
    key = v.server.keys.get("KEY")
    params = {**fields, "signature": key.sign(ordered)}
    await ws.send_json({"id": "s", "method": "userDataStream.subscribe.signature", "params": params})
    return orjson.loads((await ws.receive()).data)["result"]["subscriptionId"]


def test_answers_have_the_documented_fields(venue):
    """ACK, RESULT and FULL answers, queries and cancels carry the documents' fields."""

    async def scenario(v):
        order = {**LIMIT, "price": v.price("BUY", 100)}
        _, full, _ = await v.send("POST", ROOT, order)
        assert set(full) == FULL
        _, ack, _ = await v.send("POST", ROOT, {**order, "newOrderRespType": "ACK"})
        assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
        _, result, _ = await v.send("POST", ROOT, {**order, "newOrderRespType": "RESULT"})
        assert set(result) == FULL - {"fills"}
        _, seen, _ = await v.send("GET", ROOT, {"symbol": "BTCUSDT", "orderId": ack["orderId"]})
        assert set(seen) == QUERY
        assert re.fullmatch(r"\d+\.\d{8}", seen["price"])
        _, gone, _ = await v.send("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"})
        assert [o["status"] for o in gone] == ["CANCELED"] * 3
        assert set(gone[0]) == FULL - {"fills", "workingTime"} | {"origClientOrderId"}
        status, body, _ = await v.send("DELETE", "/api/v3/openOrders", {"symbol": "BTCUSDT"})
        assert (status, body) == (400, {"code": -2011, "msg": "Unknown order sent."})

    run(venue, scenario)


MISSING = "Mandatory parameter '{}' was not sent, was empty/null, or malformed."
ILLEGAL = "Illegal characters found in parameter '{}'; legal range is '{}'."
INVALID = "Data sent for parameter '{}' is not valid."
UNREAD = "Not all sent parameters were read; read '{}' parameter(s) but was sent '{}'."
STP = "This symbol does not allow the specified self-trade prevention mode."
REFUSALS = [
    ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
    ({"side": "UP"}, -1117, "Invalid side."),
    ({"type": "ICEBERG"}, -1116, "Invalid orderType."),
    ({"type": "STOP_LOSS"}, -1013, "Stop loss orders are not supported for this symbol."),
    ({"timeInForce": "GTX"}, -1115, "Invalid timeInForce."),
    ({"timeInForce": None}, -1102, MISSING.format("timeInForce")),
    ({"quantity": None}, -1102, MISSING.format("quantity")),
    ({"quantity": ""}, -1105, "Parameter 'quantity' was empty."),
    ({"quantity": "1e-2"}, -1100, ILLEGAL.format("quantity", DECIMAL_RANGE)),
    ({"quantity": "0"}, -1013, "Invalid quantity."),
    ({"quantity": "0.0100000001"}, -1111, "Parameter 'quantity' has too much precision."),
    ({"quantity": "0.010001"}, -1013, "Filter failure: LOT_SIZE"),
    ({"quantity": "0.00005"}, -1013, "Filter failure: NOTIONAL"),
    ({"price": "50000.001"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"price": "1"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ({"side": "SELL", "price": "900000"}, -1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    ({"side": "SELL", "price": "10000000.01"}, -1013, "Filter failure: PRICE_FILTER"),
    ({"type": "LIMIT_MAKER"}, -1106, "Parameter 'timeInForce' sent when not required."),
    ({"type": "MARKET", "timeInForce": None}, -1106, "Parameter 'price' sent when not required."),
    ({"quantity": "9"}, -2010, "Account has insufficient balance for requested action."),
    ({"newClientOrderId": "a b"}, -1100, ILLEGAL.format("newClientOrderId", CLIENT_ID_RANGE)),
    ({"selfTradePreventionMode": "X"}, -1130, INVALID.format("selfTradePreventionMode")),
    ({"selfTradePreventionMode": "NONE"}, -1013, STP),
    ({"selfTradePreventionMode": "DECREMENT"}, -1013, STP),
    ({"icebergQty": "0.001"}, -1013, "Iceberg orders are not supported for this symbol."),
    ({"strategyType": "5"}, -1134, "strategyType was less than 1000000."),
    ({"postOnly": "true"}, -1104, UNREAD.format(8, 9)),
]  # fmt: skip


def test_refusals(venue):
    """Each malformed or impossible order gets the venue's own code and message, and nothing rests."""

    async def scenario(v):
        base = {**LIMIT, "price": v.price("BUY", 100)}
        for change, code, message in REFUSALS:
            order = {name: value for name, value in (base | change).items() if value is not None}
            status, body, _ = await v.send("POST", ROOT, order)
            assert (status, body) == (400, {"code": code, "msg": message}), change
        assert v.server.exchange.open_orders(v.account) == []

    run(venue, scenario)


def test_execution_reports(venue):
    """NEW, REPLACED, CANCELED and TRADE reports carry the documents' fields and the right ids."""

    async def scenario(v):
        async with v.http.ws_connect(f"{v.ws}/ws-api/v3") as ws:
            assert await subscribe(v, ws) == 0
            order = {**LIMIT, "price": v.price("BUY", 100), "newClientOrderId": "a1"}
            _, placed, _ = await v.send("POST", ROOT, order)
            amend = {
                "symbol": "BTCUSDT",
                "orderId": placed["orderId"],
                "newQty": "0.008",
                "newClientOrderId": "a2",
            }
            _, amended, _ = await v.send("PUT", f"{ROOT}/amend/keepPriority", amend)
            assert (amended["amendedOrder"]["qty"], amended["amendedOrder"]["clientOrderId"]) == (
                "0.00800000",
                "a2",
            )
            _, history, _ = await v.send("GET", f"{ROOT}/amendments", {**amend, "newQty": "1"})
            assert [(h["origQty"], h["newQty"]) for h in history] == [("0.01000000", "0.00800000")]
            cancel = {"symbol": "BTCUSDT", "origClientOrderId": "a2", "newClientOrderId": "c1"}
            _, gone, _ = await v.send("DELETE", ROOT, cancel)
            assert (gone["clientOrderId"], gone["origClientOrderId"]) == ("c1", "a2")
            seen = await events(v, ws, lambda e: e.get("x") == "CANCELED")
            reports = [e for e in seen if e["e"] == "executionReport"]
            assert [(r["x"], r["X"], r["c"], r["C"]) for r in reports] == [
                ("NEW", "NEW", "a1", ""),
                ("REPLACED", "NEW", "a2", "a1"),
                ("CANCELED", "CANCELED", "c1", "a2"),
            ]
            assert all(set(r) == REPORT for r in reports)
            await v.send(
                "POST", ROOT, {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.01"}
            )
            fills = [
                e for e in await events(v, ws, lambda e: e.get("X") == "FILLED") if e.get("x") == "TRADE"
            ]
            assert sum(Decimal(f["n"]) for f in fills) == sum(t.fee for t in v.account.trades)
            position = (await events(v, ws, lambda e: e["e"] == "outboundAccountPosition"))[-1]
            assert {"a", "f", "l"} == set(position["B"][0])

    run(venue, scenario)


def test_cancel_replace_half_done(venue):
    """-2021 with status 409 when only the cancel worked, -2022 when the cancel failed."""

    async def scenario(v):
        _, placed, _ = await v.send("POST", ROOT, {**LIMIT, "price": v.price("BUY", 100)})
        through = {
            "symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01",
            "price": v.price("SELL", 100), "cancelReplaceMode": "STOP_ON_FAILURE",
        }  # fmt: skip
        path = f"{ROOT}/cancelReplace"
        status, body, _ = await v.send("POST", path, {**through, "cancelOrderId": placed["orderId"]})
        data = body["data"]
        assert (status, body["code"], data["cancelResult"], data["newOrderResult"]) == (
            409, -2021, "SUCCESS", "FAILURE",
        )  # fmt: skip
        assert data["cancelResponse"]["status"] == "CANCELED"
        assert data["newOrderResponse"] == {"code": -2010, "msg": "Order would immediately match and take."}
        status, body, _ = await v.send("POST", path, {**through, "cancelOrderId": placed["orderId"]})
        data = body["data"]
        assert (status, body["code"], data["cancelResult"], data["newOrderResult"]) == (
            400, -2022, "FAILURE", "NOT_ATTEMPTED",
        )  # fmt: skip
        assert data["cancelResponse"] == {"code": -2011, "msg": "Unknown order sent."}

    run(venue, scenario)


def test_amendments_that_are_refused(venue):
    """More, the same, and too little quantity: -2038; the order stays as it was."""

    async def scenario(v):
        _, placed, _ = await v.send("POST", ROOT, {**LIMIT, "price": v.price("BUY", 100)})
        path = f"{ROOT}/amend/keepPriority"
        terms = {"symbol": "BTCUSDT", "orderId": placed["orderId"]}
        for qty, message in (
            ("0.02", "Order amend (quantity increase) is not supported."),
            ("0.01", "The requested action would change no state; rejecting."),
        ):
            status, body, _ = await v.send("PUT", path, {**terms, "newQty": qty})
            assert (status, body) == (400, {"code": -2038, "msg": message})
        assert v.server.exchange.open_orders(v.account)[0].qty == Decimal("0.01")

    run(venue, scenario)


def test_unsubscribe_terminates_the_stream(venue):
    """userDataStream.unsubscribe tells the stream's end, and events stop."""

    async def scenario(v):
        async with v.http.ws_connect(f"{v.ws}/ws-api/v3") as ws:
            number = await subscribe(v, ws)
            request = {"id": 7, "method": "userDataStream.unsubscribe", "params": {"subscriptionId": number}}
            await ws.send_json(request)
            first, second = [orjson.loads((await ws.receive()).data) for _ in range(2)]
            assert first["event"]["e"] == "eventStreamTerminated"
            assert (second["id"], second["status"], second["result"]) == (7, 200, {})
            assert {limit["rateLimitType"] for limit in second["rateLimits"]} == {"REQUEST_WEIGHT"}
            assert not v.server.hub.wanted("main@executionReport")

    run(venue, scenario)


def test_a_session_tells_its_own_state(venue):
    """session.status knows since when it stands, whether it tells limits, whether it has a user stream."""

    async def scenario(v):
        before_ms = v.server.time_ms()
        async with v.http.ws_connect(f"{v.ws}/ws-api/v3?returnRateLimits=false") as ws:
            seen = []
            for _ in range(2):
                await ws.send_json({"id": "st", "method": "session.status"})
                seen.append(orjson.loads((await ws.receive()).data)["result"])
                await subscribe(v, ws)
            first, second = seen
            assert before_ms <= first["connectedSince"] == second["connectedSince"] <= first["serverTime"]
            assert (first["returnRateLimits"], first["userDataStream"], second["userDataStream"]) == (
                False,
                False,
                True,
            )

    run(venue, scenario)


def test_listen_key_life(venue):
    """A listen key is one per account, can be extended and closed, and is unknown afterwards."""

    async def scenario(v):
        path = "/api/v3/userDataStream"
        _, first, _ = await v.send("POST", path)
        _, again, _ = await v.send("POST", path)
        assert first == again
        assert len(first["listenKey"]) >= 60
        async with v.http.ws_connect(f"{v.ws}/ws/{first['listenKey']}") as ws:
            await v.send("POST", ROOT, {**LIMIT, "price": v.price("BUY", 100)})
            event = orjson.loads((await ws.receive()).data)
            assert (event["e"], event["x"]) == ("executionReport", "NEW")
            status, body, _ = await v.send("PUT", path, {"listenKey": first["listenKey"]})
            assert (status, body) == (200, {})
            status, body, _ = await v.send("DELETE", path, {"listenKey": first["listenKey"]})
            assert (status, body) == (200, {})
            status, body, _ = await v.send("PUT", path, {"listenKey": first["listenKey"]})
            assert (status, body) == (400, {"code": -1125, "msg": "This listenKey does not exist."})

    run(venue, scenario)
