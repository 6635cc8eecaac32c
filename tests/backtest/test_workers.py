"""Processes beside this one: what becomes of them when something goes wrong."""

import multiprocessing
import os
import time

import pytest

from asmm_daemon.backtest.workers import workers
from asmm_daemon.errors import AsmmError


def test_a_killed_process_is_said_in_one_line():
    """Where the system kills one for want of memory, the user is told what to do."""
    with pytest.raises(AsmmError, match=r"one of 2 processes was killed.*--jobs"), workers(2) as pool:
        pool.submit(os._exit, 9).result()


def test_an_interruption_ends_them_at_once():
    """Nobody waits for work that nobody wants; without the end this test would run into its time limit."""

    def work() -> None:
        with workers(2) as pool:
            pool.submit(time.sleep, 3600)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not multiprocessing.active_children()
