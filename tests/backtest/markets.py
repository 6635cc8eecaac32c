"""Tapes and set-ups that the backtest's tests share."""

from dataclasses import replace
from decimal import Decimal

import numpy as np

from asmm_daemon.backtest.setup import Latency, Setup, instrument_of, unseen
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.core.params import QuoteParams
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.spec import AccountLimits, MarketLimits, MarketSpec
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.tape.columns import concat

D = Decimal
S = 1_000_000_000
START_NS = 1_767_657_600 * S
MS = 1_000_000


def synthetic(minutes, *, symbol="BTCUSDT", product="binanceusdm", seed=1, start_ns=START_NS):
    """(info, timeline) of a made-up market."""
    source = SyntheticSource(symbol, product, start_ns, seed, start_ns + int(minutes * 60) * S)
    tape = concat(list(source))
    return tape.info, timeline(tape.rows)


def setup(info, *, policy=None, limits=None, account=None, latency=(10, 10), maker="0", can=None, **knobs):
    """A set-up with the daemon's defaults; latency in ms there and back."""
    quote = QuoteParams(**knobs)
    caps = {"max_inventory": D(str(quote.max_inventory)), "max_order": D(str(quote.max_order))}
    unit = instrument_of(info, maker=D(maker), taker=D("0.0005"))
    spec = MarketSpec(
        unit,
        quote,
        MarketLimits(**(caps | (limits or {}))),
        policy or FixedPolicy(quote.gamma, quote.skew),
    )
    if can is not None:
        spec = replace(spec, can_amend=can == "amend", can_replace=can == "replace")
    money = AccountLimits(**({"capital": D(100_000)} | (account or {})))
    there, back = latency
    return Setup("test", unseen(spec), money, Latency(int(there * MS), int(back * MS)))


def assert_same(one, other):
    """The same orders, fills and money: counts and venue facts exactly, floats but for their last digits."""
    assert one.counts == other.counts
    assert len(one.fills) == len(other.fills)
    assert len(one.steps) == len(other.steps)
    for name in ("t_ns", "order", "trade", "side"):
        assert np.array_equal(one.fills[name], other.fills[name]), name
    for records in ("fills", "steps"):
        a, b = getattr(one, records), getattr(other, records)
        for name in a.dtype.names:
            np.testing.assert_allclose(a[name], b[name], rtol=1e-9, atol=2e-8 * max(1, len(a)), err_msg=name)
