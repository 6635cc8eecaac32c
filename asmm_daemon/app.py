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
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ParamSpec

import orjson
import structlog
import uvloop

from asmm_daemon import config as configuration
from asmm_daemon import log, specs
from asmm_daemon.assembly import (
    build_engine,
    cid_prefix,
    explored,
    load_policies,
    make_online,
    make_specs,
    make_venue,
    model_hashes,
)
from asmm_daemon.clock import Clock, wall_ns
from asmm_daemon.config import Config, Keys
from asmm_daemon.core.spec import Identity, MarketSpec
from asmm_daemon.errors import ConfigError, StateError, VenueError
from asmm_daemon.events import CycleTick, Event, History
from asmm_daemon.learn.online import rules
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

if TYPE_CHECKING:
    from asmm_daemon.core.policy import Policy
    from asmm_daemon.learn.online.online import Online
    from asmm_daemon.learn.online.student import Takeover

P = ParamSpec("P")
_logger: structlog.stdlib.BoundLogger = log.get("app")
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
"""A terminal's Ctrl-C and Ctrl-backslash, and the service manager's word: each cancels everything first."""


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
    rules.check(settings)
    _check_writable(options.summary)
    session = _Session(settings, keys, options)
    locks = () if settings.embedded else _locks(settings, keys)
    for number in _STOPS:
        signal.signal(number, _leave)
    signal.signal(signal.SIGHUP, session.hang_up)
    with StateDir(settings.state_path, locks=locks) as state:
        _compile(settings)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(session.run(state))


