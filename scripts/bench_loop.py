"""Rows per second of our compiled fill loop beside hftbacktest's, once both have given the same fills."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from bench_kernel import (
    POWER,
    after_snapshot,
    commands_for,
    drive,
    ours_of,
    price_range,
    reference,
    theirs_of,
    to_events,
)
from bench_table import Effort, Line, alternate, median
from hftbacktest import LOCAL_EVENT
from numpy.typing import NDArray

from asmm_daemon.core.book import Book, apply, new_book
from asmm_daemon.core.fills import FULL, run
from asmm_daemon.events import Rows
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.kernels import flat_kernel
from asmm_daemon.tape.columns import concat
from asmm_daemon.tape.load import load_tape
from asmm_daemon.units import NS_PER_MS, NS_PER_S

GOAL = 1.5
EVERY_NS = 200 * NS_PER_MS
"""How often a pair of orders is sent."""
START_NS = 1_767_657_600 * NS_PER_S


def measure(rows: Rows, commands: NDArray[Any], runs: int) -> dict[str, float]:
    """Rows (as our tape counts them) per second of each loop: medians of runs in turns."""
    events = to_events(rows)
    venue_only = events.copy()
    venue_only["ev"] &= ~np.uint64(LOCAL_EVENT)
    bounds = price_range(rows)

    def theirs(tape: NDArray[Any]) -> float:
        hbt = reference(tape, *bounds)
        seconds = timed(lambda: drive(hbt, commands))
        hbt.close()
        return seconds

    def ours() -> float:
        return timed(lambda: run(rows, commands, power=POWER, mode=FULL, end_on_gap=False))

    def ours_and_a_book() -> float:
        book = new_book()
        return ours() + timed(lambda: apply_all(rows, book))

    loops: dict[str, Callable[[], float]] = {
        "hftbacktest": lambda: theirs(events),
        "hftbacktest, exchange side only": lambda: theirs(venue_only),
        "asmm": ours,
        "asmm with a second book": ours_and_a_book,
    }
    for loop in loops.values():
        loop()
    found = alternate(runs, list(loops.values()))
    return {name: rows.size / median(seconds) for name, seconds in zip(loops, found, strict=True)}


def timed(action: Callable[[], object]) -> float:
    """Processor seconds of an action: others on the machine count less than on a clock."""
    start = time.process_time()
    action()
    return time.process_time() - start


@flat_kernel
def apply_all(rows: Rows, book: Book) -> None:
    """What a strategy's own view of the book costs beside the venue's."""
    for i in range(rows.size):
        apply(book, rows[i].kind, 1 if rows[i].side > 0 else -1, rows[i].price, rows[i].qty)


def tape_of(effort: Effort) -> tuple[str, Rows]:
    """The recorded USD-M market where there is one, else a made-up hour."""
    recording = effort.data / "binance-raw" / "btcusdt-usdm"
    if recording.exists():
        return "recorded BTCUSDT", after_snapshot(load_tape(recording).rows)
    end_ns = START_NS + effort.of(3600, 900) * NS_PER_S
    source = SyntheticSource("BTCUSDT", "binanceusdm", START_NS, 1, end_ns)
    return "made-up BTCUSDT", after_snapshot(concat(list(source)).rows)


def lines(effort: Effort) -> list[Line]:
    """Rows per second beside hftbacktest's. Raises ValueError when the fills differ."""
    name, rows = tape_of(effort)
    commands = commands_for(rows, EVERY_NS)
    theirs, ours = theirs_of(rows, commands), ours_of(rows, commands)
    if theirs != ours:
        raise ValueError(f"{name}: the fills differ, {len(ours)} ours and {len(theirs)} theirs")
    runs = effort.of(9, 3)
    speed = {key: value / 1e6 for key, value in measure(rows, commands, runs).items()}
    note = (
        f"{name}: {rows.size} rows, {commands.size} commands, the same {len(ours)} fills; medians of {runs}"
    )
    pairs = (
        ("fill loop", "asmm", "hftbacktest", note),
        ("fill loop, exchange side alone", "asmm", "hftbacktest, exchange side only", "one book in each"),
        ("fill loop and a strategy's book", "asmm with a second book", "hftbacktest", "two books in each"),
    )
    return [
        Line(
            part="kernel",
            what=what,
            ours=speed[mine],
            baseline=other.replace("hftbacktest", "hftbacktest ROIVector"),
            base=speed[other],
            unit="M rows/s",
            goal=GOAL,
            at_least=True,
            note=text,
        )
        for what, mine, other, text in pairs
    ]
