"""Rows in a mapped file: the same rows, held by nobody, and no file left behind."""

import gc
import tempfile
from pathlib import Path

import numba
import numpy as np
import pytest

from asmm_daemon.backtest import timeline as indexing
from asmm_daemon.backtest.spool import Spool, let_go, mapped
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.errors import TapeError
from asmm_daemon.events import ROW

COUNT = 400_000


def made(count):
    """Rows in messages of three, no two alike."""
    rows = np.zeros(count, ROW)
    rows["exch_ns"] = np.arange(count)
    rows["local_ns"] = rows["exch_ns"] + 5
    rows["price"], rows["qty"], rows["id"] = 1000 + rows["exch_ns"], 1, -1
    rows["last"][2::3] = True
    return rows


@pytest.fixture(scope="module")
def spool():
    """Many rows, written in two parts."""
    spool = Spool()
    rows = made(COUNT)
    spool.write(rows[:1000])
    spool.write(rows[1000:])
    return spool


def mapped_mb():
    """Memory of this process that belongs to files."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("RssFile")).split()[1]) / 1024


def test_what_is_mapped_is_what_was_written(spool):
    """Every field of every row."""
    assert np.array_equal(spool.rows(), made(COUNT))


def test_kernels_take_mapped_rows_for_any_others(spool):
    """The same type to numba, so that nothing is compiled twice."""
    assert numba.typeof(spool.rows()) == numba.typeof(made(1))


def test_rows_that_are_let_go_take_no_memory_and_come_back(spool):
    """Megabytes are read, given back, and are the same when read again."""
    rows = spool.rows()
    total = rows["price"].sum()
    before = mapped_mb()
    let_go(rows, rows.size)
    assert before - mapped_mb() > 0.9 * rows.nbytes / 2**20
    assert rows["price"].sum() == total


def test_rows_in_memory_are_never_let_go():
    """What no file stands behind is kept."""
    rows = made(1000)
    let_go(rows[:900], 900)
    assert np.array_equal(rows, made(1000))


def test_a_mapped_tape_is_indexed_as_one_in_memory(spool, monkeypatch):
    """The same messages and times, whatever the blocks in which rows are read."""
    rows = made(COUNT)
    rows["exch_ns"][7::11] -= 50
    held = timeline(rows)
    ends = np.flatnonzero(rows["last"]) + 1
    assert np.array_equal(held.ends, ends)
    assert np.array_equal(held.venue_ns, np.maximum.accumulate(rows["exch_ns"])[ends - 1])
    assert np.array_equal(held.local_ns, rows["local_ns"][ends - 1])
    monkeypatch.setattr(indexing, "_BLOCK", 1000)
    other = Spool()
    other.write(rows)
    for one, same in zip(held, timeline(other.rows()), strict=True):
        assert np.array_equal(one, same)


def test_the_file_goes_with_its_spool():
    """What is mapped by then stays readable."""
    spool = Spool()
    spool.write(made(10))
    rows, path = spool.rows(), spool.path
    assert path.exists()
    del spool
    gc.collect()
    assert not path.exists()
    assert np.array_equal(rows, made(10))


def test_no_rows_are_mapped_as_none():
    """An empty file cannot be mapped; it is an empty array."""
    assert Spool().rows().size == 0


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    """A disk without room, or a folder that is gone, is said in one line."""
    missing = tmp_path / "missing"
    monkeypatch.setattr(tempfile, "tempdir", str(missing))
    with pytest.raises(TapeError, match="missing: rows cannot be kept there"):
        Spool()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    spool = Spool()
    spool.path.unlink()
    spool.path.mkdir()
    with pytest.raises(TapeError, match="rows cannot be kept there"):
        spool.write(made(1))
    spool.path.rmdir()


def test_what_is_written_into_mapped_rows_stays_there(spool):
    """Other processes that map the file do not see it."""
    rows = mapped(spool.path)
    rows["price"][0] = 7
    assert mapped(spool.path)["price"][0] == made(1)["price"][0]
