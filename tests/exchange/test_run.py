"""`asmm exchange` as a process: the ready line, the ways to end, and one clear message each for bad input."""

import os
import signal
import subprocess
import sys
import urllib.request
from decimal import Decimal

import orjson
import pytest

from asmm_daemon.exchange.run import main, parse

BASE = [sys.executable, "-m", "asmm_daemon.exchange.run", "--feed", "synthetic:BTCUSDT"]
READY_KEYS = {
    "ready",
    "product",
    "pid",
    "speed",
    "rest_url",
    "ws_url",
    "public_ws",
    "private_ws",
    "api_ws",
    "admin_url",
    "symbols",
}


def start(*arguments):
    """A running exchange and its ready line."""
    process = subprocess.Popen(
        [*BASE, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    line = process.stdout.readline()
    assert line, process.stderr.read().decode()
    return process, orjson.loads(line)


def finish(process):
    """Exit code and what it said."""
    _, error = process.communicate(timeout=20)
    return process.returncode, error.decode()


@pytest.mark.parametrize("product", ["binance", "binanceusdm", "bybit-spot", "bybit-linear"])
def test_ready_line_and_log_of_each_product(product, tmp_path):
    """The ready line has its keys, the log its first line, and SIGTERM ends it cleanly."""
    log = tmp_path / "venue.jsonl"
    process, ready = start("--venue", product, "--log", str(log), "--seed", "5", "--speed", "2")
    try:
        assert ready.keys() >= READY_KEYS
        assert (ready["product"], ready["pid"], ready["speed"]) == (product, process.pid, 2.0)
        assert ready["symbols"] == ["BTCUSDT"]
        with urllib.request.urlopen(f"{ready['admin_url']}/state") as response:
            assert orjson.loads(response.read())["open_orders"] == {"main": 0}
    finally:
        process.send_signal(signal.SIGTERM)
    assert finish(process) == (0, "")
    first = orjson.loads(log.read_bytes().splitlines()[0])
    assert (first["ev"], first["format"], first["product"]) == ("start", "asmm-venuelog/1", product)
    assert (first["seed"], first["speed"], first["seq"]) == (5, 2.0, 0)
    assert set(first["symbols"][0]) == {"sym", "tick", "lot", "min_notional", "maker", "taker"}


def test_interrupt_ends_it():
    """Ctrl-C on its own terminal ends it as SIGTERM does."""
    process, _ = start()
    process.send_signal(signal.SIGINT)
    assert finish(process) == (0, "")


def test_closing_the_pipe_ends_a_child():
    """With --die-with-parent it leads a session of its own and ends with its standard input."""
    process, _ = start("--die-with-parent")
    assert os.getsid(process.pid) == process.pid
    process.stdin.close()
    process.stdin = None
    assert finish(process) == (0, "")


def test_the_same_start_and_seed_give_the_same_market(tmp_path):
    """Two runs from one start tell the same market line by line."""
    logs = []
    for number in range(2):
        log = tmp_path / f"{number}.jsonl"
        fixed = ["--start-ns", "1700000000000000000", "--seed", "3", "--speed", "60"]
        process, ready = start("--log", str(log), *fixed)
        while log.read_bytes().count(b"\n") < 60:
            with urllib.request.urlopen(f"{ready['admin_url']}/state") as response:
                response.read()
        process.send_signal(signal.SIGTERM)
        assert finish(process)[0] == 0
        lines = [orjson.loads(line) for line in log.read_bytes().splitlines()[:60]]
        logs.append([{key: value for key, value in line.items() if key != "wall_ns"} for line in lines])
    assert logs[0] == logs[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--feed", "replay:/nowhere"], "/nowhere"),
        (["--feed", "lunar"], "lunar"),
        (["--speed", "61"], "61"),
        (["--speed", "-1"], "-1"),
        (["--port", "99999"], "99999"),
        (["--venue", "kraken"], "kraken"),
        (["--balance", "USDT"], "USDT"),
        (["--log", "/nowhere/venue.jsonl"], "/nowhere/venue.jsonl"),
        (["--faults", "/nowhere/faults"], "/nowhere/faults"),
        (["--feed", "mirror:BTCUSDT", "--speed", "2"], "speed 1"),
    ],
)
def test_bad_options_are_refused_in_one_line(arguments, message, capsys):
    """A non-zero exit, and the last line names what was wrong."""
    try:
        code = main(parse(["--feed", "synthetic:BTCUSDT", *arguments]))
    except SystemExit as stop:
        code = stop.code
    said = capsys.readouterr()
    assert code != 0
    assert said.out == ""
    assert message in said.err.splitlines()[-1]


def test_port_in_use_is_refused():
    """The second on a port says so."""
    process, ready = start()
    try:
        port = ready["rest_url"].rpartition(":")[2]
        done = subprocess.run([*BASE, "--port", port], capture_output=True, timeout=60, check=False)
        assert done.returncode != 0
        assert done.stderr.decode().startswith(f"asmm exchange: port {port} cannot be used")
    finally:
        process.send_signal(signal.SIGTERM)
        finish(process)


def test_bad_fault_line_is_named(tmp_path, capsys):
    """The message names file, line and key."""
    faults = tmp_path / "faults.jsonl"
    faults.write_text('{"on":"stream","do":"drop"}\n{"on":"stream","do":"drop","wen":3}\n')
    assert main(parse(["--faults", str(faults)])) == 2
    assert "faults.jsonl:2: unknown key wen" in capsys.readouterr().err


def test_command_line_becomes_options():
    """Every option finds its place."""
    options = parse(
        [
            "--venue",
            "bybit-spot",
            "--feed",
            "replay:a,b",
            "--speed",
            "3",
            "--loop",
            "--balance",
            "USDT=7.5",
            "--maker",
            "-0.0001",
            "--key",
            "A:B:c",
        ]
    )
    assert (options.product, options.feed, options.loop) == ("bybit-spot", "replay:a,b", True)
    assert options.balances == {"USDT": Decimal("7.5")}
    assert options.maker == Decimal("-0.0001")
    assert [(key.key, key.secret, key.account) for key in options.keys] == [("A", "B", "c")]


def test_neither_ccxt_nor_torch_is_imported():
    """The exchange starts quickly because it carries neither."""
    code = (
        "import sys, asmm_daemon.exchange.run as _, asmm_daemon.exchange.binance.wire;"
        "import asmm_daemon.exchange.bybit.wire;"
        "sys.exit(bool({'ccxt', 'torch', 'pydantic'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
