"""What a bare WebSocket client sees: answers, refusals, order of messages, disconnection protection."""

import asyncio
import hashlib
import hmac

import aiohttp
import orjson
import pytest


class Peer:
    """One WebSocket to the venue, in JSON."""

    def __init__(self, socket):
        self._socket = socket

    async def ask(self, **message):
        """Sends a message; the next one that comes."""
        await self._socket.send_str(orjson.dumps(message).decode())
        return await self.hear()

    async def hear(self):
        """The next message."""
        return orjson.loads((await asyncio.wait_for(self._socket.receive(), 10)).data)

    async def login(self, venue, key="KEY", secret="SECRET", ahead_ms=10_000):
        """Authenticates as a client would; the answer."""
        expires = venue.call(venue.server.time_ms) + ahead_ms
        sign = hmac.new(secret.encode(), f"GET/realtime{expires}".encode(), hashlib.sha256).hexdigest()
        return await self.ask(op="auth", args=[key, expires, sign])

    async def close(self):
        """Hangs up."""
        await self._socket.close()


@pytest.fixture
def talk(venue):
    """Runs a coroutine function with a function that opens sockets by path."""

    def run(body):
        async def main():
            async with aiohttp.ClientSession() as session:

                async def dial(path):
                    return Peer(await session.ws_connect(venue.ws_url + path))

                await body(dial)

        asyncio.run(main())

    return run


def test_public_answers_have_their_categorys_shape(talk, venue):
    """Pong and subscription answers differ between spot and contracts as documented."""
    spot = venue.category == "spot"

    async def body(dial):
        peer = await dial(f"/v5/public/{venue.category}")
        pong = await peer.ask(op="ping", req_id="7")
        assert (pong["success"], pong["ret_msg"], pong["op"], pong["req_id"]) == (True, "pong", "ping", "7")
        answer = await peer.ask(op="subscribe", args=["orderbook.1.BTCUSDT"])
        assert (answer["success"], answer["ret_msg"]) == (True, "subscribe" if spot else "")
        assert answer.get("req_id") == (None if spot else "")
        first = await peer.hear()
        assert (first["topic"], first["type"]) == ("orderbook.1.BTCUSDT", "snapshot")
        assert len(first["data"]["b"]) == 1

    talk(body)


def test_bad_subscriptions_are_refused_in_words(talk, venue):
    """Unknown topics and symbols, repetitions and too many arguments."""

    async def body(dial):
        peer = await dial(f"/v5/public/{venue.category}")
        for topics, text in (
            (["orderbook.3.BTCUSDT"], "error:handler not found,topic:orderbook.3.BTCUSDT"),
            (["tickers.NOPE"], "Invalid symbol :[tickers.NOPE]"),
            ([], "error:invalid args"),
        ):
            answer = await peer.ask(op="subscribe", args=topics, req_id="x")
            assert (answer["success"], answer["ret_msg"], answer["req_id"]) == (False, text, "x")
        await peer.ask(op="subscribe", args=["kline.D.BTCUSDT"])
        answer = await peer.ask(op="subscribe", args=["kline.D.BTCUSDT"], req_id="again")
        while answer.get("req_id") != "again":
            answer = await peer.hear()
        assert answer["ret_msg"] == "error:already subscribed,topic:kline.D.BTCUSDT"
        if venue.category == "spot":
            many = await peer.ask(op="subscribe", args=[f"kline.{n}.BTCUSDT" for n in range(11)], req_id="m")
            while many.get("req_id") != "m":
                many = await peer.hear()
            assert many["ret_msg"] == "args size >10"
        assert (await (await dial("/v5/public/linear")).ask(op="what"))["ret_msg"] == "error:invalid op"

    talk(body)


def test_unsubscribing_ends_a_stream(talk, venue):
    """After the answer to an unsubscription no message of the topic comes."""

    async def body(dial):
        peer = await dial(f"/v5/public/{venue.category}")
        await peer.ask(op="subscribe", args=["orderbook.50.BTCUSDT", "publicTrade.BTCUSDT"])
        await peer.ask(op="unsubscribe", args=["orderbook.50.BTCUSDT"], req_id="u")
        while (await peer.hear()).get("req_id") != "u":
            pass
        assert {(await peer.hear())["topic"] for _ in range(3)} == {"publicTrade.BTCUSDT"}

    talk(body)


def test_private_socket_wants_a_login(talk, venue):
    """Topics before authentication, wrong keys, wrong and late signatures are refused."""

    async def body(dial):
        peer = await dial("/v5/private")
        assert (await peer.ask(op="subscribe", args=["order"]))["ret_msg"] == "Request not authorized"
        assert (await peer.login(venue, key="NOBODY"))["ret_msg"] == "API key is invalid."
        assert (await peer.login(venue, secret="WRONG"))["success"] is False
        assert (await peer.login(venue, ahead_ms=-1))["ret_msg"] == "Params Error"
        good = await peer.login(venue)
        assert (good["success"], good["ret_msg"], good["op"]) == (True, "", "auth")
        assert (await peer.ask(op="subscribe", args=["order", "dcp"], req_id="s"))["success"] is True
        assert (await peer.ask(op="subscribe", args=["nothing"]))["success"] is False
        pong = await peer.ask(op="ping", req_id="p")
        assert (pong["op"], pong["req_id"], len(pong["args"])) == ("pong", "p", 1)
        assert "success" not in pong

    talk(body)


