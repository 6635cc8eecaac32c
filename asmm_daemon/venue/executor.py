"""Commands to requests, replies to events: every order request ends in exactly one outcome."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from asmm_daemon.clock import Clock, mono_ns
from asmm_daemon.events import (
    Accepted,
    Amend,
    AmendAccepted,
    Cancel,
    CancelAccepted,
    CancelAll,
    Cause,
    FillEvent,
    OrderStatus,
    OrderUpdate,
    Place,
    Query,
    Rejected,
    Replace,
    Unknown,
)
from asmm_daemon.units import BUY, NS_PER_MS, NS_PER_S
from asmm_daemon.venue.dialect import Dialect
from asmm_daemon.venue.limits import Priority
from asmm_daemon.venue.outcomes import Failure, Refused
from asmm_daemon.venue.pace import backoff
from asmm_daemon.venue.protocol import Sink, VenueSettings
from asmm_daemon.venue.replacing import Replaced
from asmm_daemon.venue.stream_client import MALFORMED

Request = Literal["create", "amend", "cancel"]
_REMEMBERED = 20_000
_QUERY_FOR_S = 60.0
_CANCEL_ROUNDS = 4
_NO_AMEND = Failure(True, Cause.OTHER, "unsupported", "this product has no amend; nothing was sent")


class Executor:
    """Carries out order commands; never raises for a venue's fault."""

    def __init__(
        self,
        dialect: Dialect,
        clock: Clock,
        settings: VenueSettings,
        sink: Sink,
        expect: Callable[[str], None],
    ) -> None:
        self._dialect = dialect
        self._clock = clock
        self._settings = settings
        self._sink = sink
        self._expect = expect
        self._cid_of: OrderedDict[str, str] = OrderedDict()
        self._sent_ns: OrderedDict[str, int] = OrderedDict()
        self._asking: set[str] = set()
        self._cancelling: set[str] = set()
        self.round_trips: list[tuple[int, float]] = []

    def cid_of(self, oid: str) -> str:
        """Our id of a venue's order id; '' when it is not ours or forgotten."""
        return self._cid_of.get(oid, "")

    def learn(self, oid: str, cid: str) -> None:
        """Remembers which of our orders a venue's id means."""
        if oid not in self._cid_of:
            self._cid_of[oid] = cid
            if len(self._cid_of) > _REMEMBERED:
                self._cid_of.popitem(last=False)

    def is_ours(self, cid: str) -> bool:
        """Whether a client order id begins as ours do."""
        return cid.startswith(self._settings.cid_prefix)

    async def _request(self, m: int, cid: str, request: Request, work: Awaitable[Any]) -> Any:
        """The work's result, or None after its failure has been told as an event."""
        started = mono_ns()
        try:
            return await work
        except Refused as error:
            self._failed(m, cid, request, error.failure)
        except MALFORMED as error:
            self._unknown(m, cid, request, f"malformed reply: {type(error).__name__}: {error}")
        finally:
            self.round_trips.append((m, (mono_ns() - started) / NS_PER_S))
        return None

    def _failed(self, m: int, cid: str, request: Request, failure: Failure) -> None:
        twice = request == "create" and failure.cause is Cause.DUPLICATE_ID
        if not failure.certain or twice:
            self._unknown(m, cid, request, failure.message)
            return
        now_ns = self._clock.now_ns()
        self._sink(Rejected(now_ns, m, cid, request, failure.cause, failure.code, failure.message))

    def _unknown(self, m: int, cid: str, request: Request, message: str) -> None:
        self._sink(Unknown(self._clock.now_ns(), m, cid, request, message))

    async def place(self, command: Place) -> None:
        """Creates an order."""
        self._note_sent(command.cid)
        oid = await self._request(command.m, command.cid, "create", self._dialect.place(command))
        if oid is not None:
            self._accepted(command.m, command.cid, oid)

    def _note_sent(self, cid: str) -> None:
        self._sent_ns[cid] = self._clock.now_ns()
        if len(self._sent_ns) > _REMEMBERED:
            self._sent_ns.popitem(last=False)

    def _accepted(self, m: int, cid: str, oid: str) -> None:
        self.learn(oid, cid)
        self._expect(cid)
        self._sink(Accepted(self._clock.now_ns(), m, cid, oid))

    async def replace(self, command: Replace) -> None:
        """Cancels an order and creates its successor in one request: two outcomes.

        A create that failed is told first, so that the old order, if it lives on, has the slot again.
        """
        self._note_sent(command.cid)
        started = mono_ns()
        try:
            done = await self._dialect.replace(command)
        except Refused as error:
            done = Replaced.neither(error.failure)
        except MALFORMED as error:
            words = f"malformed reply: {type(error).__name__}: {error}"
            done = Replaced.neither(Failure(False, Cause.OTHER, "malformed", words))
        finally:
            self.round_trips.append((command.m, (mono_ns() - started) / NS_PER_S))
        if isinstance(done.created, Failure):
            self._failed(command.m, command.cid, "create", done.created)
        if isinstance(done.ended, Failure):
            self._failed(command.m, command.old_cid, "cancel", done.ended)
        else:
            self.learn(done.ended.oid, command.old_cid)
            self._sink(done.ended)
        if isinstance(done.created, str):
            self._accepted(command.m, command.cid, done.created)

    async def amend(self, command: Amend) -> None:
        """Changes an order's price and quantity, where the product can."""
        if not self._dialect.capabilities.amend:
            self._failed(command.m, command.cid, "amend", _NO_AMEND)
            return
        done = await self._request(command.m, command.cid, "amend", _true(self._dialect.amend(command)))
        if done:
            now_ns = self._clock.now_ns()
            self._sink(AmendAccepted(now_ns, command.m, command.cid, command.price, command.qty))

    async def cancel(self, command: Cancel) -> None:
        """Cancels one order."""
        self._cancelling.add(command.cid)
        try:
            work = _true(self._dialect.cancel(command.m, command.cid, command.oid))
            if await self._request(command.m, command.cid, "cancel", work):
                self._sink(CancelAccepted(self._clock.now_ns(), command.m, command.cid))
        finally:
            self._cancelling.discard(command.cid)

    async def cancel_all(self, command: CancelAll) -> None:
        """Cancels all our orders on a market, listing them again until none is open."""
        for pause in backoff():
            try:
                listed = await self._dialect.open_orders(command.m, Priority.CANCEL)
            except (Refused, *MALFORMED):
                ours = None
            else:
                ours = [o for o in listed if self.is_ours(o.cid)]
                free = (o for o in ours if o.cid not in self._cancelling)
                await asyncio.gather(*(self._cancel_listed(o) for o in free))
            if ours is not None and not ours:
                return
            if pause >= 0.25 * 2**_CANCEL_ROUNDS:
                return
            await self._clock.sleep(pause if ours is None else 0.05)

    async def _cancel_listed(self, order: OrderUpdate) -> None:
        """Cancels an order from a list; the next list tells whether it is gone."""
        self._cancelling.add(order.cid)
        try:
            await self._dialect.cancel(order.m, order.cid, order.oid)
        except (Refused, *MALFORMED):
            return
        finally:
            self._cancelling.discard(order.cid)
        self._sink(CancelAccepted(self._clock.now_ns(), order.m, order.cid))

    async def query(self, command: Query) -> None:
        """Finds out an order's true state and tells its fills, then the state.

        A venue that knows no such order is believed only once a delayed request could no longer be
        accepted, which is one receive window after it was sent.
        """
        if command.cid in self._asking:
            return
        self._asking.add(command.cid)
        try:
            await self._ask(command)
        finally:
            self._asking.discard(command.cid)

    async def _ask(self, command: Query) -> None:
        window_ns = (self._settings.receive_window_ms(self._clock.speed) + 1000) * NS_PER_MS
        proof_ns = self._sent_ns.get(command.cid, 0) + window_ns
        give_up_ns = self._clock.now_ns() + int(_QUERY_FOR_S * NS_PER_S) + window_ns
        for pause in backoff():
            asked_ns = self._clock.now_ns()
            try:
                order = await self._dialect.order(command.m, command.cid, command.oid)
                if order is not None:
                    await self._tell(order)
                    return
            except (Refused, *MALFORMED):
                order = None
            else:
                if asked_ns > proof_ns:
                    self._sink(self._not_found(command))
                    return
            if asked_ns > give_up_ns:
                return
            await self._clock.sleep(pause)

    async def _tell(self, order: OrderUpdate) -> None:
        self.learn(order.oid, order.cid)
        fills: tuple[FillEvent, ...] = ()
        if order.filled:
            fills = await self._dialect.order_fills(order.m, order.cid, order.oid)
        for fill in fills:
            self._sink(fill)
        self._sink(order)

    def _not_found(self, command: Query) -> OrderUpdate:
        now_ns = self._clock.now_ns()
        status = OrderStatus.NOT_FOUND
        return OrderUpdate(now_ns, command.m, command.cid, command.oid, status, BUY, 0, 0, 0, now_ns, "rest")


async def _true(work: Awaitable[Any]) -> bool:
    await work
    return True
