"""A WebSocket client whose receive loop no message can kill.

ccxt's client dies silently of one bad message and creates a task for each; this one reads in one
task, hands each decoded message to a tap, and turns whatever goes wrong into `on_error`, after which
the next dial is clean.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import ccxt
import orjson
from aiohttp import WSMessage, WSMsgType
from ccxt.async_support.base.ws.client import Client

from asmm_daemon.errors import UnitError

Tap = Callable[[Any], None]

MALFORMED = (ValueError, TypeError, LookupError, ArithmeticError, AttributeError, UnitError, ccxt.BaseError)
"""What a handler of foreign data may raise."""
_YIELD_EVERY = 32


class StreamClient(Client):  # type: ignore[misc]  # ccxt is untyped
    """ccxt's client with a tap for messages and a guarded receive loop."""

    tap: Tap | None = None
    on_pong: Callable[[], None] | None = None
    reader: asyncio.Task[None] | None = None

    def receive_loop(self) -> None:
        """Starts the one reading task; ccxt calls it once the connection stands."""
        self.reader = asyncio.get_running_loop().create_task(self._read())

    async def _read(self) -> None:
        count = 0
        try:
            while not self.closed():
                self.handle_message(await self.connection.receive())
                count += 1
                if count % _YIELD_EVERY == 0:
                    await asyncio.sleep(0)
        except (aiohttp.ClientError, OSError, RuntimeError, EOFError) as error:
            self.on_error(ccxt.NetworkError(str(error)))
            return
        if not self.error:
            self.on_close(1006)

    def handle_message(self, message: WSMessage) -> None:
        """Decodes and hands over one message; a bad one ends the connection, never the loop."""
        kind = message.type
        if kind is WSMsgType.TEXT or kind is WSMsgType.BINARY:
            tap = self.tap
            self.lastPong = None  # whatever arrives proves the connection; ccxt then starts its count anew
            if tap is None:
                return
            try:
                tap(orjson.loads(message.data))
            except MALFORMED as error:
                self.on_error(ccxt.BadResponse(f"bad message: {type(error).__name__}: {error}"))
            return
        if kind is WSMsgType.PONG and self.on_pong is not None:
            self.on_pong()
        super().handle_message(message)
