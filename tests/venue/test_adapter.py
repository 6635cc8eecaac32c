"""The adapter against a scripted server: every guard, one by one."""

import asyncio
import time
from contextlib import asynccontextmanager

import pytest
from aiohttp import web
from fake_venue import FakeVenue, Recorder, eventually

from asmm_daemon.clock import Clock
from asmm_daemon.errors import VenueError
from asmm_daemon.events import (
    CLEAR,
    GAP,
    Accepted,
    Cancel,
    CancelAccepted,
    CancelAll,
    Cause,
    Channel,
    ChannelEvent,
    FillEvent,
    MarketData,
    OrderStatus,
    OrderUpdate,
    Place,
    Proof,
    ProveBook,
    Query,
    Rejected,
    Unknown,
)
from asmm_daemon.venue.adapter import CcxtVenue
from asmm_daemon.venue.protocol import VenueSettings

ORDER = ("POST", "/fapi/v1/order")


def place(cid="asmm-1", price=1000, qty=100):
    return Place(0, cid, 1, 0, price, qty, False, "PO")


def up(channel):
    return lambda sink: any(e.channel is channel and e.up for e in sink.of(ChannelEvent))


def downs(sink, channel):
    return [e for e in sink.of(ChannelEvent) if e.channel is channel and not e.up]


def ups(sink, channel):
    return [e for e in sink.of(ChannelEvent) if e.channel is channel and e.up]


def make(fake, **options):
    settings = VenueSettings(
        "binanceusdm", ("AAAUSDT",), "KEY", "SECRET", f"http://{fake.url}", f"ws://{fake.url}", **options
    )
    return CcxtVenue(settings, Clock())


@asynccontextmanager
async def running(fake, **options):
    async with fake.serve():
        venue = make(fake, **options)
        sink, stop = Recorder(), asyncio.Event()
        await venue.connect()
        task = asyncio.ensure_future(venue.run(sink, stop))
        try:
            await sink.until(lambda s: up(Channel.BOOK)(s) and up(Channel.PRIVATE)(s))
            yield venue, sink
        finally:
            stop.set()
            await task
            await venue.close()


def test_a_book_comes_up_with_its_snapshot_and_follows_the_diffs():
    """The snapshot's rows come before the channel is called up, the diffs after."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (_, sink):
            first = next(i for i, e in enumerate(sink.events) if isinstance(e, MarketData))
            told = next(
                i
                for i, e in enumerate(sink.events)
                if isinstance(e, ChannelEvent) and e.channel is Channel.BOOK
            )
            assert first < told
            await fake.diff([["99.9", "2"]])
            await sink.until(lambda s: any(e.rows["price"][-1] == 999 for e in s.of(MarketData)))

    asyncio.run(scenario())


def test_a_hole_in_the_sequence_is_a_gap_and_then_a_new_snapshot():
    """The book is unknown in between, on the same socket."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (_, sink):
            await fake.diff([["99.9", "2"]])
            await fake.diff([["99.8", "2"]], skip=5)
            await sink.until(lambda s: len(ups(s, Channel.BOOK)) == 2)
            assert len(downs(sink, Channel.BOOK)) == 1
            assert any(e.rows["kind"][0] == GAP for e in sink.of(MarketData))
            assert fake.asked["GET", "/fapi/v1/depth"] == 2
            assert len(fake.public) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("bad", ["{broken", '{"e":"depthUpdate"}', '{"e":"trade","p":"nan"}', "[]", "7"])
def test_no_message_kills_the_receive_loop(bad):
    """A message that cannot be read ends the connection, and a new one brings the book back."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (_, sink):
            await fake.public[-1].send_str(bad)
            await sink.until(lambda s: len(ups(s, Channel.BOOK)) == 2)
            assert len(fake.public) == 2

    asyncio.run(scenario())


def test_a_dropped_socket_is_said_and_redialled():
    """The old book is not believed any more."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (_, sink):
            await fake.public[-1].close()
            await sink.until(lambda s: len(ups(s, Channel.BOOK)) == 2)
            assert len(downs(sink, Channel.BOOK)) == 1

    asyncio.run(scenario())


def test_a_quiet_market_is_proven_by_rest_and_a_stuck_stream_is_redialled():
    """Equal tops are a proof; other tops for half a second with no event between mean a stuck stream.

    The new socket is believed once it has brought a change of its own.
    """

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (venue, sink):
            await venue.execute(ProveBook(0))
            assert [p.m for p in sink.of(Proof) if p.channel is Channel.BOOK] == [0]
            fake.top = ("101.0", "101.1")
            await venue.execute(ProveBook(0))
            assert not downs(sink, Channel.BOOK)
            while not downs(sink, Channel.BOOK):
                await venue.execute(ProveBook(0))
            assert "stands still" in downs(sink, Channel.BOOK)[0].reason
            await sink.until(lambda s: s.of(MarketData)[-1].rows["kind"][0] == CLEAR)
            assert len(ups(sink, Channel.BOOK)) == 1
            await fake.diff([["99.9", "2"]])
            await sink.until(lambda s: len(ups(s, Channel.BOOK)) == 2)

    asyncio.run(scenario())


