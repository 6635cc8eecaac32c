"""Runs strategies over a recording, day by day, several days and strategies in parallel processes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from asmm_daemon.backtest.core_engine import run_core
from asmm_daemon.backtest.days import Day, days
from asmm_daemon.backtest.fast.sweep import run_sweep
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.spool import mapped
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.backtest.workers import workers
from asmm_daemon.events import Rows
from asmm_daemon.tape.columns import Source, TapeInfo

EngineName = Literal["fast", "core"]


@dataclass(frozen=True, slots=True)
class Span:
    """Which part of a recording, in ns of its receive clock; `lead_s` before each day warms up."""

    start_ns: int | None = None
    end_ns: int | None = None
    lead_s: float = 3600.0


def run_day(setups: Sequence[Setup], day: Day, *, engine: EngineName = "fast") -> list[Result]:
    """Strategies over one day, the fast engine in one pass; each needs a policy of its own."""
    return _run_rows(setups, day.info, day.rows, day.begin_ns, engine)


def _run_rows(
    setups: Sequence[Setup], info: TapeInfo, rows: Rows, begin_ns: int, engine: EngineName
) -> list[Result]:
    tape = timeline(rows)
    if engine == "fast":
        return run_sweep(setups, info, tape, begin_ns=begin_ns)
    return [run_core(setup, info, tape, begin_ns=begin_ns) for setup in setups]


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
            for name, result in zip(setups, run_day(list(setups.values()), day, engine=engine), strict=True):
                results[name].append(result)
                told(name, result)
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
    """Results as they come; the processes map a day's file, each for its part of the set-ups."""
    parts = [part for n in range(jobs) if (part := tuple(setups)[n::jobs])]
    waiting: dict[Future[list[Result]], tuple[tuple[str, ...], int]] = {}
    left: dict[int, int] = {}
    kept: dict[int, Day] = {}
    with workers(jobs) as pool:

        def harvest(most: int) -> Iterator[tuple[str, int, Result]]:
            while len(waiting) > most:
                for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                    part, number = waiting.pop(future)
                    left[number] -= 1
                    if not left[number]:
                        del kept[number]
                    for name, result in zip(part, future.result(), strict=True):
                        yield name, number, result

        for number, day in enumerate(daily):
            kept[number] = day
            left[number] = len(parts)
            for part in parts:
                chosen = [setups[name] for name in part]
                job = pool.submit(_job, chosen, day.spool.path, day.info, day.begin_ns, engine)
                waiting[job] = part, number
            yield from harvest(jobs * len(parts))
        yield from harvest(0)


def _job(
    setups: Sequence[Setup], path: Path, info: TapeInfo, begin_ns: int, engine: EngineName
) -> list[Result]:
    return _run_rows(setups, info, mapped(path), begin_ns, engine)
