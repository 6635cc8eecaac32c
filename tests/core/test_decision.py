import math
from dataclasses import replace
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asmm_daemon.core.decision import (
    PULL,
    REDUCE,
    Clamp,
    Missing,
    decide,
    requote_due,
)
from asmm_daemon.core.market import on_message
from asmm_daemon.core.params import MAX_LEVELS, Model
from asmm_daemon.events import FUNDING, GAP

MID = 1_000_000  # 100,000 quote currency


def ready(scene, *args, **quote):
    """A market with σ known: the mid swings by 50 ticks (5 quote currency) every 5 s."""
    s = scene(*args, **quote)
    s.walk(MID, 50, 40)
    return s


def test_formula(scene) -> None:
    """Quotes follow r = m − q·γ̂·σ²·τ and δ = ln(1 + γ̂/κ)/γ̂ + ½·γ̂·σ²·τ, from the record's own numbers."""
    s = ready(scene, max_exposure=1e9)
    s.inventory["lots"] = 20
    assert s.decide(0.2, 0.0)
    d = s.d
    assert d["q"] == pytest.approx(1.0)
    assert d["gamma_hat"] == pytest.approx(0.2 * d["kappa"])
    shift = d["gamma_hat"] * d["sigma"] ** 2 * d["tau"]
    assert d["reservation"] == pytest.approx(d["m"] - d["q"] * shift)
    half = math.log(1 + d["gamma_hat"] / d["kappa"]) / d["gamma_hat"] + shift / 2
    assert d["half_spread"] == pytest.approx(half)
    assert d["bid_price"][0] == math.floor((d["reservation"] - half) / 0.1 + 1e-9)
    assert d["ask_price"][0] == math.ceil((d["reservation"] + half) / 0.1 - 1e-9)


def test_fee_and_edge_widen_and_a_rebate_narrows(scene, btc) -> None:
    """The maker fee and the edge asked for are part of the half-spread."""
    plain, paid, rebate = (
        ready(scene, replace(btc, maker=Decimal(maker)), min_edge_bps=edge)
        for maker, edge in (("0", 0.0), ("0.0002", 1.0), ("-0.00001", 0.0))
    )
    for s in (plain, paid, rebate):
        s.decide()
    m = plain.d["m"]
    assert paid.d["half_spread"] - plain.d["half_spread"] == pytest.approx(3e-4 * m)
    assert rebate.d["half_spread"] - plain.d["half_spread"] == pytest.approx(-1e-5 * m)


@pytest.mark.parametrize("skew", [-1.0, -0.5, 0.0, 0.5, 1.0])
def test_positive_skew_raises_both_quotes(scene, skew: float) -> None:
    """With skew s, bid = r − h + s·h and ask = r + h + s·h."""
    s = ready(scene, min_half_spread_bps=5.0)
    assert s.decide(0.1, skew)
    d = s.d
    assert d["bid_price"][0] * 0.1 == pytest.approx(d["reservation"] + (skew - 1) * d["half_spread"], abs=0.1)
    assert d["ask_price"][0] * 0.1 == pytest.approx(d["reservation"] + (skew + 1) * d["half_spread"], abs=0.1)


def test_constant_spread_ignores_inventory(scene) -> None:
    """Its half-spread is a share of the price, and it needs no σ."""
    s = scene(model=Model.CONSTANT_SPREAD, constant_half_spread_bps=5.0)
    s.book(MID - 5, MID + 5)
    s.inventory["lots"] = 100
    assert s.decide()
    assert s.d["half_spread"] == pytest.approx(5e-4 * s.d["m"])
    assert s.d["reservation"] == s.d["m"]
    assert not s.d["missing"] & Missing.SIGMA


def test_linear_constant_spread_leans_with_inventory(scene) -> None:
    """At full inventory both quotes have moved by linear_skew half-spreads."""
    s = scene(model=Model.LINEAR_CONSTANT_SPREAD, linear_skew=0.8, max_exposure=1e9)
    s.book(MID - 5, MID + 5)
    s.inventory["lots"] = 500
    assert s.decide()
    assert s.d["m"] - s.d["reservation"] == pytest.approx(0.5 * 0.8 * s.d["half_spread"])


def test_glft_uses_the_intensity(scene) -> None:
    """Where more orders arrive, GLFT shifts less for the same inventory."""
    quiet, busy = (ready(scene, model=Model.GLFT) for _ in range(2))
    for _ in range(200):
        busy.trade(1, MID + 8)
        busy.wait(0.01)
    for s in (quiet, busy):
        assert s.decide()
    assert busy.d["intensity_a"] > 3 * quiet.d["intensity_a"]
    assert busy.d["shift"] < quiet.d["shift"]