def test_an_expired_listen_key_brings_a_new_one():
    """Left alone, ccxt would hang for ever on the old stream."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (_, sink):
            await fake.private[-1].send_json({"e": "listenKeyExpired", "E": 1})
            await sink.until(lambda s: len(ups(s, Channel.PRIVATE)) == 2)
            assert fake.asked["private", "key2"] == 1

    asyncio.run(scenario())


def test_an_order_that_never_shows_on_the_private_stream_means_a_stuck_stream(monkeypatch):
    """The acknowledgement came, the event did not: the stream is dialled anew."""
    monkeypatch.setattr("asmm_daemon.venue.private_stream._EVENT_S", 0.1)
    monkeypatch.setattr("asmm_daemon.venue.private_stream._MIN_REAL_S", 0.1)
    monkeypatch.setattr("asmm_daemon.venue.private_stream._PING_S", 0.1)

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (venue, sink):
            await venue.execute(place())
            assert sink.of(Accepted)[0].cid == "asmm-1"
            await sink.until(lambda s: downs(s, Channel.PRIVATE))
            assert "asmm-1" in downs(sink, Channel.PRIVATE)[0].reason

    asyncio.run(scenario())


def test_the_private_stream_tells_fills_and_states():
    """One TRADE report is a fill and an order update, decimals as on the wire."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (venue, sink):
            await venue.execute(place())
            fields = {"l": "0.040", "L": "100.0", "z": "0.040", "t": 7, "m": True, "n": "0.0008", "N": "USDT"}
            await fake.order_event("asmm-1", "PARTIALLY_FILLED", "TRADE", **fields)
            await sink.until(lambda s: s.of(OrderUpdate))
            fill = sink.of(FillEvent)[0]
            assert (fill.tid, str(fill.qty), str(fill.fee), fill.maker) == ("7", "0.040", "0.0008", True)
            assert sink.of(OrderUpdate)[0].filled == 40

    asyncio.run(scenario())


def test_a_create_whose_reply_is_lost_is_unknown_and_then_found():
    """503 after acceptance: the order counts as open until a query by our id tells its state."""

    async def accept_then_fail(form):
        fake.accept(form)
        return web.json_response({"code": -1007, "msg": "Timeout waiting"}, status=503)

    fake = FakeVenue()
    fake.replies[ORDER] = [accept_then_fail]

    async def scenario():
        async with running(fake) as (venue, sink):
            await venue.execute(place())
            assert sink.of(Unknown)[0].request == "create"
            await venue.execute(Query(0, "asmm-1", ""))
            assert sink.of(OrderUpdate)[-1].status is OrderStatus.OPEN
            assert fake.asked[ORDER] == 1

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "body", ['{"orderId":null}', "[]", '{"orderId":5,"clientOrderId":"other"}', "no json"]
)
def test_a_malformed_success_is_unknown(body):
    """Status 200 with a body that is not about our order proves nothing."""

    async def malformed(_form):
        return web.Response(text=body, content_type="application/json")

    async def scenario():
        fake = FakeVenue()
        fake.replies[ORDER] = [malformed]
        async with running(fake) as (venue, sink):
            await venue.execute(place())
            assert len(sink.of(Unknown)) == 1
            assert not sink.of(Accepted)

    asyncio.run(scenario())


def test_not_found_is_believed_only_when_no_request_can_be_under_way():
    """A lost create is gone for certain one receive window after it was sent."""

    async def fail(_form):
        return web.json_response({"code": -1007, "msg": "Timeout"}, status=503)

    async def scenario():
        fake = FakeVenue()
        fake.replies[ORDER] = [fail]
        async with running(fake, recv_window_ms=200) as (venue, sink):
            await venue.execute(place())
            sent_ns = sink.of(Unknown)[0].t_ns
            await venue.execute(Query(0, "asmm-1", ""))
            found = sink.of(OrderUpdate)[-1]
            assert found.status is OrderStatus.NOT_FOUND
            assert found.t_ns - sent_ns > 1_100_000_000

    asyncio.run(scenario())


def test_a_refusal_names_its_cause():
    """A crossing post-only is refused for certain."""

    async def refuse(_form):
        return web.json_response({"code": -5022, "msg": "could not be executed as maker"}, status=400)

    async def scenario():
        fake = FakeVenue()
        fake.replies[ORDER] = [refuse]
        async with running(fake) as (venue, sink):
            await venue.execute(place())
            assert (sink.of(Rejected)[0].cause, sink.of(Rejected)[0].code) == (Cause.POST_ONLY, "-5022")

    asyncio.run(scenario())


