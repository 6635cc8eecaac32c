import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parents[1] / "scripts"


@pytest.fixture(scope="module")
def table():
    """The module behind the printed table."""
    spec = importlib.util.spec_from_file_location("bench_table", SCRIPTS / "bench_table.py")
    module = sys.modules["bench_table"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    del sys.modules["bench_table"]


@pytest.mark.parametrize(
    ("ours", "base", "goal", "how", "holds"),
    [
        (12.0, 10.0, 1.2, {}, True),
        (12.1, 10.0, 1.2, {}, False),
        (15.0, 10.0, 1.5, {"at_least": True}, True),
        (14.9, 10.0, 1.5, {"at_least": True}, False),
        (290.0, 210.0, 80.0, {"bounds": "above"}, True),
        (290.5, 210.0, 80.0, {"bounds": "above"}, False),
        (1.9, 0.0, 2.0, {"bounds": "value"}, True),
        (2.1, 0.0, 2.0, {"bounds": "value"}, False),
        (9.0, 1.0, None, {}, None),
    ],
)
def test_a_goal_bounds_what_it_says(table, ours, base, goal, how, holds):
    """A ratio from above or below, a value, or the distance above the baseline; no goal, no verdict."""
    line = table.Line("part", "what", ours, "other" if base else "", base, "MB", goal, **how)
    assert line.holds is holds
    assert ("MISSED" in table.render([line])) is (holds is False)


def test_lines_survive_json(table):
    """What a part writes, the table reads back; a line without a baseline has no ratio."""
    line = table.Line("memory", "slope", 1.0, "", 0.0, "MB/h", 2.0, bounds="value", note="fitted")
    raw = json.loads(json.dumps(line.as_json(), allow_nan=False))
    assert (raw.pop("ratio"), raw.pop("holds")) == (None, True)
    assert table.Line(**raw) == line


def test_ways_are_measured_in_turns(table):
    """A B, B A, A B: a drift of the machine falls on both alike."""
    order = []
    ways = [lambda: order.append("A") or 1.0, lambda: order.append("B") or 2.0]
    assert table.alternate(3, ways) == [[1.0] * 3, [2.0] * 3]
    assert "".join(order) == "ABBAAB"


def test_quantile_is_a_value_that_was_seen(table):
    """p99 of a hundred values is the last but none; of one value it is that value."""
    assert table.quantile(range(100), 0.99) == 99
    assert table.quantile([5.0], 0.99) == 5.0


def test_an_unknown_part_is_refused_by_name():
    """A slip of the pen names what there is and measures nothing."""
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / "bench.py"), "kernl"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    parts = "venue, cycle, online, orders, kernel, learn, backtest, memory, start"
    assert f"no part 'kernl'; there are {parts}" in done.stderr
