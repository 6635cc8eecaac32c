"""Bybit public data: books in ZIP, trades of linear and spot, sequence, damage."""

import gzip
import zipfile
from decimal import Decimal

import numpy as np
import orjson
import pytest

from asmm_daemon.core.book import is_valid, qty_at
from asmm_daemon.errors import TapeError
from asmm_daemon.events import CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.tape.columns import validate
from asmm_daemon.tape.load import load_tape, open_source

MS = 1_704_067_201_073
LINEAR_HEAD = (
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"
)
LINEAR = [
    "1704067201.0800,BTCUSDT,Buy,0.012,42325.20,ZeroPlusTick,6a9b5c1e-3a52-5d2c-8a1e-0b8f3d7c1a01,5.07e+10,0.012,507.9",
    "1704067201.1800,BTCUSDT,Sell,0.5,42325.10,MinusTick,7b0c6d2f-4b63-6e3d-9b2f-1c9f4e8d2b12,2.11e+12,0.5,21162.5",
]
SPOT = [
    "id,timestamp,price,volume,side",
    "1,1704067201100,42325.1,0.017389,buy",
    "2,1704067201150,42325.2,0.1,sell",
]


def message(kind, u, bids, asks, ms=0, symbol="BTCUSDT", depth=500, cts=-3):
    return {
        "topic": f"orderbook.{depth}.{symbol}", "type": kind, "ts": MS + ms,
        "data": {"s": symbol, "b": bids, "a": asks, "u": u, "seq": 113816269385 + u},
    } | ({"cts": MS + ms + cts} if cts is not None else {})  # fmt: skip


SNAPSHOT = message("snapshot", 10, [["42325.10", "17.763"], ["42324.90", "6.826"]], [["42325.20", "0.012"]])
DELTA = message("delta", 11, [["42325.10", "0"]], [["42325.20", "0.5"], ["42326.00", "2"]], 100)


def book_zip(path, *messages, pack=True):
    lines = b"\n".join([m if isinstance(m, bytes) else orjson.dumps(m) for m in messages] + [b""])
    if pack:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.name.removesuffix(".zip"), lines)
    else:
        path.write_bytes(lines)
    return path


def trade_gz(path, lines):
    path.write_bytes(gzip.compress("\n".join([*lines, ""]).encode()))
    return path


@pytest.mark.parametrize(("name", "pack"), [("2024-01-01_BTCUSDT_ob500.data.zip", True), ("a.data", False)])
def test_snapshots_and_deltas_become_rows(tmp_path, name, pack, replayed):
    """A snapshot clears and fills the book, a delta changes it; `cts` is the venue's time, `ts` receipt."""
    source = open_source(book_zip(tmp_path / name, SNAPSHOT, DELTA, pack=pack))
    rows = np.concatenate([tape.rows for tape in source])
    assert (source.info.product, source.info.tick, source.info.lot) == (
        "bybit-linear", Decimal("0.1"), Decimal("0.001"),
    )  # fmt: skip
    assert rows["kind"].tolist() == [CLEAR, CLEAR, *[DEPTH] * 6]
    assert np.flatnonzero(rows["last"]).tolist() == [4, 7]
    assert (rows["exch_ns"][0], rows["local_ns"][0]) == ((MS - 3) * 1_000_000, MS * 1_000_000)
    book = replayed(rows)
    assert is_valid(book)
    assert (book.head[0]["bid"], book.head[0]["ask"]) == (423249, 423252)
    assert qty_at(book, -1, 423252) == 500


def test_a_message_without_cts_has_one_time(tmp_path):
    """Older files carry `ts` alone."""
    tape = load_tape(
        book_zip(tmp_path / "a.data.zip", message("snapshot", 1, [["1.1", "1"]], [["1.2", "1"]], cts=None))
    )
    assert tape.rows["exch_ns"][0] == tape.rows["local_ns"][0] == MS * 1_000_000


def test_a_hole_in_the_sequence_makes_the_book_unknown(tmp_path, replayed):
    """Until the next snapshot nothing is known; what was seen before is a duplicate."""
    again = message("snapshot", 50, SNAPSHOT["data"]["b"], SNAPSHOT["data"]["a"], 500)
    source = open_source(
        book_zip(
            tmp_path / "a.data.zip", SNAPSHOT, DELTA, DELTA,
            message("delta", 14, [["42325.00", "1"]], [], 200),
            message("delta", 15, [["42325.00", "1"]], [], 300), again,
        )
    )  # fmt: skip
    rows = np.concatenate([tape.rows for tape in source])
    validate(rows, "tape")
    assert rows["kind"][rows["last"]].tolist() == [DEPTH, DEPTH, GAP, DEPTH]
    assert rows["side"][rows["kind"] == GAP].tolist() == [0]
    quality = source.quality
    assert (quality.sequence_breaks, quality.gaps, quality.duplicates, quality.ignored) == (1, 1, 1, 1)
    assert is_valid(replayed(rows))


