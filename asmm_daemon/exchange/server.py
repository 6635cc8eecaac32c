"""The aiohttp chassis: one loopback server, the pump that moves the exchange, orders at their time."""

import asyncio
from collections.abc import Callable, Mapping
from typing import TypeVar

from aiohttp import web

from asmm_daemon.clock import Clock
from asmm_daemon.exchange.calls import REQUEST, WS_CONNECTION, Calls, Failure, Handler, Incoming
from asmm_daemon.exchange.connection import Connection
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.faults import Faults
from asmm_daemon.exchange.hub import StreamHub
from asmm_daemon.exchange.keys import KeyRing
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.orders import Origin
from asmm_daemon.exchange.wire import RequestInfo, Wire
from asmm_daemon.units import NS_PER_MS, NS_PER_S

T = TypeVar("T")

_MIN_WAIT_S = 0.0005


class Server:
    """Holds what a wire needs: `exchange`, `hub`, `log`, `faults`, `clock`, `keys`, `speed`, `seed`.

    The pump brings the exchange to now whenever something is due, at each request, and every `poll_s`
    real seconds (a live feed does not say beforehand when its next message comes).
    """

    def __init__(
        self,
        exchange: Exchange,
        *,
        log: VenueLog,
        faults: Faults,
        clock: Clock,
        keys: KeyRing,
        seed: int = 0,
        order_latency_ms: float = 0.0,
        poll_s: float = 0.05,
    ) -> None:
        self.exchange = exchange
        self.log = log
        self.faults = faults
        self.clock = clock
        self.keys = keys
        self.speed = clock.speed
        self.seed = seed
        self.hub = StreamHub(log, faults, lambda: exchange.now_ns)
        self.failure: BaseException | None = None
        self._calls = Calls(self)
        self._order_latency_ns = int(order_latency_ms * NS_PER_MS)
        self._poll_s = poll_s
        self._tick_handle: asyncio.TimerHandle | None = None
        self._due_ns = 0
        self._runner: web.AppRunner | None = None
        self._failed = asyncio.Event()

    # for wires

    def now_ns(self) -> int:
        """Brings the exchange to now and returns venue time (true, not skewed)."""
        self.exchange.advance(self.clock.now_ns())
        self._plan()
        return self.exchange.now_ns

    def time_ms(self) -> int:
        """Venue time in ms as the venue tells it and checks timestamps by: with clock faults."""
        now_ns = self.clock.now_ns()
        return now_ns // NS_PER_MS + round(self.faults.skew_ms(now_ns))

    async def act(self, action: Callable[[], T]) -> T:
        """Runs an order request in the exchange at its time: now plus the order latency, exactly.

        Every place, amend and cancel goes through here; queries only call `now_ns` first.
        """
        if not self._order_latency_ns:
            self.now_ns()
            try:
                return action()
            finally:
                self._plan()
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()

        def run(_: int) -> None:
            if done.cancelled():
                return
            try:
                done.set_result(action())
            except Exception as error:  # noqa: BLE001  (handed on to whoever awaits, not swallowed)
                done.set_exception(error)

        self.exchange.call_at(self.clock.now_ns() + self._order_latency_ns, run)
        self._plan()
        return await done

    def origin(self, request: web.Request) -> Origin:
        """Where a REST request came from, for `Exchange` calls."""
        return _incoming(request).origin

    def params(self, request: web.Request) -> Mapping[str, str]:
        """Query and form parameters of a REST request (a JSON body's top-level keys, as text)."""
        return _incoming(request).params

    def body(self, request: web.Request) -> bytes:
        """The raw body of a REST request, already read."""
        return _incoming(request).body

    async def websocket(self, request: web.Request, name: str, *, ping_s: float | None = None) -> Connection:
        """Accepts a WebSocket; `name` is what the log and faults call it (public, private, api).

        `ping_s`: the venue pings the client this often, in venue seconds. Return `.response` from the
        handler.
        """
        response = web.WebSocketResponse(autoping=False, compress=False, max_msg_size=2**20)
        await response.prepare(request)
        connection = Connection(self._calls.next_connection(), name, response, request.transport, self.log)
        request[WS_CONNECTION] = connection
        self.now_ns()
        self.hub.add(connection)
        if ping_s is not None:
            self._keep_pinging(connection, int(ping_s * NS_PER_S))
        return connection

    async def ws_call(
        self,
        connection: Connection,
        path: str,
        params: Mapping[str, str],
        info: RequestInfo,
        handler: Handler,
        failure: Failure,
    ) -> None:
        """A request over WebSocket: logged, run through the faults, answered on the connection.

        `path` names the call (such as "order.place"); `failure(status, code)` builds the body of an
        injected error. A VenueReject must be turned into a Reply by the handler.
        """
        await self._calls.ws_call(connection, path, params, info, handler, failure)

    # for whoever runs it

    def begin(self, t_ns: int) -> None:
        """Sets the venue clock; faults count their time from here."""
        self.clock.set(t_ns)
        self.faults.begin(t_ns)

    async def start(self, wire: Wire, port: int, extra: Callable[[web.Application], None]) -> int:
        """Listens on 127.0.0.1 (port 0: any) and starts the pump; the port."""
        self._calls.wire = wire
        app = web.Application(middlewares=[self._calls.middleware], client_max_size=2**20)
        wire.routes(app)
        extra(app)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.25)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self._tick()
        address: tuple[str, int] = self._runner.addresses[0]
        return address[1]

    async def failed(self) -> None:
        """Returns when the pump has died; `failure` tells why."""
        await self._failed.wait()

    async def stop(self) -> None:
        """Closes every connection and stops listening."""
        if self._tick_handle is not None:
            self._tick_handle.cancel()
        self._failed.set()
        for connection in self.hub.connections():
            connection.close(1001, "venue stops")
        if self._runner is not None:
            await self._runner.cleanup()
        self.log.flush()

    # the pump

    def _tick(self) -> None:
        self._tick_handle = None
        try:
            self._carry_out_faults(self.now_ns())
            self.hub.flush(self.exchange.now_ns)
            self.log.flush()
        except Exception as error:  # noqa: BLE001  (handed on to whoever waits for `failed`)
            self.failure = error
            self._failed.set()
            return
        self._plan()

    def _plan(self) -> None:
        """Sets the pump's alarm for what is due next."""
        now_ns = self.exchange.now_ns
        due = [self.exchange.next_ns(), self.hub.next_ns(), self.faults.next_connection_ns(now_ns)]
        due_ns = min((ns for ns in due if ns is not None), default=now_ns + NS_PER_S)
        if self._tick_handle is not None:
            if due_ns >= self._due_ns:
                return
            self._tick_handle.cancel()
        if self._failed.is_set():
            return
        self._due_ns = due_ns
        wait_s = (due_ns - self.clock.now_ns()) / NS_PER_S / self.speed
        wait_s = min(max(wait_s, _MIN_WAIT_S), self._poll_s)
        self._tick_handle = asyncio.get_running_loop().call_later(wait_s, self._tick)

    def _carry_out_faults(self, now_ns: int) -> None:
        for fault in self.faults.on_connections(now_ns):
            for connection in self.hub.connections():
                if not fault.fits_name(connection.name):
                    continue
                if fault.do == "silence":
                    connection.is_frozen = True
                elif fault.do == "drop":
                    connection.abort("link down")
                else:
                    connection.close(1001, "fault")

    def _keep_pinging(self, connection: Connection, every_ns: int) -> None:
        def ping(t_ns: int) -> None:
            if not connection.is_closing:
                connection.ping(str(t_ns // NS_PER_MS).encode())
                self.exchange.call_at(t_ns + every_ns, ping)

        self.exchange.call_at(self.exchange.now_ns + every_ns, ping)


def _incoming(request: web.Request) -> Incoming:
    """A REST request as read; a WebSocket handshake on a REST path is none."""
    found: Incoming | None = request.get(REQUEST)
    if found is None:
        raise web.HTTPBadRequest(text="no WebSocket is served at this path")
    return found
