"""`asmm exchange`: the embedded exchange as a process of its own."""

import asyncio
import contextlib
import hashlib
import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from importlib import import_module

import orjson
import uvloop

from asmm_daemon.clock import Clock, wall_ns
from asmm_daemon.errors import AsmmError, ConfigError
from asmm_daemon.exchange.admin import Admin
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.fault_table import Fault, read_faults
from asmm_daemon.exchange.faults import Faults
from asmm_daemon.exchange.feeds.base import Feed, make_feed
from asmm_daemon.exchange.keys import KeyRing
from asmm_daemon.exchange.log import FORMAT, VenueLog, open_log
from asmm_daemon.exchange.market import warm_up
from asmm_daemon.exchange.options import ExchangeOptions, parse
from asmm_daemon.exchange.server import Server
from asmm_daemon.exchange.wire import Wire
from asmm_daemon.units import NS_PER_S, Instrument

__all__ = ["ExchangeOptions", "main", "parse", "serve"]

_BASE_DEPOSITS = {"BTC": Decimal(10), "ETH": Decimal(200)}
_QUOTE_DEPOSIT = Decimal(100_000)
_OTHER_DEPOSIT = Decimal(100_000)
_SYNTHETIC_HISTORY_S = 300.0
_POLL_S, _LIVE_POLL_S = 0.05, 0.003
_FIRST_BOOKS_S = 30.0


def main(options: ExchangeOptions) -> int:
    """Runs the exchange until SIGTERM, SIGINT or the parent's end; the exit code."""
    if options.die_with_parent:
        with contextlib.suppress(PermissionError):  # already leads its session
            os.setsid()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_main(options))
    except AsmmError as error:
        sys.stderr.write(f"asmm exchange: {error}\n")
        return error.exit_code
    return 0


async def _main(options: ExchangeOptions) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if options.die_with_parent:
        await _watch_stdin(stop)
    await serve(options, stop)


async def serve(options: ExchangeOptions, stop: asyncio.Event) -> None:
    """Builds the exchange, prints the ready line, and serves until `stop` is set."""
    faults = [] if options.faults is None else read_faults(options.faults)
    fixed_ns = options.start_ns
    if _is_live(options) and (options.speed != 1 or fixed_ns is not None):
        raise ConfigError(f"feed {options.feed}: a mirror runs at speed 1 from now, no other")
    with contextlib.closing(open_log(options.log, wall_ns)) as log:
        warm_up()
        start_ns = (wall_ns() if fixed_ns is None else fixed_ns) - int(_history_s(options) * NS_PER_S)
        feed = make_feed(options.feed, options.product, start_ns, options.seed, loop=options.loop)
        with contextlib.closing(feed):
            exchange = _make_exchange(options, feed, log, start_ns)
            server = _make_server(options, exchange, faults)
            wire = make_wire(server)
            await _live_through_history(options, exchange)
            server.begin(wall_ns() if fixed_ns is None else fixed_ns)
            _log_start(options, exchange)
            await _serve(options, server, wire, stop)


async def _live_through_history(options: ExchangeOptions, exchange: Exchange) -> None:
    """What happened before the session; it is not logged.

    The second step makes up for the time that the first took.
    """
    exchange.log.is_muted = True
    for _ in range(2):
        exchange.advance(wall_ns() if options.start_ns is None else options.start_ns)
    if _is_live(options):
        await _first_books(exchange)
    exchange.log.is_muted = False


async def _serve(options: ExchangeOptions, server: Server, wire: Wire, stop: asyncio.Event) -> None:
    try:
        port = await server.start(wire, options.port, Admin(server, wire).routes)
    except OSError as error:
        raise ConfigError(f"port {options.port} cannot be used: {error.strerror}") from error
    _say_ready(options, server.exchange, wire, port)
    await _until(stop, server)
    await server.stop()
    if server.failure is not None:
        raise server.failure


def make_wire(server: Server) -> Wire:
    """The wire protocol of the exchange's product."""
    package = "bybit" if server.exchange.product.startswith("bybit") else "binance"
    wire: Wire = import_module(f"asmm_daemon.exchange.{package}.wire").make_wire(server)
    return wire


def _make_exchange(options: ExchangeOptions, feed: Feed, log: VenueLog, start_ns: int) -> Exchange:
    instruments = [_with_fees(unit, options) for unit in feed.instruments]
    deposits = _deposits(instruments, options)
    return Exchange(
        options.product,
        feed,
        log,
        start_ns=start_ns,
        deposits={key.account: deposits for key in options.keys},
        instruments=instruments,
    )


