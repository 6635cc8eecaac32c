"""The venue as the daemon knows it, over ccxt with every guard that it needs."""

import asyncio

from asmm_daemon.clock import Clock
from asmm_daemon.errors import VenueError
from asmm_daemon.events import (
    Amend,
    Cancel,
    CancelAll,
    Channel,
    ChannelEvent,
    Command,
    Event,
    FillEvent,
    MarketData,
    OrderUpdate,
    Place,
    Proof,
    ProveBook,
    Query,
    Reconcile,
    Replace,
    Snapshot,
)
from asmm_daemon.units import NS_PER_S, Instrument
from asmm_daemon.venue import top
from asmm_daemon.venue.clock_sync import ClockSync
from asmm_daemon.venue.deadman import Deadman
from asmm_daemon.venue.dialects import connection
from asmm_daemon.venue.doctor import examine
from asmm_daemon.venue.executor import Executor
from asmm_daemon.venue.kill import KillSwitch
from asmm_daemon.venue.limits import Priority
from asmm_daemon.venue.market_stream import MarketStream
from asmm_daemon.venue.outcomes import Refused
from asmm_daemon.venue.pace import Pace
from asmm_daemon.venue.private_stream import PrivateStream
from asmm_daemon.venue.protocol import Budget, Capabilities, Finding, Sink, VenueSettings, Warm
from asmm_daemon.venue.rows import RowMaker, warm_up
from asmm_daemon.venue.stream_client import MALFORMED

_HEARTBEAT_NS = 3 * NS_PER_S
_RETRY_S = 0.5
_REST_STRIKES = 2
_FUNDING_S = 30.0
_TRADES_S = 10.0
_CLOCK_S = 300.0
_OVERLAP_NS = 60 * NS_PER_S


