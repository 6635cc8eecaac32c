"""The adapter against the embedded exchange: the same session on all four products."""

import asyncio
from decimal import Decimal

import pytest
from embedded import Exchange, cid, session

from asmm_daemon.events import (
    Accepted,
    Amend,
    AmendAccepted,
    Cancel,
    CancelAccepted,
    CancelAll,
    Cause,
    Channel,
    FillEvent,
    MarketData,
    OrderStatus,
    OrderUpdate,
    Place,
    Proof,
    ProveBook,
    Query,
    Rejected,
    Replace,
    Unknown,
)
from asmm_daemon.units import PRODUCTS

pytestmark = pytest.mark.timeout(240)  # the exchange's kernels may have to be compiled first


@pytest.fixture(scope="module", params=PRODUCTS)
def exchange(request):
    """One exchange of each product, at ten times the speed of the wall clock."""
    child = Exchange(request.param, 10.0)
    yield child
    child.stop()


def lots(venue, base="0.01"):
    return int(venue.instruments[0].floor_lots(Decimal(base)))


def last(sink, cid):
    return [e for e in sink.of(OrderUpdate) if e.cid == cid][-1]


def known(sink, cid, status):
    return any(e.cid == cid and e.status is status for e in sink.of(OrderUpdate))


def test_an_order_lives_from_create_to_cancel(exchange):
    """Post-only create, amend where the product has it, query, fill, cancel, and a cancel too late."""

    async def scenario():
        async with session(exchange) as s:
            venue, sink = s.venue, s.sink
            bid, ask = s.best()
            resting, crossing, taking = cid(), cid(), cid()
            low, lower, high = bid - bid // 100, bid - bid // 90, ask + ask // 200
            await venue.execute(Place(0, resting, 1, 0, low, lots(venue), False, "PO"))
            await sink.until(lambda k: known(k, resting, OrderStatus.OPEN))
            oid = sink.of(Accepted)[0].oid
            await venue.execute(Amend(0, resting, oid, 1, lower, 2 * lots(venue)))
            if venue.capabilities.amend:
                assert (sink.of(AmendAccepted)[0].price, sink.of(AmendAccepted)[0].qty) == (
                    lower,
                    2 * lots(venue),
                )
                await sink.until(lambda k: last(k, resting).price == lower)
            else:
                assert sink.of(Rejected)[0].code == "unsupported"
            await venue.execute(Query(0, resting, ""))
            assert last(sink, resting).source == "rest"
            await venue.execute(Place(0, crossing, 1, 0, high, lots(venue), False, "PO"))
            refused = [e for e in sink.of(Rejected) if e.cid == crossing]
            if refused:
                assert refused[0].cause is Cause.POST_ONLY
            else:
                await sink.until(lambda k: known(k, crossing, OrderStatus.REJECTED))
            await venue.execute(Place(0, taking, 1, 0, high, lots(venue), False, "IOC"))
            await sink.until(lambda k: known(k, taking, OrderStatus.FILLED))
            fills = {(f.tid, f.qty, f.fee) for f in sink.of(FillEvent) if f.cid == taking}
            await venue.execute(Cancel(0, resting, oid))
            assert sink.of(CancelAccepted)[0].cid == resting
            await sink.until(lambda k: known(k, resting, OrderStatus.CANCELLED))
            await venue.execute(Cancel(0, resting, oid))
            late = [e for e in sink.of(Rejected) if e.request == "cancel"]
            assert late[0].cause is Cause.NOT_FOUND
            snapshot = await venue.snapshot(0)
            assert {(f.tid, f.qty, f.fee) for f in snapshot.fills if f.oid == last(sink, taking).oid} == fills
            assert not snapshot.orders
            held = {b.asset: b.free + b.locked for b in snapshot.balances}
            if venue.instruments[0].is_spot:
                assert held[venue.instruments[0].base] > 0
            else:
                assert snapshot.position.qty >= Decimal("0.01")

    asyncio.run(scenario())


def test_a_replacement_ends_one_order_and_creates_the_next(exchange):
    """Success, a create that would cross, a cancel too late, a lost reply; elsewhere it is refused whole."""

    async def scenario():
        async with session(exchange) as s:
            venue, sink = s.venue, s.sink
            bid, ask = s.best()
            low, high = bid - bid // 100, ask + ask // 200
            cids = [cid() for _ in range(6)]

            async def replace(old, new, price):
                await venue.execute(
                    Replace(0, cids[new], 1, 0, price, lots(venue), False, "PO", cids[old], "")
                )

            await venue.execute(Place(0, cids[0], 1, 0, low, lots(venue), False, "PO"))
            await replace(0, 1, low - 10)
            if not venue.capabilities.replace:
                halves = {(e.cid, e.request, e.code) for e in sink.of(Rejected)}
                unsupported = {(cids[1], "create", "unsupported"), (cids[0], "cancel", "unsupported")}
                assert halves == unsupported
                return
            assert last(sink, cids[0]).status is OrderStatus.CANCELLED
            assert [e.cid for e in sink.of(Accepted)] == cids[:2]
            await sink.until(lambda k: known(k, cids[1], OrderStatus.OPEN))
            await replace(1, 2, high)
            assert (sink.of(Rejected)[-1].cid, sink.of(Rejected)[-1].cause) == (cids[2], Cause.POST_ONLY)
            assert last(sink, cids[1]).status is OrderStatus.CANCELLED
            await replace(1, 3, low)
            assert [(e.cid, e.cause) for e in sink.of(Rejected)[-2:]] == [
                (cids[3], Cause.NOT_ATTEMPTED),
                (cids[1], Cause.NOT_FOUND),
            ]
            assert not (await venue.snapshot(0)).orders
            await venue.execute(Place(0, cids[4], 1, 0, low, lots(venue), False, "PO"))
            await s.fault(
                on="response",
                do="drop_after_accept",
                match={"path": "/order/cancelReplace", "method": "POST"},
                arg={"status": 503, "code": "-1007"},
            )
            await replace(4, 5, low - 10)
            assert [(e.cid, e.request) for e in sink.of(Unknown)] == [
                (cids[5], "create"),
                (cids[4], "cancel"),
            ]
            await venue.execute(Query(0, cids[4], ""))
            await venue.execute(Query(0, cids[5], ""))
            assert last(sink, cids[4]).status is OrderStatus.CANCELLED
            assert last(sink, cids[5]).status is OrderStatus.OPEN

    asyncio.run(scenario())


