import orjson
from process_tools import at, wait_for

from asmm_daemon.replay import replay


def _session(exchange, daemon, tmp_path):
    """A short session on a busy market, recorded; returns its event log."""
    record = tmp_path / "events.jsonl"
    venue = exchange("bybit-linear", "--speed", "10")
    maker = daemon(*at(venue), arguments=("--record", str(record)))
    maker.wait_until_quoting()
    wait_for(lambda: sum(line["ev"] == "amend" for line in venue.lines()) > 20)
    assert maker.end() == 0, maker.text()
    return record


def test_a_live_session_replays_to_the_same_commands(exchange, daemon, tmp_path):
    """A fresh engine, fed the recorded messages and order events, makes every decision again."""
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
