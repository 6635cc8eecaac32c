"""The dead-man's switch that hangs on the private stream, step by step on a clock of its own."""

import asyncio
from types import SimpleNamespace

from asmm_daemon.venue.deadman import Deadman
from asmm_daemon.venue.protocol import VenueSettings

S = 10**9


class _Clock:
    speed = 1.0

    def __init__(self):
        self.t_ns = 1000 * S

    def now_ns(self):
        return self.t_ns


class _Pace:
    """Each sleep is a step of the clock, until the steps are used up."""

    def __init__(self, clock, seconds):
        self.clock, self.end_ns = clock, clock.t_ns + int(seconds * S)
        self.stop = asyncio.Event()

    async def sleep(self, seconds, wake=None):
        del wake
        self.clock.t_ns += int(seconds * S)
        return self.clock.t_ns < self.end_ns


class _Stream:
    def __init__(self, clock):
        self.clock, self.held, self.told = clock, False, []

    def hold(self, reason):
        self.held = True
        self.told.append((self.clock.t_ns, reason))

    def release(self):
        self.held = False
        self.told.append((self.clock.t_ns, "released"))


class _Dialect:
    def __init__(self, *, by_stream=True, on=True):
        self.capabilities = SimpleNamespace(deadman=True, deadman_by_stream=by_stream)
        self.on = on

    async def arm(self, m, window_s):
        del m, window_s
        return self.on


def _told(reply_s, *, seconds=60.0, by_stream=True, on=True):
    """What the private stream is told when REST answers last `reply_s(t)` seconds after the start."""

    async def scenario():
        clock = _Clock()
        start_ns = clock.t_ns
        settings = VenueSettings("bybit-linear", ("BTCUSDT",), "k", "s")
        deadman = Deadman(_Dialect(by_stream=by_stream, on=on), clock, settings)
        await deadman._beat(0)
        stream = _Stream(clock)

        def last_ns():
            return start_ns + int(reply_s((clock.t_ns - start_ns) / S) * S)

        await deadman.let_go(_Pace(clock, seconds), stream, last_ns)
        return [((t_ns - start_ns) / S, reason) for t_ns, reason in stream.told]

    return asyncio.run(scenario())


def test_the_private_stream_is_given_up_while_rest_is_silent():
    """S5: early enough that the venue's window of 20 s ends within 31 s of the last contact."""
    ((at_s, reason), (back_s, word)) = _told(lambda t: 0.0 if t < 40 else t)
    assert at_s <= 9.0
    assert "dead-man's switch" in reason
    assert (back_s, word) == (40.0, "released")


def test_a_channel_that_answers_keeps_the_stream():
    """The slowest healthy beat is no silence."""
    assert _told(lambda t: t - t % 6) == []


def test_a_stream_that_protects_nothing_is_kept():
    """Not given up where the switch is refreshed by REST, nor where the account has none."""
    assert _told(lambda _: 0.0, by_stream=False) == []
    assert _told(lambda _: 0.0, on=False) == []
