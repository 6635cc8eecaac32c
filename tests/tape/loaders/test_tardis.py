"""Tardis CSV: the documented layouts, grouping to messages, snapshots and gaps, damage by line."""

import gzip
from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon.core.book import is_valid, qty_at
from asmm_daemon.errors import TapeError
from asmm_daemon.events import CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.tape.columns import validate
from asmm_daemon.tape.load import load_tape, open_source
from asmm_daemon.tape.loaders import csv_table, text

T0 = 1_700_000_000_000_000
BOOK_HEAD = "exchange,symbol,timestamp,local_timestamp,is_snapshot,side,price,amount"
TRADE_HEAD = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
BOOK = [
    "binance,BTCUSDT,{0},{1},false,bid,1.0,9",
    "binance,BTCUSDT,{0},{1},true,bid,42000.1,2",
    "binance,BTCUSDT,{0},{1},true,bid,42000.0,3",
    "binance,BTCUSDT,{0},{1},true,ask,42000.3,1.5",
    "binance,BTCUSDT,{0},{1},true,ask,42001,0.25",
]
TRADE_LINES = [
    "binance,BTCUSDT,{0},{1},901,buy,42000.3,0.5",
    "binance,BTCUSDT,{0},{1},902,sell,42000.1,0.001",
]


def at(line, ms, latency_ms=5):
    return line.format(T0 + ms * 1000, T0 + (ms + latency_ms) * 1000)


def level(ms, side, price, amount, snapshot="false", symbol="BTCUSDT"):
    return at(f"binance,{symbol},{{0}},{{1}},{snapshot},{side},{price},{amount}", ms)


def write(path, head, lines, *, pack=False):
    body = "\n".join([head, *lines, ""]).encode()
    path.write_bytes(gzip.compress(body) if pack else body)
    return path


def start():
    return [at(BOOK[0], -10), *[at(line, 0) for line in BOOK[1:]]]


@pytest.mark.parametrize("pack", [False, True])
def test_updates_become_messages(tmp_path, pack, replayed):
    """Rows of one receive time are one message; a snapshot clears; updates before the first do not count."""
    lines = [*start(), level(100, "bid", "42000.1", 0), level(100, "ask", "42000.2", 4)]
    path = write(tmp_path / "a.csv.gz", BOOK_HEAD, lines, pack=pack)
    source = open_source(path)
    rows = np.concatenate([tape.rows for tape in source])
    assert (source.info.tick, source.info.lot) == (Decimal("0.1"), Decimal("0.05"))
    assert (source.info.venue, source.info.product, source.info.base) == ("binance", "binance", "BTC")
    assert rows["kind"].tolist() == [CLEAR, CLEAR, DEPTH, DEPTH, DEPTH, DEPTH, DEPTH, DEPTH]
    assert np.flatnonzero(rows["last"]).tolist() == [5, 7]
    assert rows["exch_ns"][0] == T0 * 1000
    assert rows["local_ns"][0] == (T0 + 5000) * 1000
    assert source.quality.ignored == 1
    assert source.quality.messages == 2
    book = replayed(rows)
    assert is_valid(book)
    assert (book.head[0]["bid"], book.head[0]["ask"]) == (420000, 420002)
    assert qty_at(book, -1, 420002) == 80


