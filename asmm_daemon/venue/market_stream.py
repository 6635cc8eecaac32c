"""One market's public socket: rows out, gaps said aloud, redialled when it is stuck."""

import asyncio
from decimal import Decimal
from typing import Any

from asmm_daemon.clock import Clock
from asmm_daemon.events import DEPTH, TRADE, Channel, ChannelEvent, MarketData, Proof, Rows
from asmm_daemon.units import NS_PER_S
from asmm_daemon.venue.books import SequenceGap
from asmm_daemon.venue.dialect import Dialect, Top
from asmm_daemon.venue.link import Link, LinkLost
from asmm_daemon.venue.outcomes import Refused
from asmm_daemon.venue.pace import Pace, backoff
from asmm_daemon.venue.protocol import Sink, VenueSettings
from asmm_daemon.venue.rows import RowMaker
from asmm_daemon.venue.stream_client import MALFORMED
from asmm_daemon.venue.top import TopOfBook

_ACK_S = 5.0
_JOIN_TRIES = 8
_MIN_DIAL_S = 3.0
_STUCK_S = 0.5
_AGREED_NS = 3 * NS_PER_S
_STUCK_REAL_S = 0.1
_TRADE_SILENCE_NS = 30 * NS_PER_S
_TRADE_GRACE_NS = 2 * NS_PER_S
_TRADE_MARGIN_NS = NS_PER_S