def test_nothing_is_quoted_without_book_or_sigma(scene) -> None:
    """A gap or too short a history leaves no quote, and the record says which."""
    s = scene()
    assert not s.decide()
    assert s.d["missing"] == Missing.BOOK
    s.book(MID - 5, MID + 5)
    assert not s.decide()
    assert s.d["missing"] & Missing.SIGMA
    s.walk(MID, 50, 10)
    assert s.decide()
    s.send((GAP, 0, 0, 0))
    assert not s.decide()
    assert s.d["missing"] == Missing.BOOK
    assert not s.d["bid_qty"].any()
    assert not s.d["ask_qty"].any()


def test_quoting_starts_within_a_minute(scene) -> None:
    """A valid book and σ are all that is waited for; κ's prior says that it is one."""
    s = scene()
    while not s.decide():
        s.book(MID - 5, MID + 5)
        s.wait(1.0)
        assert s.t_s <= 60
    assert s.d["missing"] == Missing.KAPPA


@pytest.mark.parametrize(
    ("gamma", "skew"),
    [(math.nan, 0.0), (math.inf, 0.0), (0.1, math.nan), (-1.0, 0.0), (0.0, 0.0), (11.0, 0.0), (0.1, 3.0)],
)
def test_absurd_actions_fall_back_to_plain_quoting(scene, gamma: float, skew: float) -> None:
    """γ or skew out of range or not a number: the configured ones stand in, and it is said."""
    s = ready(scene, gamma=0.3, skew=0.25)
    assert s.decide(gamma, skew)
    assert s.d["missing"] & Missing.ACTION
    assert (s.d["gamma"], s.d["skew"]) == (0.3, 0.25)


def test_quotes_never_cross(scene) -> None:
    """A quote that would take is held one tick behind the other side's best."""
    s = ready(scene)
    s.inventory["lots"] = 400
    s.inventory["unrealised"] = 0.0
    assert s.decide(0.9)
    assert s.d["ask_price"][0] == s.m["bid"] + 1
    assert s.d["clamps"] & Clamp.ASK_TOUCH
    s.inventory["lots"] = -400
    assert s.decide(0.9)
    assert s.d["bid_price"][0] == s.m["ask"] - 1
    assert s.d["clamps"] & Clamp.BID_TOUCH


def test_a_volatility_spike_is_a_floor(scene) -> None:
    """Above 3 and 5 times the normal σ the half-spread is at least 2 and 3 times its normal value."""
    s = scene(inventory_term=False)
    s.walk(MID, 10, 720)
    s.decide()
    calm = float(s.d["half_spread"])
    seen = set()
    for k in range(30):
        s.book(MID + k % 2 * 100 - 5, MID + k % 2 * 100 + 5)
        s.wait(5.0)
        s.decide()
        factor = 3 if s.d["vol_ratio"] > 5 else 2 if s.d["vol_ratio"] > 3 else 1
        seen.add(factor)
        assert s.d["half_spread"] == pytest.approx(
            max(factor * s.d["half_spread_normal"], s.d["half_spread_model"])
        )
        assert bool(s.d["clamps"] & Clamp.VOL_EXTREME) == (factor == 3)
        assert bool(s.d["clamps"] & Clamp.VOL_HIGH) == (factor == 2)
    assert seen == {1, 2, 3}
    assert s.d["half_spread"] >= 2.9 * calm


def test_half_spread_keeps_to_its_bounds(scene) -> None:
    """Minimum and maximum half-spread hold, and the record says so."""
    wide = ready(scene, min_half_spread_bps=50.0)
    wide.decide()
    assert wide.d["half_spread"] == pytest.approx(50e-4 * wide.d["m"])
    assert wide.d["clamps"] & Clamp.MIN_HALF_SPREAD
    tight = ready(scene, max_half_spread_bps=0.01)
    tight.decide()
    assert tight.d["half_spread"] == pytest.approx(0.01e-4 * tight.d["m"])
    assert tight.d["clamps"] & Clamp.MAX_HALF_SPREAD


def test_beyond_the_collar_a_side_is_pulled(scene) -> None:
    """The far quote of a large shift is left out; the near one stays."""
    s = ready(scene, collar_bps=5.0, min_half_spread_bps=3.0)
    assert s.decide(0.1, -1.0)
    assert s.d["bid_qty"][0] == 0
    assert s.d["ask_qty"][0] > 0
    assert s.d["clamps"] & Clamp.BID_COLLAR


