"""USD-M order bodies, events and refusals over the synthetic book."""

import asyncio
from decimal import Decimal

import orjson

ROOT = "/fapi/v1/order"
LIMIT = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTX", "quantity": "0.010"}
BODY = {
    "clientOrderId", "cumQty", "cumQuote", "executedQty", "orderId", "avgPrice", "origQty", "price",
    "reduceOnly",
    "side", "positionSide", "status", "stopPrice", "closePosition", "symbol", "timeInForce", "type",
    "origType",
    "updateTime", "workingType", "priceProtect", "priceMatch", "selfTradePreventionMode", "goodTillDate",
}  # fmt: skip
UPDATE = {
    "s", "c", "S", "o", "f", "q", "p", "ap", "sp", "x", "X", "i", "l", "z", "L", "n", "N", "T", "t", "b", "a",
    "m",
    "R", "wt", "ot", "ps", "cp", "rp", "pP", "si", "ss", "V", "pm", "gtd", "er",
}  # fmt: skip


def run(venue, scenario, **options):
    """Runs a scenario against a USD-M venue."""

    async def main():
        async with venue("binanceusdm", **options) as v, asyncio.timeout(30):
            await scenario(v)

    asyncio.run(main())


async def listen(v, suffix=""):
    """A private connection on a fresh listen key."""
    _, body, _ = await v.send("POST", "/fapi/v1/listenKey")
    return await v.http.ws_connect(f"{v.ws}/private/ws?listenKey={body['listenKey']}{suffix}")


async def events(ws, done):
    """Events up to the first that is `done`."""
    seen = []
    while not seen or not done(seen[-1]):
        seen.append(orjson.loads((await ws.receive()).data))
    return seen


def test_answers_have_the_documented_fields(venue):
    """New, modified, queried and cancelled orders carry the documents' fields and precision."""

    async def scenario(v):
        price = v.price("BUY", 100)
        _, placed, _ = await v.send("POST", ROOT, {**LIMIT, "price": price})
        assert set(placed) == BODY
        assert (placed["price"], placed["origQty"], placed["avgPrice"]) == (f"{price}.00", "0.010", "0.00")
        change = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "orderId": placed["orderId"],
            "quantity": "0.020",
            "price": price,
        }
        _, modified, _ = await v.send("PUT", ROOT, change)
        assert (modified["orderId"], modified["origQty"]) == (placed["orderId"], "0.020")
        _, seen, _ = await v.send("GET", ROOT, {"symbol": "BTCUSDT", "orderId": placed["orderId"]})
        assert set(seen) == BODY - {"cumQty"} | {"time"}
        status, body, _ = await v.send("PUT", ROOT, change)
        assert (status, body) == (400, {"code": -5027, "msg": "No need to modify the order."})
        _, gone, _ = await v.send(
            "DELETE", ROOT, {"symbol": "BTCUSDT", "origClientOrderId": placed["clientOrderId"]}
        )
        assert (set(gone), gone["status"]) == (BODY, "CANCELED")

    run(venue, scenario)


ALGO = "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead."
MISSING = "Mandatory parameter '{}' was not sent, was empty/null, or malformed."
NOTIONAL = "Order's notional must be no smaller than 100 (unless you choose reduce only)"
REFUSALS = [
    ({"symbol": "NOPE"}, -1121, "Invalid symbol."),
    ({"side": "UP"}, -1117, "Invalid side."),
    ({"type": "STOP_MARKET"}, -4120, ALGO),
    ({"timeInForce": None}, -1102, MISSING.format("timeInForce")),
    ({"timeInForce": "GTZ"}, -1115, "Invalid timeInForce."),
    ({"positionSide": "LONG"}, -4061, "Order's position side does not match user's setting."),
    ({"quantity": "0"}, -4003, "Quantity less than zero."),
    ({"quantity": "0.0101"}, -1111, "Precision is over the maximum defined for this asset."),
    ({"price": "50000.05"}, -4014, "Price not increased by tick size."),
    ({"price": "50000.001"}, -1111, "Precision is over the maximum defined for this asset."),
    ({"quantity": "0.001"}, -4164, NOTIONAL),
    ({"price": "99999"}, -4016, "Price is higher than mark price multiplier cap."),
    ({"side": "SELL", "price": "10000000.10"}, -4002, "Price greater than max price."),
    ({"side": "SELL", "price": "9999"}, -4024, "Price is lower than mark price multiplier floor."),
    ({"reduceOnly": "true"}, -2022, "ReduceOnly Order is rejected."),
    ({"quantity": "900"}, -2019, "Margin is insufficient."),
    ({"newClientOrderId": "x" * 37}, -4015, "Client order id length should not be more than 36 chars"),
    ({"timeInForce": "GTD", "goodTillDate": "1"}, -5040, None),
]  # fmt: skip


