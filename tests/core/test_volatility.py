import numpy as np
import pytest

from asmm_daemon.core import volatility as vol
from asmm_daemon.core.params import QuoteParams, TauMode, to_record
from asmm_daemon.units import Instrument


@pytest.fixture
def params(btc: Instrument):
    return to_record(QuoteParams(), btc)


def feed(params, mids):
    record = np.zeros(1, vol.VOLATILITY)
    for mid in mids:
        vol.add_sample(record, params, float(mid))
    return record


def test_sigma_is_the_rms_of_five_second_changes(params) -> None:
    """Changes of ±10 ticks every 5 s are 10/√5 ticks/√s."""
    record = feed(params, [1000 + 10 * (k % 2) for k in range(100)])
    assert vol.current(record) == pytest.approx(10 / np.sqrt(5))
    assert vol.slow(record) == pytest.approx(10 / np.sqrt(5))
    assert vol.normal(record) == pytest.approx(10 / np.sqrt(5))


def test_ready_after_thirty_seconds(params) -> None:
    """Six changes are enough; fewer are not."""
    assert not vol.is_ready(feed(params, range(vol.MIN_CHANGES)))
    assert vol.is_ready(feed(params, range(vol.MIN_CHANGES + 1)))


def test_gaps_are_left_out(params) -> None:
    """A jump across samples without a valid book is no change."""
    clean = [1000 + 10 * (k % 2) for k in range(60)]
    record = feed(params, clean + [np.nan] * 3 + [c + 500 for c in clean])
    assert vol.slow(record) == pytest.approx(10 / np.sqrt(5))


def test_a_long_gap_unlearns_the_current_sigma(params) -> None:
    """After minutes without a book σ is not ready, however much was known before."""
    record = feed(params, [1000 + 10 * (k % 2) for k in range(60)] + [np.nan] * 100)
    assert not vol.is_ready(record)


def test_ratio_of_a_random_walk_is_one(params) -> None:
    """Independent changes carry no correction to the horizon."""
    rng = np.random.default_rng(1)
    record = feed(params, np.cumsum(rng.normal(0, 10, 20_000)))
    assert vol.ratio_exponent(record) == pytest.approx(0.0, abs=0.05)
    assert vol.at_horizon(3.0, vol.growth(record, 60.0)) == pytest.approx(3.0, rel=0.07)


def test_ratio_sees_bounce_and_trend(params) -> None:
    """A bouncing mid has a smaller σ at a longer horizon, a trending one a larger."""
    rng = np.random.default_rng(2)
    bounce = feed(params, rng.normal(1000, 10, 5_000))
    noise = rng.normal(0, 10, 5_001)
    trend = feed(params, np.cumsum(noise[1:] + noise[:-1]))
    assert vol.at_horizon(3.0, vol.growth(bounce, 60.0)) < 0.5 * 3.0
    assert vol.at_horizon(3.0, vol.growth(trend, 60.0)) > 1.3 * 3.0


def test_tau_solves_its_own_equation(params) -> None:
    """Rolling τ is 2/(κσ)² with σ taken at τ itself."""
    rng = np.random.default_rng(3)
    record = feed(params, np.cumsum(rng.normal(0, 60, 5_000)))
    kappa = 1 / 110
    tau = vol.rolling_tau(record, kappa)
    sigma = vol.slow(record) * (tau / 5) ** (0.5 * vol.ratio_exponent(record))
    assert tau == pytest.approx(2 / (kappa * sigma) ** 2, rel=1e-9)


def test_horizon_is_bounded_or_counts_down(btc: Instrument) -> None:
    """Rolling τ keeps to its bounds; a session counts down and starts over."""
    calm = feed(to_record(QuoteParams(), btc), [1000.0] * 50)
    assert vol.horizon(calm, to_record(QuoteParams(), btc), 1e-3, 0) == 120.0
    wild = feed(to_record(QuoteParams(), btc), [1000.0, 9000.0] * 50)
    assert vol.horizon(wild, to_record(QuoteParams(), btc), 1.0, 0) == 5.0
    session = to_record(QuoteParams(tau_mode=TauMode.SESSION, session_s=100.0), btc)
    assert vol.horizon(calm, session, 1e-3, 0) == 100.0
    assert vol.horizon(calm, session, 1e-3, 30 * 10**9) == pytest.approx(70.0)
    assert vol.horizon(calm, session, 1e-3, 130 * 10**9) == pytest.approx(70.0)


def test_normal_volatility_follows_slowly(params) -> None:
    """A tenfold volatility shows in the current σ within a minute and hardly in the normal one."""
    record = feed(params, [1000 + 10 * (k % 2) for k in range(720)])
    for k in range(12):
        vol.add_sample(record, params, 1000.0 + 100 * (k % 2))
    assert vol.current(record) > 5 * vol.normal(record)


def test_a_still_market_is_not_riskless(params) -> None:
    """σ has a floor, so that no division and no horizon runs away."""
    record = feed(params, [1000.0] * 100)
    assert vol.is_ready(record)
    assert vol.at_horizon(vol.current(record), vol.growth(record, 30.0)) == vol.SIGMA_FLOOR
    assert vol.normal(record) == vol.NORMAL_FLOOR
    assert np.isfinite(vol.rolling_tau(record, 1.0))


def test_candles_warm_sigma(params) -> None:
    """Closes of a random walk give its σ at once, bid-ask bounce taken out."""
    rng = np.random.default_rng(4)
    mids = np.cumsum(rng.normal(0, 40 * np.sqrt(60), 2_000)) + 1e6
    plain, bouncing = np.zeros(1, vol.VOLATILITY), np.zeros(1, vol.VOLATILITY)
    vol.warm_candles(plain, params, mids)
    vol.warm_candles(bouncing, params, mids + rng.choice([-200.0, 200.0], 2_000))
    assert vol.is_ready(plain)
    assert vol.slow(plain) == pytest.approx(40.0, rel=0.06)
    assert vol.slow(bouncing) == pytest.approx(40.0, rel=0.12)
    assert vol.ratio_exponent(plain) == pytest.approx(0.0, abs=0.01)


def test_too_few_candles_warm_nothing(params) -> None:
    """Two closes say nothing of σ."""
    record = np.zeros(1, vol.VOLATILITY)
    vol.warm_candles(record, params, np.array([1.0, 2.0]))
    assert not vol.is_ready(record)
