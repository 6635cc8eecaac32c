"""Waiting that a stop ends at once, and growing pauses between attempts."""

import asyncio
from collections.abc import Iterator

from asmm_daemon.clock import Clock


class Pace:
    """Sleeps in venue seconds until the time has passed or `stop` is set."""

    def __init__(self, clock: Clock, stop: asyncio.Event) -> None:
        self._clock = clock
        self.stop = stop

    async def sleep(self, venue_s: float, wake: asyncio.Event | None = None) -> bool:
        """True when it was time (or `wake` was set), False when everything stops."""
        waiters = [asyncio.ensure_future(self.stop.wait())]
        if wake is not None:
            waiters.append(asyncio.ensure_future(wake.wait()))
        try:
            await asyncio.wait(
                waiters, timeout=self._clock.real_s(max(venue_s, 0.0)), return_when="FIRST_COMPLETED"
            )
        finally:
            for waiter in waiters:
                waiter.cancel()
        return not self.stop.is_set()


def backoff(first_s: float = 0.25, last_s: float = 5.0) -> Iterator[float]:
    """Pauses that double up to a ceiling."""
    pause_s = first_s
    while True:
        yield pause_s
        pause_s = min(pause_s * 2, last_s)
