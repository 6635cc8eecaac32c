"""Real processes: an exchange that outlives the daemon, and daemons that are started, steered and killed."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from asmm_daemon.service import control

ROOT = Path(__file__).parents[2]
CLI = [sys.executable, "-m", "asmm_daemon.cli"]


def wait_for(condition, seconds=60.0, every=0.05):
    """What `condition` returns once it is true; fails the test after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"not within {seconds:g} s: {condition}")


def with_reader(daemon, ends, *settings):
    """A daemon that writes into one of two ends, of a pipe or a terminal, and the end to read from."""
    reader, writer = ends
    with os.fdopen(writer, "wb") as output:
        return daemon(*settings, output=output), reader


class Exchange:
    """`asmm exchange` alone, with its log."""

    def __init__(self, product, folder, *arguments):
        self.log = folder / "venue.jsonl"
        command = [
            *CLI,
            "exchange",
            "--venue",
            product,
            "--log",
            str(self.log),
            "--history-s",
            "600",
            *arguments,
        ]
        if "--feed" not in arguments:
            command += ["--feed", "synthetic:BTCUSDT"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        self.ready = json.loads(self.process.stdout.readline())

    def lines(self):
        """The log so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines() if line.endswith("}")]

    def open_orders(self):
        """Venue ids that rest now, by the log."""
        resting = {}
        for line in self.lines():
            if line["ev"] == "accept":
                resting[line["oid"]] = line
            elif line["ev"] == "cancel" or (line["ev"] == "fill" and float(line["left"]) == 0):
                resting.pop(line["oid"], None)
        return resting

    def close(self):
        """Ends it."""
        self.process.terminate()
        self.process.wait(20)
        self.process.stdout.close()


class Daemon:
    """`asmm run` with a state folder of its own."""

    def __init__(self, folder, *settings, arguments=(), env=None, output=None):
        self.folder = folder
        self.state = folder / "state"
        self.config = folder / "config.toml"
        if not self.config.exists():
            self.config.write_text((ROOT / "config.toml").read_text())
        self.output = folder / "daemon.log"
        self.summary = folder / "summary.json"
        command = [*CLI, "run", "--config", str(self.config), "--summary", str(self.summary), *arguments]
        common = [
            f"state_dir={self.state}",
            "service.http_port=0",
            "service.metrics_port=0",
            "log.style=json",
        ]
        for setting in [*common, *settings]:
            command += ["--set", setting]
        with self.output.open("ab") as file:
            output = output or file
            self.process = subprocess.Popen(
                command, stdout=output, stderr=output, cwd=folder, env={**os.environ, **(env or {})}
            )

    def status(self):
        """The status, or nothing while none answers."""
        with contextlib.suppress(Exception):
            return control.status(self.state)
        return None

    def state_name(self):
        """The trading state, empty while none answers."""
        status = self.status()
        return status["state"] if status else ""

    def quoting(self):
        """Whether it is ACTIVE with both sides at the venue."""
        status = self.status()
        if not status or self.process.poll() is not None:
            return False
        orders = [order for order in status["markets"][0]["orders"] if order["state"] == "live"]
        return status["state"] == "ACTIVE" and {order["side"] for order in orders} == {1, -1}

    def wait_until_quoting(self):
        """Returns once both sides rest."""

        def done():
            assert self.process.poll() is None, self.text()
            return self.quoting()

        wait_for(done)

    def text(self):
        """Everything it printed."""
        return self.output.read_text()

    def send(self, number):
        """Sends a signal."""
        self.process.send_signal(number)

    def end(self, number=signal.SIGTERM, seconds=30):
        """Ends it by a signal; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(seconds)


def at(exchange):
    """Settings that point a daemon at a running exchange."""
    return (
        f"venue.rest_url={exchange.ready['rest_url']}",
        f"venue.ws_url={exchange.ready['ws_url']}",
        f"venue.name={exchange.ready['product']}",
        f"demo.speed={exchange.ready['speed']}",
    )
