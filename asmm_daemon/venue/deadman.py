"""The venue's dead-man's switch: armed before quoting, refreshed only while all is well."""

import asyncio
from collections.abc import Callable

from asmm_daemon.clock import Clock
from asmm_daemon.units import NS_PER_S
from asmm_daemon.venue.dialect import Dialect
from asmm_daemon.venue.outcomes import Refused
from asmm_daemon.venue.pace import Pace
from asmm_daemon.venue.private_stream import PrivateStream
from asmm_daemon.venue.protocol import VenueSettings
from asmm_daemon.venue.stream_client import MALFORMED

_POLL_S = 0.5
_BEATS_S = 6.0
"""A healthy REST channel answers at least this often."""
_DOUBT_S = 2.0
_DOUBT_REAL_S = 0.5


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

    async def let_go(self, pace: Pace, private: PrivateStream, last_reply_ns: Callable[[], int]) -> None:
        """Where the switch counts from the loss of the private stream, gives that up while REST is silent.

        Else orders that we can no longer cancel would rest for as long as the stream lives.
        """
        silence_s = _BEATS_S + max(_DOUBT_S, _DOUBT_REAL_S * self._clock.speed)
        while self._dialect.capabilities.deadman_by_stream and await pace.sleep(_POLL_S):
            silent = self._clock.now_ns() - last_reply_ns() > silence_s * NS_PER_S
            if private.held and not silent:
                private.release()
            elif silent and not private.held and any(self.armed(m) for m in self._until_ns):
                private.hold("REST is silent: the dead-man's switch must cancel for us")

    async def disarm(self) -> None:
        """Ends every running countdown, as nothing rests any more."""
        for m in self._until_ns:
            if self.armed(m):
                try:
                    await self._dialect.arm(m, 0.0)
                except (Refused, *MALFORMED):
                    continue
                self._until_ns[m] = 0
