"""Raw Binance lines: sequence, snapshots, best prices against diffs, clocks, damage."""

import gzip
from decimal import Decimal

import numpy as np
import orjson
import pytest

from asmm_daemon.core.book import is_valid, qty_at
from asmm_daemon.errors import TapeError
from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.tape.load import load_tape, open_all, open_source

T0_MS = 1_700_000_000_000


def depth(first, last, bids=(), asks=(), at=0, symbol="AAAUSDT", **extra):
    return {
        "e": "depthUpdate", "E": T0_MS + at, "s": symbol, "U": first, "u": last,
        "b": [list(level) for level in bids], "a": [list(level) for level in asks],
    } | extra  # fmt: skip


def ticker(uid, bid, ask, symbol="AAAUSDT"):
    return {"u": uid, "s": symbol, "b": bid[0], "B": bid[1], "a": ask[0], "A": ask[1]}


def trade(uid, price, qty, *, maker, at=0):
    return {
        "e": "trade", "E": T0_MS + at, "s": "AAAUSDT", "t": uid, "p": price, "q": qty, "T": T0_MS + at,
        "m": maker, "M": True,
    }  # fmt: skip


SNAPSHOT = {
    "lastUpdateId": 100,
    "bids": [["1.00", "5.0"], ["0.99", "6.0"]],
    "asks": [["1.01", "7.0"], ["1.02", "8.0"]],
}


def write(path, *messages, step_ms=10, latency_ms=5, pack=False):
    """Messages as lines, `step_ms` apart; a message without a time of its own is received in its turn."""
    lines = []
    for n, message in enumerate(messages):
        if isinstance(message, bytes):
            lines.append(message)
            continue
        at = message.get("E", T0_MS + n * step_ms)
        lines.append(b"%d %b\n" % ((at + latency_ms) * 1000, orjson.dumps(message)))
    path.write_bytes(gzip.compress(b"".join(lines)) if pack else b"".join(lines))
    return path


def test_messages_become_rows(tmp_path, replayed):
    """A snapshot clears and sets the book, diffs change it, a ticker sets the best, a trade has its side."""
    path = write(
        tmp_path / "a.gz",
        SNAPSHOT,
        depth(101, 102, [("1.00", "0")], [("1.01", "7.5")], at=10),
        ticker(103, ("0.99", "6.0"), ("1.01", "4.0")),
        trade(9, "1.01", "3.5", maker=False, at=30),
        trade(10, "0.99", "0.5", maker=True, at=40),
        pack=True,
    )
    tape = load_tape(path)
    book = replayed(tape.rows)
    assert tape.info.tick == Decimal("0.01")
    assert tape.info.lot == Decimal("0.5")
    assert (tape.info.product, tape.info.base, tape.info.quote) == ("binance", "AAA", "USDT")
    kinds = tape.rows["kind"].tolist()
    assert kinds == [CLEAR, CLEAR, DEPTH, DEPTH, DEPTH, DEPTH, DEPTH, DEPTH, BBO, BBO, TRADE, TRADE]
    trades = tape.rows[-2:]
    assert trades["side"].tolist() == [1, -1]
    assert trades["id"].tolist() == [9, 10]
    assert trades["qty"].tolist() == [7, 1]
    assert trades["exch_ns"].tolist() == [(T0_MS + 30) * 10**6, (T0_MS + 40) * 10**6]
    assert (book.head[0]["bid"], book.head[0]["ask"]) == (99, 101)
    assert qty_at(book, -1, 101) == 8
    assert tape.rows["last"].sum() == 5


def test_diffs_before_the_snapshot_are_applied_after_it(tmp_path, replayed):
    """Diffs that arrived before the snapshot but are newer than it are not lost; older ones are left out."""
    path = write(
        tmp_path / "a.dat",
        depth(99, 100, [("1.00", "1.0")], at=0),
        depth(101, 101, [("1.00", "9.0")], at=5),
        SNAPSHOT,
        depth(101, 101, [("1.00", "9.0")], at=25),
        depth(102, 102, [], [("1.02", "0")], at=30),
    )
    tape = load_tape(path)
    book = replayed(tape.rows)
    assert qty_at(book, 1, 100) == 9
    assert qty_at(book, -1, 102) == 0
    assert not (tape.rows["kind"] == GAP).any()


@pytest.mark.parametrize("linear", [False, True])
def test_a_break_in_the_sequence_is_a_gap(tmp_path, linear, replayed):
    """Missing updates make the book unknown; the next bookTicker makes it known again."""

    def diff(first, last, before, at):
        extra = {"pu": before, "T": T0_MS + at} if linear else {}
        return depth(first, last, [("0.99", "2.0")], at=at, **extra)

    path = write(
        tmp_path / "a.dat",
        SNAPSHOT,
        diff(101, 101, 100, 10),
        diff(104, 105, 103, 20),
        ticker(106, ("1.00", "3.0"), ("1.01", "4.0")),
    )
    source = open_source(path)
    rows = np.concatenate([chunk.rows for chunk in source])
    at = int(np.argmax(rows["kind"] == GAP))
    assert rows["kind"][at] == GAP
    assert rows["last"][at]
    assert source.quality.sequence_breaks == source.quality.gaps == 1
    assert rows["kind"][-4:].tolist() == [CLEAR, CLEAR, BBO, BBO]
    book = replayed(load_tape(path).rows)
    assert is_valid(book)