def test_sizes_shrink_on_the_increasing_side_only(scene) -> None:
    """Half way to the limit the increasing side quotes half a size; the reducing side a full one."""
    s = ready(scene, order_size=0.01, max_exposure=1e9)
    s.inventory["lots"] = 500
    s.decide()
    assert (s.d["bid_qty"][0], s.d["ask_qty"][0]) == (5, 10)
    s.inventory["lots"] = -500
    s.decide()
    assert (s.d["bid_qty"][0], s.d["ask_qty"][0]) == (10, 5)


def test_size_in_quote_currency(scene) -> None:
    """5,000 at a price of 100,000 are 0.05."""
    s = ready(scene, order_size=5000.0, size_in_quote=True)
    s.decide()
    assert s.d["bid_qty"][0] == 50


def test_levels(scene) -> None:
    """Levels step outwards by their spacing, sizes by their factor."""
    s = ready(scene, levels=3, level_spacing_bps=2.0, level_size_factor=2.0)
    s.decide()
    bids, asks = s.d["bid_price"][:3].tolist(), s.d["ask_price"][:3].tolist()
    assert np.diff(bids).tolist() == [-200, -200]
    assert np.diff(asks).tolist() == [200, 200]
    assert s.d["bid_qty"][:4].tolist() == [10, 20, 40, 0]


def test_limits_leave_no_room(scene) -> None:
    """Inventory plus all bids never passes the maximum; the record says what cut a size."""
    s = ready(scene, levels=4, order_size=1.0, max_order=1.0, max_exposure=1e9)
    s.inventory["lots"] = -850
    s.decide()
    assert s.d["ask_qty"].sum() == 150
    assert s.d["clamps"] & Clamp.ASK_ROOM
    s.inventory["lots"] = 1000
    s.decide()
    assert s.d["bid_qty"].sum() == 0
    assert s.d["ask_qty"].sum() == 2000


def test_account_exposure_bounds_growth_only(scene) -> None:
    """With no exposure left a position can still be turned down to flat and no further."""
    s = ready(scene, order_size=0.1, max_order=10.0, max_exposure=1e9)
    s.inventory["exposure_left"] = 0.0
    s.inventory["lots"] = -30
    s.decide()
    assert s.d["bid_qty"].sum() == 60  # to the same exposure on the other side
    assert s.d["ask_qty"].sum() == 0


def test_spot_lives_between_zero_and_the_maximum(scene, btc_spot) -> None:
    """The target is half the maximum; asks are bounded by what is held, bids by the quote balance."""
    s = scene(btc_spot, max_exposure=1e9, order_size=0.5, max_order=10.0)
    s.walk(10 * MID, 500, 40, 50)
    s.inventory["lots"] = 20_000  # 0.2 BTC
    s.inventory["avail_quote"] = 30_000.0
    s.inventory["avail_base"] = 0.15
    s.decide()
    assert s.d["target"] == 0.5
    assert s.d["q"] == pytest.approx((0.2 - 0.5) / 0.02)
    assert s.d["ask_qty"].sum() == 15_000
    assert s.d["bid_qty"].sum() == math.floor(30_000 / (s.m["ask"] * 0.01) / 0.00001)
    s.inventory["lots"] = 0
    s.decide()
    assert s.d["ask_qty"].sum() == 0


@pytest.mark.parametrize(("side", "lots"), [(1, -70), (-1, 70)])
def test_reducing_works_the_position_down_at_the_touch(scene, side: int, lots: int) -> None:
    """One order at the best price of the shrinking side, never more than the position."""
    s = ready(scene, max_order=0.05)
    s.inventory["mode"] = REDUCE
    s.inventory["lots"] = lots
    assert s.decide()
    bids, asks = s.d["bid_qty"], s.d["ask_qty"]
    assert (bids if side > 0 else asks).tolist() == [50] + [0] * (MAX_LEVELS - 1)
    assert not (asks if side > 0 else bids).any()
    assert (s.d["bid_price"] if side > 0 else s.d["ask_price"])[0] == s.m["bid" if side > 0 else "ask"]
    s.inventory["lots"] = lots // 10
    s.decide()
    assert (bids if side > 0 else asks)[0] == 7


def test_reducing_on_spot_goes_towards_the_middle(scene, btc_spot) -> None:
    """Nearly sold out, spot buys; nearly full, it sells."""
    s = scene(btc_spot, max_exposure=1e9)
    s.walk(10 * MID, 500, 40, 50)
    s.inventory["mode"] = REDUCE
    s.inventory["lots"] = 5_000
    s.decide()
    assert s.d["bid_qty"][0] > 0
    assert s.d["ask_qty"][0] == 0
    s.inventory["lots"] = 95_000
    s.decide()
    assert s.d["bid_qty"][0] == 0
    assert s.d["ask_qty"][0] > 0


