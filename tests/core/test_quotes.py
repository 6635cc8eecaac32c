from decimal import Decimal
from fractions import Fraction
from math import inf

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.core.quotes import (
    ask_ticks,
    bid_ticks,
    level_step,
    live_reach,
    max_lots,
    min_lots,
    order_lots,
    rounded,
)
from asmm_daemon.units import Instrument, Lots


@settings(deadline=None)  # the first call compiles
@given(st.floats(-1e9, 1e9))
def test_bids_round_down_and_asks_up(price: float) -> None:
    """Rounding never improves a quote by more than float noise, and costs less than a tick."""
    bid, ask = bid_ticks(price), ask_ticks(price)
    assert bid <= price + 1e-9
    assert price - 1e-9 <= ask
    assert ask - bid <= 1
    assert price - bid < 1
    assert ask - price < 1


def test_a_price_on_the_grid_stays() -> None:
    """Float noise around a whole tick does not cost a tick."""
    assert bid_ticks(0.3 / 0.1) == 3
    assert ask_ticks(0.7 / 0.1) == 7
    assert bid_ticks(9349.999999999998) == 9349 + (9350 - 9349.999999999998 < 1e-9)


@settings(max_examples=300, deadline=None)
@given(
    price=st.integers(1, 10**7),
    full=st.floats(0, 1e6),
    fullness=st.floats(0, 2),
    room=st.floats(0, 1e7) | st.just(inf),
)
def test_sizes_fit_venue_and_room(price: float, full: float, fullness: float, room: float) -> None:
    """An order is either nothing or at least the venue's minimum and at most room and maximum."""
    params = to_record(QuoteParams(max_order=1000.0), _instrument())
    lots = order_lots(params, price, full, fullness, room)
    if lots:
        assert lots <= room
        assert lots <= max(max_lots(params), min_lots(params, price))
        assert lots >= min_lots(params, price)
        assert lots * price * Fraction("0.1") * Fraction("0.001") >= Fraction(5) * (1 - Fraction(1, 10**12))
    elif full > 0 and min_lots(params, price) <= max_lots(params):
        assert room < min_lots(params, price)


def _instrument() -> Instrument:
    return Instrument(
        "BTCUSDT", "binanceusdm", "BTC", "USDT", Decimal("0.1"), Decimal("0.001"), Decimal(5),
        Lots(1), Lots(10**9), Decimal(0), Decimal("0.0005"),
    )  # fmt: skip


def test_increasing_side_shrinks_to_the_minimum(btc: Instrument) -> None:
    """Size falls linearly with inventory and stays at the venue's minimum."""
    params = to_record(QuoteParams(), btc)
    assert order_lots(params, 950_000, 10.0, 0.0, inf) == 10
    assert order_lots(params, 950_000, 10.0, 0.5, inf) == 5
    assert order_lots(params, 950_000, 10.0, 1.0, inf) == 1
    assert order_lots(params, 20_000, 10.0, 1.0, inf) == 3


def test_largest_order_is_the_tighter_limit(btc: Instrument) -> None:
    """The largest order is ours or the venue's, whichever is smaller."""
    assert max_lots(to_record(QuoteParams(max_order=0.1), btc)) == 100
    assert max_lots(to_record(QuoteParams(max_order=5000.0), btc)) == 1_000_000
    assert order_lots(to_record(QuoteParams(max_order=0.1), btc), 950_000, 500.0, 0.0, inf) == 100


def test_levels_lie_at_least_a_tick_apart(btc: Instrument) -> None:
    """A spacing below a tick becomes one tick."""
    assert level_step(to_record(QuoteParams(level_spacing_bps=2.0), btc), 950_000.0) == 190
    assert level_step(to_record(QuoteParams(level_spacing_bps=0.0001), btc), 950_000.0) == 1


@pytest.mark.parametrize("room", [0.0, 0.9])
def test_no_room_no_order(btc: Instrument, room: float) -> None:
    """Less than a lot of room leaves nothing to quote."""
    assert order_lots(to_record(QuoteParams(), btc), 950_000, 10.0, 0.0, room) == 0


def test_reach_in_which_a_quote_is_live(btc: Instrument) -> None:
    """The widest of 5 bps, 2 ticks and a number of half-spreads."""
    params = to_record(QuoteParams(), btc)
    assert live_reach(params, 950_000.0, 1.0, 1.5) == pytest.approx(475.0)
    assert live_reach(params, 950_000.0, 40.0, 1.5) == pytest.approx(600.0)
    assert live_reach(params, 1_000.0, 0.1, 1.5) == 2.0


def test_a_coarse_grid_does_not_round_a_quote_out_of_reach() -> None:
    """Less than a tick out of reach goes to the nearer tick, unless fee and edge would not be in."""
    mid, reach = 1000.5, 3.4
    assert rounded(1, 997.6, mid, reach - 0.1, reach, 999.0) == 998  # 3.5 ticks down would be out of reach
    assert rounded(-1, 1003.4, mid, reach - 0.1, reach, 1002.0) == 1003
    assert rounded(1, 997.6, mid, reach - 0.1, reach, 997.9) == 997  # the fee would not be in
    assert rounded(1, 998.2, mid, reach - 0.1, reach, 999.0) == 998  # in reach as it is
    assert (
        rounded(1, 990.6, mid, reach - 0.1, reach, 999.0) == 990
    )  # far out: inventory or skew wants it there
