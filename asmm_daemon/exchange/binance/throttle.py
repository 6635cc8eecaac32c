"""Streams that are pushed at most once per interval."""

from collections.abc import Callable

from asmm_daemon.exchange.core import Exchange


class Throttle:
    """Calls `flush(t_ns, lag_ns)` at most once per interval: at once when it has been quiet for that long.

    `lag_ns` is the feed latency of the newest change. Times are on the venue clock.
    """

    def __init__(self, exchange: Exchange, interval_ns: int, flush: Callable[[int, int], None]) -> None:
        self._exchange = exchange
        self._interval_ns = interval_ns
        self._flush = flush
        self._next_ns = 0
        self._due = False
        self._lag_ns = 0

    def touch(self, t_ns: int, lag_ns: int) -> None:
        """Something changed at `t_ns`."""
        self._lag_ns = lag_ns
        if not self._due:
            self._due = True
            self._exchange.call_at(max(t_ns, self._next_ns), self._fire)

    def _fire(self, t_ns: int) -> None:
        self._due = False
        self._next_ns = t_ns + self._interval_ns
        self._flush(t_ns, self._lag_ns)
