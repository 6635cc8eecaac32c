"""`asmm convert`: one tape and a report; bounded memory; nothing left after an error or Ctrl-C."""

import gzip
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import orjson
import pytest
from typer.testing import CliRunner

from asmm_daemon.cli import app
from asmm_daemon.errors import TapeError
from asmm_daemon.events import CLEAR
from asmm_daemon.tape.load import load_tape
from asmm_daemon.tape.parquet import read_meta

T0 = 1_700_000_000_000_000
HEAD = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount\n"
ROOT = Path(__file__).resolve().parents[2]


def book_csv(path, seconds, *, pack=False, rows_a_second=1):
    """A book of two levels whose bid changes; about 60 bytes a row."""
    lines = [HEAD]
    for side, price in (("bid", 42000), ("ask", 42001)):
        lines.append(f"binance,BTCUSDT,{T0},{T0 + 5000},true,{side},{price},1\n")
    step = 1_000_000 // rows_a_second
    for n in range(1, seconds * rows_a_second):
        at = T0 + n * step
        lines.append(f"binance,BTCUSDT,{at},{at + 5000},false,bid,{41000 + n * 7919 % 1000},{n % 9}.5\n")
    body = "".join(lines).encode()
    path.write_bytes(gzip.compress(body, 1) if pack else body)
    return path


def run(*arguments):
    return CliRunner().invoke(app, ["convert", *map(str, arguments)])


def test_a_tape_and_a_report(tmp_path):
    """The tape reads as its source does; the report says what it is like; the key carries it."""
    source, tape = book_csv(tmp_path / "a.csv", 100), tmp_path / "t.parquet"
    result = run(source, "-o", tape)
    assert result.exit_code == 0, result.output
    assert np.array_equal(load_tape(tape).rows, load_tape(source).rows)
    for words in (
        "BTCUSDT of binance (binance), tick 1, lot 0.5",
        "gaps      0",
        "silences  0",
        "5.0 / 5.0 / 5.0 ms",
    ):
        assert words in result.output
    quality = read_meta(tape).quality
    assert (quality["rows"], quality["books"], quality["span_ns"]) == (103, 100, 99_000_000_000)
    assert quality["bytes"] == source.stat().st_size


def test_json_says_the_same(tmp_path):
    """`--json` prints the key, and the file's size."""
    tape = tmp_path / "t.parquet"
    result = run(book_csv(tmp_path / "a.csv", 10), "-o", tape, "--json")
    data = orjson.loads(result.stdout)
    assert data["rows"] == 13
    assert data["bytes"] == tape.stat().st_size
    assert data["quality"] == read_meta(tape).quality
    assert data["sources"][0]["file"] == "a.csv"


def test_a_window_starts_with_the_book(tmp_path):
    """`--from` and `--to` cut; the first message shows the book so far."""
    tape = tmp_path / "t.parquet"
    result = run(
        book_csv(tmp_path / "a.csv", 100),
        "-o",
        tape,
        "--from",
        "2023-11-14T22:13:30",
        "--to",
        "2023-11-14T22:13:50Z",
    )
    assert result.exit_code == 0, result.output
    rows = load_tape(tape).rows
    assert rows["kind"][0] == CLEAR
    assert (int(rows["local_ns"][0]), int(rows["local_ns"][-1])) == (
        (T0 + 10_005_000) * 1000, (T0 + 29_005_000) * 1000,
    )  # fmt: skip


def test_a_named_grid_and_a_tape_of_a_tape(tmp_path):
    """`--tick` and `--lot` hold; a tape's own grid is fixed, its repairs are carried on."""
    tape, again = tmp_path / "t.parquet", tmp_path / "u.parquet"
    assert run(book_csv(tmp_path / "a.csv", 10), "-o", tape, "--tick", "0.1", "--lot", "0.001").exit_code == 0
    assert str(read_meta(tape).info.tick) == "0.1"
    assert run(tape, "-o", again).exit_code == 0
    assert np.array_equal(load_tape(again).rows, load_tape(tape).rows)
    with pytest.raises(TapeError, match="its grid is fixed"):
        raise run(tape, "-o", tmp_path / "v.parquet", "--tick", "1").exception


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--symbol", "ETHUSDT"], "no recording of ETHUSDT; there is BTCUSDT (spot)"),
        (["--perpetual"], "there is BTCUSDT (spot)"),
        (["--from", "2030-01-01"], "no rows of BTCUSDT in the time asked for"),
    ],
)
def test_errors_leave_nothing_behind(tmp_path, arguments, named):
    """A wrong choice is a message, and no file."""
    source = book_csv(tmp_path / "a.csv", 10)
    result = run(source, "-o", tmp_path / "t.parquet", *arguments)
    assert isinstance(result.exception, TapeError)
    assert named in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]


@pytest.mark.parametrize(
    "arguments", [["--tick", "0"], ["--lot", "nan"], ["--tick", "a"], ["--from", "yesterday"], ["--to", "12"]]
)
def test_bad_options_are_usage_errors(tmp_path, arguments):
    """A step or a time that is none is named with what would be right."""
    result = run(book_csv(tmp_path / "a.csv", 10), "-o", tmp_path / "t.parquet", *arguments)
    assert result.exit_code == 2
    assert "write a" in result.output


def test_damage_midway_and_bad_targets_leave_nothing_behind(tmp_path):
    """Half a tape is no tape; a source is never overwritten; a folder that is missing is named."""
    source = book_csv(tmp_path / "a.csv", 200_000)
    with source.open("a") as file:
        file.write("binance,BTCUSDT,1,2,false,bid,1,1\n")
    result = run(source, "-o", tmp_path / "t.parquet")
    assert "line 200003: timestamp is 1" in str(result.exception)
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv"]
    assert "is one of the recordings" in str(run(source, "-o", source).exception)
    assert run(source, "-o", tmp_path).exit_code == 2
    missing = run(book_csv(tmp_path / "b.csv", 5), "-o", tmp_path / "no" / "t.parquet")
    assert "t.parquet: cannot be written" in str(missing.exception)


def start(source, tape, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "asmm_daemon.cli", "convert", str(source), "-o", str(tape)],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


@pytest.fixture
def interruptible():
    """A shell's background job ignores SIGINT and hands that on; what is started here does not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_leaves_nothing_behind(tmp_path):
    """Interrupted while it writes: an exit code, no traceback, no file."""
    source = book_csv(tmp_path / "a.csv.gz", 1000, rows_a_second=1000, pack=True)
    process = start(source, tmp_path / "t.parquet")
    while not (tmp_path / "t.parquet.partial").exists() and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "Traceback" not in errors
    assert [path.name for path in tmp_path.iterdir()] == ["a.csv.gz"]


PEAK = """
import sys
from asmm_daemon.cli import app
app(["convert", sys.argv[1], "-o", sys.argv[2]], standalone_mode=False)
print(next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")))
"""
"""Converts, then prints the most memory that was resident, in kB."""


@pytest.mark.timeout(240)
def test_memory_does_not_grow_with_the_recording(tmp_path):
    """Two million rows take hardly more memory than a fifth of them, far less than the 130 MB they fill."""
    peaks = []
    for seconds in (400, 2000):
        source = book_csv(tmp_path / f"{seconds}.csv.gz", seconds, rows_a_second=1000, pack=True)
        command = [sys.executable, "-c", PEAK, str(source), str(tmp_path / "t.parquet")]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        peaks.append(int(done.stdout.split()[-1]) / 1024)
    assert read_meta(tmp_path / "t.parquet").rows == 2_000_003
    assert peaks[1] - peaks[0] < 50, peaks
