import os

import pytest

from asmm_daemon.errors import StateError
from asmm_daemon.service.state_dir import StateDir, unfinished_session


def test_a_second_daemon_is_refused(tmp_path):
    """One state folder serves one process; the message names the holder."""
    with StateDir(tmp_path), pytest.raises(StateError, match=f"process {os.getpid()}"):
        StateDir(tmp_path)


def test_one_account_and_symbol_trades_once_whatever_the_folder(tmp_path, monkeypatch):
    """Another state folder does not allow a second daemon on the same account and symbol."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with (
        StateDir(tmp_path / "a", locks=("binance-BTCUSDT-abc",)),
        pytest.raises(StateError, match="another daemon trades binance-BTCUSDT-abc"),
    ):
        StateDir(tmp_path / "b", locks=("binance-BTCUSDT-abc",))
    StateDir(tmp_path / "b", locks=("binance-BTCUSDT-abc",)).close()


def test_the_latch_outlives_the_process(tmp_path):
    """A halt is on disk until it is cleared."""
    with StateDir(tmp_path) as state:
        assert state.latch() is None
        state.set_latch("drawdown")
    with StateDir(tmp_path) as state:
        assert state.latch().reason == "drawdown"
        state.clear_latch()
        assert state.latch() is None


def test_an_unreadable_latch_counts_as_a_halt(tmp_path):
    """A torn latch file fails closed."""
    (tmp_path / "halted.json").write_text('{"rea')
    with StateDir(tmp_path) as state:
        assert "cannot be read" in state.latch().reason


def test_an_unfinished_session_leaves_its_settings(tmp_path):
    """What a dead daemon ran with can be read without its lock; a session that ended well leaves nothing."""
    assert unfinished_session(tmp_path) is None
    with StateDir(tmp_path) as state:
        state.begin_session(b"{}")
        assert unfinished_session(tmp_path) == b"{}"
        state.end_session()
    assert unfinished_session(tmp_path) is None


def test_settings_that_cannot_be_read_are_no_end(tmp_path):
    """Where a session's settings are damaged, nobody may believe that nothing rests."""
    (tmp_path / "session.json").mkdir()
    with pytest.raises(StateError, match=r"session\.json"):
        unfinished_session(tmp_path)


def test_a_path_that_is_a_file_is_explained(tmp_path):
    """A state folder that cannot be one yields one message."""
    (tmp_path / "x").write_text("")
    with pytest.raises(StateError, match="cannot be used"):
        StateDir(tmp_path / "x")


def test_a_state_folder_that_is_not_there_is_said(tmp_path):
    """A mistyped folder is no proof that nothing is open."""
    with pytest.raises(StateError, match="no such state folder"):
        unfinished_session(tmp_path / "none")


def test_a_latch_that_cannot_be_removed_is_said(tmp_path):
    """A halt that the disk does not let go stays, with a message."""
    with StateDir(tmp_path) as state:
        (tmp_path / "halted.json").mkdir()
        with pytest.raises(StateError, match=f"the halt latch in {tmp_path} cannot be removed"):
            state.clear_latch()
        assert state.latch() is not None
