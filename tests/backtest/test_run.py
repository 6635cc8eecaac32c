"""Days and strategies in processes: the same results for any number of them."""

import numpy as np

from asmm_daemon.backtest.run import Span, run
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from tests.backtest.markets import START_NS, S, setup

HOUR = 3600 * S
DAY = 24 * HOUR


def source():
    """Forty minutes on each side of midnight."""
    start = START_NS + DAY - 2400 * S
    return SyntheticSource("ETHUSDT", "binanceusdm", start, 3, start + 4800 * S)


def assert_equal(records, others):
    """Equal to the bit in every field; the padding between fields holds nothing."""
    for name in records.dtype.names:
        assert records[name].tobytes() == others[name].tobytes(), name


def test_the_number_of_processes_changes_nothing():
    """One process or two: the same steps and fills, days in order."""
    knobs = {"order_size": 0.2, "max_inventory": 10.0, "max_order": 2.0}
    setups = {f"{gamma}": setup(source().info, gamma=gamma, **knobs) for gamma in (0.01, 0.5)}
    alone = run(setups, source(), Span(lead_s=300.0), jobs=1)
    shared = run(setups, source(), Span(lead_s=300.0), jobs=2)
    for name, results in alone.items():
        assert len(results) == 2
        assert results[0].steps["t_ns"][-1] <= results[1].steps["t_ns"][0]
        for one, other in zip(results, shared[name], strict=True):
            assert_equal(one.steps, other.steps)
            assert_equal(one.fills, other.fills)
    assert not np.array_equal(alone["0.01"][0].fills["price"], alone["0.5"][0].fills["price"])
