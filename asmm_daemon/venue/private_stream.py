"""The account's private socket: orders, fills, balances; renewed before it can expire unseen."""

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from asmm_daemon.clock import Clock
from asmm_daemon.events import Channel, ChannelEvent, Event, FillEvent, OrderUpdate, Proof
from asmm_daemon.units import NS_PER_S
from asmm_daemon.venue.dialect import Dialect
from asmm_daemon.venue.link import Link, LinkLost
from asmm_daemon.venue.outcomes import Refused
from asmm_daemon.venue.pace import Pace, backoff
from asmm_daemon.venue.protocol import Sink, VenueSettings
from asmm_daemon.venue.stream_client import MALFORMED

_ACK_S = 5.0
_PING_S = 5.0
_ANSWER_S = 15.0
_EVENT_S = 5.0
_MIN_DIAL_S = 3.0
_HELD_S = 0.25
_MIN_REAL_S = 1.0
_SEEN = 4096


class PrivateStream:
    """Owns the private socket. An order that was acknowledged but never shows here means a stuck stream."""

    def __init__(
        self, dialect: Dialect, exchange: Any, clock: Clock, settings: VenueSettings, sink: Sink
    ) -> None:
        self._dialect = dialect
        self._exchange = exchange
        self._clock = clock
        self._settings = settings
        self._sink = sink
        self._link: Link | None = None
        self._wake = asyncio.Event()
        self._ack: bool | None = None
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._expected: dict[str, int] = {}
        self._proved_ns = 0
        self._heard_ns = 0
        self.held = False
        """Whether the stream is given up until `release`."""
        self.up = False

    async def run(self, pace: Pace) -> None:
        """Dials and redials until the pace stops."""
        pauses = backoff()
        while not pace.stop.is_set():
            if self.held:
                await pace.sleep(_HELD_S)
                continue
            started_ns = self._clock.now_ns()
            try:
                await self._session(pace)
                reason = "stopping"
            except LinkLost as error:
                reason = str(error)
            except (Refused, *MALFORMED) as error:
                reason = f"cannot subscribe: {error}"
                self._drop(reason)
            self._down(reason, stopping=pace.stop.is_set())
            if self._clock.now_ns() - started_ns > 10 * NS_PER_S:
                pauses = backoff()
            await pace.sleep(next(pauses))
        self._drop("stopping")

    def hold(self, reason: str) -> None:
        """Gives the stream up, and does not dial again until `release`."""
        self.held = True
        self._drop(reason)

    def release(self) -> None:
        """The stream may be dialled again."""
        self.held = False

    async def keep_key(self, pace: Pace) -> None:
        """Renews the listen key on our own clock; a refused renewal means a new stream."""
        while await pace.sleep(self._settings.listen_key_every_s):
            for _ in range(3):
                try:
                    await self._dialect.keep_key()
                    break
                except (Refused, *MALFORMED) as error:
                    why = f"the listen key cannot be renewed: {error}"
                    if isinstance(error, Refused) and error.failure.certain:
                        self._drop(why)
                        break
                    await pace.sleep(10.0)

    async def _session(self, pace: Pace) -> None:
        self._expected.clear()
        url = await self._dialect.private_url()
        link = self._link = Link(self._exchange, url, self._tap, self._prove)
        await link.open(max(self._clock.real_s(self._settings.timeout_s), _MIN_DIAL_S))
        await self._subscribe(link, self._dialect.private_frames())
        self.up = True
        self._sink(ChannelEvent(self._clock.now_ns(), None, Channel.PRIVATE, True, "subscribed"))
        self._prove()
        while not pace.stop.is_set():
            ping = self._dialect.private_ping()
            if ping is None:
                await link.ping()
            else:
                await link.send([ping])
            self._wake.clear()
            await link.wait(self._clock.real_s(_PING_S), self._wake, pace.stop)
            self._check_expected()
            self._check_answers()

    async def _subscribe(self, link: Link, frames: Sequence[dict[str, Any]]) -> None:
        for frame in frames:
            self._ack = None
            self._wake.clear()
            await link.send([frame])
            await link.wait(max(self._clock.real_s(_ACK_S), _MIN_REAL_S), self._wake)
            if not self._ack:
                said = "refused" if self._ack is False else "not acknowledged"
                link.drop(f"the private subscription was {said}")
                raise LinkLost(link.reason())

    def _tap(self, message: Any) -> None:
        end = self._dialect.private_end(message)
        if end:
            self._drop(end)
            return
        ack = self._dialect.private_ack(message)
        if ack is not None and not self.up:
            self._ack = ack
            self._wake.set()
        events = self._dialect.private_events(message, self._clock.now_ns())
        for event in events:
            self._take(event)
        self._prove()

    def _take(self, event: Event) -> None:
        if isinstance(event, (OrderUpdate, FillEvent)):
            self._expected.pop(event.cid, None)
            self._seen[event.cid] = None
            if len(self._seen) > _SEEN:
                self._seen.popitem(last=False)
        self._sink(event)

    def expect(self, cid: str) -> None:
        """Says that the venue acknowledged an order, whose event must come."""
        if self.up and cid not in self._seen:
            wait_ns = int(max(_EVENT_S, _MIN_REAL_S * self._clock.speed) * NS_PER_S)
            self._expected[cid] = self._clock.now_ns() + wait_ns

    def _check_expected(self) -> None:
        now_ns = self._clock.now_ns()
        late = [cid for cid, due_ns in self._expected.items() if due_ns < now_ns]
        if late:
            self._drop(f"the event of order {late[0]} never came")

    def _check_answers(self) -> None:
        """Pings in venue time that nothing answers mean a half-open connection."""
        limit_ns = int(max(_ANSWER_S, _MIN_REAL_S * 2 * self._clock.speed) * NS_PER_S)
        if self._clock.now_ns() - self._heard_ns > limit_ns:
            self._drop("pings are not answered")

    def _prove(self) -> None:
        now_ns = self._heard_ns = self._clock.now_ns()
        if self.up and now_ns - self._proved_ns > NS_PER_S // 2:
            self._proved_ns = now_ns
            self._sink(Proof(now_ns, None, Channel.PRIVATE))

    def _drop(self, reason: str) -> None:
        if self._link is not None:
            self._link.drop(reason)

    def _down(self, reason: str, *, stopping: bool) -> None:
        """Says once that the stream is gone; at a stop nobody asks any more."""
        if self.up and not stopping:
            self._sink(ChannelEvent(self._clock.now_ns(), None, Channel.PRIVATE, False, reason))
        self.up = False
