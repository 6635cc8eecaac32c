"""Files of every public archive, damaged at random: each is read, or refused by name."""

import gzip
import random
import zipfile

import pytest

from asmm_daemon.errors import TapeError
from asmm_daemon.tape.columns import validate
from asmm_daemon.tape.load import load_tape

US = 1_700_000_000_000_000
HEAD = "exchange,symbol,timestamp,local_timestamp"
UPDATES = [f"{HEAD},is_snapshot,side,price,amount"] + [
    f"binance,BTCUSDT,{US + n // 2 * 1000},{US + n // 2 * 1000 + 500},{'true' if n < 4 else 'false'},"
    f"{side},{price},{n % 3 + 1}"
    for n, (side, price) in enumerate([("bid", 41000), ("ask", 41002), ("bid", 40999), ("ask", 41003)] * 8)
]
TAKES = [f"{HEAD},id,side,price,amount"] + [
    f"binance,BTCUSDT,{US + n * 1000},{US + n * 1000 + 500},{n},{side},4100{n % 3},0.{n + 1}"
    for n, side in enumerate(["buy", "sell", "unknown"] * 8)
]
BOOKS = [f"{HEAD},asks[0].price,asks[0].amount,bids[0].price,bids[0].amount"] + [
    f"binance,BTCUSDT,{US + n * 1000},{US + n * 1000 + 500},4100{n % 3 + 2},1.5,4100{n % 3},2"
    for n in range(20)
]
SPOT = [f"{n + 1},42283.5{n},0.001,42.2,{US + n * 1000},True,True" for n in range(9)]
USDM = ["agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker"] + [
    f"{n + 1},42283.{n},0.001,{n},{n},{US // 1000 + n},true" for n in range(9)
]
MESSAGES = [
    f'{{"topic":"orderbook.500.BTCUSDT","type":"{"delta" if n else "snapshot"}","ts":{US // 1000 + n},'
    f'"data":{{"s":"BTCUSDT","b":[["42325.1","{n + 1}"]],"a":[["42325.2","0.01"]],"u":{n + 1},"seq":{n}}},'
    f'"cts":{US // 1000 + n - 3}}}'
    for n in range(9)
]
LINEAR = [
    "timestamp,symbol,side,size,price,tickDirection,trdMatchID,grossValue,homeNotional,foreignNotional"
] + [f"{US / 1e6 + n},BTCUSDT,Buy,0.01{n},42325.{n},PlusTick,id-{n},1,1,1" for n in range(9)]
SEEDS = {
    "updates.csv": UPDATES, "updates.csv.gz": UPDATES, "takes.csv": TAKES, "books.csv": BOOKS,
    "BTCUSDT-trades-2025-01-01.csv": SPOT, "BTCUSDT-aggTrades-2024-01-01.zip": USDM,
    "2024-01-01_BTCUSDT_ob500.data": MESSAGES, "2024-01-01_BTCUSDT_ob500.data.zip": MESSAGES,
    "BTCUSDT2024-01-01.csv": LINEAR, "BTCUSDT2024-01-01.csv.gz": LINEAR,
}  # fmt: skip
SPLINTERS = [
    b",",
    b"\n",
    b"\r",
    b"nan",
    b"-",
    b"1e400",
    b'"',
    b"null",
    b"9" * 20,
    b"\xff",
    b"e5",
    b" ",
    b"{",
    b"[]",
]


def write(path, lines):
    body = "\n".join([*lines, ""]).encode()
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.stem, body)
    else:
        path.write_bytes(gzip.compress(body, mtime=0) if path.suffix == ".gz" else body)


def damaged(raw, rng):
    raw, at = bytearray(raw), rng.randrange(len(raw))
    match rng.randrange(5):
        case 0:
            return bytes(raw[:at])
        case 1:
            raw[at] = rng.randrange(256)
        case 2:
            raw[at:at] = rng.choice(SPLINTERS)
        case 3:
            del raw[at : at + rng.randrange(1, 60)]
        case 4:
            lines = bytes(raw).split(b"\n")
            lines.insert(rng.randrange(len(lines)), rng.choice(lines))
            return b"\n".join(lines)
    return bytes(raw)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", SEEDS)
def test_whatever_happens_to_a_file_it_is_read_or_refused_by_name(tmp_path, name):
    """Cut, flipped, inserted, deleted, repeated: valid rows, or a TapeError that names file and place."""
    path = tmp_path / name
    write(path, SEEDS[name])
    raw = path.read_bytes()
    assert load_tape(path).rows.size
    rng = random.Random(name)
    for _ in range(150):
        path.write_bytes(damaged(raw, rng))
        refused = ""
        try:
            validate(load_tape(path).rows, "tape")
        except TapeError as error:
            refused = str(error)
        assert not refused or refused.startswith(str(path))
