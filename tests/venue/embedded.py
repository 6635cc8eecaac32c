"""The embedded exchange as a child process, and the adapter connected to it."""

import asyncio
import itertools
import json
import subprocess
import sys
import time
from contextlib import asynccontextmanager

import aiohttp
from fake_venue import Recorder

from asmm_daemon.clock import Clock
from asmm_daemon.events import Channel, ChannelEvent
from asmm_daemon.venue.adapter import CcxtVenue
from asmm_daemon.venue.protocol import VenueSettings


class Exchange:
    """The exchange in a child process, started once and used by many tests."""

    def __init__(self, product, speed):
        arguments = ["--venue", product, "--feed", "synthetic", "--speed", str(speed), "--seed", "7"]
        command = [sys.executable, "-m", "asmm_daemon.exchange.run", *arguments]
        self.product = product
        self.speed = speed
        self._child = subprocess.Popen(command, stdout=subprocess.PIPE)
        self.ready = json.loads(self._child.stdout.readline())

    def stop(self):
        """Ends the child."""
        self._child.terminate()
        self._child.wait()
        self._child.stdout.close()


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
async def session(exchange, **options):
    """An adapter on a running exchange from which faults and orders of earlier tests are gone."""
    ready = exchange.ready
    async with aiohttp.ClientSession() as client, client.delete(ready["admin_url"] + "/faults") as reply:
        assert reply.status == 200
    symbols = tuple(ready["symbols"])
    settings = VenueSettings(
        exchange.product, symbols, "KEY", "SECRET", ready["rest_url"], ready["ws_url"], **options
    )
    venue = CcxtVenue(settings, Clock(speed=exchange.speed))
    await venue.connect()
    assert await venue.kill()
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


_numbers = itertools.count(time.time_ns())


def cid(prefix="asmm"):
    """A client order id that was never used."""
    return f"{prefix}-{next(_numbers)}"