class MarketStream:
    """Owns the market's socket and says what it hears. One per market."""

    def __init__(
        self, m: int, dialect: Dialect, exchange: Any, clock: Clock, settings: VenueSettings, sink: Sink
    ) -> None:
        self._m = m
        self._dialect = dialect
        self._exchange = exchange
        self._clock = clock
        self._settings = settings
        self._sink = sink
        self._reader = dialect.reader(m, self._prove)
        self._maker = RowMaker(dialect.instruments[m])
        self._top = TopOfBook()
        self._link: Link | None = None
        self._wake = asyncio.Event()
        self._differs_ns = 0
        self._proved_ns = 0
        self._asking = self._suspect = self._known = False
        self._last_trade_ns = 0
        self.up = False
        self._book_ns = 0
        """When the socket last told of the book."""

    async def run(self, pace: Pace) -> None:
        """Dials and redials until the pace stops."""
        pauses = backoff()
        while not pace.stop.is_set():
            started_ns = self._clock.now_ns()
            try:
                await self._session(pace)
                reason = "stopping"
            except LinkLost as error:
                reason = str(error)
            if not pace.stop.is_set():
                self._down(reason)
            if self._clock.now_ns() - started_ns > 10 * NS_PER_S:
                pauses = backoff()
            await pace.sleep(next(pauses))
        if self._link is not None:
            self._link.drop("stopping")

    async def _session(self, pace: Pace) -> None:
        self._reader.reset()
        self._differs_ns = 0
        self._wake.clear()
        wanted = self._dialect.subscription(self._m)
        self._link = Link(self._exchange, wanted.url, self._tap)
        await self._link.open(max(self._clock.real_s(self._settings.timeout_s), _MIN_DIAL_S))
        await self._link.send([wanted.frame])
        asked_ns = self._clock.now_ns()
        while not pace.stop.is_set():
            if self._reader.ended:
                self._link.drop(self._reader.ended)
            elif self._dialect.needs_snapshot and not self._reader.synced and self._reader.acknowledged:
                await self._join(pace)
            elif not self._reader.synced and self._clock.now_ns() - asked_ns > self._ack_ns():
                self._link.drop("the subscription brought nothing")
            self._wake.clear()
            if self._link.lost.done():
                raise LinkLost(self._link.reason())
            await self._link.wait(0.5, self._wake, pace.stop)

    def _ack_ns(self) -> int:
        return int(max(_ACK_S, self._clock.speed * 1.0) * NS_PER_S)

    def _tap(self, message: Any) -> None:
        now_ns = self._clock.now_ns()
        try:
            rows = self._reader.read(message, now_ns)
        except SequenceGap as gap:
            self._broken(str(gap))
            return
        if rows is not None:
            self._suspect = self._suspect and rows["kind"][0] != DEPTH
            self._emit(now_ns, rows)
        elif self._reader.acknowledged or self._reader.ended:
            self._wake.set()

    def _emit(self, now_ns: int, rows: Rows) -> None:
        if rows["kind"][-1] == TRADE:
            self._last_trade_ns = int(rows["exch_ns"][-1])
        else:
            self._book_ns = now_ns
            self._known = True
            self._top.apply(rows)
        self._sink(MarketData(now_ns, self._m, rows))
        if not self.up and self._reader.synced and not self._suspect:
            self._come_up(now_ns)

    def _come_up(self, now_ns: int) -> None:
        self.up, self._suspect = True, False
        self._last_trade_ns = max(self._last_trade_ns, now_ns)
        for channel in (Channel.BOOK, Channel.TRADES):
            self._sink(ChannelEvent(now_ns, self._m, channel, True, "subscribed"))

    def _broken(self, why: str) -> None:
        self._down(why)
        self._reader.lose_book()
        if self._dialect.needs_snapshot:
            self._wake.set()
        elif self._link is not None:
            self._link.drop(why)

    def _down(self, reason: str) -> None:
        """Says once that the book is unknown from here on."""
        now_ns = self._clock.now_ns()
        if self._known:
            self._known = False
            rows = self._maker.gap(now_ns)
            self._top.apply(rows)
            self._sink(MarketData(now_ns, self._m, rows))
        if self.up:
            self.up = False
            for channel in (Channel.BOOK, Channel.TRADES):
                self._sink(ChannelEvent(now_ns, self._m, channel, False, reason))

    async def _join(self, pace: Pace) -> None:
        """Fetches snapshots until one joins the diffs held back. Raises LinkLost when none does."""
        why = "no snapshot joined the stream"
        for _ in range(_JOIN_TRIES):
            try:
                body = await self._dialect.depth(self._m)
                now_ns = self._clock.now_ns()
                rows = self._reader.join(body, now_ns)
            except SequenceGap as gap:
                why = str(gap)
                self._reader.lose_book()
            except (Refused, *MALFORMED) as error:
                why = f"snapshot: {error}"
                self._reader.lose_book()
            else:
                if rows is not None:
                    self._emit(now_ns, rows)
                    return
            if not await pace.sleep(0.25):
                return
        if self._link is not None:
            self._link.drop(why)

    def _prove(self, bid: str, ask: str) -> None:
        """A heartbeat of the stream itself, worth something when our own top says the same."""
        now_ns = self._clock.now_ns()
        if not self.up or now_ns - max(self._book_ns, self._proved_ns) < NS_PER_S // 2:
            return
        top = Top(Decimal(bid), Decimal(0), Decimal(ask), Decimal(0))
        if self._top.equals(self._dialect.instruments[self._m], top):
            self._proved_ns = now_ns
            self._sink(Proof(now_ns, self._m, Channel.BOOK))

    async def prove_by_rest(self) -> None:
        """Asks for the top of book; equal to ours it is a proof, different for long the socket is stuck.

        A socket that replaced a stuck one counts only once it has brought a change of the book, or has
        agreed with the venue for a while: else a silent stream would be believed with each new snapshot.
        """
        if not self._reader.synced or self._asking:
            return
        self._asking = True
        asked_ns = self._clock.now_ns()
        try:
            top = await self._dialect.top(self._m)
        except (Refused, *MALFORMED):
            return
        finally:
            self._asking = False
        now_ns = self._clock.now_ns()
        if not self._reader.synced:
            return
        if self._top.equals(self._dialect.instruments[self._m], top):
            self._differs_ns = 0
            if self.up:
                self._sink(Proof(now_ns, self._m, Channel.BOOK))
            elif now_ns - self._book_ns > _AGREED_NS:
                self._come_up(now_ns)
        elif self._book_ns < asked_ns:
            self._differs(top)

    async def check_trades(self) -> None:
        """When no trade has come for long, asks whether there was one that should have."""
        now_ns = self._clock.now_ns()
        if not self.up or now_ns - self._last_trade_ns < _TRADE_SILENCE_NS:
            return
        newest_ns = await self._dialect.last_trade_ns(self._m)
        missed = self._last_trade_ns + _TRADE_MARGIN_NS < newest_ns < now_ns - _TRADE_GRACE_NS
        if missed and self.up and self._link is not None:
            self._link.drop("trades are made that the stream does not bring")

    def _differs(self, top: Top) -> None:
        """The venue's top is not ours and nothing has come since we asked."""
        now_ns = self._clock.now_ns()
        if not self._differs_ns or self._book_ns > self._differs_ns:
            self._differs_ns = now_ns
        stuck_ns = int(max(_STUCK_S, _STUCK_REAL_S * self._clock.speed) * NS_PER_S)
        if now_ns - self._differs_ns >= stuck_ns and self._link is not None:
            self._suspect = True
            self._link.drop(f"the stream stands still while the venue's top is {top.bid}/{top.ask}")
