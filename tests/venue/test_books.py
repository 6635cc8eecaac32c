"""Sequence rules, on made and on recorded messages."""

import gzip
from decimal import Decimal

import orjson
import pytest

from asmm_daemon.core.book import new_book
from asmm_daemon.events import CLEAR
from asmm_daemon.units import Instrument, Lots
from asmm_daemon.venue.books import BinanceBook, BybitBook, SequenceGap
from asmm_daemon.venue.rows import RowMaker
from asmm_daemon.venue.top import TopOfBook


def instrument(symbol, tick, lot, product):
    return Instrument(
        symbol,
        product,
        symbol[:-4],
        "USDT",
        Decimal(tick),
        Decimal(lot),
        Decimal(5),
        Lots(1),
        Lots(10**9),
        Decimal(0),
        Decimal(0),
    )


def diff(first, last, bids=(), asks=(), pu=None):
    message = {"e": "depthUpdate", "E": 1, "U": first, "u": last, "b": list(bids), "a": list(asks)}
    return message if pu is None else {**message, "pu": pu}


SNAPSHOT = {"lastUpdateId": 100, "bids": [["10", "1"]], "asks": [["11", "1"]]}


@pytest.fixture
def spot():
    return BinanceBook(RowMaker(instrument("AAAUSDT", "1", "1", "binance")), futures=False)


@pytest.fixture
def futures():
    return BinanceBook(RowMaker(instrument("AAAUSDT", "1", "1", "binanceusdm")), futures=True)


def test_spot_joins_the_held_diffs_to_the_snapshot(spot):
    """What the snapshot already contains is dropped, what straddles it is applied."""
    assert spot.diff(diff(90, 95, [["9", "1"]]), 1) is None
    assert spot.diff(diff(96, 101, [["9", "2"]]), 1) is None
    rows = spot.snapshot(SNAPSHOT, 5)
    assert rows["kind"].tolist()[:2] == [CLEAR, CLEAR]
    assert rows["qty"].tolist() == [0, 0, 1, 1, 2]
    assert rows["last"].tolist() == [False] * 4 + [True]
    assert spot.last_id == 101


def test_a_snapshot_older_than_the_held_diffs_is_refused(spot):
    """Between it and the first diff an update is missing: another snapshot must be fetched."""
    spot.diff(diff(105, 106), 1)
    assert spot.snapshot(SNAPSHOT, 5) is None
    assert not spot.synced


def test_spot_needs_every_id(spot):
    """The first id of a diff is one after the last of the one before."""
    spot.snapshot(SNAPSHOT, 5)
    spot.diff(diff(99, 102), 1)
    spot.diff(diff(103, 104), 1)
    with pytest.raises(SequenceGap):
        spot.diff(diff(106, 107), 1)


def test_a_diff_already_in_the_book_is_dropped(spot):
    """A duplicate changes nothing and is no gap."""
    spot.snapshot(SNAPSHOT, 5)
    assert spot.diff(diff(98, 100, [["9", "5"]]), 1) is None
    assert spot.diff(diff(101, 101, [["9", "5"]]), 1).size == 1
    assert spot.diff(diff(101, 101, [["9", "5"]]), 1) is None


def test_futures_follow_the_previous_id(futures):
    """USD-M diffs name the diff before; ids may jump otherwise."""
    futures.snapshot(SNAPSHOT, 5)
    futures.diff(diff(95, 100, [["9", "1"]], pu=90), 1)
    futures.diff(diff(150, 160, [["9", "2"]], pu=100), 1)
    with pytest.raises(SequenceGap):
        futures.diff(diff(170, 180, pu=165), 1)


def test_futures_first_diff_must_straddle_the_snapshot(futures):
    """A first diff that starts after the snapshot and does not follow it leaves a hole."""
    futures.snapshot(SNAPSHOT, 5)
    with pytest.raises(SequenceGap):
        futures.diff(diff(120, 130, pu=110), 1)


def test_bybit_counts_without_holes():
    """`u` rises by one with each delta; ccxt does not look, we do."""
    book = BybitBook(RowMaker(instrument("AAAUSDT", "1", "1", "bybit-linear")))
    delta = {"type": "delta", "ts": 1, "data": {"s": "AAAUSDT", "b": [["9", "1"]], "a": [], "u": 2}}
    assert book.message(delta, 1) is None
    whole = {"type": "snapshot", "ts": 1, "data": {"b": [["9", "1"]], "a": [["10", "1"]], "u": 5}}
    assert book.message(whole, 1).size == 4
    assert book.message({**delta, "data": {**delta["data"], "u": 6}}, 1).size == 1
    with pytest.raises(SequenceGap):
        book.message({**delta, "data": {**delta["data"], "u": 8}}, 1)


def test_a_recorded_spot_day_has_no_gap_and_ends_at_its_own_best_prices(shared_data):
    """Recorded diffs on the recorded snapshot reproduce the recorded bookTicker prices."""
    maker = RowMaker(instrument("NEXOUSDT", "0.001", "0.01", "binance"))
    book, top, best = BinanceBook(maker, futures=False), TopOfBook(), None
    agreed = compared = 0
    with gzip.open(shared_data / "binance-raw/nexousdt-spot/nexousdt_20240723.dat.gz") as lines:
        for line in lines:
            message = orjson.loads(line.split(b" ", 1)[1])
            if "lastUpdateId" in message:
                top.apply(book.snapshot(message, 1))
                continue
            data = message["data"]
            if data.get("e") == "depthUpdate":
                rows = book.diff(data, data["E"] * 10**6)
                if rows is not None:
                    top.apply(rows)
                if best is not None and best["u"] == data["u"]:
                    head = top._book.head[0]
                    compared += 1
                    agreed += head["bid"] == round(float(best["b"]) * 1000) and head["ask"] == round(
                        float(best["a"]) * 1000
                    )
            elif message["stream"].endswith("bookTicker"):
                best = data
    assert compared > 20
    assert agreed == compared


def test_recorded_futures_diffs_follow_one_another(shared_data):
    """Every recorded USD-M diff names the one before it."""
    book = BinanceBook(RowMaker(instrument("BTCUSDT", "0.1", "0.001", "binanceusdm")), futures=True)
    count = 0
    with gzip.open(shared_data / "binance-raw/btcusdt-usdm/usdm_btcusdt_20240719.gz") as lines:
        for line in lines:
            message = orjson.loads(line.split(b" ", 1)[1])
            data = message.get("data", {})
            if data.get("e") == "depthUpdate":
                if not book.synced:
                    book.last_id = data["pu"]
                book.diff(data, 1)
                count += 1
            if count == 1000:
                break
    assert count == 1000


def test_the_top_window_is_large_enough_for_a_bitcoin_book():
    """The adapter's own book of prices spans hundreds of dollars of ticks."""
    assert new_book(16384).bids.size * 0.1 > 1000
