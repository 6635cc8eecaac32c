import math

import pytest

from asmm_daemon.core.features import EXTRAS, FEATURE_NAMES, FEATURES, FEATURES_ID, N_FEATURES, N_STATE
from asmm_daemon.core.market import set_own
from asmm_daemon.events import DEPTH, GAP


def test_the_guides_22_come_first() -> None:
    """22 features in the guide's order, then the private extras; every one is described."""
    assert N_FEATURES == 22
    assert FEATURES_ID == "guide22/1"
    assert len(EXTRAS) == N_STATE - N_FEATURES
    assert len(set(FEATURE_NAMES)) == N_STATE
    assert EXTRAS == ("unrealised_pnl", "kappa_sigma_sqrt_tau")
    assert all(all(text for text in feature) for feature in FEATURES)


def test_inventory_features(scene) -> None:
    """Inventory in risk lots of 1/50 of the effective maximum, its share, its distance and its rate."""
    s = scene(max_inventory=1.0, max_exposure=1e9, inventory_target=0.1)
    s.book(950_000, 950_010)
    s.features()
    s.wait(5.0)
    s.inventory["lots"] = 200  # 0.2 BTC
    f = s.features()
    assert f["inventory"] == pytest.approx((0.2 - 0.1) / 0.02)
    assert f["inventory_fraction"] == pytest.approx(0.2)
    assert f["target_distance"] == pytest.approx(0.1)
    assert f["inventory_rate"] == pytest.approx(0.2 / 0.02 / 5)


def test_exposure_limits_the_unit_of_inventory(scene) -> None:
    """At 95,000 an exposure of 47,500 allows half a coin, so a risk lot is 0.01."""
    s = scene(max_inventory=1.0, max_exposure=47_500.0)
    s.book(949_995, 950_005)
    s.inventory["lots"] = -100
    assert s.features()["inventory"] == pytest.approx(-10)


def test_book_features(scene) -> None:
    """Prices against the mid a cycle ago, spread in ticks and bps, imbalance over five levels."""
    s = scene()
    s.book(99_995, 100_005, 300, 100)
    s.send((DEPTH, 1, 99_990, 100), (DEPTH, -1, 100_010, 100))
    s.trade(1, 100_005, 50)
    s.features()
    s.wait(5.0)
    s.book(100_005, 100_015, 300, 100)
    s.send((DEPTH, 1, 100_000, 100), (DEPTH, -1, 100_020, 100))
    f = s.features()
    assert f["best_bid"] == pytest.approx((100_005 - 100_000) / 100_000 * 1e4)
    assert f["best_ask"] == pytest.approx((100_015 - 100_000) / 100_000 * 1e4)
    assert f["bid_volume"] == pytest.approx(math.log1p(300 / 50))
    assert f["ask_volume"] == pytest.approx(math.log1p(100 / 50))
    assert f["spread"] == 10
    assert f["spread_bps"] == pytest.approx(10 / 100_010 * 1e4)
    assert f["imbalance"] == pytest.approx((400 - 200) / 600)
    assert f["microprice"] == pytest.approx(2.5 / 100_010 * 1e4)
    bid, ask = (100_005 * 300 + 100_000 * 100) / 400, (100_015 + 100_020) / 2
    assert f["weighted_mid"] == pytest.approx(((bid * 200 + ask * 400) / 600 - 100_010) / 100_010 * 1e4)


def test_own_orders_are_not_seen(scene) -> None:
    """A replay without our orders gives the features that live trading gave."""
    live, replay = scene(), scene()
    for s, ours in ((live, 40), (replay, 0)):
        if ours:
            set_own(s.state, s.params, 1, 99_996, ours)
            set_own(s.state, s.params, -1, 100_005, ours)
        s.book(99_995, 100_005, 300, 100 + ours)
        if ours:
            s.send((DEPTH, 1, 99_996, ours))
    assert live.features() == replay.features()


def test_trade_features(scene) -> None:
    """Direction over ten trades, flow over thirty seconds, age since the last."""
    s = scene()
    s.book(99_995, 100_005)
    for _ in range(12):
        s.trade(-1, 99_995, 10)
    s.wait(20.0)
    for _ in range(5):
        s.trade(1, 100_005, 30)
    s.wait(4.0)
    f = s.features()
    assert f["trade_direction"] == pytest.approx((150 - 50) / 200)
    assert f["trade_flow"] == pytest.approx((150 - 120) / 270)
    assert f["trade_age"] == pytest.approx(math.log1p(4.0))
    s.wait(20.0)
    assert s.features()["trade_flow"] == pytest.approx(1.0)


def test_quote_rate_counts_changes_of_the_best(scene) -> None:
    """Depth behind the best is no quote update."""
    s = scene()
    s.book(99_995, 100_005)
    s.wait(20.0)
    for k in range(5):
        s.send((DEPTH, 1, 99_995, 200 + k))
        s.send((DEPTH, 1, 99_000, 200 + k))
        s.wait(1.0)
    assert s.features()["quote_rate"] == pytest.approx(math.log1p(5 / 10))


def test_rolling_minute(scene) -> None:
    """Momentum, volume, distance to the mean traded price and range over the last minute alone."""
    s = scene()
    s.book(98_995, 99_005)
    s.trade(1, 99_005, 40)
    s.wait(30.0)
    s.book(99_995, 100_005)
    s.trade(1, 100_005, 10)
    s.wait(50.0)
    s.book(100_045, 100_055)
    s.trade(-1, 100_045, 30)
    f = s.features()
    bps = 1e4 / 100_050
    assert f["momentum_1m"] == pytest.approx((100_050 - 99_000) * bps)
    s.wait(15.0)
    f = s.features()
    typical = 80 / 3
    assert f["momentum_1m"] == pytest.approx((100_050 - 100_000) * bps)
    assert f["volume_1m"] == pytest.approx(math.log1p(30 / typical))
    assert f["vwap_distance"] == pytest.approx((100_050 - 100_045) * bps)
    assert f["range_1m"] == pytest.approx(50 * bps)


def test_candle_volatility(scene) -> None:
    """The root mean square of closed candles' log returns; the running one is left out."""
    s = scene()
    s.book(99_995, 100_005)
    for k in range(6):
        s.trade(1, 100_000 + k % 2 * 100, 1)
        s.wait(60.0)
    s.trade(1, 120_000, 1)
    assert s.features()["volatility_1m"] == pytest.approx(math.log(1.001) * 1e4)


def test_extras(scene) -> None:
    """Unrealised PnL in bps of a full order, and κσ√τ, which is √2 where τ is not clamped."""
    s = scene(order_size=0.01)
    s.walk(100_000, 10, 40)
    s.inventory["unrealised"] = 0.2
    f = s.features()
    assert f["unrealised_pnl"] == pytest.approx(0.2 / (0.01 * 10_000) * 1e4)
    assert f["kappa_sigma_sqrt_tau"] == pytest.approx(math.sqrt(2), rel=0.2)


def test_nothing_known_is_all_zero(scene) -> None:
    """Before the first book every feature is 0 and the state is not valid."""
    s = scene()
    assert set(s.features().values()) == {0.0}


def test_values_stay_finite_without_a_book(scene) -> None:
    """In a gap the last mid stands in."""
    s = scene()
    s.book(99_995, 100_005)
    s.send((GAP, 0, 0, 0))
    assert all(math.isfinite(value) for value in s.features().values())
