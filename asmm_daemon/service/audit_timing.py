"""Judges how quickly a session reacted (S5, S8, S11, S12), by the venue's own log alone.

What the daemon could know is rebuilt from what was delivered to it: a book is stale once the venue's best
has long differed from what the stream told, gapped once a message came after one that never did; REST is
lost while no response arrives.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from asmm_daemon.service.audit import Violation
from asmm_daemon.units import NS_PER_S

Line = Mapping[str, Any]
_DEPTH = ("@depth", "orderbook.50")
_READS: Mapping[str, tuple[str, ...]] = {
    "orders": ("/openOrders", "/order/realtime"),
    "trades": ("/myTrades", "/userTrades", "/execution/list"),
    "balances": ("/account", "/balance", "/wallet-balance"),
}
"""Ends of the paths that read orders, trades and balances, at either venue."""


@dataclass(frozen=True, slots=True)
class Allowed:
    """How long things may take, in venue seconds."""

    stale_after_s: float = 2.0
    pull_s: float = 1.0
    """From a stale or gapped book until nothing rests and nothing new is accepted."""
    disconnect_s: float = 30.0
    back_s: float = 2.0
    """From the first path that works again until nothing rests, where the venue has no dead-man's switch."""
    notice_s: float = 0.5
    """What was on its way when a stream was lost or a 429 was told."""
    retry_after_s: float | None = None
    """For how long a 429 asks for silence; None: not judged."""
    deadman: bool = True
    """Whether the venue would cancel by itself once we are gone."""


class _Check(Protocol):
    def take(self, line: Line, t_ns: int, resting: Mapping[str, str]) -> str:
        """What is broken now, or nothing."""


def audit_timing(lines: Iterable[Line], allowed: Allowed) -> list[Violation]:
    """Reads a venue log once; one violation for each time that an invariant begins to be broken."""
    checks: dict[str, _Check] = {
        "S5": _Disconnect(allowed),
        "S8": _Reconnect(allowed),
        "S11": _KnownBook(allowed),
        "S12": _Silence(allowed),
    }
    found: list[Violation] = []
    broken: dict[str, str] = {}
    resting: dict[str, str] = {}
    for line in lines:
        kind, t_ns = line["ev"], line["t_ns"]
        if kind == "accept":
            resting[line["oid"]] = line["sym"]
        elif kind == "cancel" or (kind == "fill" and float(line["left"]) <= 0):
            resting.pop(line["oid"], None)
        for name, check in checks.items():
            text = check.take(line, t_ns, resting)
            if text and not broken.get(name):
                found.append(Violation(name, t_ns, text))
            broken[name] = text
    return found


_TOLD_BY_REST = ("/depth", "/orderbook", "/bookTicker", "/tickers")
"""Requests whose answer tells a client the best prices of that moment."""


@dataclass(slots=True)
class _Told:
    """One market's best as the venue has it and as it was told."""

    best: tuple[str, str] | None = None
    told: tuple[str, str] | None = None
    untold_ns: int | None = None
    arriving: deque[tuple[int, tuple[str, str] | None, bool]] = field(default_factory=deque)
    missed: bool = False
    gapped_ns: int | None = None

    def arrive(self, t_ns: int) -> None:
        """Takes in the messages that have reached the client by now."""
        while self.arriving and self.arriving[0][0] <= t_ns:
            at_ns, self.told, after_gap = self.arriving.popleft()
            if after_gap and self.gapped_ns is None:
                self.gapped_ns = at_ns
            self.untold_ns = None if self.told == self.best else at_ns


