"""The request budget: cancels first with a reserve of their own, silence when the venue asks for it.

Each bucket is a sliding window, so that no fixed window of the venue can hold more than the limit.
All times are venue nanoseconds.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from asmm_daemon.clock import Clock
from asmm_daemon.units import NS_PER_S
from asmm_daemon.venue.protocol import Budget


class Priority(IntEnum):
    """Who goes first when requests wait."""

    CANCEL = 0
    SAFETY = 1
    ORDER = 2
    QUERY = 3
    BACKGROUND = 4


@dataclass(slots=True)
class Bucket:
    """A sliding window of spent weight."""

    limit: float
    window_ns: int
    used: float = 0.0
    spent: deque[tuple[int, float]] = field(default_factory=deque)

    def expire(self, now_ns: int) -> None:
        """Forgets what has left the window."""
        edge = now_ns - self.window_ns
        while self.spent and self.spent[0][0] <= edge:
            self.used -= self.spent.popleft()[1]

    def spend(self, now_ns: int, weight: float) -> None:
        """Books weight at a time."""
        self.spent.append((now_ns, weight))
        self.used += weight

    def free_ns(self, ceiling: float, weight: float) -> int:
        """When `weight` will fit under `ceiling`, if nothing else is spent."""
        need = self.used + weight - ceiling
        for at, amount in self.spent:
            need -= amount
            if need <= 1e-9:
                return at + self.window_ns
        return self.spent[-1][0] + self.window_ns if self.spent else 0


Costs = Mapping[str, float]


@dataclass(slots=True, eq=False)
class _Waiter:
    priority: Priority
    number: int
    costs: Costs
    granted: asyncio.Future[bool]


class Limiter:
    """Grants requests by priority within all buckets that they touch.

    Only cancels may use the last `reserve` share of a bucket. Nothing is granted while silent.
    """

    def __init__(
        self,
        clock: Clock,
        limits: Mapping[str, tuple[float, float]],
        reserve: float,
        *,
        limited: bool = True,
    ) -> None:
        """`limits`: bucket name to (weight, window in seconds); not `limited`, only silence holds back."""
        self._limited = limited
        self._clock = clock
        self._reserve = reserve
        self._buckets: dict[str, Bucket] = {}
        self._waiting: list[_Waiter] = []
        self._number = 0
        self._timer: asyncio.TimerHandle | None = None
        self._backoff_s = 1.0
        self.silent_until_ns = 0
        self.set_limits(limits)

    def set_limits(self, limits: Mapping[str, tuple[float, float]]) -> None:
        """Replaces the named buckets' limits, keeping what they have spent."""
        if not self._limited:
            return
        for name, (limit, window_s) in limits.items():
            old = self._buckets.get(name)
            self._buckets[name] = Bucket(limit, int(window_s * NS_PER_S))
            if old is not None:
                self._buckets[name].used, self._buckets[name].spent = old.used, old.spent

    def _fits(self, waiter_costs: Costs, priority: Priority, now_ns: int) -> int:
        """0 when the costs fit now, else the time at which to look again."""
        if now_ns < self.silent_until_ns:
            return self.silent_until_ns
        again = 0
        share = 1.0 if priority is Priority.CANCEL else 1.0 - self._reserve
        for name, weight in waiter_costs.items():
            bucket = self._buckets.get(name)
            if bucket is None:
                continue
            bucket.expire(now_ns)
            ceiling = max(bucket.limit * share, weight)
            if bucket.used + weight > ceiling + 1e-9:
                again = max(again, bucket.free_ns(ceiling, weight), now_ns + 1)
        return again

    def _spend(self, costs: Costs, now_ns: int) -> None:
        for name, weight in costs.items():
            if name in self._buckets:
                self._buckets[name].spend(now_ns, weight)

    async def acquire(self, priority: Priority, costs: Costs, max_wait_s: float | None = None) -> bool:
        """Waits for the budget; False when it did not come within `max_wait_s` venue seconds."""
        now_ns = self._clock.now_ns()
        contested = any(w.priority <= priority for w in self._waiting)
        if not contested and not self._fits(costs, priority, now_ns):
            self._spend(costs, now_ns)
            return True
        granted: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        waiter = _Waiter(priority, self._number, costs, granted)
        self._number += 1
        self._waiting.append(waiter)
        self._waiting.sort(key=lambda w: (w.priority, w.number))
        self._pump()
        try:
            if max_wait_s is None:
                return await granted
            await asyncio.wait((granted,), timeout=self._clock.real_s(max_wait_s))
            return granted.done()
        finally:
            if waiter in self._waiting:
                self._waiting.remove(waiter)

    def _pump(self) -> None:
        """Grants all that fit; a waiter never takes from a bucket that one before it waits for."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_ns = self._clock.now_ns()
        wake_ns = 0
        blocked: set[str] = set()
        for waiter in list(self._waiting):
            if waiter.granted.done():
                self._waiting.remove(waiter)
                continue
            again = self._fits(waiter.costs, waiter.priority, now_ns)
            if again or blocked.intersection(waiter.costs):
                blocked.update(waiter.costs)
                if again and (not wake_ns or again < wake_ns):
                    wake_ns = again
                continue
            self._spend(waiter.costs, now_ns)
            waiter.granted.set_result(True)
            self._waiting.remove(waiter)
        if self._waiting and wake_ns:
            wait_s = self._clock.real_s(max(wake_ns - now_ns, 0) / NS_PER_S)
            self._timer = asyncio.get_running_loop().call_later(wait_s + 1e-3, self._pump)

    def silence(self, retry_after_s: float | None, *, banned: bool) -> float:
        """Stops everything for as long as the venue asked, or a growing guess; returns the seconds."""
        if retry_after_s is None:
            retry_after_s = 300.0 if banned else self._backoff_s
        self._backoff_s = min(self._backoff_s * 2, 60.0)
        until = self._clock.now_ns() + int(retry_after_s * NS_PER_S)
        self.silent_until_ns = max(self.silent_until_ns, until)
        return retry_after_s

    def answered(self) -> None:
        """The venue served a request: the guessed back-off starts over."""
        self._backoff_s = 1.0

    def observe_used(self, name: str, used: float) -> None:
        """Takes over the venue's own count where it is higher, as when others share the address."""
        bucket = self._buckets.get(name)
        if bucket is None:
            return
        now_ns = self._clock.now_ns()
        bucket.expire(now_ns)
        if used > bucket.used + 1:
            bucket.spend(now_ns, used - bucket.used)

    def budget(self) -> Budget:
        """The fullest bucket."""
        now_ns = self._clock.now_ns()
        for bucket in self._buckets.values():
            bucket.expire(now_ns)
        silent = self.silent_until_ns if self.silent_until_ns > now_ns else 0
        worst = max(self._buckets.values(), key=lambda b: b.used / b.limit, default=None)
        if worst is None:
            return Budget(0.0, 0.0, self._reserve, silent)
        return Budget(worst.used, worst.limit, worst.limit * self._reserve, silent)
