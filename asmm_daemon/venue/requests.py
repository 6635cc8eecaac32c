"""One request after another under the budget, each ending in a reply or a `Refused` that says why."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import ccxt

from asmm_daemon.clock import Clock, mono_ns
from asmm_daemon.events import Cause
from asmm_daemon.units import NS_PER_S, Product
from asmm_daemon.venue.limits import Costs, Limiter, Priority
from asmm_daemon.venue.outcomes import Failure, HttpFault, Refused, judge

_BUDGET_SPENT = Failure(True, Cause.RATE_LIMIT, "local", "the request budget is spent; nothing was sent")
_MALFORMED = Failure(False, Cause.OTHER, "malformed", "the venue's reply cannot be read")
_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
_CANCEL_TRIES = 3


def malformed(what: object) -> Refused:
    """A reply that has not what it must have: nobody knows what the request did."""
    return Refused(Failure(False, Cause.OTHER, "malformed", f"{_MALFORMED.message}: {str(what)[:120]}"))


class Requests:
    """Calls ccxt's implicit methods through the limiter and reads each failure."""

    def __init__(self, exchange: Any, limiter: Limiter, clock: Clock, product: Product) -> None:
        self.exchange = exchange
        self.limiter = limiter
        self.clock = clock
        self.product = product
        self.last_reply_ns = 0
        self.on_reply: Callable[[], None] | None = None
        self.on_key: Callable[[str], None] | None = None
        """Told why the venue refuses our key, and '' once a signed request succeeds again."""
        self._retry_after_s: float | None = None
        self._resync: asyncio.Task[None] | None = None
        self.measure_clock: Callable[[], Any] | None = None

    def on_response(self, status: int, headers: Mapping[str, str]) -> None:
        """Reads what every response says about the budget."""
        found = {name.lower(): value for name, value in headers.items()} if status >= 400 else headers
        weight = headers.get(_WEIGHT_HEADER) or headers.get("x-mbx-used-weight-1m")
        if weight is not None and weight.isdigit():
            self.limiter.observe_used("weight", float(weight))
        self._retry_after_s = None
        if status in (403, 418, 429):
            self._retry_after_s = _seconds(found.get("retry-after"))
        elif status < 400:
            self.limiter.answered()
            self._note_bybit(headers)

    def _note_bybit(self, headers: Mapping[str, str]) -> None:
        """Bybit refuses with status 200 and names the moment at which its window ends."""
        if headers.get("X-Bapi-Limit-Status") == "0":
            reset_ms = _seconds(headers.get("X-Bapi-Limit-Reset-Timestamp"))
            if reset_ms is not None:
                self._retry_after_s = max(reset_ms / 1000 - self.clock.now_s(), 0.0)

    async def call(
        self,
        method: str,
        params: Mapping[str, Any],
        costs: Costs,
        priority: Priority,
        max_wait_s: float | None = None,
    ) -> Any:
        """The decoded reply. Raises Refused; a clock fault is corrected and tried once more."""
        resynced = False
        tries = _CANCEL_TRIES if priority is Priority.CANCEL else 1
        while True:
            if not await self.limiter.acquire(priority, costs, max_wait_s):
                raise Refused(_BUDGET_SPENT)
            failure = None
            try:
                reply = await getattr(self.exchange, method)(dict(params))
            except (ccxt.BaseError, HttpFault) as error:
                failure = judge(error, self.product)
            except (OSError, RuntimeError, ValueError) as error:
                failure = Failure(False, Cause.OTHER, type(error).__name__, str(error))
            if failure is None:
                self._answered()
                self._note_key(method, "")
                return reply
            if failure.cause is Cause.AUTH:
                self._note_key(method, failure.message)
            if failure.certain and failure.code != "connect":
                self._answered()
            tries -= 1
            if failure.cause is Cause.RATE_LIMIT:
                self.limiter.silence(self._retry_after_s, banned=failure.banned)
                if tries > 0:
                    continue
            if failure.cause is Cause.CLOCK and not resynced and self.measure_clock is not None:
                resynced = True
                await self.resync()
                continue
            raise Refused(failure)

    def _answered(self) -> None:
        self.last_reply_ns = self.clock.now_ns()
        if self.on_reply is not None:
            self.on_reply()

    def _note_key(self, method: str, refusal: str) -> None:
        if self.on_key is not None and "rivate" in method:
            self.on_key(refusal)

    async def resync(self) -> None:
        """Measures the venue's clock again; many callers share one measurement."""
        if self.measure_clock is None:
            return
        if self._resync is None or self._resync.done():
            self._resync = asyncio.ensure_future(self.measure_clock())
        await asyncio.shield(self._resync)

    async def timed(self, method: str, key: str) -> tuple[int, float]:
        """The venue's time in ms from a public call, and the real seconds that the call took."""
        before = mono_ns()
        reply = await self.call(method, {}, {"weight": 1}, Priority.SAFETY)
        took_s = (mono_ns() - before) / NS_PER_S
        try:
            return int(reply[key]), took_s
        except (KeyError, TypeError, ValueError) as error:
            raise malformed(reply) from error


def _seconds(text: str | None) -> float | None:
    try:
        return None if text is None else float(text)
    except ValueError:
        return None
