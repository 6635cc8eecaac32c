"""The chassis over real sockets: order of the log, faults, streams, administrator."""

import asyncio

import aiohttp
import orjson
import pytest

from asmm_daemon.events import DEPTH

from .conftest import START_NS, rows, trade
from .mini import running


def lines_of(rig, ev=None):
    return rig.bench.lines(ev)


def feed_trades(rig, *quantities):
    """Trades of the feed, due now."""
    now_ms = (rig.server.now_ns() - START_NS) // 10**6
    rig.bench.feed.add(*[trade(now_ms + 1, -1, 1000, qty) for qty in quantities])


def test_request_accept_response_are_logged_in_order_without_secrets():
    """request, accept, response with one request number; the signature is not in the log."""

    async def run():
        async with running() as rig:
            status, body = await rig.order("a")
            assert status == 200
            lines = [line for line in lines_of(rig) if line.get("req") == 1]
            assert [line["ev"] for line in lines] == ["request", "accept", "response"]
            request, accept, response = lines
            assert request["params"] == {"px": "99.0", "qty": "0.1", "cid": "a"}
            assert (request["key_label"], request["weight"]) == ("main", 1)
            assert (accept["oid"], accept["via"]) == (str(body["oid"]), "rest")
            assert (response["status"], response["delivered"], response["used_weight"]) == (200, True, 1)

    asyncio.run(run())


def test_rejections_become_the_wires_answer():
    """A VenueReject out of a handler is answered by `rejected` and logged with its code."""

    async def run():
        async with running() as rig:
            assert await rig.order("a", px="99.05") == (400, {"code": "price_tick"})
            assert lines_of(rig, "response")[-1]["code"] == "price_tick"
            assert lines_of(rig, "reject")[-1]["cid"] == "a"

    asyncio.run(run())


def test_a_client_that_goes_amid_its_request_is_no_failure(caplog):
    """A connection that ends before its body is whole leaves no traceback, and no request in the log."""

    async def run():
        async with running() as rig:
            _, writer = await asyncio.open_connection("127.0.0.1", int(rig.url.rpartition(":")[2]))
            writer.write(b"POST /order HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npx=99")
            writer.close()
            await writer.wait_closed()
            assert (await rig.order("a"))[0] == 200
            assert len(lines_of(rig, "request")) == 1

    asyncio.run(run())
    assert caplog.records == []


def test_a_body_that_does_not_unpack_is_refused():
    """A body that is not what its encoding says is the client's fault: 400, not 500."""

    async def run():
        async with running() as rig:
            headers = {"Content-Encoding": "gzip"}
            async with rig.session.post(f"{rig.url}/order", data=b"abcde", headers=headers) as response:
                assert response.status == 400

    asyncio.run(run())


def test_order_latency_is_exact_on_the_venue_clock():
    """An order reaches the engine 200 venue ms after its request."""

    async def run():
        async with running(order_latency_ms=200, speed=10) as rig:
            await rig.order("a")
            request, accept = lines_of(rig, "request")[0], lines_of(rig, "accept")[0]
            assert 200 <= (accept["t_ns"] - request["t_ns"]) / 1e6 < 2000

    asyncio.run(run())


@pytest.mark.parametrize(
    ("do", "arg", "accepted", "delivered"),
    [
        ("drop", {}, 0, False),
        ("drop_after_accept", {}, 1, False),
    ],
)
def test_cut_requests(do, arg, accepted, delivered):
    """The client sees a dead connection; the log tells whether the order lives."""

    async def run():
        async with running({"on": "response", "do": do, "arg": arg, "match": {"path": "/order"}}) as rig:
            with pytest.raises(aiohttp.ClientError):
                await rig.order("a")
            assert len(lines_of(rig, "accept")) == accepted
            assert lines_of(rig, "response")[-1]["delivered"] is delivered
            assert lines_of(rig, "fault")[-1]["action"] == do
            assert (await rig.order("b"))[0] == 200

    asyncio.run(run())


@pytest.mark.parametrize(("do", "accepted"), [("status", 0), ("drop_after_accept", 1)])
def test_injected_status(do, accepted):
    """A 503 -1007 before the engine, or after it: the same answer, another truth."""

    async def run():
        fault = {
            "on": "response",
            "do": do,
            "match": {"method": "POST"},
            "arg": {"status": 503, "code": -1007},
        }
        async with running(fault) as rig:
            assert await rig.order("a") == (503, {"code": "-1007"})
            assert len(lines_of(rig, "accept")) == accepted

    asyncio.run(run())


