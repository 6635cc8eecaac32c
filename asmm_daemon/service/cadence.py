"""Drift-free beats: the quote cycle and the watchdog fire on a fixed grid of venue time."""

import asyncio
from collections.abc import AsyncIterator
from typing import NamedTuple

from asmm_daemon.clock import Clock
from asmm_daemon.units import NS_PER_S


class Beat(NamedTuple):
    """One beat: its number on the grid, how many were left out before it, and how late it came."""

    number: int
    skipped: int
    late_ns: int


async def beats(clock: Clock, period_s: float, stop: asyncio.Event) -> AsyncIterator[Beat]:
    """Yields on a grid of `period_s` venue seconds until `stop` is set.

    A beat that cannot be given in its own period is skipped and counted, never piled up; the grid
    itself never moves.
    """
    period = round(period_s * NS_PER_S)
    origin = clock.now_ns()
    number = 0
    while not stop.is_set():
        due = origin + (number + 1) * period
        wait = clock.real_s((due - clock.now_ns()) / NS_PER_S)
        if wait > 0:
            try:
                await asyncio.wait_for(stop.wait(), wait)
            except TimeoutError:
                pass
            else:
                return
        now = clock.now_ns()
        reached = max((now - origin) // period, number + 1)
        skipped = reached - number - 1
        number = reached
        yield Beat(number, skipped, now - (origin + number * period))


class LagMeter:
    """How late the event loop wakes a sleeper, sampled every `every_s` real seconds."""

    def __init__(self, every_s: float = 0.05, keep: int = 72_000) -> None:
        self.every_s = every_s
        self._keep = keep
        self._samples: list[float] = []
        self._seen = 0
        self.last_s = 0.0

    def add(self, lag_s: float) -> None:
        """Keeps a bounded sample of all lags (every n-th once full, n doubling)."""
        self.last_s = lag_s
        stride = 1
        while len(self._samples) // stride > self._keep // 2:
            stride *= 2
        if self._seen % stride == 0:
            self._samples.append(lag_s)
            if len(self._samples) > self._keep:
                self._samples = self._samples[::2]
        self._seen += 1

    def p99_s(self) -> float:
        """The 99th percentile of the samples, 0 when there are none."""
        if not self._samples:
            return 0.0
        ordered = sorted(self._samples)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    async def run(self, stop: asyncio.Event) -> None:
        """Samples until `stop` is set."""
        loop = asyncio.get_running_loop()
        while not stop.is_set():
            due = loop.time() + self.every_s
            await asyncio.sleep(self.every_s)
            self.add(max(0.0, loop.time() - due))
