"""The running daemon from outside: memory above its bare imports, its slope, and start to first quote.

The real `asmm run` with its embedded exchange as a child; only the daemon's own process is weighed. The
slope is of an hour of market at sixty times speed, fitted from ten minutes of market on.
"""

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from bench_table import Effort, Line, median

ROOT = Path(__file__).resolve().parents[1]
SPEED = 60.0
SETTLED_S = 600.0
MEMORY_GOAL_MB, SLOPE_GOAL, START_GOAL_S = 80.0, 2.0, 15.0
PATIENCE_S = 90.0
LIST_IMPORTS = """
import json, sys
import asmm_daemon.cli, asmm_daemon.app
from asmm_daemon.core.book import apply, new_book
from asmm_daemon.events import DEPTH
apply(new_book(), DEPTH, 1, 100, 1)
print(json.dumps([name for name in sys.modules if name.split(".")[0] not in ("asmm_daemon", "__main__")]))
"""
IMPORT_THEM = """
import importlib, json, sys, time
started = time.perf_counter()
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ImportError:
        continue
took = time.perf_counter() - started
rss = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
print(int(rss.split()[1]) / 1024, took)
"""


@dataclass(slots=True)
class Running:
    """A daemon under way: when it was started, and the venue's own log."""

    process: subprocess.Popen[bytes]
    started_ns: int
    log: Path
    _read: int = 0
    _rest: bytes = b""

    def rss_mb(self) -> float:
        """Its resident memory now."""
        text = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0]) / 1024

    def events(self) -> Iterator[dict[str, Any]]:
        """The venue log's lines that are new since the last call."""
        if not self.log.exists():
            return
        with self.log.open("rb") as file:
            file.seek(self._read)
            content = file.read()
        self._read += len(content)
        *whole, self._rest = (self._rest + content).split(b"\n")
        yield from (json.loads(line) for line in whole if line)

    def first(self, kind: str) -> dict[str, Any]:
        """Waits for the venue's first event of a kind."""
        deadline = time.monotonic() + PATIENCE_S
        while time.monotonic() < deadline and self.process.poll() is None:
            for event in self.events():
                if event["ev"] == kind:
                    return event
            time.sleep(0.02)
        raise RuntimeError(f"the daemon had no {kind} at the venue: {self.log.parent / 'daemon.log'}")


@contextlib.contextmanager
def running(folder: Path, *settings: str) -> Iterator[Running]:
    """A daemon with the shipped configuration and these settings, stopped as Ctrl-C would."""
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "venue.jsonl"
    common = (f"demo.log={log}", f"state_dir={folder / 'state'}", "service.http_port=0")
    command = [sys.executable, "-m", "asmm_daemon.cli", "run", "--config", str(ROOT / "config.toml")]
    for setting in (*common, "service.metrics_port=0", "log.style=json", *settings):
        command += ["--set", setting]
    with (folder / "daemon.log").open("wb") as output:
        started_ns = time.time_ns()
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment())
        try:
            yield Running(process, started_ns, log)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def environment() -> dict[str, str]:
    """Ours, with the package's folder to import from."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    return {**os.environ, "PYTHONPATH": path}


def imports() -> str:
    """Every module that the daemon has loaded once a kernel ran, but its own, as JSON."""
    return subprocess.run(
        [sys.executable, "-c", LIST_IMPORTS], check=True, capture_output=True, text=True, env=environment()
    ).stdout


def bare(modules: str) -> tuple[float, float]:
    """Resident MB and seconds of a process that imports those modules and nothing of ours."""
    command = [sys.executable, "-c", IMPORT_THEM, modules]
    mb, seconds = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(mb), float(seconds)


def slope(samples: list[tuple[float, float]]) -> float:
    """MB an hour of market, by least squares."""
    hours, mb = np.array(samples).T
    return float(np.polyfit(hours, mb, 1)[0])


def weigh(folder: Path, minutes: int, *settings: str) -> list[tuple[float, float]]:
    """(hours of market since the first order, MB) through so many minutes of market at speed."""
    samples = []
    with running(folder, f"demo.speed={SPEED}", *settings) as daemon:
        daemon.first("accept")
        begun = time.monotonic()
        while (hours := (time.monotonic() - begun) * SPEED / 3600) < minutes / 60:
            if daemon.process.poll() is not None:
                raise RuntimeError(f"the daemon ended early: {folder / 'daemon.log'}")
            samples.append((hours, daemon.rss_mb()))
            time.sleep(0.25)
    return samples


def memory_lines(effort: Effort) -> list[Line]:
    """Memory at the end of the hour, and how fast it grew."""
    minutes = effort.of(60, 20)
    modules = imports()
    base = median(bare(modules)[0] for _ in range(3))
    found = []
    with tempfile.TemporaryDirectory(prefix="asmm-bench-") as scratch:
        for name, settings in feeds(effort).items():
            samples = weigh(Path(scratch) / name.split()[0], minutes, *settings)
            late = [sample for sample in samples if sample[0] >= SETTLED_S / 3600]
            peak = max(mb for _, mb in samples)
            what = f"{minutes} min of {name} at {SPEED:.0f}x"
            found += [
                Line(
                    part="memory",
                    what=f"daemon, {name}",
                    ours=peak,
                    baseline="bare imports",
                    base=base,
                    unit="MB",
                    goal=MEMORY_GOAL_MB,
                    bounds="above",
                    note=f"most of {len(samples)} samples of the daemon's own process, {what}",
                ),
                Line(
                    part="memory",
                    what=f"slope, {name}",
                    ours=slope(late),
                    baseline="",
                    base=0.0,
                    unit="MB/h",
                    goal=SLOPE_GOAL,
                    bounds="value",
                    note=f"{late[0][1]:.1f} to {late[-1][1]:.1f} MB after the first ten minutes of market",
                ),
            ]
    return found


def feeds(effort: Effort) -> dict[str, tuple[str, ...]]:
    """The markets that memory is measured on: the made-up one, and a recording where there is one."""
    found: dict[str, tuple[str, ...]] = {"synthetic": ("demo.feed=synthetic",)}
    recording = effort.data / "standx-btc"
    if recording.is_dir() and not effort.quick:
        found["recorded BTC"] = (f"demo.feed=replay:{recording}",)
    return found


def start_lines(effort: Effort) -> list[Line]:
    """Seconds from the command to the venue's first accepted order, in turns with the bare imports."""
    modules = imports()
    runs = effort.of(5, 2)
    with tempfile.TemporaryDirectory(prefix="asmm-bench-") as scratch:
        _start(Path(scratch) / "warm")
        base, starts = [], []
        for run in range(runs):
            base.append(bare(modules)[1])
            starts.append(_start(Path(scratch) / str(run)))
    venue, quote = (median(column) for column in zip(*starts, strict=True))
    return [
        Line(
            part="start",
            what="command to first quote",
            ours=quote,
            baseline="bare imports",
            base=median(base),
            unit="s",
            goal=START_GOAL_S,
            bounds="value",
            note=f"kernels cached; {venue:.1f} s until the exchange runs; medians of {runs} runs in turns",
        )
    ]


def _start(folder: Path) -> tuple[float, float]:
    with running(folder) as daemon:
        venue = daemon.first("start")
        order = daemon.first("accept")
        return tuple((event["wall_ns"] - daemon.started_ns) / 1e9 for event in (venue, order))  # type: ignore[return-value]
