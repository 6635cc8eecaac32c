"""Processes that work beside this one."""

import multiprocessing
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from asmm_daemon.errors import AsmmError


@contextmanager
def workers(jobs: int) -> Iterator[ProcessPoolExecutor]:
    """So many processes, gone with the block: at once where it does not end by itself, as by Ctrl-C.

    Raises AsmmError where one of them was killed.
    """
    with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
        # Ctrl-C reaches the whole group and is ours to answer: what starts now is deaf to it
        heard = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        for _ in range(jobs):
            pool.submit(int)
        signal.pthread_sigmask(signal.SIG_SETMASK, heard)
        try:
            yield pool
        except BaseException as error:
            pool.shutdown(wait=False, cancel_futures=True)
            for process in multiprocessing.active_children():
                process.terminate()
                process.join()
            if isinstance(error, BrokenProcessPool):
                raise AsmmError(
                    f"one of {jobs} processes was killed, as it happens where memory runs out: "
                    "take fewer with --jobs"
                ) from None
            raise


def processors() -> int:
    """Processes that this machine runs at a time."""
    return len(os.sched_getaffinity(0))
