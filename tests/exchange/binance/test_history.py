"""Lists of an account's past, within the ranges that the documents allow."""

import pytest

from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.binance.spot_cancel import SpotCancel
from asmm_daemon.exchange.binance.spot_trade import SpotTrade
from asmm_daemon.exchange.binance.usdm_trade import UsdmTrade
from tests.exchange.conftest import START_NS

START_MS = START_NS // 1_000_000
DAY_MS = 86_400_000
MARKET = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.010"}


@pytest.fixture
def past(bench):
    """Makes the list functions of a product whose account made three trades, a day apart each."""

    def make(product):
        stage = bench(product)
        desk = Desk(stage.exchange, lambda: 0)
        trade = SpotTrade(desk, SpotCancel(desk)) if product == "binance" else UsdmTrade(desk)

        def call(**params):
            texts = {name: str(value) for name, value in params.items()}
            return Call(Params({"symbol": "BTCUSDT"} | texts), stage.exchange.now_ns, stage.account)

        for day in range(3):
            stage.to(day * DAY_MS)
            trade.place(call(**MARKET))
        trades = trade.my_trades if product == "binance" else trade.user_trades
        return (lambda **params: trades(call(**params))), (lambda **params: trade.all_orders(call(**params)))

    return make


@pytest.mark.parametrize(
    ("product", "days", "code", "message"),
    [
        ("binance", 1, -1127, "More than 24 hours between startTime and endTime."),
        ("binanceusdm", 7, -4165, "Maximum time interval is 7 days."),
    ],
)
def test_ranges_have_a_longest(past, product, days, code, message):
    """A range of exactly the longest is answered, a millisecond more is refused."""
    for listed in past(product):
        end_ms = START_MS + days * DAY_MS
        assert len(listed(startTime=START_MS, endTime=end_ms)) == min(3, days + 1)
        with pytest.raises(ApiError) as refused:
            listed(startTime=START_MS, endTime=end_ms + 1)
        assert (refused.value.code, refused.value.msg) == (code, message)


def test_a_start_alone_reaches_a_week_on_usdm(past):
    """USD-M ends a range seven days after a start without an end."""
    for listed in past("binanceusdm"):
        assert len(listed(startTime=START_MS - 6 * DAY_MS)) == 2
        assert len(listed(startTime=START_MS)) == 3


def test_times_may_be_written_in_microseconds(past):
    """A range in microseconds finds the same rows."""
    for listed in past("binance"):
        assert len(listed(startTime=START_MS * 1000, endTime=(START_MS + DAY_MS) * 1000)) == 2


def test_trades_are_paged_by_their_ids(past):
    """From one id on, oldest first; the latest without any; never together with a time."""
    for product in ("binance", "binanceusdm"):
        trades, _ = past(product)
        first, second, third = (row["id"] for row in trades())
        assert [row["id"] for row in trades(fromId=second)] == [second, third]
        assert [row["id"] for row in trades(fromId=first, limit=1)] == [first]
        assert [row["id"] for row in trades(limit=1)] == [third]
        with pytest.raises(ApiError, match="Combination of optional parameters invalid"):
            trades(fromId=first, startTime=START_MS)


def test_an_orders_trades_go_with_no_time_on_spot(past):
    """Spot names the trades of an order by its id alone, USD-M also within a time."""
    trades, orders = past("binance")
    oid = orders()[1]["orderId"]
    assert [row["orderId"] for row in trades(orderId=oid)] == [oid]
    with pytest.raises(ApiError, match="Combination of optional parameters invalid"):
        trades(orderId=oid, startTime=START_MS)
    trades, orders = past("binanceusdm")
    oid = orders()[1]["orderId"]
    assert [row["orderId"] for row in trades(orderId=oid, startTime=START_MS)] == [oid]