def _compile(settings: Config) -> None:
    """Where the cache is cold, this takes most of a minute: no event loop may stand still so long."""
    patience = threading.Timer(2.0, _logger.info, ["compiling; the first start takes a minute or two"])
    patience.daemon = True
    patience.start()
    warm_engine()
    if settings.learning.online:
        from asmm_daemon.learn.online.warm import warm_up  # noqa: PLC0415 (torch, only where it is wanted)

        warm_up()
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
        self.asked = settings
        """As the file has them; `settings` name the models that learning has put in force since."""
        self.settings, self.keys, self.options = rules.in_force(settings), keys, options
        self.online: Online | None = None
        log.hide(
            [keys.key.get_secret_value(), keys.secret.get_secret_value()] if not settings.embedded else []
        )
        log.configure(level=settings.log.level, style=settings.log.style)
        self.interrupted = asyncio.Event()
        self.hung_up = False
        self.daemon: Daemon | None = None
        self.child: ExchangeChild | None = None
        self.notifier = Notifier()

    async def run(self, state: StateDir) -> int:
        """Sets up, trades, takes down."""
        loop = asyncio.get_running_loop()
        for number in _STOPS:
            loop.add_signal_handler(number, self._interrupt)
        loop.add_signal_handler(signal.SIGHUP, self.hang_up)
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

    def hang_up(self, *_: object) -> None:
        """Reloads; while starting, once trading begins, since the file was read before."""
        self.hung_up = self.daemon is None
        if self.daemon is not None:
            self.daemon.reload()

    async def _build(self, state: StateDir, stack: contextlib.AsyncExitStack) -> tuple[Daemon, Clock]:
        settings = self.settings
        clock = Clock(speed=settings.demo.speed)
        rest_url, ws_url = settings.venue.rest_url, settings.venue.ws_url
        if settings.embedded:
            self.child = child = await stack.enter_async_context(ExchangeChild(settings))
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
        if settings.learning.online:
            self.online = make_online(lambda: self.settings, engine, _fail_open)
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
        if self.online is not None:
            daemon.observe = _fail_open(partial(self._observe, daemon, self.online), self.online.failed)
            daemon.learning = self.online.view
            stack.push_async_callback(asyncio.to_thread, self.online.join, settings.service.shutdown_s)
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
        if self.hung_up:
            self.hang_up()
        _settle_heap()
        if self.online is not None:
            self.online.start()
        if not self.settings.embedded:
            daemon.state.begin_session(orjson.dumps(self.settings.public()))
        watching = asyncio.create_task(self._watch_child(daemon))
        try:
            async with Screen(daemon.health) if sys.stdout.isatty() else contextlib.nullcontext():
                outcome = await daemon.run(run_for_s=self.options.run_for_s)
        finally:
            watching.cancel()
        if self.online is not None:
            self.online.ask_to_stop()
        if outcome.verified_zero_open:
            daemon.state.end_session()
        self._exit_reason[0] = outcome.exit
        span = summary.Span(start_wall, wall_ns(), start_venue, clock.now_ns())
        await self._finish(daemon, outcome, span)
        return 1 if outcome.error else 0

    async def _watch_child(self, daemon: Daemon) -> None:
        if self.child is not None:
            daemon.fail(await self.child.ended())

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
        changes = configuration.difference(self.asked, fresh)
        ends = _FIXED_ENDS if self.online is None else (*_FIXED_ENDS, ".model_file")
        fixed = [name for name in changes if name.startswith(_FIXED) or name.endswith(ends)]
        if fixed:
            raise ConfigError(f"{', '.join(fixed)}: cannot change while running; restart the daemon")
        rules.check(fresh)
        asked, fresh = fresh, rules.in_force(fresh)
        policies, model_sha256 = load_policies(fresh)
        instruments = [spec.instrument for spec in daemon.engine.specs]
        after = make_specs(fresh, instruments, policies, daemon.venue.capabilities)
        specs.check_sizes(after)
        edge.refuse_losing(fresh, instruments)
        self._put_in_force(daemon, fresh, after, model_sha256)
        self.asked = asked
        if self.online is not None:
            self.online.budget.share = fresh.learning.cpu_share
        _logger.info("reloaded", changes={name: f"{old} -> {new}" for name, (old, new) in changes.items()})
        log.configure(level=fresh.log.level, style=fresh.log.style)

    def _put_in_force(
        self, daemon: Daemon, fresh: Config, after: list[MarketSpec], model_sha256: str
    ) -> None:
        """Swaps between two events what the engine runs by."""
        now_ns = daemon.clock.now_ns()
        daemon.engine.apply(after, specs.account_limits(fresh), now_ns)
        if daemon.event_log is not None:
            daemon.event_log.reloaded(Reloaded(now_ns, orjson.dumps(fresh.public()).decode()))
        self.settings = fresh
        daemon.health.config_sha256, daemon.health.model_sha256 = fresh.sha256(), model_sha256

    def _observe(self, daemon: Daemon, online: "Online", event: Event) -> None:
        """What the engine has just taken in; a shadow that won takes over between two quote cycles."""
        online.observe(daemon.engine, event)
        if isinstance(event, CycleTick):
            takeover = online.takeover(daemon.engine)
            if takeover is not None:
                daemon.apply(lambda: self._take_over(daemon, online, takeover))

    def _take_over(self, daemon: Daemon, online: "Online", takeover: "Takeover") -> None:
        """The same way as a reload's, with one market's policy exchanged."""
        rules.remember(self.asked, takeover.m, takeover.path)
        fresh = rules.in_force(self.asked)
        policies: list[Policy] = [spec.policy for spec in daemon.engine.specs]
        policies[takeover.m] = explored(takeover.policy, fresh)
        instruments = [spec.instrument for spec in daemon.engine.specs]
        after = make_specs(fresh, instruments, policies, daemon.venue.capabilities)
        self._put_in_force(daemon, fresh, after, model_hashes(policies))
        online.put_in_force(takeover)
        _logger.info(
            "shadow model took over", symbol=takeover.symbol, model=takeover.policy.name,
            sha256=takeover.policy.sha256, trial=takeover.words,
        )  # fmt: skip


_FIXED = (
    "mode", "venue.", "demo.", "service.", "state_dir", "account.spot_equity",
    "learning.online", "learning.window_h", "learning.learning_rate", "learning.seed",
)  # fmt: skip
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


def _fail_open(work: Callable[P, None], failed: Callable[[BaseException], None]) -> Callable[P, None]:
    """For what trading does not depend on: it may fail, and is told so, and trading goes on."""

    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            work(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 (whatever it is, it must not reach the engine)
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
