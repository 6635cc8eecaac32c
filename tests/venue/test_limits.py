"""The request budget."""

import asyncio

from asmm_daemon.clock import Clock
from asmm_daemon.venue.limits import Limiter, Priority


class ManualClock(Clock):
    """Venue time that moves only when told; real waiting runs a thousand times faster."""

    def __init__(self):
        super().__init__(speed=1000.0, start_ns=10**18)
        self.t_ns = 10**18

    def now_ns(self):
        """Venue time as set."""
        return self.t_ns

    def pass_s(self, seconds):
        """Lets venue time pass."""
        self.t_ns += int(seconds * 1e9)


def test_what_fits_is_granted_at_once():
    """An uncontested request costs no wait and is booked."""

    async def scenario():
        limiter = Limiter(ManualClock(), {"weight": (10, 60)}, 0.2)
        assert await limiter.acquire(Priority.ORDER, {"weight": 5})
        assert limiter.budget().used == 5

    asyncio.run(scenario())


def test_the_reserve_belongs_to_cancels():
    """When the others' share is spent a cancel still goes, an order does not."""

    async def scenario():
        limiter = Limiter(ManualClock(), {"weight": (10, 60)}, 0.2)
        assert await limiter.acquire(Priority.ORDER, {"weight": 8})
        assert not await limiter.acquire(Priority.ORDER, {"weight": 1}, max_wait_s=1)
        assert await limiter.acquire(Priority.CANCEL, {"weight": 1})

    asyncio.run(scenario())


def test_cancels_overtake_waiting_queries():
    """A cancel that arrives last is granted first."""

    async def scenario():
        clock = ManualClock()
        limiter = Limiter(clock, {"weight": (2, 10)}, 0.0)
        await limiter.acquire(Priority.QUERY, {"weight": 2})
        order = []

        async def want(name, priority):
            await limiter.acquire(priority, {"weight": 2})
            order.append(name)

        waiting = [asyncio.ensure_future(want("query", Priority.QUERY))]
        await asyncio.sleep(0)
        waiting.append(asyncio.ensure_future(want("cancel", Priority.CANCEL)))
        await asyncio.sleep(0)
        for _ in range(2):
            clock.pass_s(11)
            limiter._pump()
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        assert order == ["cancel", "query"]

    asyncio.run(scenario())


def test_a_full_bucket_blocks_only_its_own():
    """A create that waits for its bucket leaves the cancels' bucket alone."""

    async def scenario():
        limiter = Limiter(ManualClock(), {"create": (1, 10), "cancel": (1, 10)}, 0.0)
        await limiter.acquire(Priority.ORDER, {"create": 1})
        late = asyncio.ensure_future(limiter.acquire(Priority.ORDER, {"create": 1}, max_wait_s=5))
        await asyncio.sleep(0)
        assert await limiter.acquire(Priority.QUERY, {"cancel": 1}, max_wait_s=1)
        assert not await late

    asyncio.run(scenario())


def test_retry_after_silences_cancels_too():
    """Nothing at all is sent before the venue's time has passed."""

    async def scenario():
        clock = ManualClock()
        limiter = Limiter(clock, {"weight": (10, 60)}, 0.2)
        limiter.silence(30.0, banned=False)
        assert not await limiter.acquire(Priority.CANCEL, {"weight": 1}, max_wait_s=1)
        clock.pass_s(30)
        assert await limiter.acquire(Priority.CANCEL, {"weight": 1})

    asyncio.run(scenario())


def test_a_429_without_a_time_backs_off_longer_each_time():
    """The guess doubles until the venue serves again."""
    limiter = Limiter(ManualClock(), {}, 0.2)
    assert [limiter.silence(None, banned=False) for _ in range(3)] == [1.0, 2.0, 4.0]
    limiter.answered()
    assert limiter.silence(None, banned=False) == 1.0


def test_the_venues_own_count_is_taken_over_when_higher():
    """Others on the same address spend from the same budget."""
    limiter = Limiter(ManualClock(), {"weight": (100, 60)}, 0.2)
    limiter.observe_used("weight", 70)
    assert limiter.budget().used == 70
    limiter.observe_used("weight", 30)
    assert limiter.budget().used == 70


def test_weight_leaves_the_window():
    """The window slides: what is older than it is free again."""

    async def scenario():
        clock = ManualClock()
        limiter = Limiter(clock, {"weight": (10, 60)}, 0.0)
        await limiter.acquire(Priority.ORDER, {"weight": 10})
        clock.pass_s(61)
        assert limiter.budget().used == 0

    asyncio.run(scenario())


def test_without_limits_only_silence_holds_back():
    """The kill path is never throttled by a budget of ours."""

    async def scenario():
        limiter = Limiter(ManualClock(), {"weight": (1, 60)}, 0.2, limited=False)
        for _ in range(5):
            assert await limiter.acquire(Priority.CANCEL, {"weight": 1}, max_wait_s=0.1)
        limiter.set_limits({"weight": (1, 60)})
        assert await limiter.acquire(Priority.CANCEL, {"weight": 5}, max_wait_s=0.1)

    asyncio.run(scenario())
