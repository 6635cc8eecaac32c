"""Checkpoints: a restored state goes on exactly as the one that ran from the start."""

import time
from decimal import Decimal
from itertools import pairwise

import numpy as np
import pytest

from asmm_daemon.core.market import new_market, on_rows
from asmm_daemon.core.params import PARAMS, QuoteParams, to_record
from asmm_daemon.errors import TapeError
from asmm_daemon.tape import checkpoints as module
from asmm_daemon.tape.checkpoints import STATE_PARAMS, build, load_or_build
from asmm_daemon.tape.load import load_tape, open_source
from asmm_daemon.tape.parquet import TapeWriter
from asmm_daemon.units import NS_PER_S, Instrument, Lots

RECORDINGS = {"nexo": ("binance-raw/nexousdt-spot", 4), "standx": ("standx-btc", 3)}


def params_of(info, **changes):
    instrument = Instrument(
        info.symbol, info.product, info.base, info.quote, info.tick, info.lot, info.min_notional,
        Lots(1), Lots(10**9), Decimal(0), Decimal("0.0005"),
    )  # fmt: skip
    return to_record(QuoteParams(**changes), instrument)


def bytes_of(state):
    arrays = (*state.book, state.market, state.volatility, state.intensity)
    return [array.view(np.uint8).tobytes() for array in arrays]


@pytest.fixture(scope="module", params=RECORDINGS)
def tape(request, shared_data):
    folder, hours = RECORDINGS[request.param]
    start_ns = int(next(iter(open_source(shared_data / folder))).rows["local_ns"][0])
    return load_tape(shared_data / folder, end_ns=start_ns + hours * 3600 * NS_PER_S)


@pytest.fixture
def rows(tape):
    return tape.rows[: int(np.flatnonzero(tape.rows["last"])[20_000]) + 1]


@pytest.fixture
def tape_file(tmp_path, tape, rows):
    path = tmp_path / "day.parquet"
    writer = TapeWriter(path, tape.info)
    writer.write(rows)
    writer.close({})
    return path


def test_restored_states_go_on_to_the_byte(tape):
    """Restored and fed to a later time, book, market and estimators equal a run from the start."""
    params = params_of(tape.info)
    found = build([tape.rows], params)
    ends = np.flatnonzero(tape.rows["last"]) + 1
    rng = np.random.default_rng(5)
    run, done, into = new_market(), 0, new_market()
    for i in [0, 1, *sorted(rng.choice(len(found), 12, replace=False)), len(found) - 1]:
        first = int(found.rows[i])
        later = int(ends[min(np.searchsorted(ends, first) + rng.integers(1, 3000), ends.size - 1)])
        if first >= done:
            on_rows(run, params, tape.rows[done:first])
            done = first
            assert found.restore(int(i), into) == first
            assert bytes_of(into) == bytes_of(run)
        else:
            found.restore(int(i), into)
        on_rows(into, params, tape.rows[first:later])
        if later > done:
            on_rows(run, params, tape.rows[done:later])
            done = later
            assert bytes_of(into) == bytes_of(run)


def test_one_a_minute_at_message_borders(tape):
    """Every minute of tape has its checkpoint unless it was silent; a time is reached from the one before."""
    found = build([tape.rows], params_of(tape.info))
    assert found.rows[0] == 0
    assert tape.rows["last"][found.rows[1:] - 1].all()
    assert np.array_equal(found.t_ns, tape.rows["local_ns"][found.rows])
    minutes = (found.t_ns - found.t_ns[0]) // (60 * NS_PER_S)
    assert (np.diff(minutes) >= 1).all()
    assert len(found) > 0.95 * minutes[-1]
    for t_ns in (found.t_ns[3], found.t_ns[4] - 1):
        assert found.find(int(t_ns)) == 3
    assert found.find(0) == 0


def test_chunks_do_not_matter(tape, rows):
    """The chunks of a file make the same checkpoints as the tape in memory."""
    params = params_of(tape.info)
    whole = build([rows], params)
    cuts = [0, *(np.flatnonzero(rows["last"])[::777] + 1).tolist(), rows.size]
    parts = build([rows[a:b] for a, b in pairwise(cuts)], params)
    for name in ("rows", "t_ns", "offsets", "sizes", "blobs"):
        assert np.array_equal(getattr(whole, name), getattr(parts, name)), name


