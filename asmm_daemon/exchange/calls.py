"""Requests, over REST and over WebSocket: numbered, logged, run through the faults, answered."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol
from urllib.parse import parse_qsl

import orjson
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler as WebHandler

from asmm_daemon.exchange.connection import Connection
from asmm_daemon.exchange.fault_table import Fault
from asmm_daemon.exchange.orders import Origin, VenueReject
from asmm_daemon.exchange.wire import CODE, USED_WEIGHT, Reply, RequestInfo, Wire

if TYPE_CHECKING:
    from asmm_daemon.exchange.server import Server

Handler = Callable[[Origin], Awaitable[Reply]]
Failure = Callable[[int, str], bytes]

_SECRET = frozenset({"signature", "sign", "apikey", "api_key", "api-key", "listenkey", "secret"})
_BEFORE = frozenset({"drop", "close", "silence", "status"})
_ADMIN = "/admin/"
_HANG_POLL_S = 0.2


class Incoming(NamedTuple):
    """A REST request as the chassis has read it."""

    origin: Origin
    params: Mapping[str, str]
    body: bytes


REQUEST: web.RequestKey[Incoming] = web.RequestKey("incoming", Incoming)
WS_CONNECTION: web.RequestKey[Connection] = web.RequestKey("connection", Connection)


class _Answer(Protocol):
    """What became of a request, for the log."""

    def __call__(self, status: int, code: str, used: int | None, *, delivered: bool) -> None:
        """Writes the response line."""


class Calls:
    """One numbering of requests and connections for a server."""

    wire: Wire

    def __init__(self, server: "Server") -> None:
        self._server = server
        self._requests = itertools.count(1)
        self._connections = itertools.count(1)

    def next_connection(self) -> int:
        """The next connection's number."""
        return next(self._connections)

    @web.middleware
    async def middleware(self, request: web.Request, handler: WebHandler) -> web.StreamResponse:
        """Around every request of the server."""
        if request.path.startswith(_ADMIN):
            return await handler(request)
        if self._server.faults.link_down(self._server.clock.now_ns()):
            return _cut(request)
        if request.headers.get(hdrs.UPGRADE, "").lower() == "websocket":
            return await self._open(request, handler)
        return await self._rest(request, handler)

    async def _open(self, request: web.Request, handler: WebHandler) -> web.StreamResponse:
        try:
            return await handler(request)
        finally:
            connection = request.get(WS_CONNECTION)
            if connection is not None:
                self._server.now_ns()
                self._server.hub.remove(connection)
                await connection.finish()

    async def _rest(self, request: web.Request, handler: WebHandler) -> web.StreamResponse:
        try:
            body = await request.read()
        except ConnectionError:
            return _cut(request)
        except web.RequestPayloadError:
            return web.Response(status=400, text="malformed body")
        params = _read_params(request, body)
        origin = Origin("rest", None, next(self._requests))
        request[REQUEST] = Incoming(origin, params, body)
        info = self.wire.request_info(request.method, request.path, params, request.headers)
        fault, answered = self._log_request(origin, request.method, request.path, params, info)
        if fault is not None and fault.do in _BEFORE:
            return await self._instead(request, fault, answered)
        try:
            response = await handler(request)
        except VenueReject as reject:
            response = self.wire.rejected(reject, request.path).response()
        except web.HTTPException as error:
            response = web.Response(status=error.status, text=error.text)
        lost = fault is not None and await self._is_lost(fault)
        answered(response.status, _code(response), response.get(USED_WEIGHT), delivered=not lost)
        return self._replaced(request, fault) if fault is not None and lost else response

    async def ws_call(
        self,
        connection: Connection,
        path: str,
        params: Mapping[str, str],
        info: RequestInfo,
        handler: Handler,
        failure: Failure,
    ) -> None:
        """See `Server.ws_call`."""
        origin = Origin("ws", connection.id, next(self._requests))
        fault, answered = self._log_request(origin, "WS", path, params, info)
        if fault is not None and fault.do in _BEFORE:
            if fault.do == "status":
                status, code = fault.status or 503, fault.code or ""
                answered(status, code, None, delivered=True)
                connection.send(failure(status, code))
                return
            answered(0, "", None, delivered=False)
            if fault.do != "silence":
                connection.abort("fault")
            return
        reply = await handler(origin)
        lost = fault is not None and await self._is_lost(fault)
        answered(reply.status, reply.code, reply.used_weight, delivered=not lost)
        if not lost:
            connection.send(reply.body)
        elif fault is not None and fault.status is not None:
            connection.send(failure(fault.status, fault.code or ""))

    def _log_request(
        self, origin: Origin, method: str, path: str, params: Mapping[str, str], info: RequestInfo
    ) -> tuple[Fault | None, _Answer]:
        server = self._server
        now_ns = server.now_ns()
        server.log.write(
            "request",
            now_ns,
            origin=origin,
            method=method,
            path=path,
            params={key: value for key, value in params.items() if key.lower() not in _SECRET},
            key_label=server.keys.label(info.key),
            weight=info.weight,
        )

        def answered(status: int, code: str, used: int | None, *, delivered: bool) -> None:
            server.log.write(
                "response",
                server.now_ns(),
                origin=origin,
                status=status,
                code=code,
                delivered=delivered,
                used_weight=used,
            )
            server.hub.flush(server.exchange.now_ns)
            server.log.flush()

        return server.faults.response(method, path, now_ns), answered

    async def _instead(self, request: web.Request, fault: Fault, answered: _Answer) -> web.StreamResponse:
        """The answer to a request that never reaches the engine."""
        if fault.do == "status":
            answered(fault.status or 503, fault.code or "", None, delivered=True)
            return self.wire.fault_reply(fault.status or 503, fault.code or "", request.path).response()
        answered(0, "", None, delivered=False)
        if fault.do == "silence":
            await self._hang(request)
        return _cut(request)

    def _replaced(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        """What comes in place of a lost answer: an injected status, or a cut."""
        if fault.status is None:
            return _cut(request)
        return self.wire.fault_reply(fault.status, fault.code or "", request.path).response()

    async def _is_lost(self, fault: Fault) -> bool:
        """Waits as a fault demands once the engine has done its part; whether the answer is lost."""
        if fault.ms > 0:
            await self._server.clock.sleep(fault.ms / 1000)
        return fault.do == "drop_after_accept"

    async def _hang(self, request: web.Request) -> None:
        """Says nothing until the client goes (aiohttp has no event for that)."""
        while request.transport is not None and not request.transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(_HANG_POLL_S)


def _code(response: web.StreamResponse) -> str:
    return str(response.get(CODE, "0" if response.status < 400 else response.status))


def _cut(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=503)


def _read_params(request: web.Request, body: bytes) -> dict[str, str]:
    params = dict(request.query)
    if not body:
        return params
    if request.content_type == "application/json" or body[:1] in b"{[":
        try:
            data: Any = orjson.loads(body)
        except orjson.JSONDecodeError:
            return params
        if isinstance(data, dict):
            params |= {key: value if isinstance(value, str) else _text(value) for key, value in data.items()}
        return params
    return params | dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))


def _text(value: Any) -> str:
    return orjson.dumps(value).decode()
