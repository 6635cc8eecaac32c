"""Request budgets: fixed windows of the venue clock, with bans for those who will not listen."""

from dataclasses import dataclass

from asmm_daemon.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `cap` weight per `window_s` seconds of each scope (an address, a key, key and route …)."""

    name: str
    cap: int
    window_s: float


@dataclass(frozen=True, slots=True)
class Usage:
    """A budget after a charge. `ok` False: over the cap, the request must be refused."""

    ok: bool
    used: int
    cap: int
    retry_after_s: float
    reset_ns: int


class Budget:
    """Counts one Limit per scope."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self._window_ns = int(limit.window_s * NS_PER_S)
        self._used: dict[str, tuple[int, int]] = {}

    def charge(self, scope: str, weight: int, t_ns: int) -> Usage:
        """Adds `weight`; a refused request counts too."""
        return self._usage(scope, weight, t_ns)

    def peek(self, scope: str, t_ns: int) -> Usage:
        """The budget without charging it."""
        return self._usage(scope, 0, t_ns)

    def _usage(self, scope: str, weight: int, t_ns: int) -> Usage:
        window = t_ns // self._window_ns
        last, used = self._used.get(scope, (window, 0))
        used = weight + (used if last == window else 0)
        if weight:
            self._used[scope] = (window, used)
        reset_ns = (window + 1) * self._window_ns
        return Usage(used <= self.limit.cap, used, self.limit.cap, (reset_ns - t_ns) / NS_PER_S, reset_ns)


class Bans:
    """Bans (418, 403): after `strikes` refusals in a row within a window, silence for `ban_s`, doubling."""

    def __init__(self, *, strikes: int = 10, ban_s: float = 120.0, max_s: float = 259_200.0) -> None:
        self._strikes = strikes
        self._ban_s = ban_s
        self._max_s = max_s
        self._refusals: dict[str, int] = {}
        self._until_ns: dict[str, int] = {}
        self._count: dict[str, int] = {}

    def banned_s(self, scope: str, t_ns: int) -> float:
        """Seconds of ban that are left; 0 when not banned."""
        return max(0.0, (self._until_ns.get(scope, 0) - t_ns) / NS_PER_S)

    def refused(self, scope: str, t_ns: int) -> bool:
        """Counts a refusal; True when it brought a ban."""
        self._refusals[scope] = self._refusals.get(scope, 0) + 1
        if self._refusals[scope] < self._strikes:
            return False
        times = self._count.get(scope, 0)
        self._refusals[scope] = 0
        self._count[scope] = times + 1
        self._until_ns[scope] = t_ns + int(min(self._ban_s * 2**times, self._max_s) * NS_PER_S)
        return True

    def passed(self, scope: str) -> None:
        """A request within budget forgives earlier refusals."""
        self._refusals.pop(scope, None)