def test_restore_takes_less_than_a_millisecond(tape):
    """The median of many; a single one may be held up by the machine."""
    found = build([tape.rows], params_of(tape.info))
    into, taken = new_market(), []
    for i in np.random.default_rng(0).integers(0, len(found), 300):
        start = time.perf_counter()
        found.restore(int(i), into)
        taken.append(time.perf_counter() - start)
    assert np.median(taken) < 1e-3


def test_only_the_named_parameters_shape_a_state(tape, rows):
    """Every other knob may change without making checkpoints anew."""
    plain = params_of(tape.info)
    expected = bytes_of(ran(rows, plain))
    for name in PARAMS.names:
        other = plain.copy()
        changed = 1 - other[name] if PARAMS[name].kind in "ib" else np.nan_to_num(other[name]) * 3 + 0.01
        other[name] = changed
        same = bytes_of(ran(rows, other)) == expected
        assert same or name in STATE_PARAMS, name


def ran(rows, params):
    state = new_market()
    on_rows(state, params, rows)
    return state


def test_a_file_beside_the_tape_is_used_again(tape, rows, tape_file, monkeypatch):
    """Written once, then read: the second time nothing is built."""
    params = params_of(tape.info)
    made = load_or_build(tape_file, rows, params)
    assert made.note == ""
    assert sorted(p.name for p in tape_file.parent.iterdir()) == ["day.checkpoints.npz", "day.parquet"]
    monkeypatch.setattr(module, "build", None)
    again = load_or_build(tape_file, rows, params_of(tape.info, gamma=0.9, order_size=3.0))
    assert np.array_equal(again.blobs, made.blobs)
    assert again.note == ""


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-100]),
        lambda path: path.write_bytes(b"not a file of arrays"),
        lambda path: path.write_bytes(path.read_bytes()[:3000] + b"\xff" * 9 + path.read_bytes()[3009:]),
        lambda path: path.write_bytes(b""),
        lambda path: np.savez(path, key=np.array("other")),
        lambda path: np.savez(path, rows=np.array([{}], dtype=object), allow_pickle=True),
    ],
)
def test_a_damaged_or_foreign_file_is_made_anew(tape, rows, tape_file, change):
    """Cut off, scribbled over, empty, of another key, pickled: rebuilt, and said so."""
    params = params_of(tape.info)
    made = load_or_build(tape_file, rows, params)
    beside = tape_file.with_name("day.checkpoints.npz")
    change(beside)
    again = load_or_build(tape_file, rows, params)
    assert "day.checkpoints.npz: made anew (" in again.note
    assert np.array_equal(again.blobs, made.blobs)
    assert load_or_build(tape_file, rows, params).note == ""


def test_another_tape_stretch_kernel_or_half_life_makes_them_anew(tape, rows, tape_file, monkeypatch):
    """The key is of the tape's bytes, the stretch, width, kernels and half-lives."""
    load_or_build(tape_file, rows, params_of(tape.info))
    slower = params_of(tape.info, kappa_halflife_s=7200.0)
    assert "kernels or parameters" in load_or_build(tape_file, rows, slower).note
    assert load_or_build(tape_file, rows, slower).note == ""
    border = int(np.flatnonzero(tape.rows["last"])[100]) + 1
    for stretch in (rows[border:], rows[:border], rows):
        assert "other rows" in load_or_build(tape_file, stretch, slower).note
    assert "made anew" in load_or_build(tape_file, rows, slower, width=1 << 17).note
    assert load_or_build(tape_file, rows, slower, width=1 << 17).note == ""
    monkeypatch.setattr(module, "source_key", lambda: "edited")
    assert "made anew" in load_or_build(tape_file, rows, slower).note
    writer = TapeWriter(tape_file, tape.info)
    writer.write(tape.rows[: int(np.flatnonzero(tape.rows["last"])[1000]) + 1])
    writer.close({})
    assert "made anew" in load_or_build(tape_file, rows, slower).note


def test_a_place_that_cannot_be_written_keeps_them_in_memory(tape, rows, tape_file):
    """The note says that they are lost at the end."""
    tape_file.with_name("day.checkpoints.npz").mkdir()
    made = load_or_build(tape_file, rows, params_of(tape.info))
    assert "cannot be written" in made.note
    assert made.note.endswith("kept in memory")


def test_nothing_to_build_or_another_width(tape):
    """An empty tape is an error, and so is a book of another width."""
    params = params_of(tape.info)
    with pytest.raises(TapeError, match="no rows"):
        build([], params)
    found = build([tape.rows[: int(np.flatnonzero(tape.rows["last"])[10]) + 1]], params)
    with pytest.raises(TapeError, match="a book of 65536 ticks, not of 1024"):
        found.restore(0, new_market(1024))