@dataclass(slots=True)
class _KnownBook:
    """S11: nothing new and nothing resting on a book that is stale or has a gap.

    What a client that is gone left behind is not its doing any more (S5 and S16 judge that).
    """

    allowed: Allowed
    clients: set[int] = field(default_factory=set)
    left: set[str] = field(default_factory=set)
    books: dict[str, _Told] = field(default_factory=dict)
    asked: dict[int, str] = field(default_factory=dict)

    def take(self, line: Line, t_ns: int, resting: Mapping[str, str]) -> str:
        """What is broken now, or nothing."""
        kind, sym = line["ev"], line.get("sym", "")
        for told in self.books.values():
            told.arrive(t_ns)
        if kind == "book":
            told = self.books.setdefault(sym, _Told())
            told.best = line["bid"], line["ask"]
            if told.best == told.told:
                told.untold_ns = None
            elif told.untold_ns is None:
                told.untold_ns = t_ns
        elif kind == "stream" and any(part in line["name"] for part in _DEPTH):
            told = self.books.setdefault(sym, _Told())
            if line["delivered"]:
                told.arriving.append((t_ns + line["delay_ns"], told.best, told.missed))
            told.missed = not line["delivered"]
        elif kind == "open":
            self.clients.add(line["conn"])
        elif kind == "close":
            self.clients.discard(line["conn"])
            if not self.clients:
                self.left = set(resting)
        elif kind == "sub" and any(part in line["name"] for part in _DEPTH):
            self._fresh()
        elif kind == "request" and line["path"].endswith(_TOLD_BY_REST):
            self.asked[line["req"]] = line["path"]
        elif kind == "response" and self.asked.pop(line["req"], "") and _answered(line):
            self._fresh()
            for told in self.books.values():
                told.told, told.untold_ns = told.best, None
        return self._judge(t_ns, {sym for oid, sym in resting.items() if oid not in self.left})

    def _fresh(self) -> None:
        """A new subscription or snapshot: what was missed before no longer counts."""
        for told in self.books.values():
            told.missed, told.gapped_ns = False, None

    def _judge(self, t_ns: int, symbols: set[str]) -> str:
        allowed = self.allowed
        for sym in symbols:
            told = self.books.get(sym)
            if told is None:
                continue
            if _older(told.untold_ns, t_ns, allowed.stale_after_s + allowed.pull_s):
                return f"{sym}: an order rests on a stale book"
            if _older(told.gapped_ns, t_ns, allowed.pull_s):
                return f"{sym}: an order rests on a book with a gap"
        return ""


@dataclass(slots=True)
class _Disconnect:
    """S5: nothing rests long after the last response."""

    allowed: Allowed
    contact_ns: int | None = None
    back_ns: int | None = None

    def take(self, line: Line, t_ns: int, resting: Mapping[str, str]) -> str:
        """What is broken now, or nothing."""
        allowed = self.allowed
        if line["ev"] == "response" and _answered(line):
            if _older(self.contact_ns, t_ns, allowed.disconnect_s):
                self.back_ns = t_ns
            self.contact_ns = t_ns
        if not resting:
            self.back_ns = None
        elif allowed.deadman and _older(self.contact_ns, t_ns, allowed.disconnect_s + 1.0):
            return "an order rests although nothing was answered for long"
        elif _older(self.back_ns, t_ns, allowed.back_s):
            return "an order of before the outage still rests"
        return ""


@dataclass(slots=True)
class _Reconnect:
    """S8: orders, trades and balances are read after a start or a lost private stream, before any order."""

    allowed: Allowed
    lost_ns: int = 0
    missing: set[str] = field(default_factory=lambda: set(_READS))
    private: set[int] = field(default_factory=set)
    asked: dict[int, str] = field(default_factory=dict)

    def take(self, line: Line, t_ns: int, resting: Mapping[str, str]) -> str:
        """What is broken now, or nothing."""
        del resting
        kind = line["ev"]
        if kind == "open" and "public" not in line["name"]:
            self.private.add(line["conn"])
        elif kind == "close" and line["conn"] in self.private:
            self.private.discard(line["conn"])
            self.lost_ns = t_ns
            self.missing.update(_READS)
            self.asked.clear()
        elif kind == "request":
            for what, ends in _READS.items():
                if line["method"] == "GET" and line["path"].endswith(ends):
                    self.asked[line["req"]] = what
        elif kind == "response":
            what = self.asked.pop(line["req"], "")
            if _answered(line):
                self.missing.discard(what)
        elif kind == "accept" and self.missing and _older(self.lost_ns, t_ns, self.allowed.notice_s):
            return f"an order before {', '.join(sorted(self.missing))} had been read"
        return ""


@dataclass(slots=True)
class _Silence:
    """S12: nothing is sent while the venue asked for silence, and it never had to ban us."""

    allowed: Allowed
    from_ns: int = 0
    until_ns: int = 0

    def take(self, line: Line, t_ns: int, resting: Mapping[str, str]) -> str:
        """What is broken now, or nothing."""
        del resting
        if line["ev"] == "response" and line["delivered"]:
            if line["status"] == 418:
                return "the venue banned us"
            limited = line["status"] == 429 or line["code"] == "10006"
            if limited and self.allowed.retry_after_s is not None:
                self.from_ns = t_ns + int(self.allowed.notice_s * NS_PER_S)
                self.until_ns = t_ns + int(self.allowed.retry_after_s * NS_PER_S)
        elif line["ev"] == "request" and self.from_ns < t_ns < self.until_ns:
            return f"{line['path']} was sent while the venue asked for silence"
        return ""


def _answered(line: Line) -> bool:
    return bool(line["delivered"]) and 0 < line["status"] < 500


def _older(since_ns: int | None, t_ns: int, limit_s: float) -> bool:
    return since_ns is not None and t_ns - since_ns > limit_s * NS_PER_S
