"""A stretch of a recording begins with the whole book."""

import numpy as np
import pytest

from asmm_daemon.core.book import new_book
from asmm_daemon.events import CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.exchange.feeds.base import make_feed
from asmm_daemon.tape.columns import concat, empty_rows, validate
from asmm_daemon.tape.load import open_source
from asmm_daemon.tape.window import Window, border, fold
from asmm_daemon.units import NS_PER_S


def folded(*parts):
    book = new_book()
    for rows in parts:
        fold(book, rows)
    return book


@pytest.fixture(scope="module")
def nexo(shared_data):
    return shared_data / "binance-raw/nexousdt-spot/nexousdt_20240723.dat.gz"


def test_the_book_at_its_end_is_the_recordings(nexo):
    """Whatever was cut off before the start, window and recording end in the same book."""
    source = open_source(nexo)
    rows = concat(list(source)).rows
    start, end = (int(rows["local_ns"][int(rows.size * share)]) for share in (0.4, 0.9))
    window = concat(list(Window(source, start, end))).rows
    validate(window, "window")
    assert window["kind"][:2].tolist() == [CLEAR, DEPTH]
    assert start <= window["local_ns"][0]
    assert window["local_ns"][-1] < end
    whole, part = folded(rows[rows["local_ns"] < end]), folded(window)
    assert part.head[0]["bid"] == whole.head[0]["bid"]
    assert part.head[0]["ask"] == whole.head[0]["ask"]
    low = int(whole.head[0]["lo"] - part.head[0]["lo"])
    assert low == 0
    assert np.array_equal(part.bids, whole.bids)
    assert np.array_equal(part.asks, whole.asks)


def test_trades_of_the_window_are_the_recordings(nexo):
    """None is lost and none comes twice."""
    source = open_source(nexo)
    rows = concat(list(source)).rows
    start = int(rows["local_ns"][rows.size // 2])
    window = concat(list(Window(source, start))).rows
    late = rows[(rows["kind"] == TRADE) & (rows["local_ns"] >= start)]
    assert np.array_equal(window[window["kind"] == TRADE], late)


def test_a_start_within_a_gap_begins_unknown(shared_data):
    """Inside a silence the book is not known: the window says so until the next whole book."""
    source = open_source(shared_data / "standx-btc/orderbook_BTC-USD_2026-01-06_03.parquet")
    rows = concat(list(source)).rows
    at = int(np.flatnonzero(rows["kind"] == GAP)[3])
    window = concat(list(Window(source, int(rows["local_ns"][at]) + 1))).rows
    assert window["kind"][0] == GAP
    assert window["last"][0]


def test_a_replay_can_start_at_a_moment(shared_data):
    """`from` and `to` cut a folder of hours, in UTC."""
    spec = f"replay:{shared_data}/standx-btc?from=2026-01-05T23:30&to=2026-01-05T23:40"
    feed = make_feed(spec, "binanceusdm", 0, 0)
    last = 0
    while feed.next_ns() is not None:
        last = feed.next_ns()
        feed.pop()
    assert 590 < last / NS_PER_S < 601


def test_a_border_never_splits_a_message():
    """The end of the message under way at that time; the first row and the row past the last are borders."""
    rows = empty_rows(6)
    rows["local_ns"], rows["last"] = [10, 20, 20, 30, 30, 40], [0, 0, 1, 0, 1, 1]
    found = [border(rows, t_ns) for t_ns in (5, 10, 11, 20, 21, 30, 31, 40, 41)]
    assert found == [0, 0, 3, 3, 3, 3, 5, 5, 6]
    assert border(rows[:0], 5) == 0