def test_silent_requests_hang_and_never_arrive():
    """The client runs into its own time-out; nothing was accepted."""

    async def run():
        async with running({"on": "response", "do": "silence", "match": {"path": "/order"}}) as rig:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(rig.order("a"), 0.3)
            assert lines_of(rig, "accept") == []

    asyncio.run(run())


def test_delayed_answers_come_late_though_the_order_rests():
    """The accept line is at once, the response line 300 ms later."""

    async def run():
        async with running({"on": "response", "do": "delay", "arg": {"ms": 300}}, speed=5) as rig:
            await rig.order("a")
            accept, response = lines_of(rig, "accept")[0], lines_of(rig, "response")[0]
            assert response["t_ns"] - accept["t_ns"] >= 300e6

    asyncio.run(run())


def test_streams_deliver_in_order_and_are_logged():
    """Three trades arrive in order, each with a stream line before it."""

    async def run():
        async with running() as rig:
            socket = await rig.subscribe("trades")
            feed_trades(rig, 1, 2, 3)
            assert [await socket.receive_str() for _ in range(3)] == ["1", "2", "3"]
            lines = lines_of(rig, "stream")
            assert [line["delivered"] for line in lines] == [True] * 3
            assert [line["delay_ns"] for line in lines] == [1_000_000] * 3

    asyncio.run(run())


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ("drop", ["2", "3"]),
        ("duplicate", ["1", "1", "2", "3"]),
        ("reorder", ["2", "1", "3"]),
        ("delay", ["1", "2", "3"]),
    ],
)
def test_stream_faults_strike_once(do, expected):
    """Without for_s a fault takes the first message only."""

    async def run():
        fault = {"on": "stream", "do": do, "match": {"name": "trades"}, "arg": {"ms": 50}}
        async with running(fault) as rig:
            socket = await rig.subscribe("trades")
            feed_trades(rig, 1, 2, 3)
            assert [await socket.receive_str() for _ in expected] == expected
            assert len(lines_of(rig, "fault")) == 1
            assert len(lines_of(rig, "stream")) == 3

    asyncio.run(run())


def test_event_faults_hide_from_the_client_not_from_the_log():
    """A silent private stream: the order is in the log, its event is not delivered."""

    async def run():
        async with running({"on": "event", "do": "silence", "for_s": 60}) as rig:
            socket = await rig.subscribe("orders", "trades")
            await rig.order("a", px="100.0")
            feed_trades(rig, 60)
            assert await socket.receive_str() == "50"
            assert await socket.receive_str() == "10"
            assert [line["delivered"] for line in lines_of(rig, "stream")][:1] == [False]
            assert lines_of(rig, "fill")[0]["qty"] == "0.010"

    asyncio.run(run())


def test_clock_skew_is_told_but_not_lived():
    """The venue's time runs ahead for clients only."""

    async def run():
        async with running({"on": "clock", "do": "skew", "arg": {"ms": 60_000}}) as rig:
            async with rig.session.get(f"{rig.url}/time") as response:
                told = (await response.json())["ms"]
            assert told - rig.server.now_ns() // 10**6 in range(55_000, 60_001)

    asyncio.run(run())


def test_link_down_cuts_sockets_and_refuses_new_ones():
    """From the fault's start to its end nothing gets through; afterwards all does."""

    async def run():
        async with running({"on": "connection", "do": "drop", "at_s": 8, "for_s": 3}, speed=10) as rig:
            socket = await rig.subscribe("trades")
            assert (await socket.receive()).type in (aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)
            with pytest.raises(aiohttp.ClientError):
                await rig.order("a")
            await rig.server.clock.sleep_until(START_NS + 11_100_000_000)
            assert (await rig.order("a"))[0] == 200
            assert lines_of(rig, "close")[0]["reason"] == "link down"

    asyncio.run(run())