def test_linear_book_and_trades_are_merged(tmp_path):
    """A folder of both files is one tape by receive time."""
    book_zip(tmp_path / "2024-01-01_BTCUSDT_ob500.data.zip", SNAPSHOT, DELTA)
    trade_gz(tmp_path / "BTCUSDT2024-01-01.csv.gz", [LINEAR_HEAD, LINEAR[0], LINEAR[0], LINEAR[1]])
    source = open_source(tmp_path)
    rows = np.concatenate([tape.rows for tape in source])
    validate(rows, "tape")
    assert rows["kind"][rows["last"]].tolist() == [DEPTH, TRADE, DEPTH, TRADE]
    takes = rows[rows["kind"] == TRADE]
    assert takes["side"].tolist() == [1, -1]
    assert takes["exch_ns"].tolist() == [1704067201_080_000_000, 1704067201_180_000_000]
    assert takes["qty"].tolist() == [12, 500]
    assert source.quality.duplicates == 1


def test_spot_trades_say_that_the_book_is_spot(tmp_path):
    """A book of 200 levels may be either; the trades beside it decide."""
    book_zip(
        tmp_path / "2024-01-01_BTCUSDT_ob200.data.zip", SNAPSHOT | {"topic": "orderbook.200.BTCUSDT"}, DELTA
    )
    trade_gz(tmp_path / "BTCUSDT_2024-01-01.csv.gz", SPOT)
    tape = load_tape(tmp_path)
    assert tape.info.product == "bybit-spot"
    assert tape.info.lot == Decimal("0.000001")
    assert tape.rows["side"][tape.rows["kind"] == TRADE].tolist() == [1, -1]


def test_files_that_run_backwards_are_turned_around(tmp_path):
    """Old linear files hold the newest trade first."""
    forwards = [
        f"{1_600_000_000 + n}.5,BTCUSDT,Buy,1,{10_000 + n % 7},PlusTick,id-{n},0,1,1" for n in range(3000)
    ]
    a = load_tape(trade_gz(tmp_path / "a.csv.gz", [LINEAR_HEAD, *forwards]))
    b = load_tape(trade_gz(tmp_path / "b.csv.gz", [LINEAR_HEAD, *forwards[::-1]]))
    assert np.array_equal(a.rows, b.rows)
    bad = [*forwards[:1000], forwards[1000].replace("Buy,1,", "Buy,-1,"), *forwards[1001:]]
    with pytest.raises(TapeError, match=r"c\.csv\.gz: line 2001: a trade of -1\.0"):
        load_tape(trade_gz(tmp_path / "c.csv.gz", [LINEAR_HEAD, *bad[::-1]]))


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"{", "not a JSON object"),
        (message("delta", 12, [["nan", "1"]], [], 150), "a level of 1.0 at nan"),
        (message("delta", 12, [["42325.1", "-1"]], [], 150), "a level of -1.0 at 42325.1"),
        (message("delta", 12, [["42325.1"]], [["1"]], 150), "a level"),
        (message("delta", 12, [], [], 150, symbol="ETHUSDT"), "symbol 'ETHUSDT' in a recording of BTCUSDT"),
        (message("delta", 12, [["1", "1"]], [], -60_000), "time goes back by 60.100 s"),
        (message("update", 12, [], []), "type 'update'"),
        ({"topic": "orderbook.500.BTCUSDT", "type": "delta", "ts": MS}, "the message has no 'data'"),
    ],
)
def test_damage_names_file_and_line(tmp_path, line, named):
    """No JSON, not a number, negative, another symbol, backwards: a TapeError at that line."""
    path = book_zip(tmp_path / "2024-01-01_BTCUSDT_ob500.data.zip", SNAPSHOT, DELTA, line)
    with pytest.raises(TapeError) as caught:
        load_tape(path)
    assert str(caught.value).startswith(f"{path}: line 3: ")
    assert named in str(caught.value)


@pytest.mark.parametrize(
    ("name", "lines", "named"),
    [
        ("BTCUSDT2024-01-01.csv.gz", [LINEAR_HEAD], "line 2: no rows; leave an empty day out"),
        ("a.csv.gz", [LINEAR_HEAD, LINEAR[0].replace("BTCUSDT", "BTCUSD")], "inverse contract"),
        ("a.csv.gz", [LINEAR_HEAD, LINEAR[0], LINEAR[1].replace("BTCUSDT", "ETHUSDT")],
         "line 3: symbol is 'ETHUSDT', where one of ['BTCUSDT'] is expected"),
        ("a.csv.gz", [LINEAR_HEAD, LINEAR[0].replace("Buy", "buyer")], "line 2: side is 'buyer'"),
        ("a.csv.gz", [LINEAR_HEAD, "0.012" + LINEAR[0][15:]], "line 2: timestamp is 0.012"),
        ("spot.csv.gz", SPOT, "the symbol is told by the file's name"),
    ],
)  # fmt: skip
def test_bad_trades_are_refused(tmp_path, name, lines, named):
    """An empty day, an inverse contract, another symbol, a side or time that is none."""
    path = trade_gz(tmp_path / name, lines)
    with pytest.raises(TapeError) as caught:
        load_tape(path)
    assert str(caught.value).startswith(f"{path}: line ")
    assert named in str(caught.value)


def test_a_book_without_a_snapshot_is_refused(tmp_path):
    """Deltas alone do not make a book."""
    with pytest.raises(TapeError, match="no snapshot in the file"):
        load_tape(book_zip(tmp_path / "a.data.zip", DELTA))
