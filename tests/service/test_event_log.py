from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon import events
from asmm_daemon.errors import StateError, TapeError
from asmm_daemon.service.event_log import EventLog, read_events, read_start


def _rows():
    rows = np.zeros(2, events.ROW)
    rows["price"], rows["qty"], rows["last"] = [7, 8], [1, 2], [False, True]
    return rows


def test_events_and_commands_come_back_as_they_were(tmp_path):
    """Rows, decimals, enumerations and nested events survive the file bit for bit."""
    fill = events.FillEvent(
        3, 0, "c", "o", "t", 1, Decimal("1.10"), Decimal("0.001"), Decimal("-1E-7"), "BNB", True, 9, "stream"
    )
    update = events.OrderUpdate(3, 0, "c", "o", events.OrderStatus.OPEN, 1, 7, 2, 0, 9, "rest")
    given = [
        (events.MarketData(1, 0, _rows()), [events.Place(0, "c", 1, 0, 7, 2, False, "PO")]),
        (fill, []),
        (events.Snapshot(4, 0, (update,), (fill,), (), None), [events.CancelAll(0, "x")]),
        (events.ChannelEvent(5, None, events.Channel.BOOK, False, "gone"), []),
    ]
    path = tmp_path / "events.jsonl"
    with EventLog(path) as log:
        for event, commands in given:
            log.write(event, commands)
    got = list(read_events(path))
    assert [commands for _, commands in got] == [commands for _, commands in given]
    assert np.array_equal(got[0][0].rows, given[0][0].rows)
    assert [event for event, _ in got[1:]] == [event for event, _ in given[1:]]
    assert str(got[1][0].price) == "1.10"


def test_a_damaged_line_is_named(tmp_path):
    """A line that is cut off is an error with file and line."""
    path = tmp_path / "events.jsonl"
    path.write_text('{"event": 1, "commands": []}\n{"event"')
    with pytest.raises(TapeError, match=r"events\.jsonl:2"):
        list(read_events(path))


def test_files_that_cannot_be_opened_are_said(tmp_path):
    """A log in a folder that does not exist is one clear error, to write as to read."""
    path = tmp_path / "none" / "session.log"
    with pytest.raises(StateError, match=r"--record .* cannot be written: No such file"):
        EventLog(path)
    with pytest.raises(TapeError, match="cannot be read: No such file"):
        read_start(path)
