"""ccxt instances: addresses, clock, time-outs."""

import asyncio

import pytest

from asmm_daemon.clock import Clock
from asmm_daemon.units import PRODUCTS
from asmm_daemon.venue.gateway import make_exchange, rebase
from asmm_daemon.venue.protocol import VenueSettings
from asmm_daemon.venue.stream_client import StreamClient


def make(product, speed=1.0, **options):
    settings = VenueSettings(product, ("BTCUSDT",), "KEY", "SECRET", **options)
    clock = Clock(speed=speed, start_ns=1_700_000_000_000_000_000)
    return make_exchange(settings, clock), clock


def addresses(tree):
    for branch in tree.values():
        if isinstance(branch, dict):
            yield from addresses(branch)
        elif isinstance(branch, str):
            yield branch


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_address_is_moved_to_the_given_roots(product):
    """Not one request or socket can leave for the real venue."""
    exchange, _ = make(product, rest_url="http://127.0.0.1:1/", ws_url="ws://127.0.0.1:2")
    for address in addresses(exchange.urls["api"]):
        assert address.startswith(("http://127.0.0.1:1", "ws://127.0.0.1:2")), address


@pytest.mark.parametrize("product", PRODUCTS)
def test_without_roots_the_real_venue_is_the_default(product):
    """The live daemon needs no address in its config."""
    exchange, _ = make(product)
    assert all(address.startswith(("https://", "wss://")) for address in addresses(exchange.urls["api"]))


def test_a_path_survives_its_move():
    """Only scheme and host change."""
    assert rebase("https://fapi.binance.com/fapi/v1", "http://h:1/") == "http://h:1/fapi/v1"
    assert rebase("https://api.{hostname}", "http://h:1") == "http://h:1"


def test_all_of_ccxts_clocks_follow_venue_time():
    """Signatures carry venue time at any speed."""
    exchange, clock = make("binance", speed=10.0)
    assert abs(exchange.milliseconds() - clock.now_ns() // 10**6) <= 5
    assert abs(exchange.nonce() - clock.now_ns() // 10**6) <= 5
    assert abs(exchange.microseconds() - clock.now_ns() // 1000) <= 5000
    assert exchange.seconds() == clock.now_ns() // 10**9


def test_windows_and_time_outs_leave_a_real_second():
    """At high speeds the transport still needs its time."""
    exchange, _ = make("binance", speed=60.0)
    assert exchange.options["recvWindow"] == 60_000
    assert exchange.timeout == 1000
    exchange, _ = make("binance")
    assert exchange.options["recvWindow"] == 5000
    assert exchange.timeout == 4000


def test_ccxts_own_limiter_and_retries_are_off():
    """Ours decides who goes first, and nothing is ever sent twice unseen."""
    exchange, _ = make("bybit-linear")
    assert not exchange.enableRateLimit
    assert exchange.options["maxRetriesOnFailure"] == 0


def test_sockets_are_guarded_clients():
    """Every client of an instance has the guarded receive loop."""

    async def scenario():
        exchange, _ = make("binance", rest_url="http://127.0.0.1:1", ws_url="ws://127.0.0.1:1")
        client = exchange.client("ws://127.0.0.1:1/stream/0")
        assert type(client) is StreamClient
        assert exchange.client("ws://127.0.0.1:1/stream/0") is client
        await exchange.close()

    asyncio.run(scenario())


@pytest.mark.parametrize("product", PRODUCTS)
def test_the_test_nets_are_other_servers(product):
    """Test-net mode never points a socket or an order at the real venue."""
    real, _ = make(product)
    test, _ = make(product, sandbox=True)
    assert test.urls["api"]["private"] != real.urls["api"]["private"]
