"""Self-trade prevention as the documents' scenarios have it, on a hand-written book."""

import pytest

from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.binance.spot_cancel import SpotCancel
from asmm_daemon.exchange.binance.spot_trade import SpotTrade
from asmm_daemon.exchange.binance.usdm_trade import UsdmTrade
from asmm_daemon.exchange.binance.user_stream import UserStream
from tests.exchange.binance.test_timers import FakeHub

MAKER = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "price": "100.05"}
TAKER = {"symbol": "BTCUSDT", "side": "SELL", "type": "LIMIT", "timeInForce": "GTC", "price": "100"}


@pytest.mark.parametrize("product", ["binance", "binanceusdm"])
@pytest.mark.parametrize(
    ("mode", "maker_ends", "taker_state"),
    [
        ("EXPIRE_MAKER", True, "FILLED"),
        ("EXPIRE_TAKER", False, "EXPIRED_IN_MATCH"),
        ("EXPIRE_BOTH", True, "EXPIRED_IN_MATCH"),
    ],
)
def test_who_expires(bench, product, mode, maker_ends, taker_state):
    """The taker's mode decides: the resting order, the new one, or both expire in match."""
    stage = bench(product)
    hub = FakeHub()
    desk = Desk(stage.exchange, lambda: 0)
    stage.exchange.listen(UserStream(desk, hub))
    trade = SpotTrade(desk, SpotCancel(desk)) if product == "binance" else UsdmTrade(desk)
    answer = {"newOrderRespType": "RESULT"}

    def call(**params):
        return Call(Params(params), stage.exchange.now_ns, stage.account)

    maker = trade.place(call(**MAKER | {"price": "100"}, quantity="0.06", **answer))
    taker = trade.place(call(**TAKER, quantity="0.05", selfTradePreventionMode=mode, **answer))
    seen = trade.query(call(symbol="BTCUSDT", orderId=str(maker["orderId"])))
    assert seen["status"] == ("EXPIRED_IN_MATCH" if maker_ends else "NEW")
    assert taker["status"] == taker_state
    ended = [event for _, event in hub.sent if "EXPIRED_IN_MATCH" in str(event)]
    assert len(ended) == maker_ends + (taker_state == "EXPIRED_IN_MATCH")
    kinds = {event.get("x") or event["o"]["x"] for event in ended}
    assert kinds == {"TRADE_PREVENTION" if product == "binance" else "EXPIRED"}


@pytest.mark.parametrize(
    ("mode", "quantities"),
    [
        ("EXPIRE_MAKER", {"makerPreventedQuantity": "0.06000000"}),
        ("EXPIRE_TAKER", {"takerPreventedQuantity": "0.05000000"}),
        (
            "EXPIRE_BOTH",
            {"takerPreventedQuantity": "0.05000000", "makerPreventedQuantity": "0.06000000"},
        ),
    ],
)
def test_spot_records_the_prevented_match(bench, mode, quantities):
    """The taker's answer, the event and the list name the match, its price and the expired quantities."""
    stage = bench("binance")
    hub = FakeHub()
    desk = Desk(stage.exchange, lambda: 0)
    stage.exchange.listen(UserStream(desk, hub))
    trade = SpotTrade(desk, SpotCancel(desk))

    def call(**params):
        return Call(Params(params), stage.exchange.now_ns, stage.account)

    maker = trade.place(call(**MAKER | {"price": "100"}, quantity="0.06"))
    taker = trade.place(call(**TAKER, quantity="0.05", selfTradePreventionMode=mode))
    match = {
        "preventedMatchId": 0,
        "makerOrderId": maker["orderId"],
        "price": "100.00000000",
    } | quantities
    assert taker["preventedMatches"] == [match]
    for wanted in ({"orderId": str(maker["orderId"])}, {"preventedMatchId": "0"}):
        (row,) = trade.prevented_matches(call(symbol="BTCUSDT", **wanted))
        assert {key: row[key] for key in match} == match
        assert (row["takerOrderId"], row["selfTradePreventionMode"]) == (taker["orderId"], mode)
    with pytest.raises(ApiError, match="Combination of optional parameters invalid"):
        trade.prevented_matches(call(symbol="BTCUSDT"))
    told = [event for _, event in hub.sent if event.get("x") == "TRADE_PREVENTION"]
    both = {maker["orderId"], taker["orderId"]}
    assert {(event["i"], event["U"], event["v"]) for event in told} <= {
        (one, other, 0) for one in both for other in both - {one}
    }
    assert len(told) == len(quantities)
