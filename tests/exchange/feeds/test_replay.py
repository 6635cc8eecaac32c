"""Recordings on the venue's clock."""

from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon.errors import ConfigError, TapeError
from asmm_daemon.events import DEPTH, GAP
from asmm_daemon.exchange.feeds.base import make_feed
from asmm_daemon.exchange.feeds.markets import listed
from asmm_daemon.exchange.feeds.replay import HOLE_NS, SEAM_NS, ReplayStream
from asmm_daemon.tape.columns import Quality, Tape, TapeInfo, empty_rows
from asmm_daemon.tape.parquet import TapeWriter

INFO = TapeInfo("binance", "binance", "AAAUSDT", "AAA", "USDT", Decimal("0.01"), Decimal("0.1"), Decimal(5))
MS = 1_000_000
START = 1_800_000_000_000_000_000
RECORDED = 1_700_000_000_000_000_000


def chunk(*messages):
    """A chunk of (exch_ms, local_ms, rows in the message)."""
    parts = []
    for exch_ms, local_ms, count in messages:
        rows = empty_rows(count)
        rows["exch_ns"], rows["local_ns"] = RECORDED + exch_ms * MS, RECORDED + local_ms * MS
        rows["kind"], rows["side"], rows["price"], rows["qty"] = DEPTH, 1, 100, 1
        rows["last"][-1] = True
        parts.append(rows)
    return np.concatenate(parts)


@dataclass
class Made:
    """A source of hand-written chunks."""

    chunks: list
    info: TapeInfo = INFO
    files: tuple = ()
    quality: Quality = field(default_factory=Quality)

    def __iter__(self):
        for rows in self.chunks:
            yield Tape(self.info, rows)


def stream(*chunks, loop=False):
    return ReplayStream(Made(list(chunks)), listed("binanceusdm", INFO), START, loop=loop)


def drained(source):
    messages = []
    while source.next_ns() is not None:
        at = source.next_ns()
        rows = source.pop()
        assert rows["exch_ns"][-1] == at
        messages.append(rows)
    return messages