def test_refusals(venue):
    """Each malformed or impossible order gets the venue's own code and message, and nothing rests."""

    async def scenario(v):
        base = {**LIMIT, "price": v.price("BUY", 100)}
        for change, code, message in REFUSALS:
            order = {name: value for name, value in (base | change).items() if value is not None}
            status, body, _ = await v.send("POST", ROOT, order)
            assert (status, body["code"]) == (400, code), (change, body)
            assert message in (None, body["msg"])
        assert v.server.exchange.open_orders(v.account) == []

    run(venue, scenario)


def test_post_only_through_the_book(venue):
    """A GTX order that would take is refused with -5022; amended through the book it is cancelled."""

    async def scenario(v):
        through = v.price("SELL", 100)
        status, body, _ = await v.send("POST", ROOT, {**LIMIT, "price": through})
        assert (status, body["code"]) == (400, -5022)
        _, placed, _ = await v.send("POST", ROOT, {**LIMIT, "price": v.price("BUY", 100)})
        change = {"symbol": "BTCUSDT", "side": "BUY", "orderId": placed["orderId"], "quantity": "0.010"}
        status, body, _ = await v.send("PUT", ROOT, {**change, "price": through})
        assert (status, body["status"]) == (200, "CANCELED")
        fok = {**LIMIT, "timeInForce": "FOK", "price": v.price("BUY", 100)}
        status, body, _ = await v.send("POST", ROOT, fok)
        assert (status, body["code"]) == (400, -5021)

    run(venue, scenario)


def test_ack_and_result(venue):
    """An ACK tells the order as accepted; a RESULT tells what became of it."""

    async def scenario(v):
        market = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}
        _, ack, _ = await v.send("POST", ROOT, market)
        assert (ack["status"], ack["executedQty"]) == ("NEW", "0.000")
        _, result, _ = await v.send("POST", ROOT, {**market, "newOrderRespType": "RESULT"})
        assert (result["status"], result["executedQty"]) == ("FILLED", "0.010")
        assert Decimal(result["avgPrice"]) > 0

    run(venue, scenario)


