"""A real venue's public market, mirrored message by message: what makes paper trading.

A thread of its own holds the connections, so that the exchange's loop never waits for a network. A
message counts from the moment it arrived here. A lost connection makes every book unknown (GAP) and is
dialled again, at first after a second, at most after thirty.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol

import aiohttp

from asmm_daemon.clock import wall_ns
from asmm_daemon.errors import AsmmError, VenueError
from asmm_daemon.events import Rows
from asmm_daemon.exchange.feeds.mirror_binance import BinanceMirror
from asmm_daemon.exchange.feeds.mirror_bybit import BybitMirror
from asmm_daemon.tape.columns import gap_row
from asmm_daemon.units import Instrument, Product

START_S = 20.0
"""How long the venue may take to say what it lists."""

FIRST_PAUSE_S, LAST_PAUSE_S = 1.0, 30.0
MALFORMED = (LookupError, TypeError, ValueError, ArithmeticError)
"""What a message that is not as documented raises."""

Push = Callable[[int, Rows], None]


class Mirror(Protocol):
    """One venue's public protocol."""

    async def instruments(self, session: aiohttp.ClientSession) -> list[Instrument]:
        """What the venue says about the markets, in the order asked for. Raises VenueError."""
        ...

    async def run(self, session: aiohttp.ClientSession, push: Push) -> None:
        """Pushes (symbol index, rows of one message) until the connection is lost; raises what ended it."""
        ...


def make_mirror(symbols: Sequence[str], product: Product, rest_url: str = "", ws_url: str = "") -> Mirror:
    """The mirror of a product's venue, or of another server at these roots that speaks its protocol."""
    if product in ("binance", "binanceusdm"):
        return BinanceMirror(symbols, product, rest_url, ws_url)
    return BybitMirror(symbols, product, rest_url, ws_url)


class MirrorFeed:
    """Messages of a live venue, as a feed.

    Construction waits for the list of instruments. Raises VenueError when it does not come.
    """

    def __init__(self, mirror: Mirror) -> None:
        self.instruments: list[Instrument] = []
        self.offsets_ns: list[int] = []
        self._mirror = mirror
        self._messages: deque[tuple[int, int, Rows]] = deque()
        self._last_ns = 0
        self._error: AsmmError | None = None
        self._listed = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="mirror", daemon=True)
        self._thread.start()
        listed = self._listed.wait(START_S)
        if self._error is not None or not listed:
            self.close()
            raise self._error or VenueError(f"mirror: the venue has not answered within {START_S:g} s")
        self.offsets_ns = [0] * len(self.instruments)

    def next_ns(self) -> int | None:
        """Arrival of the oldest message not yet taken; None when there is none."""
        return self._messages[0][0] if self._messages else None

    def pop(self) -> tuple[int, Rows]:
        """The oldest message. Raises IndexError when there is none."""
        _, index, rows = self._messages.popleft()
        return index, rows

    def close(self) -> None:
        """Ends the connections and the thread."""
        with suppress(RuntimeError):  # the loop is closed where the thread ended by itself
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5.0)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._until_stopped())

    async def _until_stopped(self) -> None:
        work = asyncio.ensure_future(self._work())
        stop = asyncio.ensure_future(self._stop.wait())
        await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
        for task in (work, stop):
            task.cancel()
        await asyncio.gather(work, stop, return_exceptions=True)

    async def _work(self) -> None:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session:
            try:
                self.instruments = await self._mirror.instruments(session)
            except AsmmError as error:
                self._error = error
            except MALFORMED as error:
                self._error = VenueError(f"mirror: the venue's list of instruments is malformed ({error!r})")
            finally:
                self._listed.set()
            pause_s = FIRST_PAUSE_S
            while self._error is None:
                seen_ns = self._last_ns
                try:
                    await self._mirror.run(session, self._push)
                except (aiohttp.ClientError, OSError, AsmmError, *MALFORMED):
                    pause_s = min(2 * pause_s, LAST_PAUSE_S) if self._last_ns == seen_ns else FIRST_PAUSE_S
                    self._lost()
                await asyncio.sleep(pause_s)

    def _push(self, index: int, rows: Rows) -> None:
        now_ns = max(wall_ns(), self._last_ns)
        self._last_ns = now_ns
        rows["exch_ns"] = rows["local_ns"] = now_ns
        self._messages.append((now_ns, index, rows))

    def _lost(self) -> None:
        for index in range(len(self.instruments)):
            self._push(index, gap_row(0, 0))
