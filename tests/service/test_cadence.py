import asyncio

from asmm_daemon.clock import Clock
from asmm_daemon.service.cadence import LagMeter, beats


class _ManualClock(Clock):
    """Venue time moves only when somebody waits or a test pushes it."""

    def __init__(self):
        super().__init__(start_ns=0)
        self.ns = 0

    def now_ns(self):
        return self.ns

    def real_s(self, venue_s):
        self.ns += max(0, round(venue_s * 1e9))
        return 0.0


def _take(clock, period_s, delays_s):
    """Numbers, skips and lateness of beats, with a handler that takes `delays_s` per beat."""

    async def go():
        stop = asyncio.Event()
        seen = []
        async for beat in beats(clock, period_s, stop):
            seen.append((beat.number, beat.skipped, beat.late_ns))
            if len(seen) == len(delays_s):
                return seen
            clock.ns += round(delays_s[len(seen) - 1] * 1e9)
        return seen

    return asyncio.run(go())


def test_beats_do_not_drift():
    """Work that fits into the period leaves every beat on its grid."""
    assert _take(_ManualClock(), 5.0, [0.4, 4.9, 0.0, 0.0]) == [(1, 0, 0), (2, 0, 0), (3, 0, 0), (4, 0, 0)]


def test_late_beats_are_skipped_and_counted():
    """A handler of 12 s loses two beats of 5 s; the grid stays, nothing piles up."""
    assert _take(_ManualClock(), 5.0, [12.0, 0.0, 0.0]) == [(1, 0, 0), (3, 1, 2_000_000_000), (4, 0, 0)]


def test_beats_end_at_once_when_stopped():
    """A stop during the wait ends the iteration without another beat."""

    async def go():
        stop = asyncio.Event()
        asyncio.get_running_loop().call_later(0.01, stop.set)
        return [beat async for beat in beats(Clock(), 3600.0, stop)]

    assert asyncio.run(go()) == []


def test_lag_percentile_and_bound():
    """The p99 is of all samples, and the sample stays bounded."""
    meter = LagMeter(keep=1000)
    for i in range(5000):
        meter.add(0.001 if i % 50 else 0.2)
    assert meter.p99_s() == 0.2
    assert len(meter._samples) <= 1000
    assert LagMeter().p99_s() == 0.0