def test_order_and_account_updates(venue):
    """NEW, AMENDMENT, CANCELED and TRADE updates carry the documents' fields; the account follows."""

    async def scenario(v):
        ws = await listen(v)
        price = v.price("BUY", 100)
        _, placed, _ = await v.send("POST", ROOT, {**LIMIT, "price": price, "newClientOrderId": "a1"})
        change = {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "orderId": placed["orderId"],
            "quantity": "0.020",
            "price": price,
        }
        await v.send("PUT", ROOT, change)
        await v.send("DELETE", ROOT, {"symbol": "BTCUSDT", "orderId": placed["orderId"]})
        seen = await events(ws, lambda e: e.get("o", {}).get("x") == "CANCELED")
        orders = [e["o"] for e in seen]
        assert [(o["x"], o["X"], o["q"]) for o in orders] == [
            ("NEW", "NEW", "0.010"),
            ("AMENDMENT", "NEW", "0.020"),
            ("CANCELED", "CANCELED", "0.020"),
        ]
        assert all(set(o) == UPDATE for o in orders)
        await v.send(
            "POST", ROOT, {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.010"}
        )
        seen = await events(ws, lambda e: e["e"] == "ACCOUNT_UPDATE")
        trade = next(e["o"] for e in seen if e.get("o", {}).get("x") == "TRADE")
        assert (Decimal(trade["n"]), trade["t"]) == (v.account.trades[0].fee, v.account.trades[0].tid)
        position = seen[-1]["a"]["P"][0]
        assert set(position) == {"s", "pa", "ep", "cr", "up", "mt", "iw", "ps", "ma", "bep"}
        await ws.close()

    run(venue, scenario)


def test_event_filter_and_envelope(venue):
    """`events` limits a private connection; /private/stream wraps events under the listen key."""

    async def scenario(v):
        only = await listen(v, "&events=ACCOUNT_UPDATE")
        _, body, _ = await v.send("POST", "/fapi/v1/listenKey")
        key = body["listenKey"]
        wrapped = await v.http.ws_connect(f"{v.ws}/private/stream?listenKey={key}&events=ORDER_TRADE_UPDATE")
        await v.send(
            "POST", ROOT, {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.010"}
        )
        assert orjson.loads((await only.receive()).data)["e"] == "ACCOUNT_UPDATE"
        message = orjson.loads((await wrapped.receive()).data)
        assert (message["stream"], message["data"]["e"]) == (key, "ORDER_TRADE_UPDATE")
        await only.close()
        await wrapped.close()

    run(venue, scenario)


def test_expired_listen_key(venue):
    """A connection is told that its key has expired, and hears nothing more."""

    async def scenario(v):
        ws = await listen(v)
        assert v.wire.admin("expire-listen-keys", {})
        seen = await events(ws, lambda e: e["e"] == "listenKeyExpired")
        assert seen[-1]["listenKey"]
        status, body, _ = await v.send("PUT", "/fapi/v1/listenKey")
        assert (status, body["code"]) == (400, -1125)
        while v.server.hub.wanted("main@ORDER_TRADE_UPDATE"):  # noqa: ASYNC110  (venue time has no event)
            await asyncio.sleep(0.01)
        await ws.close()

    run(venue, scenario)


def test_countdown_cancels(venue):
    """The countdown cancels every order of the symbol once it runs out."""

    async def scenario(v):
        ws = await listen(v)
        await v.send("POST", ROOT, {**LIMIT, "price": v.price("BUY", 100)})
        _, body, _ = await v.send(
            "POST", "/fapi/v1/countdownCancelAll", {"symbol": "BTCUSDT", "countdownTime": "300"}
        )
        assert body == {"symbol": "BTCUSDT", "countdownTime": "300"}
        seen = await events(ws, lambda e: e.get("o", {}).get("x") == "CANCELED")
        assert seen[-1]["o"]["X"] == "CANCELED"
        await ws.close()

    run(venue, scenario)


def test_batches_answer_each_for_itself(venue):
    """One bad order of a batch does not stop the others."""

    async def scenario(v):
        good = {**LIMIT, "price": v.price("BUY", 100)}
        batch = [good, {**good, "quantity": "0"}, {**good, "price": v.price("BUY", 200), "reduceOnly": None}]
        _, answers, _ = await v.send(
            "POST", "/fapi/v1/batchOrders", {"batchOrders": orjson.dumps(batch).decode()}
        )
        assert isinstance(answers, list), answers
        assert [a.get("status", a.get("code")) for a in answers] == ["NEW", -4003, "NEW"]
        ids = [a["orderId"] for a in answers if "orderId" in a]
        _, gone, _ = await v.send(
            "DELETE", "/fapi/v1/batchOrders", {"symbol": "BTCUSDT", "orderIdList": str([*ids, 1])}
        )
        assert [a.get("status", a.get("code")) for a in gone] == ["CANCELED", "CANCELED", -2011]
        for wrong in ('["a"]', "[null]", "[1.5]", "x"):
            _, refused, _ = await v.send(
                "DELETE", "/fapi/v1/batchOrders", {"symbol": "BTCUSDT", "orderIdList": wrong}
            )
            assert refused["code"] == -1130, wrong

    run(venue, scenario)


def test_account_adds_up(venue):
    """Wallet, margin and position of /fapi/v3/account are the account's own."""

    async def scenario(v):
        await v.send(
            "POST", ROOT, {"symbol": "BTCUSDT", "side": "SELL", "type": "MARKET", "quantity": "0.010"}
        )
        _, body, _ = await v.send("GET", "/fapi/v3/account")
        assert Decimal(body["totalWalletBalance"]) == v.account.balance("USDT").total
        assert body["positions"][0]["positionAmt"] == "-0.010"
        total = Decimal(body["totalWalletBalance"]) + Decimal(body["totalUnrealizedProfit"])
        assert Decimal(body["totalMarginBalance"]) == total
        _, risk, _ = await v.send("GET", "/fapi/v3/positionRisk")
        assert Decimal(risk[0]["liquidationPrice"]) > Decimal(risk[0]["markPrice"])
        _, income, _ = await v.send("GET", "/fapi/v1/income", {"incomeType": "COMMISSION"})
        assert sum(Decimal(row["income"]) for row in income) == -v.account.positions["BTCUSDT"].fees

    run(venue, scenario)


def test_unknown_path(venue):
    """A path that the product does not have is answered with -5000."""

    async def scenario(v):
        status, body = await v.get("/fapi/v1/nothing")
        assert (status, body["code"]) == (404, -5000)

    run(venue, scenario)
