import json
import os
import pty
import signal
import sqlite3
import subprocess
from pathlib import Path

import pytest
from process_tools import CLI, ROOT, at, wait_for, with_reader

from asmm_daemon.service import control
from asmm_daemon.service.audit import audit, compare_fills, compare_intents, read_log
from asmm_daemon.service.journal import FILE_NAME, read

UNWRITTEN_OUTPUT = 120
"""Python's exit code where its standard output cannot be flushed at the end."""


def _judge(venue, journal):
    """Violations of a session, by the venue's log and the journal."""
    report = audit(read_log(venue.log))
    with sqlite3.connect(journal) as database:
        intents = dict(database.execute("select key, wall_ns from records where kind = 'intent'").fetchall())
    return [
        *report.violations,
        *compare_fills(report, read(journal)),
        *compare_intents(read_log(venue.log), intents),
    ]


@pytest.mark.parametrize("product", ["binance", "binanceusdm", "bybit-spot", "bybit-linear"])
def test_a_session_quotes_fills_and_ends_clean(product, exchange, daemon):
    """On every product both sides rest; SIGTERM leaves zero open orders and a ledger that is the account."""
    venue = exchange(product, "--speed", "10", "--maker", "0")
    maker = daemon(*at(venue))
    maker.wait_until_quoting()
    wait_for(lambda: any(line["ev"] == "fill" for line in venue.lines()), 60)
    assert maker.end() == 0, maker.text()
    summary = json.loads(maker.summary.read_text())
    assert summary["exit"] == "signal"
    assert summary["reconciled"], summary["differences"]
    assert summary["open_orders"] == 0
    assert venue.open_orders() == {}
    assert _judge(venue, maker.state / FILE_NAME) == []


def test_ctrl_c_cancels_everything_before_the_embedded_exchange_ends(tmp_path, daemon):
    """SIGINT to the daemon: its child exchange lives until the orders are gone."""
    log = tmp_path / "venue.jsonl"
    maker = daemon(f"demo.log={log}")
    maker.wait_until_quoting()
    assert maker.end(signal.SIGINT) == 0, maker.text()
    report = audit(read_log(log))
    assert report.open_orders == 0
    assert report.violations == []


def test_an_embedded_exchange_that_dies_ends_the_session(daemon):
    """Nothing is left to trade on: the daemon says so and ends, instead of pausing for good."""
    maker = daemon("service.shutdown_s=2")
    maker.wait_until_quoting()
    pid = maker.process.pid
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(child), signal.SIGKILL)
    assert maker.process.wait(60) == 1
    assert "the embedded exchange ended by SIGKILL" in maker.text()
    assert "Traceback" not in maker.text()


def test_a_killed_daemon_leaves_orders_that_cancel_removes_and_a_restart_adopts(exchange, daemon, tmp_path):
    """SIGKILL leaves quotes at the venue; the next start reconciles them away before it quotes anew."""
    venue = exchange()
    first = daemon(*at(venue))
    first.wait_until_quoting()
    first.end(signal.SIGKILL)
    assert len(venue.open_orders()) == 2
    second = daemon(*at(venue))
    second.wait_until_quoting()
    assert second.end() == 0, second.text()
    assert venue.open_orders() == {}
    assert _judge(venue, second.state / FILE_NAME) == []


def test_a_lost_journal_leads_to_no_old_order_id(exchange, daemon):
    """A killed daemon whose journal is gone starts anew: old orders go, and no id is used twice (S4)."""
    venue = exchange()
    first = daemon(*at(venue))
    first.wait_until_quoting()
    first.end(signal.SIGKILL)
    for path in first.state.glob("journal.sqlite*"):
        path.unlink()
    second = daemon(*at(venue))
    second.wait_until_quoting()
    assert second.end() == 0, second.text()
    used = [line["cid"] for line in venue.lines() if line["ev"] == "accept"]
    assert len(used) == len(set(used)) > 2
    assert venue.open_orders() == {}


def test_cancel_clears_what_a_crash_left(exchange, daemon):
    """`asmm cancel` without a daemon: ours go, another client's order stays."""
    venue = exchange()
    maker = daemon(*at(venue))
    maker.wait_until_quoting()
    maker.end(signal.SIGKILL)
    command = [*CLI, "cancel", "--config", str(maker.config)]
    for setting in at(venue):
        command += ["--set", setting]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "none of our orders is open" in done.stdout
    assert venue.open_orders() == {}


def test_a_second_daemon_refuses_to_start(exchange, daemon, tmp_path):
    """Another state folder does not help: one account and symbol has one daemon."""
    venue = exchange()
    first = daemon(*at(venue))
    first.wait_until_quoting()
    other = tmp_path / "other"
    other.mkdir()
    second = daemon(*at(venue), folder=other)
    assert second.process.wait(60) == 6
    assert "another daemon trades" in second.text()
    assert first.end() == 0


