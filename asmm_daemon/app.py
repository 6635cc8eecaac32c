"""The composition root: the only file that knows modes. Builds the parts, runs a session, takes it down.

A broad except stands here alone: whatever the engine throws cancels all orders and ends the session.
"""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog
import uvloop

from asmm_daemon import config as configuration
from asmm_daemon import log
from asmm_daemon.clock import Clock, wall_ns
from asmm_daemon.config import Config, Keys
from asmm_daemon.core.engine import Engine
from asmm_daemon.core.policy import FixedPolicy, Policy
from asmm_daemon.core.spec import Identity, MarketSpec
from asmm_daemon.errors import ConfigError, StateError, VenueError
from asmm_daemon.events import Event, History
from asmm_daemon.learn import model_file
from asmm_daemon.service import http, specs, summary
from asmm_daemon.service.daemon import Daemon, Outcome
from asmm_daemon.service.event_log import EventLog, Start
from asmm_daemon.service.exchange_child import ExchangeChild
from asmm_daemon.service.health import Health
from asmm_daemon.service.journal import Journal
from asmm_daemon.service.metrics import Metrics
from asmm_daemon.service.screen import Screen
from asmm_daemon.service.sd_notify import Notifier
from asmm_daemon.service.state_dir import StateDir
from asmm_daemon.units import Instrument
from asmm_daemon.venue.adapter import CcxtVenue
from asmm_daemon.venue.protocol import Capabilities, Finding, VenueSettings
from asmm_daemon.warm import warm_engine

_logger: structlog.stdlib.BoundLogger = log.get("app")
PREFIX = "asmm"


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
    locks = () if settings.embedded else _locks(settings, keys)
    with StateDir(settings.state_path, locks=locks) as state:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _leave)
        warm_engine()  # where the cache is cold, most of a minute: no event loop may stand still so long
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_Session(settings, keys, options).run(state))


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
            return await self._trade(daemon, engine_clock, stack)

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
        check_sizes(make_specs(settings, venue.instruments, policies, venue.capabilities))
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

    async def _trade(self, daemon: Daemon, clock: Clock, stack: contextlib.AsyncExitStack) -> int:
        self.daemon = daemon
        start_wall, start_venue = wall_ns(), clock.now_ns()
        if sys.stdout.isatty():
            screen = Screen(daemon.health)
            await stack.enter_async_context(screen)
        if self.interrupted.is_set():
            daemon.request_stop("signal")
        _settle_heap()
        if not self.settings.embedded:
            daemon.state.begin_session(orjson.dumps(self.settings.public()))
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
        check_sizes(after)
        daemon.engine.apply(after, specs.account_limits(fresh), daemon.clock.now_ns())
        self.settings = fresh
        log.configure(level=fresh.log.level, style=fresh.log.style)
        daemon.health.config_sha256, daemon.health.model_sha256 = fresh.sha256(), model_sha256
        _logger.info("reloaded", changes={name: f"{old} -> {new}" for name, (old, new) in changes.items()})


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


def cid_prefix(settings: Config) -> str:
    """What every client order id of this daemon begins with: the program and its instance."""
    return f"{PREFIX}{settings.venue.instance}-"


def make_venue(settings: Config, keys: Keys, clock: Clock, rest_url: str, ws_url: str) -> CcxtVenue:
    """The adapter for the configured venue."""
    return CcxtVenue(
        VenueSettings(
            product=settings.venue.name,
            symbols=tuple(market.symbol for market in settings.market),
            key=keys.key.get_secret_value(),
            secret=keys.secret.get_secret_value(),
            rest_url=rest_url,
            ws_url=ws_url,
            sandbox=settings.mode == "testnet" and not rest_url,
            cid_prefix=cid_prefix(settings),
            timeout_s=settings.venue.timeout_s,
            recv_window_ms=settings.venue.recv_window_ms,
        ),
        clock,
    )


def make_specs(
    settings: Config,
    instruments: Sequence[Instrument],
    policies: Sequence[Policy],
    capabilities: Capabilities,
) -> list[MarketSpec]:
    """What the engine is told of each market."""
    return [
        specs.market_spec(
            market,
            instrument,
            policy,
            can_amend=capabilities.amend,
            can_replace=capabilities.replace,
            heartbeat=capabilities.heartbeat,
        )
        for market, instrument, policy in zip(settings.market, instruments, policies, strict=True)
    ]