class CcxtVenue:
    """One account on one product. See `asmm_daemon.venue.protocol.Venue`."""

    def __init__(self, settings: VenueSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._sink: Sink | None = None
        self._exchange, self._requests, self._dialect = connection(settings, clock)
        self._requests.on_reply = self._replied
        self._requests.on_key = self._key_told
        self._clock_sync = ClockSync(self._dialect, self._exchange, clock)
        self._requests.measure_clock = self._clock_sync.measure
        self._deadman = Deadman(self._dialect, clock, settings)
        self._executor = Executor(self._dialect, clock, settings, self._emit, self._expect)
        self._streams: list[MarketStream] = []
        self._private: PrivateStream | None = None
        self._alive = asyncio.Event()
        self._up: dict[tuple[int | None, Channel], bool] = {}
        self._rest_proof_ns = 0
        self._rest_failures = 0
        self._key_refusal = ""
        self._nothing_rests = False
        self._since_ns: dict[int, int] = {}
        self._paid_ns: dict[int, int] = {}
        self._killer = KillSwitch(settings, clock)

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """One per configured symbol, in order."""
        return self._dialect.instruments

    @property
    def capabilities(self) -> Capabilities:
        """What this product offers."""
        return self._dialect.capabilities

    @property
    def budget(self) -> Budget:
        """The request budget now."""
        return self._requests.limiter.budget()

    def deadman_armed(self, m: int) -> bool:
        """Whether the venue would cancel our orders by itself if we fell silent now."""
        return self._deadman.armed(m)

    def set_healthy(self, m: int, healthy: bool) -> None:  # noqa: FBT001  (a state, not a flag)
        """Says whether the market may keep its dead-man's switch refreshed."""
        self._deadman.set_wanted(m, healthy)

    def drain_round_trips(self) -> list[tuple[int, float]]:
        """Market and real seconds of each order request since the last call."""
        taken, self._executor.round_trips = self._executor.round_trips, []
        return taken

    def _emit(self, event: Event) -> None:
        if isinstance(event, (OrderUpdate, FillEvent)) and event.cid:
            self._executor.learn(event.oid, event.cid)
        elif isinstance(event, ChannelEvent):
            self._note_channel(event)
        if self._sink is not None:
            self._sink(event)

    def _key_told(self, refusal: str) -> None:
        """A refused key makes the private channel worthless, however its socket fares."""
        if bool(refusal) == bool(self._key_refusal):
            return
        self._key_refusal = refusal
        now_ns = self._clock.now_ns()
        if refusal:
            reason = f"the venue refuses our key: {refusal}"
            self._emit(ChannelEvent(now_ns, None, Channel.PRIVATE, False, reason))
        elif self._private is not None and self._private.up:
            self._emit(ChannelEvent(now_ns, None, Channel.PRIVATE, True, "the key is taken again"))

    def _note_channel(self, event: ChannelEvent) -> None:
        self._up[event.m, event.channel] = event.up
        needed = [(m, Channel.BOOK) for m in range(len(self._settings.symbols))]
        if all(self._up.get(key) for key in [*needed, (None, Channel.PRIVATE), (None, Channel.REST)]):
            if not self._alive.is_set():
                self._alive.set()
                self._deadman.wake.set()
        else:
            self._alive.clear()

    def _expect(self, cid: str) -> None:
        if self._private is not None:
            self._private.expect(cid)

    def _replied(self) -> None:
        now_ns = self._clock.now_ns()
        self._rest_failures = 0
        if not self._up.get((None, Channel.REST)):
            self._emit(ChannelEvent(now_ns, None, Channel.REST, True, "answers"))
        if now_ns - self._rest_proof_ns > NS_PER_S // 2:
            self._rest_proof_ns = now_ns
            self._emit(Proof(now_ns, None, Channel.REST))

    async def connect(self) -> None:
        """Sets the clock, loads markets and fees. Raises VenueError in one clear sentence."""
        try:
            await self._clock_sync.start()
            await self._dialect.load()
        except VenueError as error:
            raise VenueError(
                f"{self._settings.product} at {self._settings.rest_url or 'the venue'}: {error}",
                code=error.code,
                retry=error.retry,
            ) from error
        except MALFORMED as error:
            raise VenueError(
                f"{self._settings.product}: unreadable reply at connecting: {error!r}"
            ) from error
        self._killer.take(self._dialect.instruments)
        top.warm_up(warm_up(RowMaker(self._dialect.instruments[0])))

    async def run(self, sink: Sink, stop: asyncio.Event) -> None:
        """Streams, heartbeats, renewals, until `stop` is set. Outages are events, never exceptions."""
        self._sink = sink
        if self._up.get((None, Channel.REST)):
            self._emit(ChannelEvent(self._clock.now_ns(), None, Channel.REST, True, "answers"))
        pace = Pace(self._clock, stop)
        parts = (self._dialect, self._exchange, self._clock, self._settings, self._emit)
        self._private = PrivateStream(*parts)
        self._streams = [MarketStream(m, *parts) for m in range(len(self.instruments))]
        work = [
            *(stream.run(pace) for stream in self._streams),
            self._private.run(pace),
            self._private.keep_key(pace),
            self._heartbeat(pace),
            self._funding(pace),
            self._trades(pace),
            self._keep_clock(pace),
            self._deadman.run(pace, self._alive),
            self._deadman.let_go(pace, self._private, lambda: self._requests.last_reply_ns),
        ]
        tasks = [asyncio.ensure_future(part) for part in work]
        try:
            await asyncio.gather(*tasks)
        finally:
            stop.set()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _heartbeat(self, pace: Pace) -> None:
        """Keeps REST proven when nothing else is asked."""
        while not pace.stop.is_set():
            if self._rest_failures or self._clock.now_ns() - self._requests.last_reply_ns > _HEARTBEAT_NS:
                try:
                    await self._dialect.server_ms()
                except Refused as error:
                    self._rest_failed(error)
            await pace.sleep(_RETRY_S if self._rest_failures else _HEARTBEAT_NS / NS_PER_S)

    def _rest_failed(self, error: Refused) -> None:
        """One failure may be that request's own; two in a row without a reply are the channel's."""
        failure = error.failure
        if failure.certain and failure.code != "connect":
            return
        self._rest_failures += 1
        if self._rest_failures >= _REST_STRIKES and self._up.get((None, Channel.REST)):
            self._emit(ChannelEvent(self._clock.now_ns(), None, Channel.REST, False, str(error)))

    async def _funding(self, pace: Pace) -> None:
        """Funding rate, mark price and payments of perpetuals."""
        markets = [m for m, i in enumerate(self.instruments) if not i.is_spot]
        while markets and not pace.stop.is_set():
            for m in markets:
                try:
                    for rows in await self._dialect.funding(m):
                        self._emit(MarketData(self._clock.now_ns(), m, rows))
                except (Refused, *MALFORMED):
                    continue
            await pace.sleep(_FUNDING_S)

    async def _trades(self, pace: Pace) -> None:
        """A trade stream can die alone; a market without trades is asked about."""
        while await pace.sleep(_TRADES_S):
            for stream in self._streams:
                try:
                    await stream.check_trades()
                except (Refused, *MALFORMED):
                    continue

    async def _keep_clock(self, pace: Pace) -> None:
        while await pace.sleep(_CLOCK_S):
            try:
                await self._clock_sync.measure()
            except (Refused, *MALFORMED):
                continue

    async def execute(self, command: Command) -> None:
        """Sends one command and emits its outcome. Never raises for a venue's fault."""
        if isinstance(command, Place):
            self._nothing_rests = False
            await self._executor.place(command)
        elif isinstance(command, Replace):
            self._nothing_rests = False
            await self._executor.replace(command)
        elif isinstance(command, Cancel):
            await self._executor.cancel(command)
        elif isinstance(command, Amend):
            await self._executor.amend(command)
        elif isinstance(command, CancelAll):
            await self._executor.cancel_all(command)
        elif isinstance(command, Query):
            await self._executor.query(command)
        elif isinstance(command, ProveBook):
            if self._streams:
                await self._streams[command.m].prove_by_rest()
        else:
            await self._reconcile(command)

    async def _reconcile(self, command: Reconcile) -> None:
        try:
            self._emit(await self.snapshot(command.m))
        except VenueError as error:
            if isinstance(error, Refused):
                self._rest_failed(error)

    async def snapshot(self, m: int) -> Snapshot:
        """A fresh REST read; orders before the fills that explain them. Raises VenueError."""
        started_ns = self._clock.now_ns()
        try:
            listed = await self._dialect.open_orders(m, Priority.QUERY)
            for order in listed:
                self._executor.learn(order.oid, order.cid)
            await self._payments(m, started_ns)
            fills = await self._dialect.fills(m, self._since_ns.get(m, 0), self._executor.cid_of)
            balances, position = await asyncio.gather(self._dialect.balances(), self._dialect.position(m))
        except MALFORMED as error:
            raise VenueError(f"unreadable account state: {error!r}", retry=True) from error
        self._since_ns[m] = started_ns - _OVERLAP_NS
        orders = tuple(o for o in listed if self._executor.is_ours(o.cid))
        return Snapshot(self._clock.now_ns(), m, orders, fills, balances, position)

    async def _payments(self, m: int, started_ns: int) -> None:
        """Funding payments, at most once a minute; they come twice where the windows overlap."""
        since_ns = self._paid_ns.get(m, started_ns)
        if m in self._paid_ns and started_ns - since_ns < 60 * NS_PER_S:
            return
        for event in await self._dialect.payments(m, since_ns - _OVERLAP_NS):
            self._emit(event)
        self._paid_ns[m] = started_ns

    async def warm(self, m: int) -> Warm:
        """Candles and recent trades. Raises VenueError."""
        try:
            return await self._dialect.warm(m)
        except MALFORMED as error:
            raise VenueError(f"unreadable history: {error!r}", retry=True) from error

    async def kill(self) -> bool:
        """Cancels all our orders over an instance that nothing can block, until none is proven open.

        Only the venue's own Retry-After holds it back, whichever connection was told.
        """
        self._killer.hush(self._requests.limiter.silent_until_ns)
        self._nothing_rests = await self._killer.kill(self._dialect)
        return self._nothing_rests

    async def doctor(self) -> list[Finding]:
        """Asks the venue about clock, permissions, filters, fees, dead-man protection, foreign orders."""
        return await examine(self._dialect, self._clock, self._settings)

    async def close(self) -> None:
        """Disarms the dead-man's switch if nothing is known to rest, and closes every connection."""
        if self._nothing_rests:
            await self._deadman.disarm()
        await self._killer.close()
        await self._exchange.close()