def test_a_market_is_proven_warm_and_examined(exchange):
    """REST proof of the book, history to start from, and a doctor that finds nothing wrong."""

    async def scenario():
        async with session(exchange) as s:
            await s.sink.until(lambda k: any((e.rows["kind"] == 2).any() for e in k.of(MarketData)))
            before = len(s.sink.events)
            for _ in range(20):
                await s.venue.execute(ProveBook(0))
            proofs = [e for e in s.sink.events[before:] if isinstance(e, Proof) and e.channel is Channel.BOOK]
            assert proofs
            warm = await s.venue.warm(0)
            assert warm.candles.shape[1] == 6
            assert warm.trades.size
            findings = await s.venue.doctor()
            assert not [f for f in findings if f.level == "fail"]
            expected = s.venue.capabilities.deadman
            assert any("dead-man's switch works" in f.text for f in findings) is expected

    asyncio.run(scenario())


def test_the_kill_path_leaves_nothing_of_ours(exchange):
    """Every order with our prefix is gone and proven gone."""

    async def scenario():
        async with session(exchange) as s:
            bid, ask = s.best()
            low, high = bid - bid // 100, ask + ask // 100
            for i, (side, price) in enumerate([(1, low), (1, low - 100), (-1, high)]):
                await s.venue.execute(Place(0, cid(), side, i, price, lots(s.venue), False, "PO"))
            foreign = cid("other")
            await s.venue.execute(Place(0, foreign, 1, 0, low - 200, lots(s.venue), False, "PO"))
            assert len((await s.venue.snapshot(0)).orders) == 3
            assert await s.venue.kill()
            assert not (await s.venue.snapshot(0)).orders
            await s.venue.execute(Query(0, foreign, ""))
            assert last(s.sink, foreign).status is OrderStatus.OPEN

    asyncio.run(scenario())


def test_a_create_accepted_under_a_5xx_is_found_and_cancelled(exchange):
    """UNKNOWN, then the query by our own id, then cancel-all takes it down."""

    async def scenario():
        async with session(exchange) as s:
            path = "/v5/order/create" if exchange.product.startswith("bybit") else "/order"
            await s.fault(
                on="response",
                do="drop_after_accept",
                match={"path": path, "method": "POST"},
                arg={"status": 503, "code": "-1007"},
            )
            lost = cid()
            await s.venue.execute(Place(0, lost, 1, 0, s.best()[0] * 99 // 100, lots(s.venue), False, "PO"))
            assert s.sink.of(Unknown)[0].cid == lost
            await s.venue.execute(Query(0, lost, ""))
            assert last(s.sink, lost).status is OrderStatus.OPEN
            await s.venue.execute(CancelAll(0, "test"))
            assert not (await s.venue.snapshot(0)).orders

    asyncio.run(scenario())


def test_a_lost_message_is_a_gap_and_the_book_comes_back(exchange):
    """One public book message is missing: the book goes down and up again, and is right again."""

    async def scenario():
        async with session(exchange) as s:
            name = "orderbook.50" if exchange.product.startswith("bybit") else "depth"
            await s.fault(on="stream", do="gap", match={"name": name})
            await s.sink.until(lambda _: s.count(Channel.BOOK, up=True) == 2)
            assert s.count(Channel.BOOK, up=False) == 1
            await s.sink.until(lambda k: k.of(MarketData)[-1].rows["kind"][0] == 0)
            for _ in range(20):
                await s.venue.execute(ProveBook(0))
            assert s.count(Channel.BOOK, up=False) == 1

    asyncio.run(scenario())


def test_a_silent_book_is_found_out_and_redialled(exchange):
    """Pings are answered, nothing else comes: the REST top tells, and a new socket brings the book back."""

    async def scenario():
        async with session(exchange) as s:
            name = "orderbook" if exchange.product.startswith("bybit") else "depth"
            await s.fault(on="stream", do="silence", match={"name": name}, for_s=20)
            async with asyncio.timeout(20):
                while s.count(Channel.BOOK, up=False) == 0:
                    await s.venue.execute(ProveBook(0))
                    await asyncio.sleep(0.05)
            await s.sink.until(lambda _: s.count(Channel.BOOK, up=True) >= 2, 20)

    asyncio.run(scenario())


def test_a_closed_private_stream_comes_back(exchange):
    """The account's stream is dialled again and tells the next order."""

    async def scenario():
        async with session(exchange) as s:
            if exchange.product == "binanceusdm":
                await s.act("expire-listen-keys")
            else:
                await s.fault(on="connection", do="close", match={"name": "*"})
            await s.sink.until(lambda _: s.count(Channel.PRIVATE, up=True) == 2)
            await s.sink.until(lambda _: s.count(Channel.BOOK, up=True) >= 1)
            told = cid()
            await s.venue.execute(Place(0, told, 1, 0, s.best()[0] * 99 // 100, lots(s.venue), False, "PO"))
            await s.sink.until(lambda k: known(k, told, OrderStatus.OPEN))

    asyncio.run(scenario())
