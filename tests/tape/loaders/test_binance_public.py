"""Binance public data: layouts of spot and USD-M with and without header, what is refused, damage."""

import zipfile
from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon.errors import TapeError
from asmm_daemon.events import TRADE
from asmm_daemon.tape.columns import validate
from asmm_daemon.tape.load import load_tape, on_grid, open_source

MS = 1_704_067_200_047
SPOT_TRADES = [
    "3371210815,42283.58,0.00100,42.28358,{0},True,True",
    "3371210816,42283.59,0.02,845.67,{1},False,True",
]
SPOT_AGGREGATES = [
    "2841310815,42283.58,0.001,337,337,{0},True,True",
    "2841310816,42283.59,0.02,338,339,{1},False,True",
]
USDM_TRADES = ["6954502553,90320.5,0.003,270.9615,{0},true", "6954502554,90325.0,0.015,1354.875,{1},false"]
USDM_AGGREGATES = ["195,90320.5,0.003,1,1,{0},true", "196,90325.0,0.015,2,3,{1},false"]
TRADES_HEAD = "id,price,qty,quote_qty,time,is_buyer_maker"
AGGREGATES_HEAD = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"
KLINE = "1704067200000,42283.58,42298.62,42261.02,42298.61,35.9,1704067259999,1518733.2,1327,21.6,914106.3,0"
KLINES_HEAD = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)


def write(path, lines, head=None, step_ms=53, unit=1):
    body = [head] if head else []
    body += [line.format((MS + n) * unit, (MS + n + step_ms) * unit) for n, line in enumerate(lines)]
    text = "\n".join([*body, ""])
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.with_suffix(".csv").name, text)
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("name", "lines", "head", "unit", "product"),
    [
        ("BTCUSDT-trades-2024-01-01.csv", SPOT_TRADES, None, 1, "binance"),
        ("BTCUSDT-trades-2025-01-01.zip", SPOT_TRADES, None, 1000, "binance"),
        ("BTCUSDT-trades-2025-01.zip", SPOT_TRADES, TRADES_HEAD + ",is_best_match", 1000, "binance"),
        ("BTCUSDT-aggTrades-2025-01-01.zip", SPOT_AGGREGATES, None, 1000, "binance"),
        ("BTCUSDT-trades-2024-01-01.zip", USDM_TRADES, TRADES_HEAD, 1, "binanceusdm"),
        ("BTCUSDT-trades-2020-01.csv", USDM_TRADES, None, 1, "binanceusdm"),
        ("BTCUSDT-aggTrades-2024-01-01.zip", USDM_AGGREGATES, AGGREGATES_HEAD, 1, "binanceusdm"),
        ("BTCUSDT-aggTrades-2020-01-01.csv", USDM_AGGREGATES, None, 1, "binanceusdm"),
    ],
)
def test_every_layout_is_read(tmp_path, name, lines, head, unit, product):
    """Spot and USD-M, trades and aggTrades, header or not, CSV or ZIP, milli- or microseconds."""
    tape = load_tape(write(tmp_path / name, lines, head, unit=unit))
    validate(tape.rows, "tape")
    assert tape.info.product == product
    assert (tape.info.symbol, tape.info.base, tape.info.quote) == ("BTCUSDT", "BTC", "USDT")
    assert tape.rows["kind"].tolist() == [TRADE, TRADE]
    assert tape.rows["side"].tolist() == [-1, 1]
    assert tape.rows["exch_ns"].tolist() == [MS * 1_000_000, (MS + 54) * 1_000_000]
    assert tape.rows["id"].tolist() == [int(line.split(",")[0]) for line in lines]
    assert tape.rows["last"].all()
    assert tape.info.tick == (Decimal("0.01") if product == "binance" else Decimal("0.5"))


def test_a_named_grid_holds(tmp_path):
    """Tick and lot that the user names win over what the data shows; what is off it is counted."""
    path = write(tmp_path / "BTCUSDT-trades-2024-01-01.csv", SPOT_TRADES)
    source = on_grid(open_source(path), Decimal("0.05"), Decimal("0.001"))
    rows = np.concatenate([tape.rows for tape in source])
    assert (source.info.tick, source.info.lot) == (Decimal("0.05"), Decimal("0.001"))
    assert rows["price"].tolist() == [845672, 845672]
    assert source.quality.off_grid == 2


