"""Keeps our time in step with the venue's.

A small error is taken over by the clock itself. A large one after the start is the venue's own doing (or
a fault): it is put into the signatures alone, since the ages that the daemon judges must not jump.
"""

from typing import Any

from asmm_daemon.clock import Clock
from asmm_daemon.units import NS_PER_MS, NS_PER_S
from asmm_daemon.venue.dialect import Dialect

_DOUBT_NS = 5 * NS_PER_MS
_STEP_NS = 250 * NS_PER_MS
_QUESTIONS = 3


class ClockSync:
    """Measures the venue's clock for one ccxt instance."""

    def __init__(self, dialect: Dialect, exchange: Any, clock: Clock) -> None:
        self._dialect = dialect
        self._exchange = exchange
        self._clock = clock

    async def start(self) -> None:
        """Sets the clock to the venue's, however far apart they are. Raises Refused."""
        error_ns, doubt_ns = await self._measure()
        if abs(error_ns) > doubt_ns:
            self._clock.set(self._clock.now_ns() + error_ns)
        self._exchange.asmm_skew_ns = 0

    async def measure(self) -> None:
        """Corrects what has drifted since. Raises Refused."""
        error_ns, doubt_ns = await self._measure()
        speed = max(self._clock.speed, 1.0)
        if abs(error_ns) > _STEP_NS * speed:
            self._exchange.asmm_skew_ns = error_ns
            return
        self._exchange.asmm_skew_ns = 0
        if abs(error_ns) > doubt_ns:
            self._clock.set(self._clock.now_ns() + error_ns)

    async def _measure(self) -> tuple[int, float]:
        """The venue's lead over our clock by the quickest answer, and how far it may be trusted."""
        answers: list[tuple[float, int]] = []
        speed = max(self._clock.speed, 1.0)
        for _ in range(_QUESTIONS):
            server_ms, took_s = await self._dialect.server_ms()
            half_ns = int(took_s / 2 * self._clock.speed * NS_PER_S)
            lead_ns = server_ms * NS_PER_MS + NS_PER_MS // 2 + half_ns - self._clock.now_ns()
            answers.append((took_s, lead_ns))
        took_s, lead_ns = min(answers)
        return lead_ns, (_DOUBT_NS + took_s / 2 * NS_PER_S) * speed
