"""The venue's dead-man's switch: armed before quoting, refreshed only while all is well."""

import asyncio

from asmm_daemon.clock import Clock
from asmm_daemon.units import NS_PER_S
from asmm_daemon.venue.dialect import Dialect
from asmm_daemon.venue.outcomes import Refused
from asmm_daemon.venue.pace import Pace
from asmm_daemon.venue.protocol import VenueSettings
from asmm_daemon.venue.stream_client import MALFORMED


class Deadman:
    """Beats per market; silence on our side makes the venue cancel."""

    def __init__(self, dialect: Dialect, clock: Clock, settings: VenueSettings) -> None:
        self._dialect = dialect
        self._clock = clock
        self._settings = settings
        markets = range(len(settings.symbols))
        self._until_ns = dict.fromkeys(markets, 0)
        self._wanted = dict.fromkeys(markets, True)
        self.wake = asyncio.Event()

    def armed(self, m: int) -> bool:
        """Whether the venue's countdown runs now."""
        return self._until_ns[m] > self._clock.now_ns()

    def set_wanted(self, m: int, wanted: bool) -> None:  # noqa: FBT001  (a state, not a flag)
        """Starts or stops the refreshing."""
        if wanted and not self._wanted[m]:
            self.wake.set()
        self._wanted[m] = wanted

    async def run(self, pace: Pace, alive: "asyncio.Event") -> None:
        """Beats until the pace stops; only while `alive` (all channels up) is set."""
        if not self._dialect.capabilities.deadman:
            return
        while not pace.stop.is_set():
            self.wake.clear()
            if alive.is_set():
                await asyncio.gather(*(self._beat(m) for m, wanted in self._wanted.items() if wanted))
            await pace.sleep(self._settings.deadman_every_s, self.wake)

    async def _beat(self, m: int) -> None:
        window_s = self._settings.deadman_window_s
        sent_ns = self._clock.now_ns()
        try:
            on = await self._dialect.arm(m, window_s)
        except (Refused, *MALFORMED):
            return
        self._until_ns[m] = sent_ns + int(window_s * NS_PER_S) if on else 0

    async def disarm(self) -> None:
        """Ends every running countdown, as nothing rests any more."""
        for m in self._until_ns:
            if self.armed(m):
                try:
                    await self._dialect.arm(m, 0.0)
                except (Refused, *MALFORMED):
                    continue
                self._until_ns[m] = 0