def test_reload_good_and_bad(exchange, daemon):
    """SIGHUP: a good file is swapped in and journaled; a bad one changes nothing and is reported."""
    venue = exchange()
    maker = daemon(*at(venue))
    maker.wait_until_quoting()
    before = maker.status()["service"]["config_sha256"]
    text = maker.config.read_text()
    maker.config.write_text(text.replace("gamma = 0.1 ", "gamma = 0.5 "))
    maker.send(signal.SIGHUP)
    wait_for(lambda: maker.status()["service"]["config_sha256"] != before)
    wait_for(lambda: maker.status()["markets"][0]["gamma"] == 0.5)
    good = maker.status()["service"]["config_sha256"]
    maker.config.write_text(text.replace("gamma = 0.1 ", "gamma = -1 "))
    maker.send(signal.SIGHUP)
    wait_for(lambda: not maker.status()["service"]["reload_ok"])
    status = maker.status()
    assert "quoting.gamma = -1" in status["service"]["reload_error"]
    assert status["service"]["config_sha256"] == good
    maker.config.write_text(text.replace('symbol = "BTCUSDT"', 'symbol = "ETHUSDT"'))
    maker.send(signal.SIGHUP)
    wait_for(lambda: "cannot change while running" in maker.status()["service"]["reload_error"])
    assert maker.end() == 0, maker.text()


def test_halt_is_latched_over_a_restart_and_ends_by_resume(exchange, daemon):
    """A halt survives SIGKILL; `asmm resume` with a reason ends it."""
    venue = exchange()
    first = daemon(*at(venue))
    first.wait_until_quoting()
    control.operate(first.state, "halt", "test of the latch")
    wait_for(lambda: not venue.open_orders(), 10)
    first.end(signal.SIGKILL)
    second = daemon(*at(venue))
    wait_for(lambda: second.state_name() == "HALTED")
    control.operate(second.state, "resume", "looked at it")
    second.wait_until_quoting()
    assert second.end() == 0, second.text()


def test_a_secret_never_shows(exchange, daemon, tmp_path):
    """A canary key and secret appear in no file that the daemon wrote, nor in its arguments."""
    canary = {"ASMM_API_KEY": "KEY", "ASMM_API_SECRET": "canary-s3cr3t-0123456789"}
    venue = exchange("binanceusdm", "--key", f"KEY:{canary['ASMM_API_SECRET']}")
    maker = daemon(*at(venue), "mode=live", env=canary)
    maker.wait_until_quoting()
    arguments = Path(f"/proc/{maker.process.pid}/cmdline").read_text()
    status = json.dumps(maker.status())
    assert maker.end() == 0, maker.text()
    files = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert canary["ASMM_API_SECRET"].encode() not in files
    assert canary["ASMM_API_SECRET"] not in arguments + status


def test_nobody_reads_the_log_and_the_end_is_clean_all_the_same(exchange, daemon):
    """The reader of the daemon's output left: SIGTERM still cancels everything."""
    venue = exchange()
    maker, reader = with_reader(daemon, os.pipe(), *at(venue))
    maker.wait_until_quoting()
    os.close(reader)
    maker.send(signal.SIGHUP)
    assert maker.end() in (0, UNWRITTEN_OUTPUT)
    assert venue.open_orders() == {}
    assert json.loads(maker.summary.read_text())["exit"] == "signal"


def test_a_terminal_that_closes_ends_no_session(exchange, daemon):
    """The screen's terminal is gone: trading goes on, and SIGTERM ends it as ever."""
    venue = exchange()
    maker, reader = with_reader(daemon, pty.openpty(), *at(venue))
    wait_for(lambda: os.read(reader, 65536) and maker.quoting())
    os.close(reader)
    wait_for(lambda: maker.status()["service"]["reload_ok"])
    assert maker.end() in (0, UNWRITTEN_OUTPUT)
    assert venue.open_orders() == {}
    assert json.loads(maker.summary.read_text())["exit"] == "signal"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_stopping_while_starting_leaves_nothing(daemon, number):
    """A stop before trading began ends quietly."""
    maker = daemon()
    wait_for(maker.state.exists)
    assert maker.end(number) == 0
    assert "Traceback" not in maker.text()


def test_ctrl_backslash_cancels_as_ctrl_c_does(exchange, daemon):
    """SIGQUIT is no way to leave orders at the venue."""
    venue = exchange()
    maker = daemon(*at(venue))
    maker.wait_until_quoting()
    assert maker.end(signal.SIGQUIT) == 0, maker.text()
    assert venue.open_orders() == {}


def test_a_reload_while_starting_is_not_lost(exchange, daemon):
    """SIGHUP before trading began neither ends the daemon nor passes unnoticed."""
    maker = daemon(*at(exchange()))
    wait_for(maker.state.exists)
    maker.config.write_text(maker.config.read_text().replace("gamma = 0.1 ", "gamma = 0.5 "))
    maker.send(signal.SIGHUP)
    maker.wait_until_quoting()
    wait_for(lambda: maker.status()["markets"][0]["gamma"] == 0.5)
    assert maker.end() == 0, maker.text()
