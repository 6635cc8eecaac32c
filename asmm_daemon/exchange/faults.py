"""Says, per response, message, clock reading and connection, which faults strike. Each strike is logged."""

import random
from collections.abc import Iterable, Iterator

from asmm_daemon.exchange.fault_table import Fault
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.units import NS_PER_S


class Faults:
    """All faults of a session. Dice come from the seed alone."""

    def __init__(self, faults: Iterable[Fault], *, seed: int, log: VenueLog, start_ns: int = 0) -> None:
        self._faults: dict[str, Fault] = {}
        self._by_target: dict[str, list[Fault]] = {}
        self._dice = random.Random(seed)  # noqa: S311  (faults, not secrets)
        self._start_ns = start_ns
        self._log = log
        self._spent: set[tuple[str, int]] = set()
        self._said: set[tuple[str, int, str]] = set()
        for fault in faults:
            self.add(fault)

    def begin(self, t_ns: int) -> None:
        """Faults count their time from here."""
        self._start_ns = t_ns

    def add(self, fault: Fault) -> None:
        """Adds a fault, in place of one with the same id."""
        self.remove(fault.id)
        self._faults[fault.id] = fault
        self._by_target.setdefault(fault.on, []).append(fault)

    def remove(self, fault_id: str) -> bool:
        """Takes a fault out; False when there is none of this id."""
        fault = self._faults.pop(fault_id, None)
        if fault is None:
            return False
        self._by_target[fault.on].remove(fault)
        self._spent = {key for key in self._spent if key[0] != fault_id}
        self._said = {key for key in self._said if key[0] != fault_id}
        return True

    def all(self) -> list[Fault]:
        """Every fault, in the order of their coming."""
        return list(self._faults.values())

    def elapsed_s(self, t_ns: int) -> float:
        """Venue seconds since the start."""
        return (t_ns - self._start_ns) / NS_PER_S

    def response(self, method: str, path: str, t_ns: int) -> Fault | None:
        """The fault that strikes a request's answer."""
        for fault in self._by_target.get("response", ()):
            if fault.fits_request(method, path) and self._strikes(fault, t_ns, path, each=True):
                return fault
        return None

    def message(self, on: str, name: str, t_ns: int) -> list[Fault]:
        """The faults that strike a message of a stream; `on` is "stream" or "event"."""
        faults = self._by_target.get(on)
        if not faults:
            return []
        return [f for f in faults if f.fits_name(name) and self._strikes(f, t_ns, name)]

    def skew_ms(self, t_ns: int) -> float:
        """How far ahead of the truth the venue's clock is."""
        faults = self._by_target.get("clock", ())
        return sum(fault.ms for fault in faults if self._strikes(fault, t_ns, "clock"))

    def link_down(self, t_ns: int) -> bool:
        """Whether a connection fault refuses all that is new."""
        faults = self._by_target.get("connection", ())
        lasting = (f for f in faults if f.do == "drop" and f.for_s is not None)
        return any(self._strikes(fault, t_ns, "link") for fault in lasting)

    def on_connections(self, t_ns: int) -> Iterator[Fault]:
        """Connection faults that are in force and have not yet been carried out in this period."""
        for fault in self._by_target.get("connection", ()):
            period = self._period(fault, t_ns)
            if period is not None and (fault.id, period) not in self._spent:
                self._spent.add((fault.id, period))
                if self._dice.random() < fault.p:
                    self._say(fault, t_ns, fault.name or "*")
                    yield fault

    def next_connection_ns(self, t_ns: int) -> int | None:
        """When the next connection fault begins."""
        starts = [self._next_start(fault, t_ns) for fault in self._by_target.get("connection", ())]
        return min((start for start in starts if start is not None), default=None)

    def _next_start(self, fault: Fault, t_ns: int) -> int | None:
        first = self._start_ns + int(fault.at_s * NS_PER_S)
        if t_ns < first:
            return first
        if fault.every is None:
            return None
        every = int(fault.every * NS_PER_S)
        return first + ((t_ns - first) // every + 1) * every

    def _period(self, fault: Fault, t_ns: int) -> int | None:
        """The number of the period in which it is in force; None when it is not."""
        since_s = self.elapsed_s(t_ns) - fault.at_s
        if since_s < 0:
            return None
        period = 0
        if fault.every is not None:
            period, since_s = int(since_s // fault.every), since_s % fault.every
        return None if fault.for_s is not None and since_s >= fault.for_s else period

    def _strikes(self, fault: Fault, t_ns: int, target: str, *, each: bool = False) -> bool:
        period = self._period(fault, t_ns)
        if period is None:
            return False
        if fault.for_s is None and fault.on != "clock":
            if (fault.id, period) in self._spent:
                return False
            self._spent.add((fault.id, period))
        if fault.p < 1 and self._dice.random() >= fault.p:
            return False
        if each or (fault.id, period, target) not in self._said:
            self._said.add((fault.id, period, target))
            self._say(fault, t_ns, target)
        return True

    def _say(self, fault: Fault, t_ns: int, target: str) -> None:
        self._log.write("fault", t_ns, id=fault.id, action=fault.do, target=target)
