"""The embedded exchange as a child process, and the adapter connected to it."""

import asyncio
import json
import subprocess
import sys
from contextlib import asynccontextmanager

import aiohttp
from fake_venue import Recorder

from asmm_daemon.clock import Clock
from asmm_daemon.events import Channel, ChannelEvent
from asmm_daemon.venue.adapter import CcxtVenue
from asmm_daemon.venue.protocol import VenueSettings


@asynccontextmanager
async def exchange(product, *, speed=1.0, feed="synthetic"):
    """Starts it and yields what its ready line says."""
    arguments = ["--venue", product, "--feed", feed, "--speed", str(speed), "--seed", "7"]
    command = [sys.executable, "-m", "asmm_daemon.exchange.run", *arguments]
    child = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        yield json.loads(await child.stdout.readline())
    finally:
        child.terminate()
        await child.wait()


class Session:
    """A connected, running adapter with all channels up."""

    def __init__(self, venue, sink, ready):
        self.venue = venue
        self.sink = sink
        self.ready = ready

    def best(self, m=0):
        """Best bid and ask in ticks, as the adapter's own book has them."""
        head = self.venue._streams[m]._top._book.head[0]
        return int(head["bid"]), int(head["ask"])

    def count(self, channel, *, up):
        """How often a channel came up or went down."""
        return len([e for e in self.sink.of(ChannelEvent) if e.channel is channel and e.up is up])

    async def fault(self, **fault):
        """Adds a fault to the exchange, effective now."""
        async with (
            aiohttp.ClientSession() as client,
            client.post(self.ready["admin_url"] + "/faults", json=fault) as reply,
        ):
            assert reply.status == 200, await reply.text()

    async def act(self, action, **params):
        """An administrator's action."""
        async with (
            aiohttp.ClientSession() as client,
            client.post(f"{self.ready['admin_url']}/{action}", json=params) as reply,
        ):
            assert reply.status == 200, await reply.text()


@asynccontextmanager
async def session(product, *, speed=1.0, feed="synthetic", **options):
    """Exchange and adapter together."""
    async with exchange(product, speed=speed, feed=feed) as ready:
        symbols = tuple(ready["symbols"])
        settings = VenueSettings(
            product, symbols, "KEY", "SECRET", ready["rest_url"], ready["ws_url"], **options
        )
        venue = CcxtVenue(settings, Clock(speed=speed))
        await venue.connect()
        sink, stop = Recorder(), asyncio.Event()
        task = asyncio.ensure_future(venue.run(sink, stop))
        both = Session(venue, sink, ready)
        try:
            await sink.until(
                lambda _: (
                    both.count(Channel.BOOK, up=True) == len(symbols) and both.count(Channel.PRIVATE, up=True)
                )
            )
            yield both
        finally:
            stop.set()
            await task
            await venue.close()
