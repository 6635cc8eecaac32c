"""Compiles the kernels of the exchange and its feeds: `python -m asmm_daemon.exchange.feeds.warm`."""

from itertools import islice

import numpy as np

from asmm_daemon.exchange import market
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.tape.columns import Quality
from asmm_daemon.tape.snapshots import SnapshotBook
from asmm_daemon.tape.window import Window


def warm_up() -> None:
    """Runs a moment of each feed."""
    market.warm_up()
    source = SyntheticSource("BTCUSDT", "binanceusdm", 0, 0)
    list(islice(Window(source, start_ns=1), 2))
    SnapshotBook(Quality()).rows(np.zeros((1, 3), np.int64), np.ones((4, 1, 2), np.int64))


if __name__ == "__main__":
    warm_up()
