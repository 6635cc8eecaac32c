"""The kill path: a ccxt instance of its own, which no throttle and no stream can block."""

import asyncio

from asmm_daemon.clock import Clock
from asmm_daemon.errors import VenueError
from asmm_daemon.units import Instrument
from asmm_daemon.venue.clock_sync import ClockSync
from asmm_daemon.venue.dialect import Dialect
from asmm_daemon.venue.dialects import connection
from asmm_daemon.venue.limits import Priority
from asmm_daemon.venue.outcomes import Refused
from asmm_daemon.venue.protocol import VenueSettings
from asmm_daemon.venue.stream_client import MALFORMED

_ROUNDS = 20
_PAUSE_S = 0.15


class KillSwitch:
    """Cancels what is ours and looks again, over its own connection and, should that fail, another."""

    def __init__(self, settings: VenueSettings, clock: Clock) -> None:
        self._settings = settings
        self._exchange, self._requests, self._dialect = connection(settings, clock, limited=False)
        self._requests.measure_clock = ClockSync(self._dialect, self._exchange, clock).measure

    def take(self, instruments: tuple[Instrument, ...]) -> None:
        """The markets as loaded elsewhere, so that no time is lost when it matters."""
        self._dialect.adopt(instruments)

    def hush(self, until_ns: int) -> None:
        """Takes over a silence that another connection was asked for."""
        limiter = self._requests.limiter
        limiter.silent_until_ns = max(limiter.silent_until_ns, until_ns)

    async def kill(self, other: Dialect | None = None) -> bool:
        """True when the venue said twice in a row that none of ours is open."""
        paths = [self._dialect] + ([other] if other is not None and other.instruments else [])
        clean = 0
        for number in range(_ROUNDS):
            try:
                remaining = await self._round(paths[number % len(paths) if clean == 0 else 0])
            except (VenueError, *MALFORMED):
                clean = 0
            else:
                clean = clean + 1 if remaining == 0 else 0
            if clean == 2:
                return True
            await asyncio.sleep(_PAUSE_S if clean == 0 else 0.05)
        return False

    async def _round(self, path: Dialect) -> int:
        """Cancels over one path; returns how many of ours were open when it looked."""
        if not path.instruments:
            await path.load()
        listed = await asyncio.gather(
            *(path.open_orders(m, Priority.CANCEL) for m in range(len(path.instruments)))
        )
        prefix = self._settings.cid_prefix
        ours = [order for orders in listed for order in orders if order.cid.startswith(prefix)]
        done = await asyncio.gather(*(path.cancel(o.m, o.cid, o.oid) for o in ours), return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, BaseException) and not isinstance(outcome, (Refused, *MALFORMED)):
                raise outcome
        return len(ours)

    async def close(self) -> None:
        """Closes its connections."""
        await self._exchange.close()
