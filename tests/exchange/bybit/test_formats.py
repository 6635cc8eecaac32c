from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmm_daemon.exchange.bybit.candles import Candles, bar_end, bar_start
from asmm_daemon.exchange.bybit.ids import MAX_ID, own_id, venue_id
from asmm_daemon.exchange.bybit.instruments import instrument_info
from asmm_daemon.exchange.bybit.text import Scale, number, plain
from asmm_daemon.exchange.feeds.markets import make_instrument

STEPS = st.sampled_from(
    [Decimal("0.01"), Decimal("0.05"), Decimal("0.10"), Decimal(1), Decimal(5), Decimal("1E-8")]
)


@given(STEPS, st.integers(-(10**12), 10**12))
def test_scaled_integers_are_written_exactly(step, count):
    """The text of a count of steps is that decimal, with the step's places and no exponent."""
    text = Scale(step).text(count)
    assert Decimal(text) == count * step
    assert "E" not in text


@given(st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9), max_value=10**9))
def test_plain_decimals_lose_nothing(value):
    """Trailing zeros go, the value stays."""
    assert Decimal(plain(value)) == value
    assert plain(Decimal("10.00")) == "10"
    assert number(plain(value)) == value


@pytest.mark.parametrize("written", ["", "x", "NaN", "sNaN", "Infinity", "1_0", " 1", "1e9999", "٣"])
def test_what_is_no_finite_number_is_none(written):
    """Words, signals, separators and foreign digits are no numbers of a request."""
    assert number(written) is None
    assert plain(Decimal(100)) == "100"


@given(st.integers(0, MAX_ID), st.sampled_from(["order", "trade"]), st.sampled_from(["linear", "spot"]))
def test_ids_lead_back_to_their_integer(number, kind, category):
    """An id is reversible, of the venue's shape, and not taken for another kind's."""
    text = venue_id(number, kind, category)
    assert own_id(text, kind, category) == number
    assert len(text) == {"linear": 36, "spot": 19}[category]
    if category == "linear":
        assert own_id(text, "trade" if kind == "order" else "order", category) is None


@pytest.mark.parametrize(
    "text", ["", "x", "12", "0-0-0-0-0", "zzzzzzzz-0000-4000-8000-00000000000g", "²" * 19]
)
def test_foreign_ids_are_nobodys(text):
    """Whatever this venue did not write finds no order."""
    assert own_id(text, "order", "linear") is None
    assert own_id(text, "order", "spot") is None


def test_bars_start_where_the_venue_starts_them():
    """Minutes, days, Mondays and months in UTC."""
    at = 1_700_000_000_123  # Tuesday 2023-11-14 22:13:20
    assert bar_start("1", at) == 1_699_999_980_000
    assert bar_start("60", at) == 1_699_999_200_000
    assert bar_start("D", at) == 1_699_920_000_000
    assert bar_start("W", at) == 1_699_833_600_000
    assert bar_start("M", at) == 1_698_796_800_000
    assert bar_end("M", bar_start("M", at)) == 1_701_388_800_000 - 1
    assert bar_end("5", 0) == 299_999


def test_candles_fold_trades_and_silence():
    """Open, high, low, close, volume and turnover of a folded bar; silent minutes keep the close."""
    candles = Candles()
    for t_ms, price, qty in ((0, 10, 1), (30_000, 12, 2), (59_000, 9, 1), (200_000, 11, 4)):
        candles.trade(t_ms, price, qty)
    minutes = list(candles.bars("1", 0, 10**12))
    assert [(m.open, m.high, m.low, m.close, m.volume) for m in minutes] == [
        (10, 12, 9, 9, 4),
        (9, 9, 9, 9, 0),
        (9, 9, 9, 9, 0),
        (9, 11, 9, 11, 4),
    ]
    (five,) = candles.bars("5", 0, 10**12)
    assert (five.open, five.high, five.low, five.close, five.volume, five.turnover) == (10, 12, 9, 11, 8, 87)
    assert [candles.price_at(t_ms) for t_ms in (0, 60_000, 150_000, 10**9)] == [10, 9, 9, 11]
    day = candles.day(200_000)
    assert (day.open, day.high, day.low, day.close, day.volume) == (10, 12, 9, 11, 8)


@given(st.lists(st.tuples(st.integers(0, 90_000_000), st.integers(1, 50), st.integers(1, 9)), max_size=40))
def test_the_day_counts_the_last_24_hours(trades):
    """The rolling day has the volume of every trade within it, to the minute."""
    candles = Candles()
    for t_ms, price, qty in sorted(trades):
        candles.trade(t_ms, price, qty)
    now_ms = 90_000_000
    day = candles.day(now_ms)
    expected = sum(q for t, _, q in trades if bar_start("1", t) > now_ms - 86_400_000)
    assert (day.volume if day else 0) == expected


def test_filters_of_both_categories():
    """Each category names its own filters, and shows coarser ones while they are in force."""
    linear = make_instrument("bybit-linear", "BTCUSDT", "BTC", "USDT", Decimal("0.10"), Decimal("0.001"))
    info = instrument_info(linear, Decimal("0.50"), linear.lot, is_listed=True)
    assert (info["priceFilter"]["tickSize"], info["lotSizeFilter"]["qtyStep"]) == ("0.50", "0.001")
    assert (info["priceFilter"]["maxPrice"], info["riskParameters"]["priceLimitRatioX"]) == (
        "10000000.00",
        "0.1",
    )
    assert (info["contractType"], info["settleCoin"], info["fundingInterval"]) == (
        "LinearPerpetual",
        "USDT",
        480,
    )
    spot = make_instrument("bybit-spot", "BTCUSDT", "BTC", "USDT", Decimal("0.01"), Decimal("0.000001"))
    info = instrument_info(spot, spot.tick, spot.lot, is_listed=False)
    assert (info["lotSizeFilter"]["basePrecision"], info["status"]) == ("0.000001", "Closed")
