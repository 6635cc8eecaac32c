import asyncio
import contextlib
import sqlite3

import pytest

from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.errors import StateError
from asmm_daemon.service.journal import FILE_NAME, PRUNE_EVERY, Journal, append, read


def _open(folder, **options):
    return Journal(
        folder,
        mode="demo",
        venue="binance",
        symbols=["BTCUSDT"],
        config_sha256="c",
        model_sha256="m",
        **options,
    )


def _record(kind, key, **data):
    return Record(kind, 5, "BTCUSDT", key, data)


def test_written_records_survive_and_come_back_in_order(tmp_path):
    """What `write` answered for is on disk, readable from outside, explanations left out."""

    async def session():
        journal = _open(tmp_path)
        await journal.write(
            [_record(RecordKind.INTENT, "a-1", price=7), _record(RecordKind.EXPLAIN, "", x=1.5)]
        )
        assert [record.key for record in read(tmp_path / FILE_NAME)] == ["a-1"]
        await journal.write([_record(RecordKind.FILL, "t1", qty="0.1")])
        await journal.close("signal")

    asyncio.run(session())
    records = list(read(tmp_path / FILE_NAME))
    assert [(r.kind, r.key) for r in records] == [(RecordKind.INTENT, "a-1"), (RecordKind.FILL, "t1")]
    assert records[1].data == {"qty": "0.1"}


def test_a_fill_is_written_once(tmp_path):
    """The same trade id twice leaves one row."""

    async def session():
        journal = _open(tmp_path)
        fill = _record(RecordKind.FILL, "t1", qty="0.1")
        await asyncio.gather(journal.write([fill]), journal.write([fill]))
        await journal.close("signal")

    asyncio.run(session())
    assert len(list(read(tmp_path / FILE_NAME))) == 1


def test_the_cache_stays_small_however_much_is_written(tmp_path):
    """A writer that only appends keeps at most a quarter of a megabyte of pages, for as long as it runs."""

    async def session():
        journal = _open(tmp_path)
        assert journal._db.execute("pragma cache_size").fetchone() == (-256,)
        await journal.close("signal")

    asyncio.run(session())


def test_epochs_grow_with_every_start(tmp_path, monkeypatch):
    """Each session has its own epoch, so that client order ids never repeat: without its journal too."""

    async def session():
        journal = _open(tmp_path)
        await journal.close("signal")
        return journal.epoch

    def at(second):
        monkeypatch.setattr("asmm_daemon.service.journal.wall_ns", lambda: second * 1_000_000_000)
        return asyncio.run(session())

    assert [at(100), at(100), at(90), at(110)] == [100, 101, 102, 110]
    (tmp_path / FILE_NAME).unlink()
    assert at(111) == 111


def test_a_disk_that_refuses_is_an_error_not_silence(tmp_path):
    """When the database cannot be written, the waiting writer gets the reason."""

    async def session():
        journal = _open(tmp_path)
        other = sqlite3.connect(tmp_path / FILE_NAME)
        other.execute("drop table records")
        other.commit()
        other.close()
        with pytest.raises(StateError, match="cannot be written"):
            await journal.write([_record(RecordKind.INTENT, "a-1")])
        assert journal.failure
        await journal.close("error")

    asyncio.run(session())


def test_a_damaged_file_is_refused(tmp_path):
    """A file that is no database is named, with what to look at."""
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)
    with pytest.raises(StateError, match="cannot be used"):
        _open(tmp_path)


def test_an_offline_resume_is_noted(tmp_path):
    """A person's word while no daemon runs lands in the last session."""

    async def session():
        journal = _open(tmp_path)
        await journal.close("signal")

    asyncio.run(session())
    append(tmp_path, Record(RecordKind.OPERATOR, 1, "", "resume", {"reason": "checked"}))
    assert [r.data["reason"] for r in read(tmp_path / FILE_NAME)] == ["checked"]


def test_old_explanations_are_dropped_and_nothing_else(tmp_path):
    """The journal of a long run stays bounded; what rebuilds the state is kept."""

    async def session():
        journal = _open(tmp_path, explains_kept=30)
        await journal.write([_record(RecordKind.INTENT, "a-1", price=7)])
        for first in range(0, 2 * PRUNE_EVERY, 100):
            await journal.write([_record(RecordKind.EXPLAIN, str(k), n=k) for k in range(first, first + 100)])
        await journal.close("signal")

    asyncio.run(session())
    with contextlib.closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
        keys = [key for (key,) in db.execute("select key from records where kind = 'explain' order by seq")]
    assert keys == [str(k) for k in range(2 * PRUNE_EVERY - 30, 2 * PRUNE_EVERY)]
    assert [r.key for r in read(tmp_path / FILE_NAME)] == ["a-1"]
