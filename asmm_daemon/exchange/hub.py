"""What leaves on WebSockets: named streams, who subscribes to them, faults on the way."""

import heapq
import itertools
from collections.abc import Callable, Iterable

from asmm_daemon.exchange.connection import Connection
from asmm_daemon.exchange.faults import Faults
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.orders import Origin
from asmm_daemon.units import NS_PER_MS

Wrap = Callable[[bytes], bytes]
"""Puts a stream's payload into a connection's envelope (Binance's combined streams)."""
_HIDES = frozenset({"drop", "gap", "silence", "close"})


class StreamHub:
    """Delivers published messages to subscribers at their time, through the faults, and logs each."""

    def __init__(self, log: VenueLog, faults: Faults, now_ns: Callable[[], int]) -> None:
        self._log = log
        self._faults = faults
        self._now_ns = now_ns
        self._subscribers: dict[str, dict[Connection, tuple[int, Wrap | None]]] = {}
        self._connections: dict[int, Connection] = {}
        self._waiting: list[tuple[int, int, str, bytes]] = []
        self._last_ns: dict[str, int] = {}
        self._held: dict[str, bytes] = {}
        self._number = itertools.count()

    def wanted(self, name: str) -> bool:
        """Whether anyone subscribes: a payload that nobody wants need not be built."""
        return name in self._subscribers

    def subscribe(self, connection: Connection, names: Iterable[str], wrap: Wrap | None = None) -> None:
        """Adds a connection to streams: it gets what is published from now on.

        `wrap` is applied to each payload, once per message and wrap.
        """
        for name in names:
            self._subscribers.setdefault(name, {})[connection] = next(self._number), wrap
            connection.streams.add(name)
            self._log.write("sub", self._now_ns(), origin=Origin("ws", connection.id), name=name)

    def unsubscribe(self, connection: Connection, names: Iterable[str]) -> None:
        """Takes a connection off streams."""
        for name in list(names):
            connection.streams.discard(name)
            subscribers = self._subscribers.get(name)
            if subscribers is not None:
                subscribers.pop(connection, None)
                if not subscribers:
                    del self._subscribers[name]

    def publish(
        self,
        name: str,
        payload: bytes | Callable[[], bytes],
        *,
        exch_ns: int,
        local_ns: int,
        first_id: int | None = None,
        last_id: int | None = None,
        sym: str | None = None,
        event: bool = False,
    ) -> None:
        """Sends a message to a stream's subscribers at venue time `local_ns`, never before an earlier one.

        A callable payload is built only when someone subscribes. `event` marks a private stream: the
        faults "on event" apply to it, those "on stream" to the others.
        """
        if name not in self._subscribers:
            return
        due_ns = max(local_ns, self._last_ns.get(name, 0))
        strikes = self._faults.message("event" if event else "stream", name, exch_ns)
        actions = {fault.do for fault in strikes}
        due_ns += sum(int(fault.ms * NS_PER_MS) for fault in strikes if fault.do == "delay")
        delivered = not actions & _HIDES
        self._last_ns[name] = due_ns
        self._log.write(
            "stream",
            exch_ns,
            origin=Origin("stream"),
            sym=sym,
            name=name,
            first_id=first_id,
            last_id=last_id,
            delivered=delivered,
            delay_ns=due_ns - exch_ns,
        )
        if "close" in actions:
            for connection in self.connections(name):
                connection.close(1001, "fault")
        if not delivered:
            return
        body = payload() if callable(payload) else payload
        held = self._held.pop(name, None)
        if "reorder" in actions and held is None:
            self._held[name] = body
            return
        for copy in (body, body) if "duplicate" in actions else (body,):
            heapq.heappush(self._waiting, (due_ns, next(self._number), name, copy))
        if held is not None:
            heapq.heappush(self._waiting, (due_ns, next(self._number), name, held))

    def next_ns(self) -> int | None:
        """When the next message is due."""
        return self._waiting[0][0] if self._waiting else None

    def flush(self, now_ns: int) -> None:
        """Hands messages that are due to their connections."""
        waiting = self._waiting
        while waiting and waiting[0][0] <= now_ns:
            _, number, name, body = heapq.heappop(waiting)
            wrapped: dict[Wrap, bytes] = {}
            for connection, (since, wrap) in self._subscribers.get(name, {}).items():
                if number < since:
                    continue
                if wrap is None:
                    connection.send(body)
                    continue
                if wrap not in wrapped:
                    wrapped[wrap] = wrap(body)
                connection.send(wrapped[wrap])

    def connections(self, name: str | None = None) -> list[Connection]:
        """Open connections (those that subscribe to a stream)."""
        return list(self._connections.values() if name is None else self._subscribers.get(name, ()))

    def add(self, connection: Connection) -> None:
        """A connection has opened."""
        self._connections[connection.id] = connection
        self._log.write("open", self._now_ns(), origin=Origin("ws", connection.id), name=connection.name)

    def remove(self, connection: Connection) -> None:
        """A connection has closed."""
        self.unsubscribe(connection, connection.streams)
        self._connections.pop(connection.id, None)
        origin = Origin("ws", connection.id)
        self._log.write(
            "close", self._now_ns(), origin=origin, name=connection.name, reason=connection.reason
        )
