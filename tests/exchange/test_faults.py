"""When faults strike, and that nonsense is refused by name."""

import io

import pytest

from asmm_daemon.errors import ConfigError
from asmm_daemon.exchange.fault_table import parse_fault, read_faults
from asmm_daemon.exchange.faults import Faults
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.units import NS_PER_S


def faults(*items):
    """Faults that begin at 0."""
    parsed = [parse_fault(item, f"f{n}") for n, item in enumerate(items, 1)]
    return Faults(parsed, seed=1, log=VenueLog(io.BytesIO(), lambda: 0))


def strikes(table, seconds, name="btcusdt@depth"):
    """The seconds at which a public message is struck."""
    return [s for s in seconds if table.message("stream", name, int(s * NS_PER_S))]


def test_window():
    """From at_s for for_s seconds."""
    table = faults({"on": "stream", "do": "silence", "at_s": 60, "for_s": 40})
    assert strikes(table, range(0, 200, 10)) == [60, 70, 80, 90]


def test_once_and_repeated():
    """Without for_s the first match at or after at_s; with every, once a period."""
    table = faults({"on": "stream", "do": "drop", "at_s": 5, "every": 10})
    assert strikes(table, range(40)) == [5, 15, 25, 35]
    windows = faults({"on": "stream", "do": "drop", "at_s": 5, "every": 10, "for_s": 2})
    assert strikes(windows, range(40)) == [5, 6, 15, 16, 25, 26, 35, 36]


def test_probability_comes_from_the_seed():
    """About a third of the messages, the same ones each time."""
    item = {"on": "stream", "do": "drop", "p": 0.3, "for_s": 10_000}
    first, second = strikes(faults(item), range(1000)), strikes(faults(item), range(1000))
    assert first == second
    assert 250 < len(first) < 350


@pytest.mark.parametrize(
    ("pattern", "hit"), [("depth", True), ("btcusdt@*", True), ("ethusdt*", False), ("trade", False)]
)
def test_names_match_by_part_or_pattern(pattern, hit):
    """A plain word matches anywhere in a stream's name."""
    table = faults({"on": "stream", "do": "drop", "match": {"name": pattern}})
    assert bool(strikes(table, [0])) is hit


def test_requests_match_by_method_and_path():
    """A path matches at its end or as a pattern, a method in any case."""
    table = faults(
        {"on": "response", "do": "drop", "for_s": 9, "match": {"path": "/order", "method": "post"}}
    )
    assert table.response("POST", "/fapi/v1/order", 0)
    assert not table.response("GET", "/fapi/v1/order", 0)
    assert not table.response("POST", "/fapi/v1/order/test", 0)


def test_event_and_stream_faults_are_apart():
    """A private event is not struck by a fault on streams."""
    table = faults({"on": "event", "do": "drop", "for_s": 9})
    assert table.message("event", "orders", 0)
    assert not table.message("stream", "orders", 0)


def test_a_replaced_fault_strikes_anew():
    """Adding a fault of the same id takes the old one's place."""
    table = faults({"id": "x", "on": "stream", "do": "drop"})
    assert strikes(table, range(3)) == [0]
    table.add(parse_fault({"id": "x", "on": "stream", "do": "drop", "at_s": 5}, "y"))
    assert strikes(table, range(10)) == [5]
    assert table.remove("x")
    assert not table.remove("x")


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ([], "must be an object"),
        ({"on": "moon", "do": "drop"}, "on = 'moon'"),
        ({"on": "stream", "do": "skew"}, "do = 'skew'"),
        ({"on": "stream", "do": "drop", "when": 1}, "unknown key when"),
        ({"on": "stream", "do": "drop", "match": {"nam": "x"}}, "unknown key match.nam"),
        ({"on": "stream", "do": "drop", "at_s": -1}, "at_s = -1"),
        ({"on": "stream", "do": "drop", "p": 2}, "p = 2"),
        ({"on": "stream", "do": "drop", "every": 5, "for_s": 6}, "every = 5"),
    ],
)
def test_nonsense_is_refused_by_name(item, message):
    """Each message names the key and the value."""
    with pytest.raises(ConfigError, match=message):
        parse_fault(item, "here")


def test_a_file_names_its_line(tmp_path):
    """Blank lines do not count as faults; a broken one is named."""
    path = tmp_path / "faults.jsonl"
    path.write_text('{"on":"clock","do":"skew","arg":{"ms":-5}}\n\n')
    assert read_faults(path)[0].ms == -5
    path.write_text('{"on":"clock","do":"skew"}\n{oops\n')
    with pytest.raises(ConfigError, match=r"faults.jsonl:2"):
        read_faults(path)
