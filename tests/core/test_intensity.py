import numpy as np
import pytest

from asmm_daemon.core import intensity as flow
from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.units import NS_PER_S, Instrument

MID = 1e6


@pytest.fixture
def params(btc: Instrument):
    return to_record(QuoteParams(kappa_halflife_s=1e9, slow_halflife_s=1e9), btc)


def fresh(params, spread: float = 1.0):
    record = np.zeros(1, flow.INTENSITY)
    flow.set_prior_once(record, params, spread)
    return record


def order(record, params, t: float, side: int, price: int, half_spread: float = 0.5) -> None:
    t_ns = round(t * NS_PER_S)
    flow.add_trade(record, params, side, price, t_ns, t_ns, MID, half_spread)


def test_kappa_is_the_maximum_likelihood_of_a_geometric_law(params) -> None:
    """Orders drawn from λ(δ) = A·e^(−κδ) give κ and A back."""
    rng = np.random.default_rng(1)
    kappa, seconds, n = 0.02, 20_000, 10_000
    record = fresh(params)
    times, sides = np.sort(rng.random(n)) * seconds, rng.choice([-1, 1], n)
    reaches = 2 + np.floor(rng.exponential(1 / kappa, n))  # a half-spread of a tick, one more, and beyond
    for t, side, reach in zip(times.tolist(), sides.tolist(), reaches.tolist(), strict=True):
        order(record, params, t, side, int(MID + side * reach), 1.0)
    flow.close_order(record, params)
    flow.decay(record, params, seconds * NS_PER_S)
    estimate, asks, bids, slow = flow.kappas(record, params, MID)
    assert estimate == pytest.approx(kappa, rel=0.03)
    assert asks == pytest.approx(kappa, rel=0.05)
    assert bids == pytest.approx(kappa, rel=0.05)
    assert slow == pytest.approx(kappa, rel=0.03)
    assert flow.arrival(record, estimate) == pytest.approx(n / 2 / seconds * np.exp(kappa * 2), rel=0.03)


def test_trades_of_one_taker_are_one_order(params) -> None:
    """Same side and venue time are merged, and the furthest price counts."""
    record = fresh(params)
    for price in (1_000_001, 1_000_003, 1_000_002):
        order(record, params, 1.0, 1, price)
    order(record, params, 2.0, 1, 1_000_002)
    flow.close_order(record, params)
    assert record["beyond"][0].tolist() == [2.0, 0.0]
    assert record["excess"][0, 0] == pytest.approx((3 - 1.5) + (2 - 1.5))


def test_sides_are_told_apart(params) -> None:
    """A sale at the same moment is another order, and reaches our bids."""
    record = fresh(params)
    order(record, params, 1.0, 1, 1_000_003)
    order(record, params, 1.0, -1, 999_995)
    flow.close_order(record, params)
    assert record["beyond"][0].tolist() == [1.0, 1.0]
    assert record["excess"][0].tolist() == [1.5, 3.5]


def test_orders_at_the_touch_do_not_count(params) -> None:
    """Whoever only hits the best level fills nothing behind its queue."""
    record = fresh(params)
    order(record, params, 1.0, 1, 1_000_001)
    flow.close_order(record, params)
    assert record["beyond"][0].sum() == 0


def test_orders_near_the_touch_say_nothing_of_the_tail(params) -> None:
    """Where most orders reach a few ticks and some a hundred, κ is that of the hundred."""
    rng = np.random.default_rng(2)
    record = fresh(params)
    far = np.where(rng.random(4000) < 0.4, rng.exponential(100.0, 4000), rng.exponential(4.0, 4000))
    for k, reach in enumerate(far.tolist()):
        order(record, params, float(k), 1, 1_000_002 + round(reach), 1.0)
    assert far.mean() < 45
    assert 1 / flow.kappas(record, params, MID)[0] == pytest.approx(100.0, rel=0.15)


def test_one_sweep_does_not_set_kappa(params) -> None:
    """An order that sweeps the whole book counts as at most OUTLIER slow means."""
    record = fresh(params)
    for k in range(50):
        order(record, params, float(k), 1, 1_000_004)
    before = flow.kappas(record, params, MID)[0]
    order(record, params, 60.0, 1, 1_100_000)
    flow.close_order(record, params)
    assert flow.kappas(record, params, MID)[0] > 0.7 * before


def test_prior_holds_until_orders_were_seen(btc: Instrument) -> None:
    """At first 1/κ is two spreads, at least a tick, or the configured κ; it gives way to orders."""
    plain = to_record(QuoteParams(), btc)
    assert 1 / flow.kappas(fresh(plain, 7.0), plain, MID)[0] == pytest.approx(14.0)
    assert 1 / flow.kappas(fresh(plain, 0.1), plain, MID)[0] == pytest.approx(1.0)
    kept = to_record(QuoteParams(kappa_prior=0.25), btc)
    record = fresh(kept)
    assert flow.kappas(record, kept, MID)[0] / 0.1 == pytest.approx(0.25)
    assert flow.is_prior(record, kept)
    far = np.random.default_rng(1).exponential(90.0, 1000)
    for k, reach in enumerate(far.tolist()):
        order(record, kept, float(k), 1, 1_000_002 + round(reach), 1.0)
    assert not flow.is_prior(record, kept)
    assert 1 / flow.kappas(record, kept, MID)[0] == pytest.approx(90.0, rel=0.1)


def test_kappa_keeps_to_its_bounds(params) -> None:
    """1/κ lies between half a tick and one percent of the price."""
    tight, wide = fresh(params), fresh(params, 1e7)
    for k in range(500):
        order(tight, params, float(k), 1, 1_000_002, 1.0)
    assert 1 / flow.kappas(tight, params, MID)[0] == pytest.approx(flow.REACH_MIN_TICKS)
    assert 1 / flow.kappas(wide, params, MID)[0] == pytest.approx(flow.REACH_MAX * MID)
    assert flow.at_bound(flow.kappas(tight, params, MID)[0], MID)
    assert flow.at_bound(flow.kappas(wide, params, MID)[0], MID)


def test_silence_lowers_the_rate(params) -> None:
    """Time without orders counts as exposure."""
    record = fresh(params)
    first = flow.arrival(record, 0.1)
    flow.decay(record, params, 3600 * NS_PER_S)
    assert flow.arrival(record, 0.1) < 0.05 * first


def test_old_orders_fade(btc: Instrument) -> None:
    """After a half-life an order weighs half, in the current κ and in the rate alike."""
    params = to_record(QuoteParams(kappa_halflife_s=5.0), btc)
    record = fresh(params)
    order(record, params, 1.0, 1, 1_000_010)
    flow.close_order(record, params)
    flow.decay(record, params, 5 * NS_PER_S)
    assert record["beyond"][0, 0] == 0.5
    assert record["seconds"][0] == 2.5
    assert record["slow_beyond"][0] > 0.999
