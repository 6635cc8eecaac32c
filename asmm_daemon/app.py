"""The composition root: the only file that knows modes. Builds the parts, runs a session, takes it down.

A broad except stands here alone: whatever the engine throws cancels all orders and ends the session.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog
import uvloop

from asmm_daemon import config as configuration
from asmm_daemon import log, specs
from asmm_daemon.assembly import build_engine, cid_prefix, load_policies, make_specs, make_venue
from asmm_daemon.clock import Clock, wall_ns
from asmm_daemon.config import Config, Keys
from asmm_daemon.core.spec import Identity
from asmm_daemon.errors import ConfigError, StateError, VenueError
from asmm_daemon.events import Event, History
from asmm_daemon.service import edge, http, summary
from asmm_daemon.service.daemon import Daemon, Outcome
from asmm_daemon.service.event_log import EventLog, Reloaded, Start
from asmm_daemon.service.exchange_child import ExchangeChild
from asmm_daemon.service.health import Health
from asmm_daemon.service.journal import Journal
from asmm_daemon.service.metrics import Metrics
from asmm_daemon.service.screen import Screen
from asmm_daemon.service.sd_notify import Notifier
from asmm_daemon.service.state_dir import StateDir
from asmm_daemon.warm import warm_engine

_logger: structlog.stdlib.BoundLogger = log.get("app")


@dataclass(frozen=True, slots=True)
class RunOptions:
    """What `asmm run` was told."""

    path: Path
    overrides: tuple[str, ...] = ()
    run_for_s: float | None = None
    summary: Path | None = None
    record: Path | None = None


def run(options: RunOptions) -> int:
    """A whole session; returns the exit code."""
    settings = configuration.load(options.path, options.overrides)
    keys = configuration.keys(settings)
    _check_writable(options.summary)
    session = _Session(settings, keys, options)
    locks = () if settings.embedded else _locks(settings, keys)
    with StateDir(settings.state_path, locks=locks) as state:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _leave)
        _compile()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(session.run(state))


def _compile() -> None:
    """Where the cache is cold, this takes most of a minute: no event loop may stand still so long."""
    patience = threading.Timer(2.0, _logger.info, ["compiling; the first start takes up to a minute"])
    patience.daemon = True
    patience.start()
    warm_engine()
    patience.cancel()


def _check_writable(summary_path: Path | None) -> None:
    """Says before a session, not after it, that its summary has nowhere to go."""
    if summary_path is None:
        return
    existing = summary_path if summary_path.exists() else summary_path.absolute().parent
    if summary_path.is_dir() or not os.access(existing, os.W_OK):
        raise StateError(f"--summary {summary_path} cannot be written: no such folder, or not writable")


def _leave(*_: object) -> None:
    """Ends at once, while nothing is open yet: an exception would get lost within the compiler."""
    _logger.info("stopped before trading began")
    os._exit(0)


def _locks(settings: Config, keys: Keys) -> tuple[str, ...]:
    """One lock per account and symbol, so that a second daemon refuses to start (S15)."""
    key = configuration.fingerprint(keys)
    return tuple(f"{settings.venue.name}-{market.symbol}-{key}" for market in settings.market)


class _Session:
    """One run of the daemon, from its connections to its summary."""

    def __init__(self, settings: Config, keys: Keys, options: RunOptions) -> None:
        self.settings, self.keys, self.options = settings, keys, options
        log.hide(
            [keys.key.get_secret_value(), keys.secret.get_secret_value()] if not settings.embedded else []
        )
        log.configure(level=settings.log.level, style=settings.log.style)
        self.interrupted = asyncio.Event()
        self.daemon: Daemon | None = None
        self.notifier = Notifier()

    async def run(self, state: StateDir) -> int:
        """Sets up, trades, takes down."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, self._hang_up)
        async with contextlib.AsyncExitStack() as stack:
            stack.callback(self.notifier.close)
            building = asyncio.create_task(self._build(state, stack))
            waiting = asyncio.create_task(self.interrupted.wait())
            await asyncio.wait({building, waiting}, return_when=asyncio.FIRST_COMPLETED)
            waiting.cancel()
            if not building.done():
                building.cancel()
                await asyncio.wait({building})
                _logger.info("stopped before trading began")
                return 0
            daemon, engine_clock = building.result()
            return await self._trade(daemon, engine_clock)

    def _interrupt(self) -> None:
        self.interrupted.set()
        if self.daemon is not None:
            self.daemon.request_stop("signal")

    def _hang_up(self) -> None:
        if self.daemon is not None:
            self.daemon.reload()

    async def _build(self, state: StateDir, stack: contextlib.AsyncExitStack) -> tuple[Daemon, Clock]:
        settings = self.settings
        clock = Clock(speed=settings.demo.speed)
        rest_url, ws_url = settings.venue.rest_url, settings.venue.ws_url
        if settings.embedded:
            child = await stack.enter_async_context(ExchangeChild(settings))
            rest_url, ws_url = child.rest_url, child.ws_url
        venue = make_venue(settings, self.keys, clock, rest_url, ws_url)
        stack.push_async_callback(venue.close)
        await venue.connect()
        policies, model_sha256 = load_policies(settings)
        specs.check_sizes(make_specs(settings, venue.instruments, policies, venue.capabilities))
        edge.refuse_losing(settings, venue.instruments)
        health = Health(settings.sha256(), model_sha256)
        journal = Journal(
            state.path,
            mode=settings.mode,
            venue=settings.venue.name,
            symbols=[market.symbol for market in settings.market],
            config_sha256=health.config_sha256,
            model_sha256=model_sha256,
        )
        exit_reason = ["error"]
        stack.push_async_callback(lambda: journal.close(exit_reason[0]))
        latch = state.latch()
        if latch is not None:
            _logger.warning(
                'halted since before this start; `asmm resume --reason "…"` ends it', reason=latch.reason
            )
        start = Start(
            config=orjson.dumps(settings.public()).decode(),
            instruments=venue.instruments,
            capabilities=venue.capabilities,
            identity=Identity(prefix=cid_prefix(settings), epoch=journal.epoch),
            restored=() if settings.embedded else tuple(journal.records()),
            held=latch.reason if latch else "",
            held_ns=clock.now_ns(),
        )
        engine = build_engine(settings, policies, start)
        event_log = None
        if self.options.record is not None:
            event_log = stack.enter_context(EventLog(self.options.record))
            event_log.begin(start)
        metrics = Metrics(health)
        daemon = Daemon(
            engine=engine,
            venue=venue,
            journal=journal,
            state=state,
            clock=clock,
            health=health,
            metrics=metrics,
            notifier=self.notifier,
            cycle_s=settings.market[0].quoting.cycle_s,
            shutdown_s=settings.service.shutdown_s,
            guard=_fail_closed,
            reload=lambda: self._reload(daemon),
            event_log=event_log,
        )
        stop_metrics = metrics.serve(settings.service.metrics_host, settings.service.metrics_port)
        stack.callback(stop_metrics)
        service = settings.service
        stop_http = await http.serve(
            daemon, host=service.http_host, port=service.http_port, control=state.control_socket
        )
        stack.push_async_callback(stop_http)
        for m in range(len(settings.market)):
            await warm(daemon, m)
        self._exit_reason = exit_reason
        return daemon, clock

    async def _trade(self, daemon: Daemon, clock: Clock) -> int:
        self.daemon = daemon
        start_wall, start_venue = wall_ns(), clock.now_ns()
        if self.interrupted.is_set():
            daemon.request_stop("signal")
        _settle_heap()
        if not self.settings.embedded:
            daemon.state.begin_session(orjson.dumps(self.settings.public()))
        async with Screen(daemon.health) if sys.stdout.isatty() else contextlib.nullcontext():
            outcome = await daemon.run(run_for_s=self.options.run_for_s)
        if outcome.verified_zero_open:
            daemon.state.end_session()
        self._exit_reason[0] = outcome.exit
        span = summary.Span(start_wall, wall_ns(), start_venue, clock.now_ns())
        await self._finish(daemon, outcome, span)
        return 1 if outcome.error else 0

    async def _finish(self, daemon: Daemon, outcome: Outcome, span: summary.Span) -> None:
        differences = daemon.differences()
        report = summary.summarise(
            self.settings, daemon.engine.view(), outcome, daemon.health, span, differences
        )
        for line in summary.lines(report):
            _logger.info(line)
        if self.options.summary is not None:
            path = self.options.summary
            try:
                await asyncio.to_thread(path.write_bytes, orjson.dumps(report, option=orjson.OPT_INDENT_2))
            except OSError as error:
                raise StateError(f"--summary {path} cannot be written: {error.strerror}") from None

    def _reload(self, daemon: Daemon) -> None:
        """Validates the whole file, then swaps; raises and changes nothing otherwise."""
        fresh = configuration.load(self.options.path, self.options.overrides)
        changes = configuration.difference(self.settings, fresh)
        fixed = [name for name in changes if name.startswith(_FIXED) or name.endswith(_FIXED_ENDS)]
        if fixed:
            raise ConfigError(f"{', '.join(fixed)}: cannot change while running; restart the daemon")
        policies, model_sha256 = load_policies(fresh)
        instruments = [spec.instrument for spec in daemon.engine.specs]
        after = make_specs(fresh, instruments, policies, daemon.venue.capabilities)
        specs.check_sizes(after)
        edge.refuse_losing(fresh, instruments)
        now_ns = daemon.clock.now_ns()
        daemon.engine.apply(after, specs.account_limits(fresh), now_ns)
        if daemon.event_log is not None:
            daemon.event_log.reloaded(Reloaded(now_ns, orjson.dumps(fresh.public()).decode()))
        self.settings = fresh
        daemon.health.config_sha256, daemon.health.model_sha256 = fresh.sha256(), model_sha256
        _logger.info("reloaded", changes={name: f"{old} -> {new}" for name, (old, new) in changes.items()})
        log.configure(level=fresh.log.level, style=fresh.log.style)


_FIXED = ("mode", "venue.", "demo.", "service.", "state_dir", "account.spot_equity")
_FIXED_ENDS = (".symbol", ".cycle_s")


def _fail_closed(
    step: Callable[[Event], None], failed: Callable[[BaseException], None]
) -> Callable[[Event], None]:
    def guarded(event: Event) -> None:
        try:
            step(event)
        except Exception as error:  # noqa: BLE001 (fail closed: whatever it is, stop trading)
            failed(error)

    return guarded


def _settle_heap() -> None:
    """Hides what lasts from the collector: going through all of it would stall the loop for 0.1 s."""
    gc.collect()
    gc.freeze()


async def warm(daemon: Daemon, m: int) -> None:
    """Feeds the estimators from the venue's history, where it has one; quoting does not wait for it."""
    try:
        history = await asyncio.wait_for(daemon.venue.warm(m), 5.0)
    except (VenueError, TimeoutError) as error:
        _logger.info("no history to warm up from", market=m, reason=str(error) or "time-out")
        return
    daemon.feed(History(daemon.clock.now_ns(), m, history.candles, history.trades))