def test_switched_off_sides_and_pull(scene) -> None:
    """A side that is off has no quote; PULL leaves none at all."""
    s = ready(scene)
    s.inventory["bid_off"] = True
    assert s.decide()
    assert s.d["bid_qty"].sum() == 0
    assert s.d["ask_qty"].sum() > 0
    assert s.d["clamps"] & Clamp.BID_OFF
    s.inventory["mode"] = PULL
    assert not s.decide()


def test_funding_shifts_the_reference_within_tau(scene) -> None:
    """Longs pay a positive rate, so near the funding m is lower by rate·m; farther off it is not."""
    s = ready(scene)
    rows = s.rows((FUNDING, 0, 10_000, 0))
    rows["exch_ns"] += 1000 * 10**9
    on_message(s.state, s.params, rows)
    s.decide()
    assert s.d["m"] == s.d["micro"]
    s.wait(998.0)
    s.decide()
    assert s.d["m"] == pytest.approx(s.d["micro"] * (1 - 1e-4))
    assert s.d["clamps"] & Clamp.FUNDING
    s.wait(3.0)
    s.decide()
    assert s.d["m"] == s.d["micro"]


def test_requote_once_the_microprice_has_left(scene) -> None:
    """0.2 bps and at least a tick; a wobble within them keeps the quotes."""
    s = ready(scene)
    s.decide()
    s.book(MID - 5 + 19, MID + 5 + 19)
    assert not requote_due(s.state, s.params, s.decision)
    s.book(MID - 5 + 21, MID + 5 + 21)
    assert requote_due(s.state, s.params, s.decision)
    s.decide()
    assert not requote_due(s.state, s.params, s.decision)


def test_a_decision_depends_on_nothing_before_it(scene) -> None:
    """The record's earlier content does not matter: deciding twice gives the same bytes."""
    s = ready(scene, levels=3)
    s.decide(0.9, 1.0)
    s.decide(0.1, 0.0)
    second = s.decision.copy()
    s.decision["bid_qty"] = 77
    s.decide(0.1, 0.0)
    assert s.decision.tobytes() == second.tobytes()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    bid=st.integers(900_000, 1_100_000),
    spread=st.integers(0, 500),
    qtys=st.tuples(st.integers(1, 10**6), st.integers(1, 10**6)),
    lots=st.integers(-1200, 1200),
    gamma=st.floats(allow_nan=True),
    skew=st.floats(allow_nan=True),
    model=st.sampled_from(Model),
    levels=st.integers(1, 8),
    spot=st.booleans(),
    exposure=st.floats(0, 1e5),
)
def test_quotes_are_always_sound(
    scene, btc, bid, spread, qtys, lots, gamma, skew, model, levels, spot, exposure
) -> None:
    """Whatever comes: no crossing, bids below asks, sizes legal, limits kept, all numbers finite."""
    instrument = replace(btc, product="binance") if spot else btc
    s = scene(instrument, model=model, levels=levels, max_exposure=1e6)
    s.walk(MID, 50, 12)
    s.book(bid, bid + spread, *qtys)
    s.inventory["lots"] = max(lots, 0) if spot else lots
    s.inventory["exposure_left"] = exposure
    decide(s.state, s.params, s.inventory, gamma, skew, s.now_ns, s.decision)
    d = s.d
    assert not d["missing"] & (Missing.BOOK | Missing.SIGMA | Missing.PRICE)
    assert all(np.isfinite(d[name]).all() for name in s.decision.dtype.names)
    bids, asks = d["bid_price"][d["bid_qty"] > 0], d["ask_price"][d["ask_qty"] > 0]
    assert (bids < bid + max(spread, 0)).all() or spread == 0
    assert (bids < s.m["ask"]).all()
    assert (asks > s.m["bid"]).all()
    if bids.size and asks.size:
        assert bids.max() < asks.min()
    assert len(set(bids.tolist())) == bids.size
    assert len(set(asks.tolist())) == asks.size
    held = float(s.inventory["lots"][0])
    most = d["max_inventory"] / 0.001
    assert held + d["bid_qty"].sum() <= max(most, held) + 1e-6
    assert held - d["ask_qty"].sum() >= min(0.0 if spot else -most, held) - 1e-6
    for price, qty in zip((*d["bid_price"], *d["ask_price"]), (*d["bid_qty"], *d["ask_qty"]), strict=True):
        if qty:
            assert 1 <= qty <= 100
            assert Decimal(int(price)) * Decimal("0.1") * int(qty) * Decimal("0.001") >= 5
