"""One request at a time: retries, silence and what is told about the key."""

import asyncio

import ccxt
import pytest

from asmm_daemon.clock import Clock
from asmm_daemon.events import Cause
from asmm_daemon.venue.limits import Limiter, Priority
from asmm_daemon.venue.outcomes import HttpFault, Refused
from asmm_daemon.venue.requests import Requests


class Scripted:
    """Stands where ccxt stands: each call takes the next outcome."""

    def __init__(self, *outcomes):
        self.outcomes = list(outcomes)
        self.calls = 0
        self.requests = None

    async def privatePostOrder(self, params):  # noqa: N802  (ccxt's name)
        """One signed request."""
        self.calls += 1
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, tuple):
            status, headers, outcome = outcome
            self.requests.on_response(status, headers)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome


def make(*outcomes, product="binance"):
    exchange = Scripted(*outcomes)
    clock = Clock(speed=100.0)
    requests = Requests(exchange, Limiter(clock, {"weight": (100, 60)}, 0.2), clock, product)
    exchange.requests = requests
    return exchange, requests


def call(requests, priority, **options):
    return requests.call("privatePostOrder", {}, {"weight": 1}, priority, **options)


BUSY = HttpFault(429, "-1003", "Too many requests", ccxt.DDoSProtection)


def test_a_cancel_is_tried_again_after_the_silence_an_order_is_not():
    """The order's price would be old by then; the cancel is wanted all the same."""

    async def scenario():
        exchange, requests = make((429, {"Retry-After": "2"}, BUSY), {"ok": 1})
        assert await call(requests, Priority.CANCEL) == {"ok": 1}
        assert exchange.calls == 2
        exchange, requests = make((429, {"Retry-After": "2"}, BUSY))
        with pytest.raises(Refused) as caught:
            await call(requests, Priority.ORDER)
        assert caught.value.failure.cause is Cause.RATE_LIMIT
        assert requests.limiter.silent_until_ns > requests.clock.now_ns()

    asyncio.run(scenario())


def test_an_order_that_waits_too_long_is_not_sent():
    """Its refusal is certain: nothing left the machine."""

    async def scenario():
        exchange, requests = make()
        requests.limiter.silence(1000.0, banned=False)
        with pytest.raises(Refused) as caught:
            await call(requests, Priority.ORDER, max_wait_s=1.0)
        assert caught.value.failure.certain
        assert exchange.calls == 0

    asyncio.run(scenario())


def test_bybit_names_the_end_of_its_window_in_a_header():
    """10006 comes with status 200; the silence lasts until the named moment."""

    async def scenario():
        busy = HttpFault(200, "10006", "Too many visits!", ccxt.RateLimitExceeded)
        exchange, requests = make(product="bybit-linear")
        until_ms = int(requests.clock.now_s() * 1000) + 60_000
        headers = {"X-Bapi-Limit-Status": "0", "X-Bapi-Limit-Reset-Timestamp": str(until_ms)}
        exchange.outcomes.append((200, headers, busy))
        with pytest.raises(Refused):
            await call(requests, Priority.ORDER)
        assert abs(requests.limiter.silent_until_ns / 1e6 - until_ms) < 10_000

    asyncio.run(scenario())


def test_a_418_without_a_time_is_a_long_silence():
    """A ban is never probed."""

    async def scenario():
        _, requests = make((418, {}, HttpFault(418, "-1003", "banned", ccxt.DDoSProtection)))
        with pytest.raises(Refused) as caught:
            await call(requests, Priority.ORDER)
        assert caught.value.failure.banned
        assert requests.limiter.silent_until_ns - requests.clock.now_ns() > 200e9

    asyncio.run(scenario())


def test_a_refused_key_is_told_once_it_is_taken_again_too():
    """-2015 says AUTH whatever ccxt makes of it."""

    async def scenario():
        refused = HttpFault(401, "-2015", "Invalid API-key", ccxt.DDoSProtection)
        _, requests = make(refused, {"ok": 1})
        told = []
        requests.on_key = told.append
        with pytest.raises(Refused):
            await call(requests, Priority.ORDER)
        await call(requests, Priority.ORDER)
        assert told == ["Invalid API-key", ""]

    asyncio.run(scenario())


def test_many_clock_faults_share_one_measurement():
    """Twenty late requests do not ask for the time twenty times."""

    async def scenario():
        late = HttpFault(400, "-1021", "Timestamp outside", ccxt.InvalidNonce)
        _, requests = make(late, late, late, 1, 2, 3)
        measured = []

        async def measure():
            measured.append(1)
            await asyncio.sleep(0.01)

        requests.measure_clock = measure
        assert await asyncio.gather(*(call(requests, Priority.ORDER) for _ in range(3))) == [1, 2, 3]
        assert len(measured) == 1

    asyncio.run(scenario())


def test_the_venues_used_weight_is_read():
    """What the header says beyond our own count is booked."""
    _, requests = make()
    requests.on_response(200, {"X-MBX-USED-WEIGHT-1M": "60"})
    assert requests.limiter.budget().used == 60
