"""The real recordings, with every quirk that their README lists."""

import gzip
import itertools
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asmm_daemon.core.book import apply
from asmm_daemon.core.book import new_book as make_book
from asmm_daemon.errors import TapeError
from asmm_daemon.events import CLEAR, GAP, TRADE
from asmm_daemon.kernels import kernel
from asmm_daemon.tape.columns import validate
from asmm_daemon.tape.load import load_tape, open_all, open_source
from asmm_daemon.units import NS_PER_S


@kernel
def judge(book, rows, seen):
    """Counts messages, crossed books, trades at a known book."""
    head = book.head[0]
    for row in rows:
        if row.kind == TRADE:
            seen[2] += head.known
        else:
            apply(book, row.kind, row.side, row.price, row.qty)
        if row.last:
            seen[0] += 1
            seen[1] += head.known and head.bid > head.ask


def judged(source, chunks=None):
    book, seen, count = make_book(), np.zeros(3, np.int64), 0
    for chunk in itertools.islice(source, chunks):
        validate(chunk.rows, "tape", count)
        judge(book, chunk.rows, seen)
        count += chunk.rows.size
    return book, seen, count


@pytest.mark.parametrize(
    ("folder", "symbol", "spot", "tick", "lot"),
    [
        ("binance-raw/nexousdt-spot", "NEXOUSDT", True, "0.001", "0.01"),
        ("binance-raw/btcusdt-usdm", "BTCUSDT", False, "0.1", "0.001"),
        ("binance-depth-5min", "BTCUSDT", True, "0.01", "0.00001"),
        ("binance-depth-5min", "BTCUSDT", False, "0.1", "0.001"),
        ("bitmex", "XBTUSD", False, "0.5", "0.0001"),
        ("bitmex", "ETHUSD", False, "0.05", "0.01"),
        ("standx-btc", "BTC-USD", False, "0.1", "0.0001"),
    ],
)
def test_every_recording_reads_to_a_sound_book(shared_data, folder, symbol, spot, tick, lot):
    """Rows keep the format's rules, the book is never crossed, and trades meet it."""
    source = open_source(shared_data / folder, symbol, spot=spot)
    assert (str(source.info.tick), str(source.info.lot)) == (tick, lot)
    _, seen, _ = judged(source, 4)
    assert seen[0] > 1000
    assert seen[1] == 0
    assert seen[2] > 50
    assert source.quality.off_grid == 0


def test_nexo_has_no_gap_and_its_24th_continues_the_23rd(shared_data):
    """Both files are one book: no sequence break at the seam, 24 h 20 min in all."""
    source = open_source(shared_data / "binance-raw/nexousdt-spot")
    rows = np.concatenate([chunk.rows for chunk in source])
    assert not (rows["kind"] == GAP).any()
    assert source.quality.sequence_breaks == 0
    assert 24.3 < (rows["local_ns"][-1] - rows["local_ns"][0]) / NS_PER_S / 3600 < 24.4
    assert (rows["kind"] == TRADE).sum() == 178 + 12280


def test_usdm_clock_is_set_forward_by_a_second_and_a_half(shared_data):
    """The recorder's clock ran behind the venue's."""
    source = open_source(shared_data / "binance-raw/btcusdt-usdm")
    list(source)
    assert 1.4e9 < source.quality.local_shift_ns < 1.6e9
    assert source.quality.sequence_breaks == 0


def test_standx_hour(shared_data):
    """Duplicates go, gaps are marked, locked books are unlocked, trades have two sides."""
    source = open_source(shared_data / "standx-btc/orderbook_BTC-USD_2026-01-06_03.parquet")
    rows = np.concatenate([chunk.rows for chunk in source])
    quality = source.quality
    assert quality.duplicates == 11018
    assert quality.gaps == 104
    assert (rows["kind"] == GAP).sum() == 104
    assert 0.55 < quality.locked / 11018 < 0.65
    assert quality.sides_inferred == 11086
    trades = rows[rows["kind"] == TRADE]
    assert 0.3 < (trades["side"] > 0).mean() < 0.7
    book = make_book()
    for row in rows[:2000]:
        apply(book, row["kind"], row["side"], row["price"], row["qty"])
        if row["last"] and book.head[0]["known"]:
            assert book.head[0]["bid"] < book.head[0]["ask"]