def test_the_first_message_falls_at_the_start_and_distances_stay():
    """Venue and receive times move by one offset, over chunk borders too."""
    source = stream(chunk((0, 3, 2), (40, 41, 1)), chunk((100, 140, 3)))
    assert source.offset_ns == START - RECORDED
    messages = drained(source)
    assert [len(rows) for rows in messages] == [2, 1, 3]
    assert [int(rows["exch_ns"][0] - START) // MS for rows in messages] == [0, 40, 100]
    assert [int(rows["local_ns"][0] - START) // MS for rows in messages] == [3, 41, 140]


def test_venue_time_never_runs_backwards():
    """A message that carries an older venue time than the one before takes that one's."""
    messages = drained(stream(chunk((50, 60, 1), (20, 61, 1)), chunk((40, 62, 1), (70, 80, 1))))
    assert [int(rows["exch_ns"][0] - START) // MS for rows in messages] == [0, 0, 0, 20]
    assert all((rows["local_ns"] >= rows["exch_ns"]).all() for rows in messages)


def test_a_hole_between_files_is_closed_up():
    """More than ten minutes without a message become a second; shorter silences stay."""
    hole_ms = HOLE_NS // MS + 5
    messages = drained(
        stream(chunk((0, 1, 1), (60_000, 60_001, 1)), chunk((60_000 + hole_ms, 60_001 + hole_ms, 1)))
    )
    assert [int(rows["exch_ns"][0] - START) // MS for rows in messages] == [0, 60_000, 60_000 + SEAM_NS // MS]
    assert int(messages[2]["local_ns"][0] - messages[2]["exch_ns"][0]) == MS


def test_a_loop_starts_over_after_a_gap():
    """A GAP ends the pass, the next pass follows a second later, and again."""
    source = stream(chunk((0, 1, 1), (500, 501, 1)), loop=True)
    times, kinds = [], []
    for _ in range(8):
        at = source.next_ns()
        rows = source.pop()
        times.append((at - START) // MS)
        kinds.append(int(rows["kind"][0]))
    assert times == [0, 500, 500, 1500, 2000, 2000, 3000, 3500]
    assert [n for n, kind in enumerate(kinds) if kind == GAP] == [2, 5]


def test_recordings_keep_their_grid_under_a_listed_name():
    """A dollar market is listed in USDT on every product, with the recording's tick and lot."""
    info = TapeInfo(
        "standx", "binanceusdm", "BTC-USD", "BTC", "USD", Decimal("0.1"), Decimal("0.0001"), Decimal(5)
    )
    unit = listed("bybit-spot", info)
    assert (unit.symbol, unit.base, unit.quote, unit.is_spot) == ("BTCUSDT", "BTC", "USDT", True)
    assert (unit.tick, unit.lot) == (Decimal("0.1"), Decimal("0.0001"))
    assert listed("bybit-linear", info, "XUSDT").base == "X"


@pytest.fixture
def recording(tmp_path):
    def make(name, symbol="AAAUSDT", at_ms=0):
        info = TapeInfo(
            "binance", "binance", symbol, symbol[:3], "USDT", Decimal("0.01"), Decimal("0.1"), Decimal(5)
        )
        path = tmp_path / name
        writer = TapeWriter(path, info)
        writer.write(chunk((at_ms, at_ms + 1, 1), (at_ms + 100, at_ms + 101, 1)))
        writer.close({})
        return path

    return make


def test_several_recordings_are_one_feed_in_time_order(recording):
    """Each starts at the venue's start; messages come by venue time, then by the list of markets."""
    a, b = recording("a.parquet"), recording("b.parquet", "BBBUSDT", at_ms=7_000_000)
    feed = make_feed(f"replay:{a},{b}", "binanceusdm", START, 0)
    assert [unit.symbol for unit in feed.instruments] == ["AAAUSDT", "BBBUSDT"]
    taken = []
    while feed.next_ns() is not None:
        at = feed.next_ns() - START
        index, _ = feed.pop()
        taken.append((at // MS, index))
    assert taken == [(0, 0), (0, 1), (100, 0), (100, 1)]
    assert feed.offsets_ns == [START - RECORDED, START - RECORDED - 7_000_000 * MS]


def test_two_markets_of_one_name_need_another(recording):
    """The error says how to list one of them under another name, and that works."""
    a, b = recording("a.parquet"), recording("b.parquet")
    with pytest.raises(ConfigError, match="AAAUSDT comes twice"):
        make_feed(f"replay:{a},{b}", "binance", START, 0)
    feed = make_feed(f"replay:{a},{b}?as=CCCUSDT;synthetic:ETHUSDT", "binance", START, 0)
    assert [unit.symbol for unit in feed.instruments] == ["AAAUSDT", "CCCUSDT", "ETHUSDT"]


@pytest.mark.parametrize(
    ("spec", "named"),
    [("", "expected synthetic"), ("replay", "expected"), ("random", "expected"), ("mirror", "mirror:SYMBOL")],
)
def test_an_unknown_feed_is_refused(spec, named):
    """The error says what a feed may be."""
    with pytest.raises(ConfigError, match=named):
        make_feed(spec, "binance", START, 0)


def test_wrong_options_are_refused(recording):
    """An unknown option, an unknown symbol and a missing file are named."""
    path = recording("a.parquet")
    with pytest.raises(ConfigError, match="speed"):
        make_feed(f"replay:{path}?speed=2", "binance", START, 0)
    with pytest.raises(ConfigError, match="holds no BBB"):
        make_feed(f"replay:{path}?symbol=BBB", "binance", START, 0)
    with pytest.raises(TapeError, match="no such file"):
        make_feed(f"replay:{path}x", "binance", START, 0)


def test_a_product_takes_the_recording_of_its_kind(shared_data):
    """Spot and perpetual in one folder: each product replays its own, and NEXO serves both."""
    folder = shared_data / "binance-depth-5min"
    for product, tick in (("binance", "0.01"), ("bybit-linear", "0.1")):
        feed = make_feed(f"replay:{folder}", product, START, 0)
        assert [str(unit.tick) for unit in feed.instruments] == [tick]
    feed = make_feed(f"replay:{shared_data}/binance-raw/nexousdt-spot", "bybit-linear", START, 0)
    assert feed.instruments[0].symbol == "NEXOUSDT"
    assert not feed.instruments[0].is_spot
