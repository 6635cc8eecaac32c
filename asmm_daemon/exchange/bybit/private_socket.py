"""`/v5/private`: authentication and subscriptions to the account's topics.

Source: https://bybit-exchange.github.io/docs/v5/ws/connect
"""

import asyncio
from typing import Any

import orjson
from aiohttp import web

from asmm_daemon.exchange.bybit.auth import socket_key
from asmm_daemon.exchange.bybit.codes import ApiError
from asmm_daemon.exchange.bybit.dcp import DisconnectionGuard
from asmm_daemon.exchange.bybit.frames import ANSWER_S, parse, topics_of
from asmm_daemon.exchange.bybit.private_topics import PROTECTS, is_topic, stream
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import conn_id
from asmm_daemon.exchange.connection import Connection


class PrivateSocket:
    """`/v5/private`: authentication, then the account's topics."""

    def __init__(self, state: State, guard: DisconnectionGuard) -> None:
        self._state = state
        self._guard = guard

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, until it closes."""
        connection = await self._state.server.websocket(request, "private")
        cid = conn_id(connection.id, "private")
        try:
            async for text in connection:
                self._handle(connection, cid, text)
        finally:
            self._guard.closed(connection)
        return connection.response

    def _handle(self, connection: Connection, cid: str, text: str) -> None:
        message = parse(text) or {}
        op = message.get("op")
        reply: dict[str, Any] = {"success": True, "ret_msg": "", "op": op, "conn_id": cid}
        if "req_id" in message:
            reply = {"req_id": message["req_id"], **reply}
        if op == "ping":
            del reply["success"], reply["ret_msg"]
            reply |= {"op": "pong", "args": [str(self._state.server.time_ms())]}
        elif op == "auth":
            try:
                connection.key = socket_key(
                    self._state.server.keys, message.get("args"), self._state.server.time_ms()
                )
            except ApiError as error:
                reply |= {"success": False, "ret_msg": error.message}
        elif op in ("subscribe", "unsubscribe"):
            self._change(connection, op, topics_of(message), reply)
            asyncio.get_running_loop().call_later(ANSWER_S, connection.send, orjson.dumps(reply))
            return
        else:
            reply |= {"success": False, "ret_msg": "error:invalid op", "op": str(op or "")}
        connection.send(orjson.dumps(reply))

    def _change(self, connection: Connection, op: str, names: list[str], reply: dict[str, Any]) -> None:
        if connection.key is None:
            reply |= {"success": False, "ret_msg": "Request not authorized"}
            return
        unknown = [name for name in names if not is_topic(name)]
        if unknown or not names:
            reply |= {"success": False, "ret_msg": f"error:handler not found,topic:{','.join(unknown)}"}
            return
        account = connection.key.account
        streams = [stream(name, account) for name in names]
        hub = self._state.server.hub
        if op == "unsubscribe":
            hub.unsubscribe(connection, streams)
            return
        hub.subscribe(connection, streams)
        if any(name in PROTECTS[self._state.category] for name in names):
            self._guard.joined(connection)
