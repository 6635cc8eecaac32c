"""The aiohttp chassis: one loopback server, its clock, the pump that moves the exchange, request log."""

from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from aiohttp import web

from asmm_daemon.clock import Clock
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.faults import Faults
from asmm_daemon.exchange.hub import Connection, StreamHub
from asmm_daemon.exchange.keys import KeyRing
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.orders import Origin
from asmm_daemon.exchange.wire import Reply, RequestInfo

T = TypeVar("T")


class Server:
    """Holds what a wire needs: `exchange`, `hub`, `log`, `faults`, `clock`, `keys`, `speed`, `seed`."""

    exchange: Exchange
    hub: StreamHub
    log: VenueLog
    faults: Faults
    clock: Clock
    keys: KeyRing
    speed: float
    seed: int

    def now_ns(self) -> int:
        """Brings the exchange to now and returns venue time (true, not skewed)."""
        raise NotImplementedError

    def time_ms(self) -> int:
        """Venue time in ms as the venue tells it and checks timestamps by: with clock faults."""
        raise NotImplementedError

    async def act(self, action: Callable[[], T]) -> T:
        """Runs an order request in the exchange at its time: now plus the order latency, exactly.

        Every place, amend and cancel goes through here; queries only call `now_ns` first.
        """
        raise NotImplementedError

    def origin(self, request: web.Request) -> Origin:
        """Where a REST request came from, for `Exchange` calls."""
        raise NotImplementedError

    def params(self, request: web.Request) -> Mapping[str, str]:
        """Query and form parameters of a REST request (a JSON body's top-level keys, as text)."""
        raise NotImplementedError

    def body(self, request: web.Request) -> bytes:
        """The raw body of a REST request, already read."""
        raise NotImplementedError

    async def websocket(self, request: web.Request, name: str, *, ping_s: float | None = None) -> Connection:
        """Accepts a WebSocket; `name` is what the log and faults call it (public, private, api).

        `ping_s`: the venue pings the client this often, in venue seconds.
        """
        raise NotImplementedError

    async def ws_call(
        self,
        connection: Connection,
        path: str,
        params: Mapping[str, str],
        info: RequestInfo,
        handler: Callable[[Origin], Awaitable[Reply]],
        failure: Callable[[int, str], bytes],
    ) -> None:
        """A request over WebSocket: logged, run through the faults, answered on the connection.

        `path` names the call (such as "order.place"); `failure(status, code)` builds the body of an
        injected error. A VenueReject must be turned into a Reply by the handler.
        """
        raise NotImplementedError
