"""Fills judged against hftbacktest: real tapes, the queue's extremes and the power model, two latencies."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.backtest.venue import CANCEL, EXECUTED, PLACE, QUEUE, go_on, new_venue, request
from asmm_daemon.core import fills
from asmm_daemon.core.fills import FULL
from asmm_daemon.core.resting import AHEAD, BEHIND
from asmm_daemon.events import CLEAR, GAP
from asmm_daemon.tape.load import load_tape

MS = 1_000_000
S = 1000 * MS
QUEUES = {"behind": BEHIND, "ahead": AHEAD, "power": 3.0}
TAPES = {
    "usdm": ("binance-raw/btcusdt-usdm/usdm_btcusdt_20240718.gz", 50 * MS),
    "nexo": ("binance-raw/nexousdt-spot", S),
    "depth": ("binance-depth-5min", 100 * MS),
    "standx": ("standx-btc/orderbook_BTC-USD_2026-01-06_00.parquet", 500 * MS),
}
"""A recording, and how often a bid and an ask are placed in it."""


@pytest.fixture(scope="module")
def bench():
    """The benchmark script, whose comparison with hftbacktest is the one to trust."""
    path = Path(__file__).resolve().parents[2] / "scripts" / "bench_kernel.py"
    spec = importlib.util.spec_from_file_location("bench_kernel", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # a cached kernel looks its module up by name
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def recorded(bench, shared_data):
    """(rows, interval) by name; a StandX gap is left out: hftbacktest knows only the new book after it."""

    def load(name):
        folder, every_ns = TAPES[name]
        if name not in kept:
            end_ns = 1_721_754_000 * S if name == "nexo" else None
            tape = load_tape(shared_data / folder, spot=True if name == "depth" else None, end_ns=end_ns)
            kept[name] = bench.after_snapshot(tape.rows[tape.rows["kind"] != GAP])
        return kept[name], every_ns

    kept = {}
    return load


@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize(
    ("name", "at_least"), [("usdm", 300), ("nexo", 1500), ("depth", 1000), ("standx", 4000)]
)
def test_full_mode_fills_as_hftbacktest_does(bench, recorded, name, at_least, queue):
    """Order, nanosecond, price, quantity, maker or taker: of every fill, resting and taking orders alike."""
    rows, every_ns = recorded(name)
    commands = bench.commands_for(rows, every_ns, alive=60, seed=len(name))
    theirs = bench.theirs_of(rows, commands, QUEUES[queue])
    assert len(theirs) >= at_least
    assert {maker for *_, maker in theirs} == {True, False}
    assert bench.ours_of(rows, commands, QUEUES[queue]) == theirs


def through_the_venue(rows, commands, power, latency_ns):
    """(order, venue time, price, quantity, maker) of each fill of the backtest's simulated venue."""
    tape = timeline(rows)
    venue = new_venue(entry_ns=latency_ns, response_ns=latency_ns, power=power, mode=FULL)
    state, found = venue.state[0], []

    def wait(until_ns):
        while go_on(venue, tape, until_ns):
            told = venue.replies[state["read"] % QUEUE]
            state["read"] += 1
            if told["kind"] == EXECUTED:
                found.append((*(int(told[name]) for name in ("order", "venue_ns", "price", "qty")), True))

    for command in commands:
        wait(int(command["t_ns"]))
        kind = CANCEL if command["kind"] == fills.CANCEL else PLACE
        terms = (int(command[name]) for name in ("order", "side", "price", "qty"))
        request(venue, int(command["t_ns"]), kind, *terms, 0)
    wait(int(rows["exch_ns"][-1]) + 10 * S)
    return sorted(found)


@pytest.mark.parametrize("latency_ns", [3 * MS, 65 * MS])
@pytest.mark.parametrize("queue", QUEUES)
@pytest.mark.parametrize(
    ("name", "at_least"), [("usdm", 150), ("nexo", 1500), ("depth", 1000), ("standx", 4000)]
)
def test_latency_is_hftbacktests_too(bench, recorded, name, at_least, queue, latency_ns):
    """Post-only orders that arrive later, through the venue of the backtest: the same fills exactly."""
    rows, every_ns = recorded(name)
    commands = bench.commands_for(rows, every_ns, alive=60, seed=len(name))
    commands["flags"][commands["kind"] == fills.PLACE] = fills.POST_ONLY
    theirs = bench.theirs_of(rows, commands, QUEUES[queue], latency_ns)
    assert len(theirs) >= at_least
    assert through_the_venue(rows, commands, QUEUES[queue], latency_ns) == theirs


def test_the_queue_decides(bench, recorded):
    """The extremes lie on both sides of the power model, so that their agreement says something."""
    rows, every_ns = recorded("nexo")
    commands = bench.commands_for(rows, every_ns, alive=60, seed=4)
    counts = {name: len(bench.ours_of(rows, commands, power)) for name, power in QUEUES.items()}
    assert counts["behind"] < counts["power"] < counts["ahead"]


def test_a_comparison_can_fail(bench, recorded):
    """Another queue than theirs gives other fills."""
    rows, every_ns = recorded("nexo")
    commands = bench.commands_for(rows, every_ns, alive=60, seed=4)
    assert bench.ours_of(rows, commands, 1.0) != bench.theirs_of(rows, commands, BEHIND)


def test_standx_shows_its_book_anew_after_a_gap(recorded):
    """That tape has many whole books within it, which both sides must take in."""
    rows, _ = recorded("standx")
    assert np.count_nonzero((rows["kind"] == CLEAR) & (rows["price"] == 0)) > 100
