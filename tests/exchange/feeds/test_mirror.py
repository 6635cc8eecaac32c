"""A mirror of a venue, with our own embedded exchange as the venue."""

import subprocess
import sys
import threading
import time

import numpy as np
import orjson
import pytest

from asmm_daemon.clock import wall_ns
from asmm_daemon.core.book import apply, is_valid, new_book
from asmm_daemon.errors import ConfigError, VenueError
from asmm_daemon.events import CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.exchange.feeds.base import make_feed
from asmm_daemon.tape.columns import validate


class Exchange:
    """The embedded exchange in a process of its own."""

    def __init__(self, product):
        command = [sys.executable, "-m", "asmm_daemon.exchange.run", "--venue", product]
        command += ["--feed", "synthetic:BTCUSDT,ETHUSDT", "--seed", "1", "--die-with-parent"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.ready = orjson.loads(self.process.stdout.readline())

    def close(self):
        """Ends it as a parent's end would."""
        self.process.stdin.close()
        self.process.wait(20)
        self.process.stdout.close()


@pytest.fixture
def exchange():
    running = []

    def start(product):
        running.append(Exchange(product))
        return running[-1]

    yield start
    for one in running:
        if one.process.poll() is None:
            one.close()


def collect(feed, wanted, timeout_s=20.0):
    """Messages by symbol until `wanted(rows so far)` holds."""
    seen = [[] for _ in feed.instruments]
    tick = threading.Event()
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        while feed.next_ns() is not None:
            index, rows = feed.pop()
            seen[index].append(rows)
        if wanted(seen):
            return seen
        tick.wait(0.01)
    raise AssertionError(f"only {[sum(map(len, rows)) for rows in seen]} rows within {timeout_s} s")


def has_kinds(*kinds):
    def check(seen):
        return all(rows and np.isin(kinds, np.concatenate(rows)["kind"]).all() for rows in seen)

    return check


@pytest.mark.parametrize("product", ["binance", "binanceusdm", "bybit-spot", "bybit-linear"])
def test_a_venue_is_mirrored_and_its_loss_is_a_gap(exchange, product):
    """Filters, a sound book, diffs and trades of two markets come over; when the venue goes, a GAP does."""
    venue = exchange(product)
    roots = f"rest={venue.ready['rest_url']}&ws={venue.ready['ws_url']}"
    before_ns = wall_ns()
    feed = make_feed(f"mirror:ETHUSDT,BTCUSDT?{roots}", product, 0, 0)
    try:
        assert [unit.symbol for unit in feed.instruments] == ["ETHUSDT", "BTCUSDT"]
        assert {unit.product for unit in feed.instruments} == {product}
        seen = collect(feed, has_kinds(CLEAR, DEPTH, TRADE))
        for messages in seen:
            rows = np.concatenate(messages)
            validate(rows, product)
            assert before_ns <= rows["local_ns"][0] <= wall_ns()
            book = new_book(2**20)
            for row in rows:
                apply(book, row["kind"], row["side"], row["price"], row["qty"])
            assert is_valid(book)
            assert sum(rows["last"]) == len(messages)
        venue.close()
        collect(feed, has_kinds(GAP))
    finally:
        feed.close()


def test_an_unknown_symbol_is_refused(exchange):
    """A symbol that the venue does not list is named."""
    for product in ("binanceusdm", "bybit-linear"):
        venue = exchange(product)
        with pytest.raises(VenueError, match="does not list NOPEUSDT"):
            make_feed(f"mirror:NOPEUSDT?rest={venue.ready['rest_url']}", product, 0, 0)


def test_a_venue_that_cannot_be_reached_is_named():
    """No server there: one error with the address, at once."""
    with pytest.raises(VenueError, match=r"http://127\.0\.0\.1:9/.* cannot be reached"):
        make_feed("mirror:BTCUSDT?rest=http://127.0.0.1:9", "binance", 0, 0)


@pytest.mark.parametrize("spec", ["mirror:", "mirror:BTCUSDT?speed=2", "mirror:BTCUSDT;synthetic"])
def test_a_malformed_name_is_refused(spec):
    """A mirror stands alone and names its symbols."""
    with pytest.raises(ConfigError, match="mirror:SYMBOL"):
        make_feed(spec, "binance", 0, 0)
