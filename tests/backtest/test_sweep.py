"""A sweep gives each set-up what it would have got alone."""

import numpy as np
import pytest

from asmm_daemon.backtest.fast import scout
from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.fast.sweep import run_sweep
from asmm_daemon.core.params import Model
from tests.backtest.markets import S, setup, synthetic
from tests.backtest.test_engines import Wandering

OPTIONS = (
    {},
    {"gamma": 0.9, "latency": (0, 0), "order_size": 0.05},
    {"model": Model.GLFT, "skew": 0.3, "latency": (65, 65)},
    {"can": "replace", "sigma_halflife_s": 20.0},
)


def equal(one, other):
    """To the last bit."""
    records = ((one.steps, other.steps), (one.fills, other.fills))
    fields = ((a[name], b[name]) for a, b in records for name in a.dtype.names)
    same = (np.array_equal(a, b, equal_nan=a.dtype.kind == "f") for a, b in fields)
    return one.counts == other.counts and all(same)


@pytest.fixture(scope="module")
def market():
    return synthetic(8)


@pytest.mark.parametrize("stretch", [1, 37, 10**6])
def test_every_set_up_gets_its_own_result(market, monkeypatch, stretch):
    """Whatever the length of the stretches: the same orders, fills and money to the last bit."""
    monkeypatch.setattr(scout, "STRETCH", stretch)
    info, tape = market
    found = run_sweep([setup(info, **options) for options in OPTIONS], info, tape)
    for result, options in zip(found, OPTIONS, strict=True):
        assert len(result.fills) > 5
        assert equal(result, run_fast(setup(info, **options), info, tape))


def test_a_sweep_keeps_to_its_times_and_asks_policies(market):
    """Between two times, with policies that remember."""
    info, tape = market
    first = int(tape.local_ns[0])
    span = {"begin_ns": first + 60 * S, "end_ns": first + 301 * S}
    found = run_sweep([setup(info, policy=Wandering()) for _ in range(2)], info, tape, **span)
    alone = run_fast(setup(info, policy=Wandering()), info, tape, **span)
    assert alone.counts["fallbacks"] > 0
    assert equal(found[0], alone)
    assert equal(found[1], alone)
