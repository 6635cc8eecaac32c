"""The running daemon: feeds the engine, writes the journal, sends the commands, watches the clock.

Commands leave in this order: cancels and questions at once, since they can only reduce risk; new
orders, amendments and replacements once their intent is on disk.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import structlog

from asmm_daemon import log
from asmm_daemon.clock import Clock, mono_ns
from asmm_daemon.core.engine import Engine
from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.core.view import LearningView
from asmm_daemon.errors import AsmmError, StateError
from asmm_daemon.events import Amend, Command, CycleTick, Event, Operator, Place, Replace, WatchTick
from asmm_daemon.service.cadence import beats
from asmm_daemon.service.event_log import EventLog
from asmm_daemon.service.health import Health
from asmm_daemon.service.journal import Journal
from asmm_daemon.service.metrics import Metrics
from asmm_daemon.service.plain import plain
from asmm_daemon.service.sd_notify import Notifier
from asmm_daemon.service.state_dir import StateDir
from asmm_daemon.service.supervise import Supervisor
from asmm_daemon.units import NS_PER_S
from asmm_daemon.venue.protocol import Venue

WATCH_PERIOD_S = 0.1
DIFFERENCES = 1000
"""Differences remembered for the summary; the journal has all."""
STALL_S = 5.0
"""A loop that wakes this late cannot keep its promises: cancel all and exit."""
_logger: structlog.stdlib.BoundLogger = log.get("daemon")


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a session ended: `exit` is signal, for or error."""

    exit: str
    error: str
    verified_zero_open: bool
    reconciled: bool


