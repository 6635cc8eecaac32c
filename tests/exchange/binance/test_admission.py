"""Signatures, keys, clocks and budgets, as the documents word them."""

import asyncio

import pytest

from asmm_daemon.exchange.binance.endpoint import Endpoint, Security
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.gate import Gate, Signed, rest_payloads
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.keys import ApiKey, KeyRing

KEY = "dbefbc809e3e83c283a984c3a1459732ea7db1360ca80c5c2c8867408d28cc83"
SECRET = "2b5eb11e18796d12d88f13dc27dbbd02c2cc51ff7059765ed9821957d82bb4d9"
SPOT_SECRET = "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j"
TERMS = b"symbol=BTCUSDT&side=BUY&type=LIMIT&quantity=1&price=9000&timeInForce=GTC&recvWindow=5000"
TIMED = TERMS + b"&timestamp=1591702613943"
SPOT = b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1&recvWindow=5000"
SPOT_TIMED = SPOT + b"&timestamp=1499827319559"
ROUTES = {"binance": "/api/v3", "binanceusdm": "/fapi/v1"}


def gate(secret=SECRET):
    """A gate that knows the documents' key."""
    return Gate("binanceusdm", KeyRing([ApiKey(KEY, secret)]))


def params(*parts):
    """The parameters of query and body together."""
    return Params(dict(item.split("=") for part in parts for item in part.decode().split("&") if item))


@pytest.mark.parametrize(
    ("query", "body", "signature", "secret"),
    [
        (TIMED, b"", "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9", SECRET),
        (b"", TIMED, "3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9", SECRET),
        (SPOT_TIMED, b"", "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71", SPOT_SECRET),
        (
            b"symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC",
            b"quantity=1&price=0.1&recvWindow=5000&timestamp=1499827319559",
            "0fd168b8ddb4876a0358a8d14d0c9f3da0e9b20c5d52b2a00fcf7d1c602f9a77",
            SPOT_SECRET,
        ),
    ],
)
def test_signatures_of_the_documents(query, body, signature, secret):
    """The worked examples of the venue's documents are admitted: in the query, the body, and both."""
    tail = b"&signature=" + signature.encode()
    signed_query, signed_body = (query, body + tail) if body else (query + tail, b"")
    endpoint = Endpoint("POST", "/order", lambda _: None, Security.TRADE)
    fields = params(signed_query, signed_body)
    signed = Signed(KEY, rest_payloads(signed_query, signed_body))
    now_ms = int(fields.text("timestamp")) + 10
    key = gate(secret).authorise(endpoint, fields, signed, now_ms)
    assert key is not None
    assert key.key == KEY


@pytest.mark.parametrize(
    ("key", "late_ms", "secret", "code", "status"),
    [
        (None, 0, SECRET, -2014, 401),
        ("other", 0, SECRET, -2015, 401),
        (KEY, 5001, SECRET, -1021, 400),
        (KEY, -1000, SECRET, -1021, 400),
        (KEY, 0, "wrong", -1022, 400),
    ],
)
def test_refusals(key, late_ms, secret, code, status):
    """Missing and unknown keys, old and early timestamps, false signatures: each its own code."""
    query = TIMED + b"&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    endpoint = Endpoint("POST", "/order", lambda _: None, Security.TRADE)
    with pytest.raises(ApiError) as refused:
        gate(secret).authorise(
            endpoint, params(query), Signed(key, rest_payloads(query, b"")), 1591702613943 + late_ms
        )
    assert (refused.value.code, refused.value.status) == (code, status)


def test_a_key_without_trading_may_read():
    """TRADE endpoints refuse a read-only key, USER_DATA endpoints take it."""
    ring = Gate("binance", KeyRing([ApiKey(KEY, SECRET, can_trade=False)]))
    query = TIMED + b"&signature=3c661234138461fcc7a7d8746c6558c9842d4e10870d2ecbedf7777cad694af9"
    signed = Signed(KEY, rest_payloads(query, b""))
    reading = Endpoint("GET", "/order", lambda _: None, Security.USER_DATA)
    trading = Endpoint("POST", "/order", lambda _: None, Security.TRADE)
    assert ring.authorise(reading, params(query), signed, 1591702613943)
    with pytest.raises(ApiError, match="permissions"):
        ring.authorise(trading, params(query), signed, 1591702613943)


def test_weight_then_ban():
    """Over the weight: 429 with the wait; those who go on: 418 until the ban ends."""
    budget = gate()
    t_ns = 1_700_000_000 * 10**9
    budget.charge("here", 2400, t_ns)
    seen = []
    for _ in range(10):
        with pytest.raises(ApiError) as refused:
            budget.charge("here", 1, t_ns)
        seen.append(refused.value.status)
    assert seen == [429] * 9 + [418]
    with pytest.raises(ApiError) as banned:
        budget.charge("here", 1, t_ns + 61 * 10**9)
    assert (banned.value.status, banned.value.code) == (418, -1003)
    assert banned.value.retry_after_s == 59
    budget.charge("here", 1, t_ns + 121 * 10**9)


def test_order_counts_are_limited():
    """More orders than ten seconds allow: -1015 with status 429."""
    budget = gate()
    budget.charge_orders("main", 300, 0)
    with pytest.raises(ApiError) as refused:
        budget.charge_orders("main", 1, 0)
    assert (refused.value.code, refused.value.status) == (-1015, 429)
    assert "300 orders per 10 SECOND" in refused.value.msg


@pytest.mark.parametrize("product", ROUTES)
def test_headers_and_bodies_on_the_wire(venue, product):
    """Used weight and order counts in headers, errors as code and msg, Retry-After with a 429."""
    root = ROUTES[product]

    async def main():
        async with venue(product) as v:
            status, body, headers = await v.send("GET", f"{root}/openOrders", key=None)
            assert (status, body["code"]) == (401, -2014)
            assert int(headers["X-MBX-USED-WEIGHT-1M"]) > 0
            terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
            order = {**terms, "quantity": "0.01", "price": v.price("BUY", 300)}
            status, _, headers = await v.send("POST", f"{root}/order", order)
            assert (status, headers["X-MBX-ORDER-COUNT-10S"]) == (200, "1")
            v.secret = "wrong"
            status, body, _ = await v.send("POST", f"{root}/order", order)
            assert (status, body) == (400, {"code": -1022, "msg": "Signature for this request is not valid."})
            v.wire.rest.dispatcher.gate.weight.charge("127.0.0.1", 10_000, v.server.now_ns())
            status, body, headers = await v.send("GET", f"{root}/time")
            assert (status, body["code"]) == (429, -1003)
            assert 0 < int(headers["Retry-After"]) <= 60
            handshake = {"Upgrade": "websocket", "Connection": "Upgrade"}
            async with v.http.get(f"{v.rest}{root}/time", headers=handshake) as response:
                assert response.status == 400

    asyncio.run(main())
