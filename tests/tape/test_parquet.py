"""Our own Parquet: what is written is read, and damage is named."""

import hashlib
from decimal import Decimal

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asmm_daemon.errors import TapeError
from asmm_daemon.tape.columns import TapeInfo
from asmm_daemon.tape.load import load_tape, open_source
from asmm_daemon.tape.parquet import SCHEMA, TapeWriter, read_batches, read_meta, write_source

INFO = TapeInfo(
    "binance", "binanceusdm", "BTCUSDT", "BTC", "USDT", Decimal("0.1"), Decimal("0.001"), Decimal(100)
)


def write(path, rows, info=INFO):
    writer = TapeWriter(path, info)
    writer.write(rows)
    writer.close({"gaps": 0})
    return path


def test_columns_are_those_of_the_format(tmp_path, made_rows):
    """Names, order, types and non-null as interfaces fix them; the key carries market and grid."""
    schema = pq.read_schema(write(tmp_path / "a.parquet", made_rows(10)))
    assert [(f.name, str(f.type), f.nullable) for f in schema] == [
        ("exch_ns", "int64", False), ("local_ns", "int64", False), ("kind", "uint8", False),
        ("side", "int8", False), ("price", "int64", False), ("qty", "int64", False),
        ("id", "int64", False), ("last", "bool", False),
    ]  # fmt: skip
    meta = orjson.loads(schema.metadata[b"asmm"])
    assert meta["format"] == "asmm-tape/1"
    assert (meta["tick"], meta["lot"], meta["min_notional"]) == ("0.1", "0.001", "100")
    assert set(meta) == {
        "format", "venue", "product", "symbol", "base", "quote", "tick", "lot", "min_notional", "sources",
        "rows", "start_ns", "end_ns", "quality",
    }  # fmt: skip


def test_rows_come_back_exactly(tmp_path, made_rows):
    """Written rows equal read rows, bit for bit, and the loader recognises the file."""
    rows = made_rows(1000)
    path = write(tmp_path / "a.parquet", rows)
    assert np.array_equal(np.concatenate(list(read_batches(path))), rows)
    tape = load_tape(path)
    assert tape.info == INFO
    assert np.array_equal(tape.rows, rows)
    assert read_meta(path).end_ns == rows["local_ns"][-1]


def test_a_folder_of_hours_is_chained_in_order(tmp_path, made_rows):
    """Files are read by their start, whatever their names."""
    rows = made_rows(40)
    write(tmp_path / "b.parquet", rows[:20])
    write(tmp_path / "a.parquet", rows[20:])
    assert np.array_equal(load_tape(tmp_path).rows, rows)


def test_a_recording_is_converted_with_its_sources(tmp_path, made_rows):
    """Source files are named with their hash, and the quality counts come along."""
    source = write(tmp_path / "a.parquet", made_rows(20))
    meta = write_source(tmp_path / "out.parquet", open_source(source))
    assert meta.sources == (("a.parquet", hashlib.sha256(source.read_bytes()).hexdigest()),)
    assert meta.rows == 20
    assert meta.quality["messages"] > 0


def test_nothing_appears_under_the_name_until_it_is_whole(tmp_path, made_rows):
    """An interrupted conversion leaves no file behind."""

    class Breaks:
        info, files = INFO, ()

        def __iter__(self):
            yield from open_source(write(tmp_path / "a.parquet", made_rows(10)))
            raise TapeError("torn")

    with pytest.raises(TapeError, match="torn"):
        write_source(tmp_path / "out.parquet", Breaks())
    assert [p.name for p in tmp_path.iterdir()] == ["a.parquet"]


@pytest.mark.parametrize(
    ("damage", "named"),
    [
        (lambda raw: raw[:-40], "Parquet"),
        (lambda raw: raw[:4] + b"\xff" * 200 + raw[204:], "row"),
        (lambda raw: b"PAR1", "Parquet"),
    ],
)
def test_damage_names_file_and_row(tmp_path, made_rows, damage, named):
    """A torn or scribbled file is a TapeError, not a crash."""
    path = write(tmp_path / "a.parquet", made_rows(5000))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(TapeError, match=rf"a\.parquet: row.*{named}|a\.parquet: row"):
        load_tape(path)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"format": "asmm-tape/2"}, "asmm-tape/2"),
        ({"tick": "0"}, "grid"),
        ({"product": "ftx"}, "ftx"),
        ({"rows": 3}, "3 rows"),
    ],
)
def test_a_foreign_key_is_refused(tmp_path, made_rows, change, named):
    """Another format, an impossible grid or a wrong count of rows is named."""
    path = write(tmp_path / "a.parquet", made_rows(10))
    table = pq.read_table(path)
    meta = orjson.loads(table.schema.metadata[b"asmm"]) | change
    pq.write_table(table.cast(SCHEMA.with_metadata({b"asmm": orjson.dumps(meta)})), path)
    with pytest.raises(TapeError, match=named):
        load_tape(path)


def test_rows_that_break_the_rules_are_not_written(tmp_path, made_rows):
    """The writer refuses rows out of order."""
    writer = TapeWriter(tmp_path / "a.parquet", INFO)
    rows = made_rows(10)
    with pytest.raises(TapeError, match="backwards"):
        writer.write(rows[::-1])
    writer.write(rows[5:])
    with pytest.raises(TapeError, match="backwards"):
        writer.write(rows[:5])
    writer.abandon()
    assert not list(tmp_path.iterdir())


def test_a_key_press_while_the_file_opens_leaves_nothing(tmp_path, made_rows, monkeypatch):
    """The file is there before its writer is: what was begun goes all the same."""
    source_path = tmp_path / "source.parquet"
    write(source_path, made_rows(10))
    source = open_source(source_path)

    def pressed(path, *_, **__):
        path.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(pq, "ParquetWriter", pressed)
    with pytest.raises(KeyboardInterrupt):
        write_source(tmp_path / "tape.parquet", source)
    assert list(tmp_path.iterdir()) == [source_path]


def test_parquet_of_something_else_is_refused(tmp_path):
    """A Parquet file without our key or a known layout is no recording."""
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(TapeError, match=r"a\.parquet: line 1: not a recording"):
        load_tape(path)
