"""Runs strategies over a recording, day by day, several days and strategies in parallel processes."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from asmm_daemon.backtest.core_engine import run_core
from asmm_daemon.backtest.days import Day, days
from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Source, TapeInfo

EngineName = Literal["fast", "core"]
WIDTH = 65536


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a recording, in ns of its receive clock; `lead_s` before each day warms up."""

    start_ns: int | None = None
    end_ns: int | None = None
    lead_s: float = 3600.0


def run_day(setup: Setup, day: Day, *, engine: EngineName = "fast") -> Result:
    """One strategy over one day."""
    tape = timeline(day.rows)
    runner = run_fast if engine == "fast" else run_core
    return runner(setup, day.info, tape, begin_ns=day.begin_ns)


def run(
    setups: Mapping[str, Setup],
    source: Source,
    span: Span | None = None,
    *,
    engine: EngineName = "fast",
    jobs: int = 1,
    progress: Callable[[str, Result], None] | None = None,
) -> dict[str, list[Result]]:
    """Every strategy over every day: results by strategy, days in order.

    Args:
        setups: strategies by name.
        source: the recording.
        span: which part of it; all by default.
        engine: `fast`, or `core`, the daemon's own engine.
        jobs: processes; the results are the same for any number.
        progress: told of each result as it is there.
    """
    span = span or Span()
    told = progress or (lambda *_: None)
    results: dict[str, list[Result]] = {name: [] for name in setups}
    daily = days(source, lead_s=span.lead_s, start_ns=span.start_ns, end_ns=span.end_ns)
    if jobs <= 1:
        for day in daily:
            for name, setup in setups.items():
                results[name].append(run_day(setup, day, engine=engine))
                told(name, results[name][-1])
        return results
    found: dict[tuple[str, int], Result] = {}
    for name, number, result in _in_parallel(setups, daily, engine, jobs):
        found[name, number] = result
        told(name, result)
    for name, number in sorted(found, key=lambda key: key[1]):
        results[name].append(found[name, number])
    return results


def _in_parallel(
    setups: Mapping[str, Setup], daily: Iterator[Day], engine: EngineName, jobs: int
) -> Iterator[tuple[str, int, Result]]:
    """Results as they come; each day lies in a file that the processes map."""
    context = multiprocessing.get_context("spawn")
    waiting: dict[Future[Result], tuple[str, int]] = {}
    left: dict[int, int] = {}
    with (
        tempfile.TemporaryDirectory(prefix="asmm-backtest-") as folder,
        ProcessPoolExecutor(jobs, mp_context=context) as pool,
    ):

        def harvest(most: int) -> Iterator[tuple[str, int, Result]]:
            while len(waiting) > most:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    name, number = waiting.pop(future)
                    left[number] -= 1
                    if not left[number]:
                        _file(folder, number).unlink()
                    yield name, number, future.result()

        for number, day in enumerate(daily):
            path = _file(folder, number)
            np.save(path, day.rows)
            left[number] = len(setups)
            for name, setup in setups.items():
                waiting[pool.submit(_job, setup, path, day.info, day.begin_ns, engine)] = name, number
            yield from harvest(jobs * max(len(setups), 1))
        yield from harvest(0)


def _file(folder: str, number: int) -> Path:
    return Path(folder) / f"day{number}.npy"


def _job(setup: Setup, path: Path, info: TapeInfo, begin_ns: int, engine: EngineName) -> Result:
    rows: Rows = np.load(path, mmap_mode="r", allow_pickle=False)
    return run_day(setup, Day(info, np.array(rows), begin_ns), engine=engine)


def processors() -> int:
    """Processes that this machine runs at a time."""
    return len(os.sched_getaffinity(0))


def names(setups: Sequence[Setup]) -> dict[str, Setup]:
    """Strategies by their names."""
    return {setup.name: setup for setup in setups}
