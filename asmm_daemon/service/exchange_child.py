"""The embedded exchange as the daemon's child process, in a session of its own.

Ctrl-C reaches the daemon alone, so the exchange is there until our orders are cancelled; it ends when
the pipe to its standard input closes, however the daemon ended.
"""

import asyncio
import signal
import sys
from decimal import Decimal
from typing import Any, Self

import orjson

from asmm_daemon.config import Config
from asmm_daemon.errors import ConfigError, StateError, TapeError, VenueError

_START_S = 60.0
_FAULTS: dict[int | None, type[ConfigError | TapeError | StateError]] = {
    kind.exit_code: kind for kind in (ConfigError, TapeError, StateError)
}
"""Whose fault it is that it did not start, by its exit code; any other is the venue's."""


class ExchangeChild:
    """An async context: the exchange runs inside it.

    Raises:
        ConfigError, TapeError, StateError: it did not come up for a feed, a recording or a file of its own.
        VenueError: it did not come up.
    """

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        self._process: asyncio.subprocess.Process | None = None
        self.ready: dict[str, Any] = {}

    @property
    def rest_url(self) -> str:
        """Root of its REST server."""
        return str(self.ready["rest_url"])

    @property
    def ws_url(self) -> str:
        """Root of its WebSocket server."""
        return str(self.ready["ws_url"])

    def _arguments(self) -> list[str]:
        settings, demo = self._settings, self._settings.demo
        feed = "mirror" if settings.mode == "paper" else demo.feed
        if feed in ("synthetic", "mirror"):
            feed += ":" + ",".join(market.symbol for market in settings.market)
        arguments = ["--venue", settings.venue.name, "--feed", feed, "--speed", str(demo.speed)]
        arguments += ["--seed", str(demo.seed), "--order-latency-ms", str(demo.order_latency_ms)]
        arguments += ["--history-s", str(demo.history_s if feed.startswith("synthetic") else 0)]
        for name, fee in (("--maker", demo.maker_fee_bps), ("--taker", demo.taker_fee_bps)):
            if fee != "venue":
                arguments.append(f"{name}={Decimal(str(fee)).scaleb(-4)}")
        if demo.loop:
            arguments.append("--loop")
        if demo.log:
            arguments += ["--log", demo.log]
        if demo.faults:
            arguments += ["--faults", demo.faults]
        return [*arguments, "--die-with-parent"]

    async def __aenter__(self) -> Self:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "asmm_daemon.exchange.run",
            *self._arguments(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,
            start_new_session=True,
        )
        assert self._process.stdout is not None
        try:
            line = await asyncio.wait_for(self._process.stdout.readline(), _START_S)
            self.ready = orjson.loads(line)
        except TimeoutError:
            await self.__aexit__()
            raise VenueError(
                f"the embedded exchange did not start within {_START_S:g} s; is the machine busy? try again"
            ) from None
        except orjson.JSONDecodeError:
            process = self._process
            await self.__aexit__()
            kind = _FAULTS.get(process.returncode, VenueError)
            raise kind("the embedded exchange did not start; its own message stands above") from None
        except asyncio.CancelledError:
            await self.__aexit__()
            raise
        return self

    async def ended(self) -> str:
        """Waits until it ends before the session does, and says how it did."""
        assert self._process is not None
        code = await self._process.wait()
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with code {code}"
        return f"the embedded exchange ended {how}"

    async def __aexit__(self, *_: object) -> None:
        process = self._process
        if process is None:
            return
        self._process = None
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), 5.0)
        except TimeoutError:
            process.kill()
            await process.wait()
