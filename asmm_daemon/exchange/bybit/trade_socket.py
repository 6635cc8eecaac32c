"""`/v5/trade`: order entry over WebSocket.

Source: https://bybit-exchange.github.io/docs/v5/websocket/trade/guideline
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from aiohttp import web

from asmm_daemon.exchange.bybit import codes
from asmm_daemon.exchange.bybit.auth import may_trade, socket_key, trade_window
from asmm_daemon.exchange.bybit.codes import ApiError, Verb, too_many
from asmm_daemon.exchange.bybit.frames import ANSWER_S, Message, parse
from asmm_daemon.exchange.bybit.limits import RateLimits, allowed, limit_headers
from asmm_daemon.exchange.bybit.rest import batch_weight
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import conn_id
from asmm_daemon.exchange.bybit.trade import Outcome, Trading
from asmm_daemon.exchange.connection import Connection
from asmm_daemon.exchange.orders import Origin
from asmm_daemon.exchange.wire import Reply, RequestInfo


@dataclass(slots=True)
class _TradeSession:
    """What the trade socket remembers of a connection."""

    cid: str
    used: set[str] = field(default_factory=set)


class TradeSocket:
    """`/v5/trade`: order entry over WebSocket."""

    def __init__(self, state: State, trading: Trading, limits: RateLimits) -> None:
        self._state = state
        self._trading = trading
        self._limits = limits

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, until it closes."""
        connection = await self._state.server.websocket(request, "api")
        session = _TradeSession(conn_id(connection.id, "trade"))
        async for text in connection:
            await self._handle(connection, session, parse(text) or {})
        return connection.response

    async def _handle(self, connection: Connection, session: _TradeSession, message: Message) -> None:
        op = str(message.get("op") or "")
        if op == "ping":
            now = str(self._state.server.time_ms())
            body = {"retCode": 0, "retMsg": "OK", "op": "pong", "data": [now], "connId": session.cid}
            connection.send(orjson.dumps(body))
        elif op == "auth":
            connection.send(orjson.dumps(self._auth(connection, session, message)))
        else:
            await self._order(connection, session, op, message)

    def _auth(self, connection: Connection, session: _TradeSession, message: Message) -> dict[str, Any]:
        code, text = 0, "OK"
        if connection.key is not None:
            code, text = 20001, "Repeat auth"
        else:
            try:
                now_ms = self._state.server.time_ms()
                connection.key = socket_key(self._state.server.keys, message.get("args"), now_ms)
            except ApiError as error:
                code, text = error.code, error.message
        body: dict[str, Any] = {"retCode": code, "retMsg": text, "op": "auth", "connId": session.cid}
        return {"reqId": message["reqId"], **body} if "reqId" in message else body

    async def _order(self, connection: Connection, session: _TradeSession, op: str, message: Message) -> None:
        args = message.get("args")
        order = args[0] if isinstance(args, list) and args and isinstance(args[0], dict) else {}
        params = {name: str(value) for name, value in order.items() if not isinstance(value, list)}
        key = connection.key

        def body(code: int, text: str, outcome: Outcome, headers: Mapping[str, str]) -> bytes:
            answer: dict[str, Any] = {
                "retCode": code,
                "retMsg": text,
                "op": op,
                "data": outcome.result,
                "retExtInfo": outcome.ext,
                "header": {**headers, "Traceid": session.cid, "Timenow": str(self._state.server.time_ms())},
                "connId": session.cid,
            }
            return orjson.dumps({"reqId": message["reqId"], **answer} if "reqId" in message else answer)

        async def handler(origin: Origin) -> Reply:
            headers: dict[str, str] = {}
            try:
                outcome = await self._run(connection, session, op, message, order, origin, headers)
            except ApiError as error:
                empty = Outcome({}, {})
                return Reply(200, body(error.code, error.message, empty, headers), str(error.code), headers)
            finally:
                await asyncio.sleep(ANSWER_S)
            return Reply(200, body(0, "OK", outcome, headers), "0", headers)

        def failure(_status: int, code: str) -> bytes:
            number = int(code) if code.isdigit() else 10016
            return body(number, "Internal System Error.", Outcome({}, {}), {})

        info = RequestInfo(key.key if key else None, batch_weight(order))
        await self._state.server.ws_call(connection, op, params, info, handler, failure)

    async def _run(
        self,
        connection: Connection,
        session: _TradeSession,
        op: str,
        message: Message,
        order: Message,
        origin: Origin,
        headers: dict[str, str],
    ) -> Outcome:
        state, key = self._state, connection.key
        if key is None:
            raise ApiError(codes.SIGN, "Request not authorized")
        verb, is_batch = _operation(op)
        request_id = str(message.get("reqId", ""))
        if request_id:
            if request_id in session.used:
                raise ApiError(20006, "reqId is duplicated")
            session.used.add(request_id)
        sent = message.get("header")
        trade_window(sent if isinstance(sent, dict) else {}, state.server.time_ms())
        may_trade(key)
        path = f"/v5/order/{verb}{'-batch' if is_batch else ''}"
        account = state.account(key)
        now_ns = state.server.now_ns()
        weight = batch_weight(order)
        usage = self._limits.charge(account.name, path, weight, now_ns)
        headers.update(limit_headers(usage, now_ns))
        within = allowed(usage, weight)
        if not within:
            raise too_many()
        if is_batch:
            return await state.server.act(lambda: self._trading.batch(verb, account, order, origin, within))
        return await state.server.act(lambda: self._trading.one(verb, account, order, origin))


def _operation(op: str) -> tuple[Verb, bool]:
    name, is_batch = op.removeprefix("order."), op.endswith("-batch")
    for verb in ("create", "amend", "cancel"):
        if op.startswith("order.") and name in (verb, f"{verb}-batch"):
            return verb, is_batch
    raise ApiError(10404, "op type is not found")
