"""`/v5/public/{category}`: subscriptions to public topics.

Source: https://bybit-exchange.github.io/docs/v5/ws/connect
"""

import asyncio
from typing import Any

import orjson
from aiohttp import web

from asmm_daemon.exchange.bybit.frames import ANSWER_S, Message, parse, topics_of
from asmm_daemon.exchange.bybit.public_topics import PublicTopics
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import conn_id
from asmm_daemon.exchange.connection import Connection

SPOT_MAX_ARGS = 10


class PublicSocket:
    """`/v5/public/{category}`."""

    def __init__(self, state: State, topics: PublicTopics) -> None:
        self._state = state
        self._topics = topics

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """One connection, until it closes."""
        category = request.path.rpartition("/")[2]
        connection = await self._state.server.websocket(request, "public")
        cid = conn_id(connection.id, category)
        async for text in connection:
            await self._handle(connection, category, cid, text)
        return connection.response

    async def _handle(self, connection: Connection, category: str, cid: str, text: str) -> None:
        message = parse(text)
        op = None if message is None else message.get("op")
        reply: dict[str, Any] = {"success": True, "ret_msg": "", "conn_id": cid}
        if message is not None and "req_id" in message:
            reply["req_id"] = message["req_id"]
        elif category != "spot":
            reply["req_id"] = ""
        if message is None or op not in ("ping", "subscribe", "unsubscribe"):
            reply |= {"success": False, "ret_msg": "error:invalid op", "op": str(op or "")}
        elif op == "ping":
            reply |= {"ret_msg": "pong", "op": "ping"}
        else:
            reply |= {"ret_msg": op if category == "spot" else "", "op": op}
            await asyncio.sleep(ANSWER_S)
            self._change(connection, category, message, reply)
            return
        connection.send(orjson.dumps(reply))

    def _change(self, connection: Connection, category: str, message: Message, reply: dict[str, Any]) -> None:
        """Subscribes or unsubscribes; the answer goes out before the first data."""
        names, hub = topics_of(message), self._state.server.hub
        if message["op"] == "unsubscribe":
            hub.unsubscribe(connection, names)
            connection.send(orjson.dumps(reply))
            return
        problem = self._problem(connection, category, names)
        if problem is not None:
            connection.send(orjson.dumps(reply | {"success": False, "ret_msg": problem}))
            return
        connection.send(orjson.dumps(reply))
        now_ns = self._state.server.now_ns()
        for name in names:
            first = self._topics.first(name, now_ns)
            if first is not None:
                connection.send(orjson.dumps(first))
            hub.subscribe(connection, [name])
            self._topics.started(name, now_ns)

    def _problem(self, connection: Connection, category: str, names: list[str]) -> str | None:
        if not names:
            return "error:invalid args"
        if category == "spot" and len(names) > SPOT_MAX_ARGS:
            return "args size >10"
        if category != self._state.category:
            return f"Invalid symbol :[{','.join(names)}]"
        for name in names:
            problem = self._topics.problem(name)
            if problem is not None:
                return problem
            if name in connection.streams:
                return f"error:already subscribed,topic:{name}"
        return None
