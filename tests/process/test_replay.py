import signal

import orjson
from process_tools import at, wait_for

from asmm_daemon.replay import replay


def _amends(venue):
    return sum(line["ev"] == "amend" for line in venue.lines())


def _session(exchange, daemon, tmp_path):
    """A short session on a busy market with a reload in it, recorded; returns its event log."""
    record = tmp_path / "events.jsonl"
    venue = exchange("bybit-linear", "--speed", "10")
    maker = daemon(*at(venue), arguments=("--record", str(record)))
    maker.wait_until_quoting()
    wait_for(lambda: _amends(venue) > 20)
    maker.config.write_text(maker.config.read_text().replace("gamma = 0.1 ", "gamma = 0.9 "))
    maker.process.send_signal(signal.SIGHUP)
    wait_for(lambda: "reloaded" in maker.text())
    told = _amends(venue)
    wait_for(lambda: _amends(venue) > told + 10)
    assert maker.end() == 0, maker.text()
    return record


def test_a_live_session_replays_to_the_same_commands(exchange, daemon, tmp_path):
    """A fresh engine, fed the recorded messages, order events and reload, makes every decision again."""
    record = _session(exchange, daemon, tmp_path)
    again = replay(record)
    assert again.difference is None
    assert again.commands > 20
    changed = tmp_path / "changed.jsonl"
    changed.write_bytes(_with_another_gamma(record.read_bytes()))
    assert replay(changed).difference is not None


def _with_another_gamma(log):
    """The same events for an engine that was built with ten times the risk aversion."""
    first, rest = log.split(b"\n", 1)
    start = orjson.loads(first)
    settings = orjson.loads(start["start"]["config"])
    settings["market"][0]["quoting"]["gamma"] = 1.0
    settings["market"][0]["quoting"]["skew"] = 0.5
    start["start"]["config"] = orjson.dumps(settings).decode()
    return orjson.dumps(start) + b"\n" + rest
