"""Dead-man's switches: countdowns that cancel an account's orders unless they are refreshed."""

from collections.abc import Callable
from typing import Protocol

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.orders import CancelWhy, OrderRecord, Origin
from asmm_daemon.exchange.tell import Teller
from asmm_daemon.units import NS_PER_MS


class Venue(Protocol):
    """What a switch needs of the exchange."""

    now_ns: int

    def call_at(self, t_ns: int, action: Callable[[int], None]) -> Callable[[], None]:
        """A timer."""

    def cancel_all(
        self, account: Account, symbol: str | None, origin: Origin, why: CancelWhy
    ) -> list[OrderRecord]:
        """Cancels open orders."""


class DeadMan:
    """One countdown per account and symbol (None: all symbols)."""

    def __init__(self, venue: Venue, teller: Teller) -> None:
        self._venue = venue
        self._tell = teller
        self._running: dict[tuple[str, str | None], Callable[[], None]] = {}

    def arm(self, account: Account, symbol: str | None, window_ns: int, origin: Origin) -> None:
        """(Re)starts a countdown; 0 disarms it."""
        key = account.name, symbol
        stop = self._running.pop(key, None)
        if stop is not None:
            stop()
        now_ns, window_ms = self._venue.now_ns, window_ns // NS_PER_MS
        if window_ns <= 0:
            self._tell.deadman(symbol, "disarm", 0, origin, now_ns)
            return
        self._tell.deadman(symbol, "arm" if stop is None else "refresh", window_ms, origin, now_ns)

        def fire(t_ns: int) -> None:
            del self._running[key]
            engine = Origin("engine")
            self._tell.deadman(symbol, "fire", window_ms, engine, t_ns)
            self._venue.cancel_all(account, symbol, engine, CancelWhy.DEADMAN)

        self._running[key] = self._venue.call_at(now_ns + window_ns, fire)
