"""What is done at a venue without the daemon: cancelling what is left, and asking how things stand."""

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path

import uvloop

from asmm_daemon import config as configuration
from asmm_daemon import log
from asmm_daemon.assembly import make_venue
from asmm_daemon.clock import Clock
from asmm_daemon.config import Config
from asmm_daemon.errors import VenueError
from asmm_daemon.service import edge
from asmm_daemon.service.exchange_child import ExchangeChild
from asmm_daemon.venue.adapter import CcxtVenue
from asmm_daemon.venue.protocol import Finding


def cancel(path: Path, overrides: Sequence[str]) -> str:
    """Cancels our orders without the daemon; returns what was done. Raises when it cannot be verified."""
    settings = configuration.load(path, overrides)
    if settings.embedded:
        return "the embedded exchange ends with the daemon; nothing can rest"
    return _cancel(settings)


def cancel_after(session: bytes, folder: Path) -> str:
    """Cancels what a dead daemon left, by the settings that it ran with. Raises as `cancel` does.

    The configuration file may have been edited, and broken, since.
    """
    return _cancel(configuration.saved(session, folder))


def _cancel(settings: Config) -> str:
    async def go() -> bool:
        venue = _reach(settings)
        try:
            await venue.connect()
            return await venue.kill()
        finally:
            await venue.close()

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if not runner.run(go()):
            raise VenueError("zero open orders could not be verified; look at the venue's own page")
    return "none of our orders is open"


def doctor(path: Path, overrides: Sequence[str]) -> list[Finding]:
    """What the venue says about clock, key, filters, fees, protection, foreign orders; the expected edge."""
    settings = configuration.load(path, overrides)

    async def go() -> list[Finding]:
        async with contextlib.AsyncExitStack() as stack:
            if settings.embedded:
                child = await stack.enter_async_context(ExchangeChild(settings))
                venue = make_venue(
                    settings,
                    configuration.keys(settings),
                    Clock(speed=settings.demo.speed),
                    child.rest_url,
                    child.ws_url,
                )
            else:
                venue = _reach(settings)
            stack.push_async_callback(venue.close)
            await venue.connect()
            return [*await venue.doctor(), *_edges(settings, venue)]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(go())


def _edges(settings: Config, venue: CcxtVenue) -> list[Finding]:
    return [
        Finding(
            "ok" if found.bps >= 0 else "warn",
            found.symbol,
            f"expected edge {found.bps:.2f} bps a fill after the maker fee, before adverse selection "
            f"(σ and κ {found.sample.source})",
        )
        for found in edge.expected(settings, venue.instruments)
    ]


def _reach(settings: Config) -> CcxtVenue:
    keys = configuration.keys(settings)
    log.hide([keys.key.get_secret_value(), keys.secret.get_secret_value()])
    log.configure(level=settings.log.level, style=settings.log.style)
    clock = Clock(speed=settings.demo.speed)
    return make_venue(settings, keys, clock, settings.venue.rest_url, settings.venue.ws_url)