def test_a_clock_fault_is_corrected_and_tried_once_more():
    """-1021 is no outcome: the clock is measured again and the order sent again, once."""

    async def late(_form):
        return web.json_response({"code": -1021, "msg": "Timestamp for this request"}, status=400)

    async def scenario():
        fake = FakeVenue()
        fake.replies[ORDER] = [late]
        async with running(fake) as (venue, sink):
            before = fake.asked["GET", "/fapi/v1/time"]
            await venue.execute(place())
            assert sink.of(Accepted)
            assert fake.asked["GET", "/fapi/v1/time"] == before + 3
            fake.replies[ORDER] = [late, late]
            await venue.execute(place("asmm-2"))
            assert sink.of(Rejected)[0].cause is Cause.CLOCK

    asyncio.run(scenario())


def test_a_venue_clock_that_jumps_moves_the_signatures_not_our_ages():
    """Thirty seconds of skew must not look like thirty seconds of silence."""

    async def late(_form):
        fake.lead_ms = 30_000
        return web.json_response({"code": -1021, "msg": "Timestamp for this request"}, status=400)

    fake = FakeVenue()

    async def scenario():
        async with running(fake) as (venue, sink):
            fake.replies[ORDER] = [late]
            before_ns = sink.events[-1].t_ns
            await venue.execute(place())
            assert sink.of(Accepted)[0].t_ns - before_ns < 10e9
            assert abs(int(fake.forms[-1]["timestamp"]) - time.time() * 1000 - 30_000) < 5000

    asyncio.run(scenario())


def test_retry_after_means_silence_and_cancels_go_first_afterwards():
    """Nothing is sent before the time is up; then the cancel is tried again by itself."""

    async def busy(_form):
        return web.json_response({"code": -1003, "msg": "x"}, status=429, headers={"Retry-After": "1"})

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (venue, sink):
            await venue.execute(place())
            fake.replies["DELETE", "/fapi/v1/order"] = [busy]
            cancelling = asyncio.ensure_future(venue.execute(Cancel(0, "asmm-1", "")))
            await eventually(lambda: venue.budget.silent_until_ns)
            asked = sum(fake.asked.values())
            await venue.execute(place("asmm-2"))
            await cancelling
            assert sink.of(CancelAccepted)
            assert sink.of(Rejected) == [] or sink.of(Rejected)[0].code == "local"
            assert sum(fake.asked.values()) - asked <= 4

    asyncio.run(scenario())


def test_cancel_all_leaves_foreign_orders_alone():
    """Only ids with our prefix are cancelled."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (venue, sink):
            for cid in ("asmm-1", "asmm-2", "someone"):
                fake.accept({"newClientOrderId": cid, "price": "100.0", "quantity": "0.1", "side": "BUY"})
            await venue.execute(CancelAll(0, "test"))
            assert list(fake.orders) == ["someone"]
            assert len(sink.of(CancelAccepted)) == 2

    asyncio.run(scenario())


def test_the_kill_path_cancels_and_verifies_without_a_running_adapter():
    """It needs no stream and no connect; a failing list is tried again."""

    async def scenario():
        fake = FakeVenue()
        async with fake.serve():
            for cid in ("asmm-1", "asmm-2", "someone"):
                fake.accept({"newClientOrderId": cid, "price": "100.0", "quantity": "0.1", "side": "BUY"})

            async def fail(_form):
                return web.json_response({"code": -1007, "msg": "x"}, status=503)

            fake.replies["GET", "/fapi/v1/openOrders"] = [fail]
            venue = make(fake)
            assert await venue.kill()
            assert list(fake.orders) == ["someone"]
            await venue.close()

    asyncio.run(scenario())


def test_the_kill_path_does_not_claim_what_it_could_not_see(monkeypatch):
    """While the venue does not answer the list, nothing is verified."""
    monkeypatch.setattr("asmm_daemon.venue.kill._PAUSE_S", 0.0)

    async def scenario():
        fake = FakeVenue()

        async def fail(_form):
            return web.json_response({"code": -1007, "msg": "x"}, status=503)

        async with fake.serve():
            fake.replies["GET", "/fapi/v1/openOrders"] = [fail] * 50
            venue = make(fake)
            assert not await venue.kill()
            await venue.close()

    asyncio.run(scenario())


def test_the_dead_mans_switch_is_armed_while_all_is_well_and_disarmed_at_the_end():
    """It beats once every channel is up, not while the market is called unhealthy."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake, deadman_every_s=0.05, deadman_window_s=0.3) as (venue, _):
            await eventually(lambda: venue.deadman_armed(0))
            venue.set_healthy(0, False)
            await eventually(lambda: not venue.deadman_armed(0))
            venue.set_healthy(0, True)
            await eventually(lambda: venue.deadman_armed(0))
            assert await venue.kill()
            await venue.close()
            assert not venue.deadman_armed(0)

    asyncio.run(scenario())


