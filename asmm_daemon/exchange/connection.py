"""One client's WebSocket: frames leave in order, through one writer, after the log's lines."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator

from aiohttp import WSMsgType, web

from asmm_daemon.exchange.keys import ApiKey
from asmm_daemon.exchange.log import VenueLog

_MAX_QUEUE = 50_000


class Connection:
    """Made by `Server.websocket`; `async for text in connection` reads the client's text messages.

    `state` is the wire's own, `key` who logged in. Everything that is sent leaves in the order of the
    calls. Iteration ends when the client or a fault closes it; pings are answered on the way.
    `response` is what the aiohttp handler must return.
    """

    def __init__(
        self,
        number: int,
        name: str,
        response: web.WebSocketResponse,
        transport: asyncio.Transport | None,
        log: VenueLog,
    ) -> None:
        self.id = number
        self.name = name
        self.response = response
        self.key: ApiKey | None = None
        self.state: object = None
        self.streams: set[str] = set()
        self.is_frozen = False
        self.is_closing = False
        self.reason = "client"
        self._transport = transport
        self._log = log
        self._queue: deque[tuple[WSMsgType, bytes]] = deque()
        self._ready = asyncio.Event()
        self._writer = asyncio.create_task(self._write(), name=f"writer of connection {number}")

    def send(self, payload: bytes | str) -> None:
        """Queues one text frame."""
        self._put(WSMsgType.TEXT, payload if isinstance(payload, bytes) else payload.encode())

    def ping(self, payload: bytes = b"") -> None:
        """Queues a ping frame."""
        self._put(WSMsgType.PING, payload)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Closes after what is queued has left."""
        if not self.is_closing:
            self.is_closing, self.reason = True, reason or "server"
            self._queue.append((WSMsgType.CLOSE, code.to_bytes(2) + reason.encode()))
            self._ready.set()

    def abort(self, reason: str) -> None:
        """Cuts the connection without a word."""
        self.is_closing, self.reason = True, reason
        if self._transport is not None:
            self._transport.abort()

    async def finish(self) -> None:
        """Ends the writer; the chassis calls it once the handler is done."""
        self._writer.cancel()
        await asyncio.gather(self._writer, return_exceptions=True)

    async def __aiter__(self) -> AsyncIterator[str]:
        """The client's text messages."""
        async for message in self.response:
            if self.is_frozen:
                continue
            if message.type is WSMsgType.TEXT:
                yield message.data
            elif message.type is WSMsgType.PING:
                self._put(WSMsgType.PONG, message.data)

    def _put(self, kind: WSMsgType, payload: bytes) -> None:
        if self.is_frozen or self.is_closing:
            return
        self._queue.append((kind, payload))
        self._ready.set()
        if len(self._queue) > _MAX_QUEUE:
            self._queue.clear()
            self.close(1008, "client reads too slowly")

    async def _write(self) -> None:
        response, queue = self.response, self._queue
        while True:
            await self._ready.wait()
            self._ready.clear()
            self._log.flush()
            try:
                while queue:
                    kind, payload = queue.popleft()
                    if self.is_frozen:
                        continue
                    if kind is WSMsgType.CLOSE:
                        await response.close(code=int.from_bytes(payload[:2]), message=payload[2:])
                        return
                    await response.send_frame(payload, kind)
            except ConnectionError:
                self.is_closing = True
                return
