"""The WebSocket API: requests and user stream subscriptions over one connection."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from asmm_daemon.exchange.binance import errors, ws_message
from asmm_daemon.exchange.binance.dispatch import Dispatcher, Outcome
from asmm_daemon.exchange.binance.endpoint import Endpoint, Security
from asmm_daemon.exchange.binance.envelope import subscription
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.gate import Signed
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.binance.rate_info import limit_row
from asmm_daemon.exchange.binance.rest import fault_error
from asmm_daemon.exchange.binance.spot_events import EVENTS
from asmm_daemon.exchange.binance.user_stream import UserStream, stream_name
from asmm_daemon.exchange.binance.ws_message import WsRequest
from asmm_daemon.exchange.connection import Connection
from asmm_daemon.exchange.orders import Origin
from asmm_daemon.exchange.wire import Reply, RequestInfo
from asmm_daemon.units import NS_PER_MS, NS_PER_S

DAY_NS = 86_400 * NS_PER_S
PING_S = {True: 20.0, False: 180.0}
_LINGER_NS = 100 * NS_PER_MS


@dataclass(slots=True)
class ApiSession:
    """One connection: when it was opened, whether answers tell rate limits, user streams by their ids."""

    address: str
    since_ms: int
    with_limits: bool
    subscriptions: dict[int, str] = field(default_factory=dict)
    issued: int = 0


class WsApi:
    """Serves the WebSocket API of one product."""

    def __init__(self, dispatcher: Dispatcher, users: UserStream) -> None:
        self.dispatcher = dispatcher
        self.server = dispatcher.server
        self.desk = dispatcher.desk
        self.users = users
        self.path = "/ws-api/v3" if self.desk.is_spot else "/ws-fapi/v1"

    def routes(self, app: web.Application) -> None:
        """Adds the API's path."""
        app.router.add_get(self.path, self._serve, allow_head=False)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        connection = await self.server.websocket(request, "api", ping_s=PING_S[self.desk.is_spot])
        with_limits = request.query.get("returnRateLimits") != "false"
        session = ApiSession(request.remote or "", self.desk.time_ms(), with_limits)
        connection.state = session
        stop = self.desk.exchange.call_at(
            self.desk.exchange.now_ns + DAY_NS, lambda _: connection.close(1001, "24 hours")
        )
        async with asyncio.TaskGroup() as tasks:
            async for text in connection:
                tasks.create_task(self._handle(connection, session, text))
        stop()
        return connection.response

    async def _handle(self, connection: Connection, session: ApiSession, text: str) -> None:
        try:
            request = ws_message.parse(text)
        except ApiError as error:
            connection.send(ws_message.failure(None, error, None, self.desk.time_ms()))
            return
        limits_wanted = request.params.get("returnRateLimits")
        with_limits = session.with_limits if limits_wanted is None else limits_wanted == "true"

        async def run(origin: Origin) -> Reply:
            outcome = await self._outcome(connection, session, request, origin)
            return self._reply(request, outcome, with_limits=with_limits)

        def failed(status: int, code: str) -> bytes:
            error = fault_error(status, code)
            return ws_message.failure(request.request_id, error, None, self.desk.time_ms())

        endpoint = self.dispatcher.by_ws.get(request.method)
        info = RequestInfo(request.params.get("apiKey"), self._weight(endpoint, request))
        await self.server.ws_call(connection, request.method, request.params, info, run, failed)

    def _weight(self, endpoint: Endpoint | None, request: WsRequest) -> int:
        if endpoint is None:
            return 2
        try:
            return endpoint.cost(Params(request.params))
        except ApiError:
            return 1

    async def _outcome(
        self, connection: Connection, session: ApiSession, request: WsRequest, origin: Origin
    ) -> Outcome:
        signed = Signed(request.params.get("apiKey"), ws_message.signed_payloads(request.params))
        endpoint = self.dispatcher.by_ws.get(request.method) or self._own(connection, session, request)
        if endpoint is None:
            error = ApiError(-1000, f"Unknown method '{request.method}'.")
            return Outcome(None, error, self._used(session), {})
        return await self.dispatcher.run(endpoint, Params(request.params), signed, origin, session.address)

    def _used(self, session: ApiSession) -> int:
        return self.dispatcher.gate.weight.peek(session.address, self.desk.exchange.now_ns).used

    def _own(self, connection: Connection, session: ApiSession, request: WsRequest) -> Endpoint | None:
        """Methods that concern the connection itself."""
        user = Security.USER_DATA
        spot_only = {
            "userDataStream.subscribe.signature": (
                user,
                lambda call: self._subscribe(connection, session, call.owner.name),
            ),
            "userDataStream.subscribe": (Security.NONE, lambda _: self._needs_logon()),
            "userDataStream.unsubscribe": (
                Security.NONE,
                lambda call: self._unsubscribe(connection, session, call.params),
            ),
            "session.subscriptions": (
                Security.NONE,
                lambda _: [{"subscriptionId": number} for number in session.subscriptions],
            ),
        }
        both = {
            "session.logon": (user, lambda _: self._no_hmac_logon()),
            "session.status": (Security.NONE, lambda _: self._status(session)),
            "session.logout": (Security.NONE, lambda _: self._status(session)),
        }
        known = {**both, **(spot_only if self.desk.is_spot else {})}
        if request.method not in known:
            return None
        security, handler = known[request.method]
        return Endpoint("WS", request.method, handler, security, 2, request.method)

    def _subscribe(self, connection: Connection, session: ApiSession, account: str) -> dict[str, Any]:
        number = session.issued
        session.issued += 1
        session.subscriptions[number] = account
        names = [stream_name(account, event) for event in EVENTS]
        self.server.hub.subscribe(connection, names, subscription(number))
        return {"subscriptionId": number}

    def _unsubscribe(self, connection: Connection, session: ApiSession, params: Params) -> dict[str, Any]:
        number = params.optional_integer("subscriptionId")
        chosen = list(session.subscriptions) if number is None else [number]
        now_ns = self.desk.exchange.now_ns
        for one in chosen:
            account = session.subscriptions.pop(one, None)
            if account is None:
                raise ApiError(-1130, "Data sent for parameter 'subscriptionId' is not valid.")
            event = {"e": "eventStreamTerminated", "E": now_ns // NS_PER_MS}
            connection.send(subscription(one)(ws_message.dump(event)))
            self.server.hub.unsubscribe(connection, [stream_name(account, name) for name in EVENTS])
        return {}

    def terminate(self, connection: Connection) -> None:
        """Ends a connection's user streams from the venue's side, telling it."""
        session = connection.state
        if not isinstance(session, ApiSession):
            return
        now_ns = self.desk.exchange.now_ns
        for account in set(session.subscriptions.values()):
            event = {"e": "eventStreamTerminated", "E": now_ns // NS_PER_MS}
            self.users.publish(account, event, now_ns)
            names = [stream_name(account, name) for name in EVENTS]
            self.desk.exchange.call_at(
                now_ns + _LINGER_NS,
                lambda _, names=names: self.server.hub.unsubscribe(connection, names),  # type: ignore[misc]
            )
        session.subscriptions.clear()

    def _needs_logon(self) -> None:
        raise errors.ApiError(-1099, "Not found, authenticated, or authorized", status=401)

    def _no_hmac_logon(self) -> None:
        raise ApiError(-4056, "HMAC_SHA256 API key is not supported.")

    def _status(self, session: ApiSession) -> dict[str, Any]:
        body: dict[str, Any] = {
            "apiKey": None,
            "authorizedSince": None,
            "connectedSince": session.since_ms,
            "returnRateLimits": session.with_limits,
            "serverTime": self.desk.time_ms(),
        }
        if self.desk.is_spot:
            body["userDataStream"] = bool(session.subscriptions)
        return body

    def _reply(self, request: WsRequest, outcome: Outcome, *, with_limits: bool) -> Reply:
        limits = self._limits(outcome) if with_limits else None
        if outcome.error is None:
            body = ws_message.success(request.request_id, outcome.result, limits)
            return Reply(200, body, "0", used_weight=outcome.used_weight)
        body = ws_message.failure(request.request_id, outcome.error, limits, self.desk.time_ms())
        return Reply(outcome.error.status, body, outcome.code, used_weight=outcome.used_weight)

    def _limits(self, outcome: Outcome) -> list[dict[str, Any]]:
        rows = []
        gate = self.dispatcher.gate
        for budget in gate.orders:
            if budget.limit.name in outcome.order_counts:
                count = outcome.order_counts[budget.limit.name]
                rows.append(limit_row("ORDERS", budget.limit.name, budget.limit.cap, count))
        rows.append(limit_row("REQUEST_WEIGHT", "1m", gate.weight.limit.cap, outcome.used_weight))
        return rows
