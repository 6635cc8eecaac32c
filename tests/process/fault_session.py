"""A daemon and an exchange under a script of faults; what the venue's own log says of each of them."""

import json
import os
import signal
import sqlite3
import time
import urllib.request
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path

import orjson
from process_tools import Daemon, Exchange, at, wait_for

from asmm_daemon.service.journal import FILE_NAME

NS_PER_S = 10**9
PLAIN = (
    "quoting.model=constant_spread",
    "quoting.fee_in_spread=false",
    "limits.max_inventory=0.5",
)
"""A fixed distance from the mid, so that a script decides how often orders are executed."""


class Watch:
    """Follows a growing venue log: what rests, and since when how much."""

    def __init__(self, path):
        self._path = path
        self._read = 0
        self._rest = b""
        self.lines = []
        self.resting = {}
        self.counts = [(0, 0, 0)]
        """(t_ns, bids, asks) after every change."""

    def read(self):
        """Takes in what was written since the last call."""
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        data = self._rest + new
        *whole, self._rest = data.split(b"\n")
        for text in whole:
            self._take(orjson.loads(text))
        return self

    def _take(self, line):
        self.lines.append(line)
        kind = line["ev"]
        if kind == "accept":
            self.resting[line["oid"]] = line["side"]
        elif kind == "cancel" or (kind == "fill" and float(line["left"]) == 0):
            self.resting.pop(line["oid"], None)
        else:
            return
        sides = list(self.resting.values())
        self.counts.append((line["t_ns"], sides.count("buy"), sides.count("sell")))

    def both_since(self, t_ns):
        """When, from `t_ns` on, both sides first rested; None when they never did."""
        bids, asks = self._at(t_ns)
        if bids and asks:
            return t_ns
        return next((t for t, b, a in self.counts if t >= t_ns and b and a), None)

    def none_since(self, t_ns):
        """When, from `t_ns` on, nothing rested for the first time; None when something always did."""
        if self._at(t_ns) == (0, 0):
            return t_ns
        return next((t for t, b, a in self.counts if t >= t_ns and not b and not a), None)

    def empty_s(self, since_ns, until_ns):
        """Venue seconds between two times in which nothing rested."""
        marks = [(since_ns, *self._at(since_ns))]
        marks += [c for c in self.counts if since_ns < c[0] < until_ns]
        ends = [t for t, _, _ in marks[1:]] + [until_ns]
        return sum(end - t for (t, b, a), end in zip(marks, ends, strict=True) if not b and not a) / NS_PER_S

    def _at(self, t_ns):
        found = (0, 0)
        for t, bids, asks in self.counts:
            if t > t_ns:
                break
            found = bids, asks
        return found


@dataclass
class Outcome:
    """What one fault did. Times in venue seconds; None: it never happened."""

    fault: str
    since_ns: int
    until_ns: int
    pulled_s: float | None = None
    empty_s: float = 0.0
    again_s: float | None = None
    fills: int = 0
    booked_s: float | None = None
    real: int = 1
    """Times are these many venue seconds each: a restart takes real time, whatever the venue's speed."""

    def shown(self):
        """The times in seconds as they are promised: pulled, without quotes, quoting again, booked."""
        times = (self.pulled_s, self.empty_s, self.again_s, self.booked_s)
        return [None if value is None else value / self.real for value in times]


