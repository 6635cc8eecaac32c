"""Rows to write and read."""

import numpy as np
import pytest

from asmm_daemon.events import DEPTH
from asmm_daemon.tape.columns import empty_rows


@pytest.fixture
def made_rows():
    def make(count):
        rng = np.random.default_rng(count)
        rows = empty_rows(count)
        rows["kind"] = DEPTH
        rows["side"] = rng.choice([-1, 1], count)
        rows["price"] = rng.integers(1, 10**6, count)
        rows["qty"] = rng.integers(0, 10**6, count)
        rows["exch_ns"] = 10**18 + np.arange(count) * 1000
        rows["local_ns"] = rows["exch_ns"] + 5
        rows["last"] = True
        return rows

    return make