def _make_server(options: ExchangeOptions, exchange: Exchange, faults: Sequence[Fault]) -> Server:
    log = exchange.log
    return Server(
        exchange,
        log=log,
        faults=Faults(faults, seed=options.seed, log=log),
        clock=Clock(speed=options.speed),
        keys=KeyRing(replace(key) for key in options.keys),
        seed=options.seed,
        order_latency_ms=options.order_latency_ms,
        poll_s=_LIVE_POLL_S if _is_live(options) else _POLL_S,
    )


def _history_s(options: ExchangeOptions) -> float:
    if options.history_s is not None:
        return options.history_s
    return _SYNTHETIC_HISTORY_S if options.feed.startswith("synthetic") else 0.0


def _is_live(options: ExchangeOptions) -> bool:
    return options.feed.startswith("mirror")


async def _first_books(exchange: Exchange) -> None:
    """Waits until every mirrored market has a book (or half a minute)."""
    for _ in range(int(_FIRST_BOOKS_S / _POLL_S)):
        exchange.advance(wall_ns())
        if all(market.mid is not None for market in exchange.markets.values()):
            return
        await asyncio.sleep(_POLL_S)


def _with_fees(unit: Instrument, options: ExchangeOptions) -> Instrument:
    maker = unit.maker if options.maker is None else options.maker
    taker = unit.taker if options.taker is None else options.taker
    return replace(unit, maker=maker, taker=taker)


def _deposits(instruments: Sequence[Instrument], options: ExchangeOptions) -> dict[str, Decimal]:
    """Usable amounts of every asset that is traded; bases only where they change hands."""
    if options.balances:
        return dict(options.balances)
    deposits = {unit.quote: _QUOTE_DEPOSIT for unit in instruments}
    for unit in instruments:
        if unit.is_spot:
            deposits.setdefault(unit.base, _BASE_DEPOSITS.get(unit.base, _OTHER_DEPOSIT))
    return deposits


def _log_start(options: ExchangeOptions, exchange: Exchange) -> None:
    faults = options.faults.read_bytes() if options.faults is not None else b""
    account = next(iter(exchange.accounts.values()))
    exchange.log.write(
        "start",
        exchange.now_ns,
        format=FORMAT,
        product=options.product,
        speed=options.speed,
        seed=options.seed,
        feed=options.feed,
        symbols=[
            {
                "sym": market.symbol,
                "tick": market.instrument.tick,
                "lot": market.instrument.lot,
                "min_notional": market.instrument.min_notional,
                "maker": market.instrument.maker,
                "taker": market.instrument.taker,
            }
            for market in exchange.markets.values()
        ],
        balances={asset: balance.total for asset, balance in account.balances.items()},
        faults_sha256=hashlib.sha256(faults).hexdigest(),
    )
    exchange.log_books()


def _say_ready(options: ExchangeOptions, exchange: Exchange, wire: Wire, port: int) -> None:
    line = {
        "ready": True,
        "product": options.product,
        "pid": os.getpid(),
        "speed": options.speed,
        "rest_url": f"http://127.0.0.1:{port}",
        "ws_url": f"ws://127.0.0.1:{port}",
        **wire.urls(port),
        "admin_url": f"http://127.0.0.1:{port}/admin",
        "symbols": list(exchange.markets),
    }
    sys.stdout.write(orjson.dumps(line).decode() + "\n")
    sys.stdout.flush()


async def _until(stop: asyncio.Event, server: Server) -> None:
    waits = {asyncio.ensure_future(stop.wait()), asyncio.ensure_future(server.failed())}
    _, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for wait in pending:
        wait.cancel()


class _Pipe(asyncio.Protocol):
    """Sets `stop` when the pipe closes."""

    def __init__(self, stop: asyncio.Event) -> None:
        self._stop = stop

    def eof_received(self) -> None:
        """The parent closed its end."""
        self._stop.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The pipe broke."""
        del exc
        self._stop.set()


async def _watch_stdin(stop: asyncio.Event) -> None:
    try:
        await asyncio.get_running_loop().connect_read_pipe(lambda: _Pipe(stop), sys.stdin)
    except (ValueError, OSError) as error:
        raise ConfigError(f"--die-with-parent needs a pipe as standard input: {error}") from error


if __name__ == "__main__":
    sys.exit(main(parse(sys.argv[1:])))