def test_all_in_one_and_categorised_topics(talk, venue):
    """`order` and `order.{category}` both tell of an order, each under its own name."""

    async def body(dial):
        one, other, trade = await dial("/v5/private"), await dial("/v5/private"), await dial("/v5/trade")
        for peer, topic in ((one, "order"), (other, f"order.{venue.category}")):
            await peer.login(venue)
            await peer.ask(op="subscribe", args=[topic])
        await trade.login(venue)
        await trade.ask(**_request(venue, "order.create", "t1", _limit(venue, "90")))
        assert (await one.hear())["topic"] == "order"
        assert (await other.hear())["topic"] == f"order.{venue.category}"

    talk(body)


def _limit(venue, price):
    fields = {"category": venue.category, "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
    return fields | {"qty": "0.1", "price": price, "timeInForce": "PostOnly"}


def _request(venue, op, req_id, *args, **header):
    stamp = {"X-BAPI-TIMESTAMP": str(venue.call(venue.server.time_ms))}
    return {"reqId": req_id, "header": stamp | header, "op": op, "args": list(args)}


def test_trade_socket_answers_and_refuses(talk, venue):
    """Login twice, no login, a repeated reqId, a stale timestamp, an unknown operation, a batch."""

    async def body(dial):
        peer = await dial("/v5/trade")
        assert (await peer.ask(**_request(venue, "order.create", "r0", _limit(venue, "90"))))[
            "retCode"
        ] == 10004
        assert (await peer.login(venue))["retCode"] == 0
        assert (await peer.login(venue))["retCode"] == 20001
        created = await peer.ask(**_request(venue, "order.create", "r1", _limit(venue, "90")))
        assert (created["retCode"], created["reqId"], created["op"]) == (0, "r1", "order.create")
        again = await peer.ask(**_request(venue, "order.create", "r1", _limit(venue, "90")))
        assert (again["retCode"], again["data"]) == (20006, {})
        late = _request(venue, "order.create", "r2", _limit(venue, "90"))
        late["header"]["X-BAPI-TIMESTAMP"] = str(int(late["header"]["X-BAPI-TIMESTAMP"]) - 6_000)
        assert (await peer.ask(**late))["retCode"] == 10002
        assert (await peer.ask(**_request(venue, "order.what", "r3", {})))["retCode"] == 10404
        entry = {"symbol": "BTCUSDT", "orderId": created["data"]["orderId"]}
        batch = {"category": venue.category, "request": [entry, entry | {"orderId": "1"}]}
        ended = await peer.ask(**_request(venue, "order.cancel-batch", "r4", batch))
        assert [row["code"] == 0 for row in ended["retExtInfo"]["list"]] == [True, False]
        pong = await peer.ask(op="ping")
        assert (pong["op"], pong["retCode"]) == ("pong", 0)

    talk(body)


@pytest.mark.parametrize("product", ["bybit-linear", "bybit-spot"])
def test_disconnection_protection_cancels(running, product, until):
    """Once the last protected connection is gone for the window, every order is cancelled by DCP."""
    topic = {"bybit-linear": "dcp.future", "bybit-spot": "dcp.spot"}[product]
    with running(product, speed=20.0) as venue:
        venue.wire._state.dcp_window_s["main"] = 3

        async def body():
            async with aiohttp.ClientSession() as session:

                async def guard():
                    peer = Peer(await session.ws_connect(venue.ws_url + "/v5/private"))
                    await peer.login(venue)
                    await peer.ask(op="subscribe", args=[topic])
                    return peer

                first, second = await guard(), await guard()
                trade = Peer(await session.ws_connect(venue.ws_url + "/v5/trade"))
                await trade.login(venue)
                answer = await trade.ask(**_request(venue, "order.create", "d", _limit(venue, "90")))
                assert answer["retCode"] == 0
                await first.close()
                await second.close()
                third = await guard()
                assert [line["action"] for line in venue.lines("deadman")] == ["arm", "disarm"]
                await third.close()

        asyncio.run(body())
        (ended,) = until(lambda: venue.lines("cancel"))
        assert ended["why"] == "deadman"
        assert [line["action"] for line in venue.lines("deadman")] == ["arm", "disarm", "arm", "fire"]
        (order,) = venue.call(lambda: venue.exchange.all_orders(venue.exchange.accounts["main"]))
        assert order.why == "deadman"


def test_a_cut_link_counts_as_a_disconnection(running, until):
    """A protected connection whose frames no longer arrive starts the window, though nobody closed it."""
    with running("bybit-linear", speed=20.0) as venue:
        venue.wire._state.dcp_window_s["main"] = 3

        async def body():
            async with aiohttp.ClientSession() as session:
                guard = Peer(await session.ws_connect(venue.ws_url + "/v5/private"))
                await guard.login(venue)
                await guard.ask(op="subscribe", args=["dcp"])
                trade = Peer(await session.ws_connect(venue.ws_url + "/v5/trade"))
                await trade.login(venue)
                await trade.ask(**_request(venue, "order.create", "d", _limit(venue, "90")))
                venue.call(lambda: setattr(venue.server.hub.connections("dcp")[0], "is_frozen", True))
                await asyncio.to_thread(until, lambda: venue.lines("cancel"))

        asyncio.run(body())
        assert [line["action"] for line in venue.lines("deadman")] == ["arm", "fire"]