def test_blocks_do_not_split_messages(tmp_path, monkeypatch):
    """Whatever the size of a block, the same rows come out."""
    lines = [*start(), *[level(100 + 10 * (n // 3), "bid", 41000 + n, n % 4) for n in range(300)]]
    lines += [line.replace("false", "true") for line in lines[-2:]]
    path = write(tmp_path / "a.csv", BOOK_HEAD, lines)
    whole = load_tape(path).rows
    for size in (200, 333, 1000):
        monkeypatch.setattr(csv_table, "blocks", lambda p, q=None, size=size: text.blocks(p, q, size))
        assert np.array_equal(load_tape(path).rows, whole)


def test_a_snapshot_after_a_silence_ends_a_gap(tmp_path):
    """Reconnected after 10 s: the book is unknown from 1.5 s on; the day's snapshot in stride is no gap."""
    lines = [*start(), level(50, "bid", 41999, 1)]
    lines += [at(line, 100) for line in BOOK[1:]]
    lines += [at(line, 10_100) for line in BOOK[1:]]
    source = open_source(write(tmp_path / "a.csv", BOOK_HEAD, lines))
    rows = np.concatenate([tape.rows for tape in source])
    validate(rows, "tape")
    gaps = rows[rows["kind"] == GAP]
    assert [int(t) for t in gaps["local_ns"]] == [(T0 + 105_000) * 1000 + 1_500_000_000]
    assert gaps["last"].all()
    assert (source.quality.gaps, source.quality.gap_ns) == (1, 10_000_000_000)
    assert np.count_nonzero(rows["kind"] == CLEAR) == 6


def test_book_and_trades_are_merged_by_receive_time(tmp_path):
    """Files of one symbol in one folder are one tape, the book first at equal times."""
    write(
        tmp_path / "book.csv", BOOK_HEAD, [*start(), level(100, "bid", 41999, 1), level(200, "bid", 41999, 2)]
    )
    trades = [at(TRADE_LINES[0], 100), at(TRADE_LINES[0], 100), at(TRADE_LINES[1], 150)]
    write(tmp_path / "trades.csv.gz", TRADE_HEAD, trades, pack=True)
    source = open_source(tmp_path)
    rows = np.concatenate([tape.rows for tape in source])
    validate(rows, "tape")
    assert rows["kind"][rows["last"]].tolist() == [DEPTH, DEPTH, TRADE, TRADE, DEPTH]
    takes = rows[rows["kind"] == TRADE]
    assert takes["side"].tolist() == [1, -1]
    assert takes["id"].tolist() == [901, 902]
    assert source.info.lot == Decimal("0.001")
    assert source.quality.duplicates == 1


def test_unknown_sides_follow_the_tick_rule(tmp_path):
    """A trade whose side the venue does not tell takes that of the last change of the price."""
    made = [("100", "buy"), ("101", "unknown"), ("101", "unknown"), ("100", "unknown")]
    lines = [at(f"kraken,XBT/USD,{{0}},{{1}},,{side},{price},1", n) for n, (price, side) in enumerate(made)]
    source = open_source(write(tmp_path / "a.csv", TRADE_HEAD, lines))
    rows = np.concatenate([tape.rows for tape in source])
    assert rows["side"].tolist() == [1, 1, 1, -1]
    assert source.quality.sides_inferred == 3
    assert (rows["id"] == -1).all()


def snapshot_file(path, *books, depth=5):
    names = [f"{s}[{i}].{w}" for i in range(depth) for s in ("asks", "bids") for w in ("price", "amount")]
    lines = []
    for ms, asks, bids in books:
        fields = []
        for i in range(depth):
            for side in (asks, bids):
                fields += [str(v) for v in side[i]] if i < len(side) else ["", ""]
        lines.append(at("binance-futures,BTCUSDT,{0},{1},", ms) + ",".join(fields))
    return write(path, "exchange,symbol,timestamp,local_timestamp," + ",".join(names), lines)


@pytest.mark.parametrize("depth", [5, 25])
def test_snapshots_become_changes(tmp_path, depth):
    """`book_snapshot_5` and `_25`: changes between snapshots, levels that are not filled left out."""
    asks, bids = [(101, 2), (102, 3)], [(100.5, 1), (100, 4)]
    path = snapshot_file(
        tmp_path / "a.csv", (0, asks, bids), (50, asks, bids), (100, asks[1:], bids), depth=depth
    )
    source = open_source(path)
    rows = np.concatenate([tape.rows for tape in source])
    assert (source.info.product, source.info.tick) == ("binanceusdm", Decimal("0.5"))
    assert rows["kind"].tolist() == [CLEAR, CLEAR, DEPTH, DEPTH, DEPTH, DEPTH, DEPTH]
    assert (rows[-1]["side"], rows[-1]["price"], rows[-1]["qty"]) == (-1, 202, 0)


def test_receive_times_are_repaired_and_counted(tmp_path):
    """A row that goes back by less than a second is raised; one before its venue time too."""
    lines = [*start(), level(500, "bid", 41999, 1), level(100, "bid", 41998, 1)]
    lines.append(f"binance,BTCUSDT,{T0 + 900_000},{T0 + 600_000},false,bid,41990,1")
    source = open_source(write(tmp_path / "a.csv", BOOK_HEAD, lines))
    rows = np.concatenate([tape.rows for tape in source])
    validate(rows, "tape")
    assert source.quality.late_local == 2
    assert source.quality.local_shift_ns == 300_000_000


def test_other_symbols_are_counted_or_asked_for(tmp_path):
    """A file of several symbols is two markets; reading one counts what is not its own."""
    lines = [*start(), *[line.replace("BTCUSDT", "ETHUSDT") for line in start()]]
    path = write(tmp_path / "a.csv", BOOK_HEAD, lines)
    with pytest.raises(TapeError, match=r"choose one of BTCUSDT \(spot\), ETHUSDT \(spot\)"):
        open_source(path)
    source = open_source(path, "ETHUSDT")
    rows = np.concatenate([tape.rows for tape in source])
    assert rows.size == 6
    assert source.quality.ignored == 6
    with pytest.raises(TapeError, match=r"a\.csv: no recording of XRPUSDT; there is BTCUSDT"):
        open_source(path, "XRPUSDT")


BAD_LINES = [
    (level(100, "bid", "nan", 1), "a level of 1.0 at nan"),
    (level(100, "bid", 42000, -1), "a level of -1.0 at 42000.0"),
    (level(100, "bid", 42000, ""), "a level of nan at 42000.0"),
    (level(100, "bid", 0, 42000), "a level of 42000.0 at 0.0"),
    (level(100, "bid", "42o00", 1), "price is '42o00'"),
    (level(100, 42000, "bid", 1), "price is 'bid'"),
    (level(100, "up", 42000, 1), "side is 'up', where one of"),
    (level(100, "bid", 42000, 1, "maybe"), "is_snapshot is 'maybe'"),
    (level(100, "bid", 42000, 1) + ",9", "9 fields, where 8 are expected"),
    ("", "timestamp is empty"),
    (level(-3_600_000, "bid", 42000, 1), "time goes back by 3600.050 s"),
    ("binance,BTCUSDT,42000,42000,false,bid,42000,1", "timestamp is 42000, which is no time"),
    (f"binance,BTCUSDT,{T0 + 10**9},{T0},false,bid,42000,1", "received 1000.000 s before"),
    ("binance,BTCUSDT,,,false,bid,42000,1", "timestamp is empty"),
]


@pytest.mark.parametrize(("line", "named"), BAD_LINES)
def test_damage_names_file_and_line(tmp_path, line, named):
    """Not a number, negative, missing, swapped, out of order: a TapeError at that very line."""
    path = write(tmp_path / "a.csv", BOOK_HEAD, [*start(), level(50, "bid", 41000, 1), line, *start()[1:]])
    with pytest.raises(TapeError) as caught:
        load_tape(path)
    assert str(caught.value).startswith(f"{path}: line 8: ")
    assert named in str(caught.value)


def test_truncated_compression_names_the_line(tmp_path):
    """A gzip file that was cut is damaged, at about the line where it was cut."""
    lines = [*start(), *[level(100 + n, "bid", 40000 + n % 977, n % 13) for n in range(100_000)]]
    path = write(tmp_path / "a.csv.gz", BOOK_HEAD, lines, pack=True)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(TapeError, match=r"a\.csv\.gz: line \d{5}: damaged compression") as caught:
        load_tape(path)
    assert 30_000 < int(str(caught.value).split("line ")[1].split(":")[0]) < 70_000


@pytest.mark.parametrize(
    ("head", "lines", "named"),
    [
        (BOOK_HEAD, [], "a.csv: line 2: no rows; leave an empty day out"),
        (BOOK_HEAD, start()[:1], "a.csv: line 2: no snapshot in the file"),
        (BOOK_HEAD, [line.replace("binance", "deribit") for line in start()], "exchange 'deribit'"),
        (BOOK_HEAD, ["bybit,BTCUSD" + line[15:] for line in start()], "BTCUSD is an inverse contract"),
        (TRADE_HEAD, [at(TRADE_LINES[0], 0), at(TRADE_LINES[1], 9).replace("42000.1,0.001", "0.001,42000.1")],
         "a.csv: line 3: a trade at 0.001 after one at 42000.3: are columns swapped?"),
        (TRADE_HEAD, [at(TRADE_LINES[0], 0).replace("0.5", "-0.5")], "line 2: a trade of -0.5 at 42000.3"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_tape_is_refused(tmp_path, head, lines, named):
    """An empty day, a book without a snapshot, amounts that are no base currency, swapped trades."""
    with pytest.raises(TapeError) as caught:
        load_tape(write(tmp_path / "a.csv", head, lines))
    assert named in str(caught.value)


def test_swapped_snapshot_columns_are_seen(tmp_path):
    """Prices and amounts exchanged: the levels no longer lie in order."""
    path = snapshot_file(tmp_path / "a.csv", (0, [(2, 101), (1, 102)], [(100, 1), (99, 2)]))
    with pytest.raises(TapeError, match=r"a\.csv: line 2: asks\[1\] holds 102\.0 at 1\.0"):
        load_tape(path)


def test_trades_of_another_market_are_seen(tmp_path):
    """Trades a hundred times away from the book are no trades of that book."""
    write(
        tmp_path / "book.csv", BOOK_HEAD, [*start(), level(100, "bid", 41999, 1), level(200, "bid", 41999, 2)]
    )
    swapped = [
        at("binance,BTCUSDT,{0},{1},1,buy,0.5,42000.3", 10),
        at("binance,BTCUSDT,{0},{1},2,buy,0.4,42000.3", 20),
    ]
    write(tmp_path / "trades.csv", TRADE_HEAD, swapped)
    with pytest.raises(TapeError, match=r"trades near .* a book near .*: are columns swapped"):
        load_tape(tmp_path)


def test_one_book_in_two_layouts_is_refused(tmp_path):
    """Updates and snapshots of the same market would fight over the book."""
    write(tmp_path / "a.csv", BOOK_HEAD, [line.replace("binance", "binance-futures") for line in start()])
    snapshot_file(tmp_path / "b.csv", (0, [(101, 1)], [(100, 1)]))
    with pytest.raises(TapeError, match=r"b\.csv: line 1: the book is also in a\.csv; keep one of both"):
        open_source(tmp_path)