def test_the_dead_mans_switch_stays_armed_when_something_may_rest():
    """A close without a verified kill leaves the countdown running."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (venue, _):
            await eventually(lambda: venue.deadman_armed(0))
        assert venue.deadman_armed(0)

    asyncio.run(scenario())


def test_the_kill_path_keeps_the_silence_that_another_connection_was_asked_for():
    """429 to one instance is 429 to the address: the kill waits for its end too."""

    async def scenario():
        fake = FakeVenue()
        async with running(fake) as (venue, _):
            venue._requests.limiter.silence(1.0, banned=False)
            asked = fake.asked["GET", "/fapi/v1/openOrders"]
            killing = asyncio.ensure_future(venue.kill())
            await asyncio.sleep(0.3)
            assert fake.asked["GET", "/fapi/v1/openOrders"] == asked
            assert await killing

    asyncio.run(scenario())


def test_an_unknown_symbol_and_an_unreachable_venue_are_one_clear_sentence():
    """Both end in VenueError before anything trades."""

    async def scenario():
        fake = FakeVenue()
        async with fake.serve():
            settings = VenueSettings(
                "binanceusdm", ("ZZZUSDT",), "K", "S", f"http://{fake.url}", f"ws://{fake.url}"
            )
            venue = CcxtVenue(settings, Clock())
            with pytest.raises(VenueError, match="no market ZZZUSDT"):
                await venue.connect()
            await venue.close()
        venue = CcxtVenue(settings, Clock())
        with pytest.raises(VenueError, match="cannot connect"):
            await venue.connect()
        await venue.close()

    asyncio.run(scenario())


def test_a_refused_key_takes_the_private_channel_down():
    """Its socket may live on; what it brings could not be acted upon."""

    async def refuse(_form):
        return web.json_response({"code": -2015, "msg": "Invalid API-key, IP, or permissions"}, status=401)

    async def scenario():
        fake = FakeVenue()
        fake.replies["GET", "/fapi/v1/openOrders"] = [refuse]
        async with running(fake) as (venue, sink):
            with pytest.raises(VenueError, match="Invalid API-key"):
                await venue.snapshot(0)
            assert "refuses our key" in downs(sink, Channel.PRIVATE)[0].reason
            await venue.snapshot(0)
            assert len(ups(sink, Channel.PRIVATE)) == 2

    asyncio.run(scenario())


def test_unanswered_pings_end_a_half_open_private_stream(monkeypatch):
    """In venue time, long before ccxt's own keep-alive would notice at ten-fold speed."""
    monkeypatch.setattr("asmm_daemon.venue.private_stream._ANSWER_S", 0.2)
    monkeypatch.setattr("asmm_daemon.venue.private_stream._MIN_REAL_S", 0.1)
    monkeypatch.setattr("asmm_daemon.venue.private_stream._PING_S", 0.1)

    async def scenario():
        fake = FakeVenue()
        fake.pong = False
        async with running(fake) as (_, sink):
            await sink.until(lambda s: downs(s, Channel.PRIVATE))
            assert "pings" in downs(sink, Channel.PRIVATE)[0].reason

    asyncio.run(scenario())


def test_a_dead_trade_stream_is_found_out(monkeypatch):
    """The book goes on, trades are made, none arrive: the socket is dialled anew."""
    monkeypatch.setattr("asmm_daemon.venue.market_stream._TRADE_SILENCE_NS", 0)
    monkeypatch.setattr("asmm_daemon.venue.market_stream._TRADE_GRACE_NS", 0)
    monkeypatch.setattr("asmm_daemon.venue.market_stream._TRADE_MARGIN_NS", 0)
    monkeypatch.setattr("asmm_daemon.venue.adapter._TRADES_S", 0.1)

    async def traded(_form):
        return web.json_response([{"id": 1, "time": int(time.time() * 1000) - 1}])

    async def scenario():
        fake = FakeVenue()
        fake.replies["GET", "/fapi/v1/trades"] = [traded] * 100
        async with running(fake) as (_, sink):
            await sink.until(lambda s: downs(s, Channel.BOOK))
            assert "trades" in downs(sink, Channel.BOOK)[0].reason

    asyncio.run(scenario())


def test_a_secret_is_not_shown():
    """Neither settings nor errors print keys."""
    settings = VenueSettings("binance", ("AAAUSDT",), "canary-key", "canary-secret")
    assert "canary" not in repr(settings)