def build_engine(settings: Config, policies: Sequence[Policy], start: Start) -> Engine:
    """An engine from its settings, the venue's facts and the journal: the same from the same."""
    market_specs = make_specs(settings, start.instruments, policies, start.capabilities)
    engine = Engine(market_specs, specs.account_limits(settings), start.identity)
    engine.restore(start.restored)
    if start.held:
        engine.hold(start.held, start.held_ns)
    return engine


def load_policies(settings: Config) -> tuple[list[Policy], str]:
    """One policy per market, and the hash of the model files in use."""
    policies: list[Policy] = []
    hashes = []
    for market in settings.market:
        if market.policy.model_file:
            policy = model_file.load_policy(Path(market.policy.model_file))
            hashes.append(policy.sha256)
            policies.append(policy)
        else:
            policies.append(FixedPolicy(market.quoting.gamma, market.quoting.skew))
    return policies, "+".join(sorted(set(hashes)))


def check_sizes(market_specs: Sequence[MarketSpec]) -> None:
    """Refuses sizes that the venue's filters or our own limits make impossible."""
    for spec in market_specs:
        instrument, quote = spec.instrument, spec.quote
        lot = float(instrument.lot)
        if not quote.size_in_quote and quote.order_size < lot * instrument.min_qty:
            raise ConfigError(
                f"quoting.order_size = {quote.order_size:g}: {instrument.symbol} takes at least "
                f"{lot * instrument.min_qty:g} {instrument.base}"
            )
        if quote.size_in_quote and quote.order_size < float(instrument.min_notional):
            raise ConfigError(
                f"quoting.order_size = {quote.order_size:g} {instrument.quote}: {instrument.symbol} takes "
                f"at least {instrument.min_notional} {instrument.quote} an order"
            )
        if quote.max_order < lot:
            raise ConfigError(f"limits.max_order = {quote.max_order:g}: less than one lot of {lot:g}")


async def warm(daemon: Daemon, m: int) -> None:
    """Feeds the estimators from the venue's history, where it has one; quoting does not wait for it."""
    try:
        history = await asyncio.wait_for(daemon.venue.warm(m), 5.0)
    except (VenueError, TimeoutError) as error:
        _logger.info("no history to warm up from", market=m, reason=str(error) or "time-out")
        return
    daemon.feed(History(daemon.clock.now_ns(), m, history.candles, history.trades))


def cancel(path: Path, overrides: Sequence[str]) -> str:
    """Cancels our orders without the daemon; returns what was done. Raises when it cannot be verified."""
    settings = configuration.load(path, overrides)
    if settings.embedded:
        return "the embedded exchange ends with the daemon; nothing can rest"
    return _cancel(settings)


def cancel_after(session: bytes, folder: Path) -> str:
    """Cancels what a dead daemon left, by the settings that it ran with. Raises as `cancel` does.

    The configuration file may have been edited, and broken, since.
    """
    return _cancel(configuration.saved(session, folder))


def _cancel(settings: Config) -> str:
    async def go() -> bool:
        venue = _reach(settings)
        try:
            await venue.connect()
            return await venue.kill()
        finally:
            await venue.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if not runner.run(go()):
            raise VenueError("zero open orders could not be verified; look at the venue's own page")
    return "none of our orders is open"


def doctor(path: Path, overrides: Sequence[str]) -> list[Finding]:
    """What the venue says about clock, key, filters, fees, protection and foreign orders."""
    settings = configuration.load(path, overrides)

    async def go() -> list[Finding]:
        async with contextlib.AsyncExitStack() as stack:
            if settings.embedded:
                child = await stack.enter_async_context(ExchangeChild(settings))
                venue = make_venue(
                    settings,
                    configuration.keys(settings),
                    Clock(speed=settings.demo.speed),
                    child.rest_url,
                    child.ws_url,
                )
            else:
                venue = _reach(settings)
            stack.push_async_callback(venue.close)
            await venue.connect()
            return await venue.doctor()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(go())


def _reach(settings: Config) -> CcxtVenue:
    keys = configuration.keys(settings)
    log.hide([keys.key.get_secret_value(), keys.secret.get_secret_value()])
    log.configure(level=settings.log.level, style=settings.log.style)
    clock = Clock(speed=settings.demo.speed)
    return make_venue(settings, keys, clock, settings.venue.rest_url, settings.venue.ws_url)