def test_a_gap_lasts_until_a_whole_new_book(shared_data):
    """The first book row after a GAP is a CLEAR, and the GAP stands between the two."""
    tape = load_tape(shared_data / "standx-btc/orderbook_BTC-USD_2026-01-06_03.parquet")
    rows = tape.rows[tape.rows["kind"] != TRADE]
    at = np.flatnonzero(rows["kind"] == GAP)
    assert (rows["kind"][at + 1] == CLEAR).all()
    assert (rows["exch_ns"][at] - rows["exch_ns"][at - 1] >= 1.5e9).all()
    assert (rows["exch_ns"][at] < rows["exch_ns"][at + 1]).all()


def test_standx_hours_chain_without_reading_ahead(shared_data):
    """A folder hands out an hour at a time, each later than the one before."""
    source = open_source(shared_data / "standx-btc")
    assert len(source.files) == 100
    first, second = itertools.islice(source, 2)
    assert first.rows["local_ns"][-1] <= second.rows["local_ns"][0]


def test_a_window_of_a_recording_holds_whole_messages(shared_data):
    """`load_tape` cuts by receive time at message borders, and windows add up to the whole."""
    path = shared_data / "binance-raw/nexousdt-spot/nexousdt_20240723.dat.gz"
    rows = load_tape(path).rows
    middle = int(rows["local_ns"][rows.size // 2])
    early, late = load_tape(path, end_ns=middle).rows, load_tape(path, start_ns=middle).rows
    assert np.array_equal(np.concatenate([early, late]), rows)
    assert early["last"][-1]
    assert early["local_ns"][-1] < middle <= late["local_ns"][0]


def test_bitmex_folder_is_chained_by_time(shared_data):
    """Three recordings of different days follow each other, with a GAP between, symbols apart."""
    assert [s.info.symbol for s in open_all(shared_data / "bitmex")] == ["ETHUSD", "XBTUSD"]
    source = open_source(shared_data / "bitmex", "XBTUSD")
    rows = np.concatenate([chunk.rows for chunk in source])
    assert (rows["kind"] == GAP).sum() == 2
    assert (np.diff(rows["local_ns"]) >= 0).all()


def test_two_markets_of_one_symbol_must_be_told_apart(shared_data):
    """Spot and perpetual BTCUSDT in one folder: the error says how to choose."""
    with pytest.raises(TapeError, match=r"BTCUSDT \(spot\), BTCUSDT \(perpetual\)|several markets"):
        open_source(shared_data / "binance-depth-5min", "BTCUSDT")


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [("bid_prices", float("nan"), "bid_prices"), ("ask_quantities", -1.0, "ask_quantities")],
)
def test_a_damaged_standx_book_is_named(shared_data, tmp_path, column, value, named):
    """A value that cannot be a price or a quantity is named with its row."""
    path = tmp_path / "orderbook_x.parquet"
    table = pq.read_table(shared_data / "standx-btc/orderbook_BTC-USD_2026-01-05_22.parquet").slice(0, 10)
    lists = table[column].to_pylist()
    lists[4][3] = value
    index = table.schema.get_field_index(column)
    pq.write_table(table.set_column(index, column, pa.array(lists)), path)
    with pytest.raises(TapeError, match=rf"orderbook_x\.parquet: row 5: {named}"):
        load_tape(path)


def test_a_damaged_trade_is_named(shared_data, tmp_path):
    """A trade at price zero is named with file and row."""
    folder = shared_data / "standx-btc"
    shutil.copy(folder / "orderbook_BTC-USD_2026-01-05_22.parquet", tmp_path / "orderbook_x.parquet")
    table = pq.read_table(folder / "trades_BTC-USD_2026-01-05_22.parquet")
    prices = table["price"].to_pylist()
    prices[7] = 0.0
    index = table.schema.get_field_index("price")
    pq.write_table(table.set_column(index, "price", pa.array(prices)), tmp_path / "trades_x.parquet")
    with pytest.raises(TapeError, match=r"trades_x\.parquet: row 8: a trade of .* at 0\.0"):
        load_tape(tmp_path)


def test_a_damaged_bitmex_line_is_named(shared_data, tmp_path):
    """A line that is no book is named with its number."""
    lines = gzip.decompress((shared_data / "bitmex/orderbook10_b.csv.gz").read_bytes()).splitlines(
        keepends=True
    )
    lines[4] = lines[4].replace(b"8724", b"what")
    (tmp_path / "a.csv").write_bytes(b"".join(lines[:20]))
    with pytest.raises(TapeError, match=r"a\.csv: line 5: not a book"):
        load_tape(tmp_path / "a.csv", "XBTUSD")
