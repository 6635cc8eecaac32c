"""Stream connections: paths, envelopes, live subscription, limits, and faults on the way."""

import asyncio

import aiohttp
import orjson
import pytest

from asmm_daemon.exchange.fault_table import parse_fault


def run(venue, product, scenario, **options):
    """Runs a scenario against a venue."""

    async def main():
        async with venue(product, **options) as v, asyncio.timeout(30):
            await scenario(v)

    asyncio.run(main())


async def receive(ws):
    """The next JSON message."""
    return orjson.loads((await ws.receive()).data)


@pytest.mark.parametrize(
    ("product", "path", "wrapped"),
    [
        ("binance", "/ws/btcusdt@bookTicker", False),
        ("binance", "/stream?streams=btcusdt@bookTicker/btcusdt@trade", True),
        ("binanceusdm", "/ws/btcusdt@bookTicker", False),
        ("binanceusdm", "/public/ws/btcusdt@bookTicker/btcusdt@depth@100ms", False),
        ("binanceusdm", "/public/stream?streams=btcusdt@bookTicker", True),
        ("binanceusdm", "/market/ws/btcusdt@markPrice@1s", False),
    ],
)
def test_paths(venue, product, path, wrapped):
    """Raw paths send bare payloads, combined ones wrap them in stream and data."""

    async def scenario(v):
        async with v.http.ws_connect(f"{v.ws}{path}") as ws:
            message = await receive(ws)
            assert (set(message) == {"stream", "data"}) == wrapped

    run(venue, product, scenario)


def test_live_subscription(venue):
    """SUBSCRIBE is answered before data comes; SET_PROPERTY changes the envelope; UNSUBSCRIBE ends it."""

    async def scenario(v):
        async with v.http.ws_connect(f"{v.ws}/ws") as ws:
            await ws.send_json({"method": "SUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 1})
            assert await receive(ws) == {"result": None, "id": 1}
            assert "u" in await receive(ws)
            await ws.send_json({"method": "SET_PROPERTY", "params": ["combined", True], "id": "two"})
            while (message := await receive(ws)).get("id") != "two":
                assert "u" in message
            assert (await receive(ws))["stream"] == "btcusdt@bookTicker"
            await ws.send_json({"method": "UNSUBSCRIBE", "params": ["btcusdt@bookTicker"], "id": 3})
            while (await receive(ws)).get("id") != 3:
                pass
            assert not v.server.hub.wanted("btcusdt@bookTicker")

    run(venue, "binance", scenario)


def test_too_many_messages(venue):
    """More than five messages a second end a spot connection with 1008."""

    async def scenario(v):
        async with v.http.ws_connect(f"{v.ws}/ws") as ws:
            for number in range(12):
                await ws.send_json({"method": "LIST_SUBSCRIPTIONS", "id": number})
            while (message := await ws.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
            assert ws.close_code == 1008, message

    run(venue, "binance", scenario)


def test_a_dropped_event_shows_in_the_sequence(venue):
    """A fault that hides one diff breaks `pu` once, and never the venue's own book."""
    fault = parse_fault(
        {"id": "gap", "at_s": 1, "on": "stream", "match": {"name": "depth"}, "do": "gap"}, "test"
    )

    async def scenario(v):
        async with v.http.ws_connect(f"{v.ws}/public/ws/btcusdt@depth@100ms") as ws:
            breaks, last = 0, None
            while breaks == 0:
                event = await receive(ws)
                breaks += last is not None and event["pu"] != last
                last = event["u"]

    run(venue, "binanceusdm", scenario, faults=[fault])


@pytest.mark.parametrize(
    ("do", "arg", "expected", "rests"),
    [
        ("drop_after_accept", {"status": 503, "code": -1007}, (503, -1007), 1),
        ("status", {"status": 503, "code": -1008}, (503, -1008), 0),
        ("status", {"status": 429}, (429, -1003), 0),
    ],
)
def test_injected_failures_wear_the_venues_body(venue, do, arg, expected, rests):
    """Injected errors read like the venue's; after drop_after_accept the order rests all the same."""
    where = {"path": "/fapi/v1/order", "method": "POST"}
    fault = parse_fault(
        {"id": "f", "at_s": 0, "on": "response", "match": where, "do": do, "arg": arg}, "test"
    )

    async def scenario(v):
        terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTX"}
        order = {**terms, "quantity": "0.010", "price": v.price("BUY", 100)}
        status, body, headers = await v.send("POST", "/fapi/v1/order", order)
        assert (status, body["code"]) == expected
        assert body["msg"]
        assert ("Retry-After" in headers) == (status == 429)
        assert len(v.server.exchange.open_orders(v.account)) == rests

    run(venue, "binanceusdm", scenario, faults=[fault])
