"""One WebSocket connection over ccxt, with an end that can always be waited for."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import aiohttp
import ccxt

from asmm_daemon.venue.stream_client import StreamClient, Tap

_HASH = "asmm"


class LinkLost(Exception):
    """The connection ended or could not be made; the message says why."""


class Link:
    """Dials once. `lost` is done when the connection has ended, for whatever reason."""

    def __init__(self, exchange: Any, url: str, tap: Tap, on_pong: Callable[[], None] | None = None) -> None:
        self._exchange = exchange
        self._url = url
        self._tap = tap
        self._on_pong = on_pong
        self._client: StreamClient | None = None
        self.lost: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def open(self, timeout_s: float) -> None:
        """Connects. Raises LinkLost."""
        client = self._exchange.client(self._url)
        client.tap, client.on_pong = self._tap, self._on_pong
        self._client = client
        self.lost = self._exchange.watch(self._url, _HASH)
        self.lost.add_done_callback(_retrieve)
        await asyncio.wait((client.connected, self.lost), timeout=timeout_s, return_when="FIRST_COMPLETED")
        if not client.isConnected or self.lost.done():
            self.drop("no connection in time")
            raise LinkLost(self.reason())

    async def send(self, frames: Iterable[dict[str, Any]]) -> None:
        """Sends frames in order. Raises LinkLost."""
        client = self._client
        if client is None:
            raise LinkLost("not connected")
        try:
            for frame in frames:
                await client.send(frame)
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            self.drop(f"cannot send: {error}")
            raise LinkLost(self.reason()) from error

    async def ping(self) -> None:
        """Sends a WebSocket ping; the pong comes to `on_pong`."""
        client = self._client
        if client is None or client.closed():
            return
        try:
            await client.connection.ping()
        except (aiohttp.ClientError, OSError, RuntimeError) as error:
            self.drop(f"cannot ping: {error}")

    def drop(self, reason: str) -> None:
        """Ends the connection so that the next dial is clean."""
        client = self._client
        if client is not None and not self.lost.done():
            client.on_error(ccxt.RequestTimeout(reason))

    def reason(self) -> str:
        """Why the connection ended."""
        if not self.lost.done():
            return "open"
        if self.lost.cancelled():
            return "closed"
        return str(self.lost.exception() or "closed")

    async def wait(self, timeout_s: float, *others: asyncio.Event) -> None:
        """Waits for the end, another event or the time, whichever is first. Raises LinkLost."""
        waiters = [asyncio.ensure_future(other.wait()) for other in others]
        try:
            await asyncio.wait((self.lost, *waiters), timeout=timeout_s, return_when="FIRST_COMPLETED")
        finally:
            for waiter in waiters:
                waiter.cancel()
        if self.lost.done():
            raise LinkLost(self.reason())


def _retrieve(lost: asyncio.Future[Any]) -> None:
    """Marks the reason as seen: a connection that we drop has nobody waiting."""
    if not lost.cancelled():
        lost.exception()
