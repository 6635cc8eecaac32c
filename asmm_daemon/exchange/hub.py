"""What leaves on WebSockets: named streams, the connections that subscribe to them, faults on the way."""

from collections.abc import AsyncIterator, Callable, Iterable

from aiohttp import web

from asmm_daemon.exchange.faults import Faults
from asmm_daemon.exchange.keys import ApiKey
from asmm_daemon.exchange.log import VenueLog

Wrap = Callable[[bytes], bytes]
"""Puts a stream's payload into a connection's envelope (Binance's combined streams)."""


class Connection:
    """One client's WebSocket, made by `Server.websocket`; `async for text in connection` reads it.

    `state` is the wire's own. Everything that is sent leaves in the order of the calls. Iteration
    ends when the client or a fault closes it; pings are answered on the way.
    """

    id: int
    name: str
    key: ApiKey | None
    state: object
    streams: set[str]

    def send(self, payload: bytes | str) -> None:
        """Queues one text frame (an answer; streams go through the hub)."""
        raise NotImplementedError

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes after what is queued has left."""
        raise NotImplementedError

    def ping(self, payload: bytes = b"") -> None:
        """Queues a ping frame."""
        raise NotImplementedError

    def __aiter__(self) -> AsyncIterator[str]:
        """The client's text messages."""
        raise NotImplementedError


class StreamHub:
    """Delivers published messages to subscribers at their time, through the faults, and logs each."""

    def __init__(self, log: VenueLog, faults: Faults) -> None:
        raise NotImplementedError

    def wanted(self, name: str) -> bool:
        """Whether anyone subscribes: a payload that nobody wants need not be built."""
        raise NotImplementedError

    def subscribe(self, connection: Connection, names: Iterable[str], wrap: Wrap | None = None) -> None:
        """Adds a connection to streams; `wrap` is applied to each payload, once per message and wrap."""
        raise NotImplementedError

    def unsubscribe(self, connection: Connection, names: Iterable[str]) -> None:
        """Takes a connection off streams."""
        raise NotImplementedError

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
        raise NotImplementedError

    def connections(self, name: str | None = None) -> list[Connection]:
        """Open connections (those that subscribe to a stream)."""
        raise NotImplementedError


__all__ = ["Connection", "StreamHub", "Wrap", "web"]