class Daemon:
    """One session. Built by the composition root from parts that are already connected."""

    def __init__(
        self,
        *,
        engine: Engine,
        venue: Venue,
        journal: Journal,
        state: StateDir,
        clock: Clock,
        health: Health,
        metrics: Metrics,
        notifier: Notifier,
        cycle_s: float,
        shutdown_s: float,
        guard: Callable[[Callable[[Event], None], Callable[[BaseException], None]], Callable[[Event], None]],
        reload: Callable[[], None],
        event_log: EventLog | None = None,
    ) -> None:
        self.engine, self.venue, self.journal, self.state = engine, venue, journal, state
        self.clock, self.health, self.metrics, self.notifier = clock, health, metrics, notifier
        self._cycle_s, self._shutdown_s, self._reload = cycle_s, shutdown_s, reload
        self.event_log = event_log
        self.observe: Callable[[Event], None] | None = None
        """Told every event once the engine has taken it in and its commands are on their way."""
        self.learning: Callable[[], LearningView] | None = None
        """What status and metrics show of online learning."""
        self.stop = asyncio.Event()
        self._drained = asyncio.Event()
        self._sealed = False
        """Whether zero open orders is being verified: nothing new may leave any more."""
        self._exit = "signal"
        self._outbox: list[tuple[list[Record], list[Command]]] = []
        self._wake = asyncio.Event()
        self._differences: deque[str] = deque(maxlen=DIFFERENCES)
        self._in_flight: set[asyncio.Task[None]] = set()
        self.feed = guard(self._feed, self._on_engine_failure)

    # what the outside may ask ------------------------------------------------------------------

    def request_stop(self, exit_reason: str) -> None:
        """Begins the shutdown; the first reason counts."""
        if not self.stop.is_set():
            self._exit = exit_reason
            self.health.stopping = exit_reason
            self.stop.set()

    def reload(self) -> None:
        """SIGHUP: swaps the configuration between two events, or keeps the old one and says why."""
        self.notifier.reloading()
        try:
            self._reload()
        except AsmmError as error:
            self.health.reload_ok, self.health.reload_error = False, str(error)
            _logger.error("reload refused, nothing changed", reason=str(error))
        else:
            self.health.reload_ok, self.health.reload_error = True, ""
        self._flush()
        self.notifier.ready(self.summary_line())

    def differences(self) -> list[str]:
        """What the last reconciliation found apart."""
        return list(self._differences)

    def summary_line(self) -> str:
        """One line for `systemctl status`."""
        view = self.health.view or self.engine.view()
        parts = [f"{m.symbol} {m.state} {m.inventory} base" for m in view.markets]
        refused = "" if self.health.reload_ok else f"; reload refused: {self.health.reload_error}"
        return f"{view.state}; " + ", ".join(parts) + " ".join(refused.split("\n"))

    # the flow: event -> engine -> journal -> venue ---------------------------------------------

    def _feed(self, event: Event) -> None:
        commands = self.engine.step(event)
        if self.event_log is not None:
            self.event_log.write(event, commands)
        self._flush(commands)
        if self.observe is not None:
            self.observe(event)

    def apply(self, change: Callable[[], None]) -> None:
        """Changes what the engine runs by, between two events; its records are journaled."""
        change()
        self._flush()

    def _flush(self, commands: list[Command] | None = None) -> None:
        records = self.engine.drain_records()
        for record in records:
            self._note(record)
        later: list[Command] = []
        for command in commands or ():
            if isinstance(command, (Place, Amend, Replace)):
                later.append(command)
            else:
                self._send(command)
        if records or later:
            self._outbox.append((records, later))
            self._wake.set()

    def _note(self, record: Record) -> None:
        if record.kind is RecordKind.LATCH:
            self._latch(record)
        elif record.kind is RecordKind.DIFFERENCE:
            self._differences.append(f"{record.symbol} {record.key}: {dict(record.data)}")
            _logger.warning("the ledger differs", symbol=record.symbol, key=record.key, **record.data)
        elif record.kind in (RecordKind.TRANSITION, RecordKind.OPERATOR):
            named = {"symbol": record.symbol, "key": record.key}
            shown = {name: text for name, text in named.items() if text}
            _logger.info(record.kind.value, **shown, **record.data)

    def _latch(self, record: Record) -> None:
        _logger.warning("latch", switch=record.key, symbol=record.symbol, **record.data)
        if self.engine.halted:
            self.state.set_latch(f"{record.key}: {record.data.get('reason', '')}")
        else:
            self.state.clear_latch()

    def _send(self, command: Command) -> None:
        task = asyncio.create_task(self.venue.execute(command))
        self._in_flight.add(task)
        task.add_done_callback(self._sent)

    def _sent(self, task: asyncio.Task[None]) -> None:
        self._in_flight.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self.fail(f"sending a command failed: {error!r}")

    async def _dispatch(self) -> None:
        while self._outbox or not self._drained.is_set():
            await self._wake.wait()
            self._wake.clear()
            batch, self._outbox = self._outbox, []
            await self.journal.write([record for records, _ in batch for record in records])
            for _, commands in batch:
                for command in () if self._sealed else commands:
                    self._send(command)

    def _on_engine_failure(self, error: BaseException) -> None:
        _logger.error("the engine failed", exc_info=error)
        self.fail(f"the engine failed: {error!r}")

    def fail(self, reason: str) -> None:
        """Begins the shutdown of a session that cannot go on; the first reason counts."""
        if not self.health.failure:
            self.health.failure = log.redact(reason)
            _logger.error("stopping", reason=reason)
        self.request_stop("error")

    # beats -------------------------------------------------------------------------------------

    async def _cycles(self) -> None:
        async for beat in beats(self.clock, self._cycle_s, self.stop):
            started = mono_ns()
            self.feed(CycleTick(self.clock.now_ns(), beat.number, beat.skipped))
            self.health.last_cycle_mono_ns = mono_ns()
            elapsed = (self.health.last_cycle_mono_ns - started) / NS_PER_S
            view = self.health.view
            for market in view.markets if view else ():
                self.metrics.cycle_s.labels(market.symbol).observe(elapsed / len(view.markets))  # type: ignore[union-attr]

    async def _watch(self) -> None:
        async for _ in beats(self.clock, WATCH_PERIOD_S, self.stop):
            self.feed(WatchTick(self.clock.now_ns()))
            self.health.last_watch_mono_ns = mono_ns()
            if self.health.lag.last_s > STALL_S:
                self.fail(f"the event loop stalled for {self.health.lag.last_s:.1f} s")
            if self.journal.failure:
                self.fail(self.journal.failure)

    async def _observe(self) -> None:
        """Once a real second: the shared view, the venue's facts, and systemd's watchdog."""
        beat_s = min(1.0, self.notifier.watchdog_s / 3 or 1.0)
        while not self.stop.is_set():
            self.health.view = view = self.engine.view()
            self.health.budget_ratio = self.venue.budget.ratio
            self.health.learning = self.learning() if self.learning is not None else None
            for m, market in enumerate(view.markets):
                self.health.deadman[market.symbol] = self.venue.deadman_armed(m)
                self.venue.set_healthy(m, market.state in ("ACTIVE", "REDUCING"))
            for m, seconds in self.venue.drain_round_trips():
                self.metrics.round_trip_s.labels(view.markets[m].symbol).observe(seconds)
            if not self.healthy():
                self.notifier.watchdog()
            self.notifier.status(self.summary_line())
            try:
                await asyncio.wait_for(self.stop.wait(), beat_s)
            except TimeoutError:
                continue

    def healthy(self) -> str:
        """Empty while beats run in time; systemd's watchdog is fed only then."""
        now = mono_ns()
        if self.health.failure:
            return self.health.failure
        if now - self.health.last_watch_mono_ns > 2 * NS_PER_S:
            return "the watchdog's beat is late"
        if now - self.health.last_cycle_mono_ns > (3 * self.clock.real_s(self._cycle_s) + 2) * NS_PER_S:
            return "the quote cycle is late"
        return ""

    def ready(self) -> str:
        """Empty when every market may quote."""
        view = self.engine.view()
        waiting = [
            f"{m.symbol}: {', '.join(m.missing) or m.state}" for m in view.markets if m.state != "ACTIVE"
        ]
        return "; ".join(waiting)

    def status(self) -> dict[str, Any]:
        """Everything `/status` shows."""
        health = self.health
        data: dict[str, Any] = plain(self.engine.view())
        data["service"] = {
            "stopping": health.stopping,
            "failure": health.failure,
            "reload_ok": health.reload_ok,
            "reload_error": health.reload_error,
            "config_sha256": health.config_sha256,
            "model_sha256": health.model_sha256,
            "loop_lag_p99_ms": health.lag.p99_s() * 1e3,
            "request_budget_ratio": health.budget_ratio,
            "deadman_armed": dict(health.deadman),
            "epoch": self.journal.epoch,
        }
        data["learning"] = plain(health.learning)
        return data

    async def operate(self, action: str, reason: str) -> str:
        """A person's word over the control socket."""
        if action not in ("pause", "unpause", "halt", "resume"):
            raise StateError(f"unknown action {action!r}; use pause, unpause, halt or resume")
        if not reason.strip():
            raise StateError("a reason is needed: it is written into the journal")
        self.feed(Operator(self.clock.now_ns(), action, reason))  # type: ignore[arg-type]
        if action == "resume" and not self.engine.halted:
            self.state.clear_latch()
        view = self.engine.view()
        return f"{action}: {view.state}" + (f" ({', '.join(view.causes)})" if view.causes else "")

    # the session -------------------------------------------------------------------------------

    async def run(self, *, run_for_s: float | None = None) -> Outcome:
        """Trades until a stop is asked for, then cancels everything and verifies that nothing rests."""
        self.health.last_cycle_mono_ns = self.health.last_watch_mono_ns = mono_ns()
        supervisor = Supervisor(self.stop)
        venue_stop = asyncio.Event()
        venue_task = asyncio.create_task(self.venue.run(self.feed, venue_stop))
        dispatcher = asyncio.create_task(self._dispatch())
        for name, coroutine in {
            "quote cycle": self._cycles(),
            "watchdog": self._watch(),
            "observer": self._observe(),
            "loop lag": self.health.lag.run(self.stop),
            "streams": _until_done(venue_task),
            "order manager": _until_done(dispatcher),
        }.items():
            supervisor.start(name, coroutine)
        if run_for_s is not None:
            supervisor.start("timer", self._timer(run_for_s))
        self.notifier.ready(self.summary_line())
        ended = await supervisor.wait()
        if ended is not None and not self.stop.is_set():
            self._task_ended(*ended)
        outcome = await self._shut_down()
        self.event_log = None  # what still comes in belongs to no session
        self._drained.set()
        self._wake.set()
        venue_stop.set()
        await asyncio.wait({venue_task, dispatcher}, timeout=3.0)
        for name, error in await supervisor.end(1.0):
            if not self.health.failure:
                outcome = replace(outcome, exit="error", error=log.redact(f"{name} failed: {error!r}"))
        return outcome

    def _task_ended(self, name: str, error: BaseException | None) -> None:
        if isinstance(error, AsmmError):
            self.fail(f"{name}: {error}")
            return
        if error is not None:
            _logger.error("a task failed", task=name, exc_info=error)
        self.fail(f"{name} ended: {error!r}" if error else f"{name} ended unexpectedly")

    async def _timer(self, run_for_s: float) -> None:
        try:
            await asyncio.wait_for(self.stop.wait(), run_for_s)
        except TimeoutError:
            self.request_stop("for")

    async def _shut_down(self) -> Outcome:
        self.notifier.stopping(f"stopping ({self._exit}): cancelling all orders")
        _logger.info("stopping", reason=self._exit)
        self.feed(Operator(self.clock.now_ns(), "stop", self._exit))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._shutdown_s
        while self.engine.open_orders and loop.time() < deadline - self._shutdown_s / 2:
            await asyncio.sleep(0.02)
            self.feed(WatchTick(self.clock.now_ns()))
        self._sealed = True
        zero = await self._kill_until(deadline)
        reconciled = await self._last_reconciliation() if zero else False
        error = self.health.failure
        if not zero:
            error = "; ".join(
                filter(None, [error, "zero open orders could not be verified: check the venue"])
            )
        return Outcome("error" if error else self._exit, error, zero, reconciled)

    async def _kill_until(self, deadline: float) -> bool:
        loop = asyncio.get_running_loop()
        while True:
            try:
                left = max(1.0, deadline - loop.time())
                if await asyncio.wait_for(self.venue.kill(), left):
                    return True
            except (AsmmError, TimeoutError) as error:
                _logger.warning(
                    "cancelling all failed, trying again", reason=log.redact(str(error) or "time-out")
                )
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(0.2)

    async def _last_reconciliation(self) -> bool:
        """A fresh read of orders, trades, balances and positions, compared with the ledger."""
        markets = self.engine.view().markets
        self._differences.clear()
        try:
            for m in range(len(markets)):
                self.feed(await asyncio.wait_for(self.venue.snapshot(m), self._shutdown_s))
        except (AsmmError, TimeoutError) as error:
            _logger.warning("the last reconciliation failed", reason=log.redact(str(error) or "time-out"))
            return False
        return all(market.reconciled for market in self.engine.view().markets)


async def _until_done(task: asyncio.Task[None]) -> None:
    """Lets a supervisor watch a task that it must not cancel."""
    await asyncio.shield(task)