class Session:
    """One exchange and its daemon; `script` methods are called in order by a test's thread."""

    def __init__(self, product, folder, speed, *settings):
        self.product, self.speed, self.folder = product, speed, folder
        key = f"K{os.getpid()}{product}{speed}".replace("-", "").replace(".", "")
        self.env = {"ASMM_API_KEY": key, "ASMM_API_SECRET": "S"}
        self.venue = Exchange(product, folder, "--speed", str(speed), "--seed", "7", "--key", f"{key}:S")
        self.watch = Watch(self.venue.log)
        self._start = self.watch.read().lines[0]
        self.settings = (*at(self.venue), *PLAIN, *settings)
        self.makers = []
        self.outcomes = {}
        self.exit_code = None
        self.closed = False
        self.stopped_wall_ns = 0
        self.killed_with = 0, 0
        self.killed_inventory = Decimal(0)

    @property
    def maker(self):
        """The daemon that runs now."""
        return self.makers[-1]

    def start(self, *arguments):
        """Starts a daemon and waits until it quotes both sides: what a dead one left does not count."""
        folder = self.folder / "daemon"
        folder.mkdir(exist_ok=True)
        self.makers.append(Daemon(folder, *self.settings, arguments=arguments, env=self.env))
        self.maker.wait_until_quoting()

    def wait_both(self, since_ns, seconds=60.0):
        """When both sides rest, from a venue time on; fails with the daemon's words."""

        def both():
            assert self.maker.process.poll() is None, self.maker.text()[-2000:]
            return self.watch.read().both_since(since_ns)

        return wait_for(both, seconds, 0.05)

    def wait_venue(self, seconds):
        """Lets venue time pass."""
        until_ns = self.now_ns() + int(seconds * NS_PER_S)
        wait_for(lambda: self.now_ns() >= until_ns, seconds / self.speed + 30, 0.02)

    def admin(self, path, body=None):
        """A request to the exchange's administrator."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.venue.ready['admin_url']}/{path}", data)
        with urllib.request.urlopen(request, timeout=10) as reply:
            return json.loads(reply.read())

    def now_ns(self):
        """The venue's clock."""
        return self._start["t_ns"] + int((wall_ns() - self._start["wall_ns"]) * self.speed)

    def inject(self, name, *faults, lasts_s=0.0, after=None):
        """With both sides open: puts faults in force, waits until they are over and both rest again."""
        self.wait_both(self.now_ns())
        since_ns = self.now_ns()
        for number, fault in enumerate(faults):
            self.admin("faults", {"id": f"{name}-{number}", **fault})
        if after is not None:
            after()
        self.over(name, since_ns, lasts_s)

    def over(self, name, since_ns, lasts_s):
        """Waits for a fault's end and for quotes after it; notes the outcome."""
        until_ns = since_ns + int(lasts_s * NS_PER_S)
        wait_for(lambda: self.now_ns() >= until_ns, lasts_s / self.speed + 30, 0.05)
        if not lasts_s:
            self.wait_venue(1.0)
        again_ns = self.wait_both(until_ns if lasts_s else since_ns + NS_PER_S)
        outcome = Outcome(name, since_ns, until_ns)
        gone_ns = self.watch.none_since(since_ns)
        end_ns = max(again_ns, until_ns)
        if gone_ns is not None and gone_ns < end_ns:
            outcome.pulled_s = (gone_ns - since_ns) / NS_PER_S
            if not lasts_s:
                again_ns = self.watch.both_since(gone_ns)
        outcome.empty_s = self.watch.empty_s(since_ns, end_ns)
        outcome.again_s = (again_ns - until_ns) / NS_PER_S
        outcome.fills = sum(
            1 for line in self.watch.lines if line["ev"] == "fill" and since_ns <= line["t_ns"] <= end_ns
        )
        self.outcomes[name] = outcome

    def kill_when_both_rest(self):
        """SIGKILL with both sides open and an inventory."""
        wait_for(lambda: self.inventory() and self.watch.both_since(self.now_ns()), 60, 0.02)
        self.maker.end(signal.SIGKILL)
        self.killed_inventory = self.inventory()
        sides = list(self.watch.resting.values())
        self.killed_with = sides.count("buy"), sides.count("sell")

    def inventory(self):
        """What was bought less what was sold, by the venue's log so far."""
        fills = [line for line in self.watch.read().lines if line["ev"] == "fill"]
        signed = (Decimal(line["qty"]) * (1 if line["side"] == "buy" else -1) for line in fills)
        return sum(signed, Decimal(0))

    def stop(self):
        """SIGTERM to the daemon; keeps its exit code."""
        self.stopped_wall_ns = wall_ns()
        self.exit_code = self.maker.end()
        self.watch.read()

    def evidence(self):
        """What the tests look at."""
        state = self.maker.state
        return Evidence(
            self.product,
            self.speed,
            self.venue.log,
            state / FILE_NAME,
            self.maker.summary,
            self.outcomes,
            self.exit_code,
            self.stopped_wall_ns,
            self.killed_with,
            self.killed_inventory,
        )

    def close(self):
        """Ends whatever still runs, once."""
        if self.closed:
            return
        self.closed = True
        for maker in self.makers:
            if maker.process.poll() is None:
                maker.process.kill()
                maker.process.wait()
        self.venue.close()


def wall_ns():
    """The machine's clock, as the venue's log writes it."""
    return time.time_ns()


@dataclass
class Evidence:
    """What is left of a session once it is over; can be handed to another process."""

    product: str
    speed: int
    log: Path
    journal: Path
    summary_path: Path
    outcomes: dict[str, Outcome]
    exit_code: int | None
    stopped_wall_ns: int
    killed_with: tuple[int, int]
    killed_inventory: Decimal

    @cached_property
    def watch(self):
        """The venue's log, read to its end."""
        return Watch(self.log).read()

    @property
    def summary(self):
        """The last daemon's summary."""
        return json.loads(self.summary_path.read_text())

    def rows(self, kind):
        """Journal rows of a kind: key to (machine time, data)."""
        with sqlite3.connect(self.journal) as database:
            found = database.execute(
                "select key, wall_ns, data from records where kind = ? order by seq", (kind,)
            ).fetchall()
        return [(key, wall, orjson.loads(data)) for key, wall, data in found]

    def booking_lags(self):
        """Venue seconds from each execution to its row in the journal, by trade id."""
        booked = {}
        for key, wall, _ in self.rows("fill"):
            booked.setdefault(key, wall)
        return {
            line["tid"]: (line["t_ns"], (booked[str(line["tid"])] - line["wall_ns"]) / NS_PER_S * self.speed)
            for line in self.watch.lines
            if line["ev"] == "fill" and str(line["tid"]) in booked
        }

    def settle_lags(self):
        """Notes in each outcome how long the slowest of its executions took to be booked."""
        lags = self.booking_lags()
        for outcome in self.outcomes.values():
            end_ns = outcome.until_ns + int((outcome.again_s or 0.0) * NS_PER_S)
            own = [lag for t_ns, lag in lags.values() if outcome.since_ns <= t_ns <= end_ns]
            outcome.booked_s = max(own, default=None)
