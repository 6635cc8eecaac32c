"""What our venue path costs: book and trade messages beside ccxt's own, orders beside bare aiohttp.

Both sides of each ratio run in this process, over the loopback, against servers in child processes;
only this process's CPU time counts for messages. Our path ends in the engine's market state, ccxt's in
its own book or list of trades.
"""

import asyncio
import hashlib
import hmac
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import ccxt.pro
import orjson
from aiohttp import web
from bench_cycle import make_engine
from bench_table import Effort, Line, median, quantile

from asmm_daemon.clock import Clock
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.events import Accepted, Cancel, ChannelEvent, Event, MarketData, Place
from asmm_daemon.service.journal import Journal
from asmm_daemon.venue.adapter import CcxtVenue
from asmm_daemon.venue.gateway import rebase
from asmm_daemon.venue.protocol import VenueSettings

SYMBOL = "BTCUSDT"
LEVELS = 10
MESSAGE_GOAL, ORDER_GOAL = 1.2, 1.7
INFO = {
    "rateLimits": [
        {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400}
    ],
    "symbols": [
        {
            "symbol": SYMBOL,
            "pair": SYMBOL,
            "contractType": "PERPETUAL",
            "status": "TRADING",
            "baseAsset": "BTC",
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "filters": [
                {"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "0.1", "maxPrice": "1000000"},
                {"filterType": "LOT_SIZE", "stepSize": "0.001", "minQty": "0.001", "maxQty": "1000"},
                {"filterType": "MIN_NOTIONAL", "notional": "5"},
            ],
        }
    ],
}


# the message server, in a child process ----------------------------------------------------------


def depth_message(number: int, chance: random.Random) -> bytes:
    """A diff of 20 levels near 60,000, ids without holes."""
    bids = [[f"{60000 - chance.randrange(300) / 10:.2f}", f"{chance.random():.3f}"] for _ in range(LEVELS)]
    asks = [[f"{60000.1 + chance.randrange(300) / 10:.2f}", f"{chance.random():.3f}"] for _ in range(LEVELS)]
    head = {"e": "depthUpdate", "E": 1, "T": 1, "s": SYMBOL, "U": number, "u": number, "pu": number - 1}
    return orjson.dumps({**head, "b": bids, "a": asks})


def trade_message(number: int, chance: random.Random) -> bytes:
    """One trade near 60,000."""
    price = f"{60000 + chance.randrange(-50, 50) / 10:.2f}"
    head = {"e": "trade", "E": 1, "T": 1, "s": SYMBOL, "t": number, "p": price, "q": "0.010"}
    return orjson.dumps({**head, "X": "MARKET", "m": number % 2 == 0})


async def serve(kind: str, count: int, pace_s: float) -> None:
    """Serves one subscriber after another the same messages, once `/go` is asked."""
    chance = random.Random(1)
    make = depth_message if kind == "depth" else trade_message
    messages = [make(101 + i, chance).decode() for i in range(count)]
    sockets: list[web.WebSocketResponse] = []

    async def stream(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        async for message in socket:
            asked = json.loads(message.data)
            await socket.send_json({"result": None, "id": asked["id"]})
            if "public" in request.path:
                sockets.append(socket)
        return socket

    async def go(_: web.Request) -> web.Response:
        socket = sockets[-1]
        for message in messages:
            await socket.send_str(message)
            if pace_s:
                await asyncio.sleep(pace_s)
        return web.Response()

    async def rest(request: web.Request) -> web.Response:
        name = request.path.rsplit("/", 1)[-1]
        level = {"bids": [["60000.00", "1"]], "asks": [["60000.10", "1"]]}
        answers = {
            "time": {"serverTime": int(time.time() * 1000)},
            "exchangeInfo": INFO,
            "depth": {"lastUpdateId": 100, "E": 1, "T": 1, **level},
            "listenKey": {"listenKey": "k"},
            "commissionRate": {"makerCommissionRate": "0", "takerCommissionRate": "0"},
        }
        return web.json_response(answers.get(name, {}))

    app = web.Application()
    app.router.add_get("/go", go)
    app.router.add_get("/{kind:public|private|market}/ws{tail:.*}", stream)
    app.router.add_route("*", "/{path:.*}", rest)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(site._server.sockets[0].getsockname()[1], flush=True)  # type: ignore[union-attr]  # noqa: SLF001
    await asyncio.Event().wait()


async def child(*arguments: str) -> tuple[asyncio.subprocess.Process, bytes]:
    """Starts a server and returns it with its first line."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=subprocess.PIPE)
    assert process.stdout is not None
    return process, await process.stdout.readline()


# message cost -----------------------------------------------------------------------------------


async def measure(url: str, count: int, done: Callable[[], int]) -> float:
    """CPU microseconds of this process per message, from the server's start until all were taken."""
    async with aiohttp.ClientSession() as session:
        before = time.process_time()
        sending = asyncio.ensure_future(session.get(f"{url}/go"))
        while done() < count:  # noqa: ASYNC110  (an event per message would be measured too)
            await asyncio.sleep(0.005)
        spent = time.process_time() - before
        await sending
    return spent / count * 1e6


async def by_ccxt(url: str, kind: str, count: int) -> float:
    """ccxt.pro's own watch loop, as its manual shows it."""
    exchange = ccxt.pro.binanceusdm({"apiKey": "K", "secret": "S", "enableRateLimit": False})
    exchange.options.update({"fetchCurrencies": False, "tradesLimit": 10_000, "ws": {"compress": 0}})
    for name, address in exchange.urls["api"].items():
        if isinstance(address, str):
            exchange.urls["api"][name] = rebase(address, url)
    exchange.urls["api"]["ws"]["linear"] = url.replace("http", "ws") + "/ws"
    await exchange.load_markets()
    symbol = next(iter(exchange.markets))
    taken = 0
    plain = exchange.handle_message

    def counted(client: object, message: dict[str, object]) -> None:
        nonlocal taken
        plain(client, message)
        taken += "e" in message

    exchange.handle_message = counted

    async def consume() -> None:
        watch = exchange.watch_order_book if kind == "depth" else exchange.watch_trades
        while True:
            await watch(symbol)

    task = asyncio.ensure_future(consume())
    await asyncio.sleep(0.5)
    spent = await measure(url, count, lambda: taken)
    task.cancel()
    await exchange.close()
    return spent


async def by_us(url: str, count: int) -> float:
    """The adapter and the engine's market state behind it."""
    venue = CcxtVenue(
        VenueSettings("binanceusdm", (SYMBOL,), "K", "S", url, url.replace("http", "ws")), Clock()
    )
    await venue.connect()
    engine = make_engine(venue.instruments[0], FixedPolicy(0.1))
    taken, up, stop = 0, asyncio.Event(), asyncio.Event()

    def sink(event: Event) -> None:
        nonlocal taken
        engine.step(event)
        if isinstance(event, MarketData):
            taken += event.rows["exch_ns"][0] == 1_000_000
        elif isinstance(event, ChannelEvent) and event.m == 0:
            up.set()

    task = asyncio.ensure_future(venue.run(sink, stop))
    await up.wait()
    await asyncio.sleep(0.5)
    taken = 0
    spent = await measure(url, count, lambda: taken)
    stop.set()
    await task
    await venue.close()
    return spent


async def messages(count: int, runs: int) -> list[Line]:
    """Book and trade messages, in bursts and paced, ours beside ccxt's in turns."""
    found = []
    for kind, what in (("depth", "book message"), ("trade", "trade message")):
        for name, pace_s, n in (("in bursts", 0.0, count), ("one a ms", 0.001, count // 4)):
            process, line = await child(__file__, "--serve", kind, str(n), str(pace_s))
            url = f"http://127.0.0.1:{int(line)}"
            ours, theirs = [], []
            try:
                await by_us(url, n)
                for run in range(runs):
                    if run % 2 == 0:
                        ours.append(await by_us(url, n))
                    theirs.append(await by_ccxt(url, kind, n))
                    if run % 2:
                        ours.append(await by_us(url, n))
            finally:
                process.terminate()
                await process.wait()
            found.append(
                Line(
                    part="venue",
                    what=f"{what}, {name}",
                    ours=median(ours),
                    baseline="ccxt.pro alone",
                    base=median(theirs),
                    unit="us CPU",
                    goal=MESSAGE_GOAL,
                    note=f"wire to the engine's market state; medians of {runs} runs of {n} in turns",
                )
            )
    return found


# order round trip -------------------------------------------------------------------------------


async def timed(work: Awaitable[object]) -> float:
    """Milliseconds of an awaitable."""
    started = time.perf_counter()
    await work
    return (time.perf_counter() - started) * 1e3


class Bare:
    """The least that can place an order: aiohttp, a signature, nothing else."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url + "/fapi/v1/order"

    async def ask(self, method: str, params: dict[str, str]) -> dict[str, object]:
        """Signs, sends, decodes."""
        query = urlencode({**params, "timestamp": str(int(time.time() * 1000)), "recvWindow": "5000"})
        query += "&signature=" + hmac.new(b"SECRET", query.encode(), hashlib.sha256).hexdigest()
        headers = {"X-MBX-APIKEY": "KEY"}
        async with self._session.request(method, f"{self._url}?{query}", headers=headers) as response:
            body: dict[str, object] = orjson.loads(await response.read())
        assert response.status == 200, body
        return body


async def orders(count: int) -> list[Line]:
    """Create and cancel, in turns with bare aiohttp on the same server; the journal's write beside it."""
    process, line = await child(
        "-m", "asmm_daemon.exchange.run", "--venue", "binanceusdm", "--feed", "synthetic"
    )
    ready = json.loads(line)
    venue = CcxtVenue(
        VenueSettings("binanceusdm", (SYMBOL,), "KEY", "SECRET", ready["rest_url"], ready["ws_url"]), Clock()
    )
    try:
        await venue.connect()
        events: list[Event] = []
        stop = asyncio.Event()
        task = asyncio.ensure_future(venue.run(events.append, stop))
        await asyncio.sleep(1.0)
        bid = min(int(e.rows["price"][e.rows["side"] == 1].max()) for e in events if is_book(e)) - 500
        price = str(venue.instruments[0].price(bid))
        times: dict[str, list[float]] = {"ours": [], "bare": []}
        async with aiohttp.ClientSession() as session:
            bare = Bare(session, ready["rest_url"])
            for i in range(count):
                ways = [by_adapter(venue, events, bid, i), by_hand(bare, price, i)]
                for way in ways if i % 2 else reversed(ways):
                    name, created, cancelled = await way
                    times[name] += [created, cancelled]
                await asyncio.sleep(0.15)
        stop.set()
        await task
    finally:
        await venue.close()
        process.terminate()
        await process.wait()
    written = await journal_writes(count)
    ours, theirs = median(times["ours"]), median(times["bare"])
    half = f"medians of {2 * count} requests in turns, create and cancel; the journal's write excluded"
    return [
        Line("orders", "order round trip", ours, "bare aiohttp", theirs, "ms", goal=ORDER_GOAL, note=half),
        Line(
            "orders",
            "journal write, an intent on disk",
            median(written),
            "that round trip",
            ours,
            "ms",
            note=f"p99 {quantile(written, 0.99):.2f} ms of {len(written)}; SQLite, WAL, synchronous=FULL",
        ),
    ]


async def journal_writes(count: int) -> list[float]:
    """Milliseconds until an order's intent is durable, one at a time as the daemon waits for it."""
    with tempfile.TemporaryDirectory(prefix="asmm-bench-", dir=Path.cwd()) as folder:
        journal = Journal(
            Path(folder), mode="demo", venue="x", symbols=[SYMBOL], config_sha256="", model_sha256=""
        )
        data = {"side": 1, "level": 0, "price": 600000, "qty": 10, "tif": "PO", "reduce_only": False}
        found = []
        for i in range(4 * count):
            record = Record(RecordKind.INTENT, i, SYMBOL, f"asmm-{i}", data)
            found.append(await timed(journal.write([record])))
            await asyncio.sleep(0.01)
        await journal.close("for")
    return found


async def by_adapter(venue: CcxtVenue, events: list[Event], bid: int, i: int) -> tuple[str, float, float]:
    """One order through the adapter: milliseconds of create and of cancel."""
    cid = f"asmm-{i}"
    created = await timed(venue.execute(Place(0, cid, 1, 0, bid, 10, reduce_only=False, tif="PO")))
    oid = next(e.oid for e in reversed(events) if isinstance(e, Accepted))
    return "ours", created, await timed(venue.execute(Cancel(0, cid, oid)))


async def by_hand(bare: Bare, price: str, i: int) -> tuple[str, float, float]:
    """The same order with nothing but aiohttp."""
    order = {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTX", "quantity": "0.010"}
    created = await timed(bare.ask("POST", {**order, "price": price, "newClientOrderId": f"bare-{i}"}))
    gone = {"symbol": SYMBOL, "origClientOrderId": f"bare-{i}"}
    return "bare", created, await timed(bare.ask("DELETE", gone))


def is_book(event: Event) -> bool:
    """Whether a message carries bids."""
    return isinstance(event, MarketData) and bool((event.rows["side"] == 1).any()) and event.rows.size > 3


def venue_lines(effort: Effort) -> list[Line]:
    """CPU per message."""
    return asyncio.run(messages(effort.of(8000, 2000), effort.of(5, 2)))


def order_lines(effort: Effort) -> list[Line]:
    """Order round trip."""
    return asyncio.run(orders(effort.of(100, 20)))


if __name__ == "__main__":
    asyncio.run(serve(sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
