"""The one module that reads a clock.

Venue time runs at `speed` seconds per real second, from a moment agreed with the venue; at speed 1
on a real venue it is wall time corrected by the measured offset. Everything below the composition
root receives its time as data.
"""

import asyncio
import time

from asmm_daemon.units import NS_PER_S


def wall_ns() -> int:
    """The machine's clock, nanoseconds since 1970."""
    return time.time_ns()


def mono_ns() -> int:
    """The machine's monotonic clock, in real (unscaled) nanoseconds."""
    return time.monotonic_ns()


def thread_cpu_ns() -> int:
    """CPU time that the calling thread has used, in nanoseconds."""
    return time.thread_time_ns()


class Clock:
    """Venue time, derived from the monotonic clock so that it never steps back by itself."""

    def __init__(self, *, speed: float = 1.0, start_ns: int | None = None) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be positive, not {speed}")
        self.speed = speed
        self._mono0 = mono_ns()
        self._venue0 = wall_ns() if start_ns is None else start_ns

    def now_ns(self) -> int:
        """Venue time in nanoseconds."""
        return self._venue0 + int((mono_ns() - self._mono0) * self.speed)

    def now_s(self) -> float:
        """Venue time in seconds."""
        return self.now_ns() / NS_PER_S

    def set(self, venue_ns: int) -> None:
        """Re-anchors venue time, as after a measurement of the venue's own clock."""
        self._mono0, self._venue0 = mono_ns(), venue_ns

    def real_s(self, venue_s: float) -> float:
        """Real seconds that a span of venue seconds takes."""
        return venue_s / self.speed

    async def sleep(self, venue_s: float) -> None:
        """Waits a span of venue seconds."""
        await asyncio.sleep(max(0.0, self.real_s(venue_s)))

    async def sleep_until(self, venue_ns: int) -> None:
        """Waits until venue time has reached `venue_ns`; returns at once when it has passed."""
        await self.sleep((venue_ns - self.now_ns()) / NS_PER_S)