def test_half_open_sockets_say_nothing_not_even_pongs():
    """A frozen socket gets no trades and no pong; a new one works."""

    async def run():
        async with running({"on": "connection", "do": "silence", "at_s": 8, "for_s": 1}, speed=10) as rig:
            frozen = await rig.subscribe("trades")
            await rig.server.clock.sleep_until(START_NS + 9_500_000_000)
            fresh = await rig.subscribe("trades")
            feed_trades(rig, 7)
            assert await fresh.receive_str() == "7"
            await frozen.ping()
            with pytest.raises(TimeoutError):
                await frozen.receive(timeout=0.1)

    asyncio.run(run())


def test_requests_over_websocket_are_logged_and_struck_too():
    """A lost acknowledgement: the order is accepted, the socket is left without an answer."""

    async def run():
        fault = {"on": "response", "do": "drop_after_accept", "match": {"path": "order.place"}}
        async with running(fault) as rig:
            socket = await rig.session.ws_connect(f"{rig.url}/api")
            await socket.send_json({"px": "99.0", "qty": "0.1", "cid": "a"})
            await socket.send_json({"px": "99.0", "qty": "0.1", "cid": "b"})
            answer = orjson.loads(await socket.receive_str())
            second = rig.bench.exchange.find(rig.bench.account, None, cid="b")
            assert answer["oid"] == second.oid
            assert [line["delivered"] for line in lines_of(rig, "response")] == [False, True]
            assert lines_of(rig, "request")[0]["via"] == "ws"

    asyncio.run(run())


def test_client_pings_are_answered_and_the_venue_pings():
    """Pongs come back, and the venue's own ping every 5 venue seconds."""

    async def run():
        async with running(speed=20) as rig:
            socket = await rig.session.ws_connect(f"{rig.url}/api", autoping=False)
            await socket.ping(b"hi")
            kinds = {(await socket.receive()).type for _ in range(2)}
            assert kinds == {aiohttp.WSMsgType.PONG, aiohttp.WSMsgType.PING}

    asyncio.run(run())


def test_administrator():
    """Faults, deposits, halts, keys and the wire's own actions."""

    async def run():
        async with running() as rig:
            fault = {"id": "x", "on": "response", "do": "status", "for_s": 60, "arg": {"status": 500}}
            assert await rig.admin("faults", fault) == (200, {"ids": ["x"]})
            assert (await rig.order("a"))[0] == 500
            assert await rig.admin("faults/x", method="DELETE") == (200, {"removed": ["x"]})
            assert (await rig.order("a"))[0] == 200
            await rig.admin("transfer", {"amounts": {"USDT": "-5"}})
            assert rig.bench.account.balance("USDT").total == 99_995
            assert (await rig.admin("faults", {"on": "stream", "do": "skew"}))[0] == 400
            assert (await rig.admin("wave"))[0] == 200
            assert (await rig.admin("unheard-of"))[0] == 404
            assert (await rig.admin("status", {"symbol": "NOPE", "status": "HALT"}))[0] == 400
            await rig.admin("key", {"key": "KEY", "revoked": True})
            assert rig.server.keys.get("KEY") is None
            await rig.admin("status", {"symbol": "BTCUSDT", "status": "HALT"})
            assert await rig.order("b") == (400, {"code": "market_closed"})
            state = (await rig.admin("state", method="GET"))[1]
            assert state["open_orders"] == {"main": 1}

    asyncio.run(run())


def test_late_subscribers_do_not_get_earlier_messages():
    """A message that was published before a subscription is not delivered to it, though it is due later."""

    async def run():
        async with running() as rig:
            early = await rig.subscribe("trades")
            now_ms = (rig.server.now_ns() - START_NS) // 10**6
            message = trade(now_ms, -1, 1000, 9)
            message["local_ns"] += 100_000_000
            rig.bench.feed.add(message)
            rig.server.now_ns()
            late = await rig.subscribe("trades")
            assert await early.receive_str() == "9"
            feed_trades(rig, 4)
            assert await late.receive_str() == "4"

    asyncio.run(run())


def test_pump_stops_the_server_when_the_feed_breaks():
    """An exception in the exchange ends the process, not just a callback."""

    async def run():
        async with running() as rig:
            rig.bench.feed.add(rows(0, (DEPTH, 1, 1000, 1)))
            rig.bench.feed.pop = lambda: 1 / 0
            await asyncio.wait_for(rig.server.failed(), 5)
            assert isinstance(rig.server.failure, ZeroDivisionError)
            rig.bench.feed.messages.clear()

    asyncio.run(run())