def test_files_that_overlap_are_joined_without_duplicates(tmp_path):
    """A trade id that was seen before is a duplicate, as where a month and its last day are given."""
    more = [*SPOT_TRADES, "3371210817,42283.59,0.02,845.67,1704067300000,False,True"]
    write(tmp_path / "BTCUSDT-trades-2024-01.csv", more)
    write(tmp_path / "BTCUSDT-trades-2024-01-31.csv", more)
    source = open_source(tmp_path)
    rows = np.concatenate([tape.rows for tape in source])
    assert rows.size == 3
    assert source.quality.duplicates == 3


@pytest.mark.parametrize(
    ("name", "lines", "head", "named"),
    [
        ("BTCUSDT-1m-2024-01-01.csv", [KLINE], None, "klines are candles: neither a book nor trades"),
        ("BTCUSDT-1m-2024-01-01.zip", [KLINE], KLINES_HEAD, "klines are candles"),
        ("BTCUSDT-bookDepth-2024-01-01.zip", ["2024-01-01 00:00:09,-5,8321.9,345678901.2"],
         "timestamp,percentage,depth,notional", "no book can be made of it"),
        ("BTCUSDT-bookDepth-2024-01-01.csv", ["2024-01-01 00:00:09,-5.00,8321.9,345678901.2"], None,
         "no book can be made of it"),
        ("trades.csv", SPOT_TRADES, None, "the symbol is told by the file's name"),
        ("BTCUSDT-trades-2024-01-01.csv", [], TRADES_HEAD, "line 2: no rows; leave an empty day out"),
    ],
)  # fmt: skip
def test_what_is_no_tape_is_refused(tmp_path, name, lines, head, named):
    """Candles and bands of percent, a file of no name, an empty day."""
    path = write(tmp_path / name, lines, head)
    with pytest.raises(TapeError) as caught:
        load_tape(path)
    assert str(caught.value).startswith(f"{path}: line ")
    assert named in str(caught.value)


def test_an_empty_file_is_named(tmp_path):
    """No bytes at all are no recording."""
    path = tmp_path / "BTCUSDT-trades-2024-01-01.csv"
    path.touch()
    with pytest.raises(TapeError, match=r"BTCUSDT-trades-2024-01-01\.csv: line 1: the file is empty"):
        load_tape(path)


def test_the_same_trades_twice_are_refused(tmp_path):
    """Trades and aggTrades of one market would count every trade twice."""
    write(tmp_path / "BTCUSDT-trades-2024-01-01.csv", USDM_TRADES, TRADES_HEAD)
    write(tmp_path / "BTCUSDT-aggTrades-2024-01-01.csv", USDM_AGGREGATES, AGGREGATES_HEAD)
    with pytest.raises(TapeError, match=r"holds the same trades as .*; keep one of both"):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ("line", "named"),
    [
        ("3371210819,nan,0.02,845.67,1704067300000,False,True", "a trade of 0.02 at nan"),
        ("3371210819,42283.59,-0.02,845.67,1704067300000,False,True", "a trade of -0.02 at 42283.59"),
        ("3371210819,0.02,42283.59,845.67,1704067300000,False,True", "are columns swapped?"),
        ("3371210819,42283.59,0.02,845.67,False,1704067300000,True", "time is 'False'"),
        ("3371210819,42283.59,0.02,845.67,1704060000000,False,True", "time goes back by 7200.101 s"),
        ("3371210819,42283.59,0.02,845.67,17040,False,True", "which is no time of a market"),
        ("3371210819,42283.59", "2 fields, where 7 are expected"),
    ],
)
def test_damage_names_file_and_line(tmp_path, line, named):
    """Not a number, negative, swapped, backwards or cut off: a TapeError at that line."""
    path = write(tmp_path / "BTCUSDT-trades-2024-01-01.csv", [*SPOT_TRADES, line])
    with pytest.raises(TapeError) as caught:
        load_tape(path)
    assert str(caught.value).startswith(f"{path}: line 3: ")
    assert named in str(caught.value)


def test_a_torn_zip_is_named(tmp_path):
    """A ZIP without its end, one with a flipped byte and one of two files are refused by name."""
    path = write(tmp_path / "BTCUSDT-trades-2024-01-01.zip", SPOT_TRADES)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    with pytest.raises(TapeError, match=r"\.zip: line 1: not a whole ZIP"):
        load_tape(path)
    at = whole.index(b"csv") + 8
    path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
    with pytest.raises(TapeError, match=r"\.zip: line \d+"):
        load_tape(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "")
        archive.writestr("b.csv", "")
    with pytest.raises(TapeError, match="a ZIP of 2 files"):
        load_tape(path)