def test_a_diff_older_than_the_best_price_does_not_undo_it(tmp_path, replayed):
    """A ticker runs ahead of the diffs: levels that it already knows to be gone do not come back."""
    path = write(
        tmp_path / "a.dat",
        SNAPSHOT,
        ticker(105, ("1.01", "1.0"), ("1.02", "8.0")),
        depth(101, 104, [("1.00", "5.5")], [("1.01", "6.0")], at=20),
    )
    source = open_source(path)
    tape = load_tape(path)
    book = replayed(tape.rows)
    assert (book.head[0]["bid"], book.head[0]["ask"]) == (101, 102)
    assert qty_at(book, 1, 100) == 11
    list(source)
    assert source.quality.stale_rows == 1
    assert tape.rows.size == 6 + 2 + 1


def test_without_a_snapshot_the_first_best_price_starts_the_book(tmp_path, replayed):
    """Diffs before the first ticker build a book that is unknown until then."""
    path = write(
        tmp_path / "a.dat",
        depth(101, 101, [("0.98", "2.0"), ("1.00", "1.0")], [("1.05", "1.0")]),
        ticker(102, ("0.99", "3.0"), ("1.01", "4.0")),
    )
    book = replayed(load_tape(path).rows)
    assert is_valid(book)
    assert (book.head[0]["bid"], book.head[0]["ask"]) == (99, 101)
    assert qty_at(book, 1, 98) > 0


def test_files_of_a_folder_continue_each_other(tmp_path, replayed):
    """The second file goes on with the first one's book and sequence, whatever its name."""
    write(tmp_path / "z.dat", SNAPSHOT, depth(101, 101, [("1.00", "1.0")], at=10))
    write(tmp_path / "b.dat", depth(102, 102, [("1.00", "2.0")], at=5000))
    (tmp_path / "LICENSE").write_text("not a recording")
    tape = load_tape(tmp_path)
    book = replayed(tape.rows)
    assert qty_at(book, 1, 100) == 2 / float(tape.info.lot)
    assert not (tape.rows["kind"] == GAP).any()


def test_a_clock_that_runs_behind_is_set_forward(tmp_path):
    """Negative latency is repaired by one shift for the file, and the shift is counted."""
    path = write(tmp_path / "a.dat", SNAPSHOT, *(depth(101 + n, 101 + n, at=10 * n) for n in range(3)))
    path = write(
        tmp_path / "a.dat",
        *(trade(n, "1.00", "1.0", maker=False, at=10 * n) for n in range(3)),
        latency_ms=-1500,
    )
    source = open_source(path)
    rows = np.concatenate([chunk.rows for chunk in source])
    assert (rows["local_ns"] == rows["exch_ns"]).all()
    assert source.quality.local_shift_ns == 1_500_000_000
    assert source.quality.late_local == 0


def test_symbols_of_one_file_are_kept_apart(tmp_path):
    """Each is a market of its own, and one must be chosen."""
    path = write(
        tmp_path / "a.dat",
        depth(1, 1, [("1.0", "1.0")]),
        depth(7, 7, [("2.0", "1.0")], symbol="BBBUSDT", at=5),
    )
    assert [s.info.symbol for s in open_all(path)] == ["AAAUSDT", "BBBUSDT"]
    with pytest.raises(TapeError, match="several markets, choose one of AAAUSDT"):
        open_source(path)
    with pytest.raises(TapeError, match="no recording of CCCUSDT"):
        open_source(path, "CCCUSDT")
    assert load_tape(path, "BBBUSDT").rows["price"].tolist() == [1]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b'1700000000050000 {"e":"depthUpdate"\n', "not a JSON object"),
        (b"1700000000050000 [1]\n", "not a Binance message"),
        (b"xyz {}\n", "receive time"),
        (b"9999999999999999999999 {}\n", "receive time"),
        (b'1700000000050000 {"e":"trade","s":"AAAUSDT","t":"x","p":"1","q":"1","T":1,"m":true}\n', "id 'x'"),
        (
            b'1700000000050000 {"e":"trade","s":"AAAUSDT","t":1,"p":"1","q":"1","T":"1","m":true}\n',
            "time '1'",
        ),
        (b'1700000000050000 {"e":"trade","s":"AAAUSDT","p":"1.0"}\n', "has no 'T'"),
        (b'1700000000050000 {"u":105,"s":"AAAUSDT","b":"x","B":"1","a":"2","A":"1"}\n', "could not convert"),
        (b'1700000000050000 {"u":105,"s":"AAAUSDT","b":"nan","B":"1","a":"2","A":"1"}\n', "price nan"),
        (b'1700000000050000 {"u":105,"s":"AAAUSDT","b":"1","B":"-1","a":"2","A":"1"}\n', "quantity -1"),
    ],
)
def test_a_corrupt_line_is_named(tmp_path, line, named):
    """The error names the file and the line."""
    path = write(tmp_path / "a.dat", SNAPSHOT, depth(101, 101, [("1.00", "1.0")], at=10), line)
    with pytest.raises(TapeError, match=rf"a\.dat: line 3: .*{named}"):
        load_tape(path)


def test_a_torn_archive_is_named(tmp_path):
    """A compressed file cut short ends in an error that names file and line, not in a short tape."""
    path = write(
        tmp_path / "a.gz",
        SNAPSHOT,
        *(depth(101 + n, 101 + n, [("1.00", str(n))], at=n) for n in range(900)),
        pack=True,
    )
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(TapeError, match=r"a\.gz: line \d+: damaged compression"):
        load_tape(path)


def test_a_file_of_something_else_is_refused(tmp_path):
    """Text that is no recording, an empty file and a missing one are each one clear error."""
    path = tmp_path / "a.csv"
    path.write_text("hello\n")
    with pytest.raises(TapeError, match=r"a\.csv: line 1: not a recording"):
        open_source(path)
    with pytest.raises(TapeError, match="no such file"):
        open_source(tmp_path / "missing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(TapeError, match="no recording"):
        open_source(tmp_path / "empty")
