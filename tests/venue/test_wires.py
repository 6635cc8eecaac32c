"""Private messages and REST bodies of both dialects, as the venues' pages show them."""

from decimal import Decimal

import pytest

from asmm_daemon.events import BalanceEvent, FillEvent, FundingEvent, OrderStatus, OrderUpdate, PositionEvent
from asmm_daemon.units import Instrument, Lots
from asmm_daemon.venue import binance_wire, bybit_wire
from asmm_daemon.venue.binance_wire import BinanceWire
from asmm_daemon.venue.bybit_wire import BybitWire


def instrument(product):
    return Instrument(
        "BTCUSDT",
        product,
        "BTC",
        "USDT",
        Decimal("0.1"),
        Decimal("0.001"),
        Decimal(5),
        Lots(1),
        Lots(10**6),
        Decimal(0),
        Decimal(0),
    )


REPORT = {
    "e": "executionReport",
    "E": 1499405658658,
    "s": "BTCUSDT",
    "c": "mUvoqJxFIILMdfAW5iGSOW",
    "S": "BUY",
    "o": "LIMIT",
    "f": "GTC",
    "q": "1.00000000",
    "p": "10264.40000000",
    "C": "",
    "x": "NEW",
    "X": "NEW",
    "r": "NONE",
    "i": 4293153,
    "l": "0.00000000",
    "z": "0.00000000",
    "L": "0.00000000",
    "n": "0",
    "N": None,
    "T": 1499405658657,
    "t": -1,
    "m": False,
}


@pytest.fixture
def spot():
    return BinanceWire([instrument("binance")], futures=False)


@pytest.fixture
def linear():
    return BybitWire([instrument("bybit-linear")], "linear")


def test_a_new_order_is_an_update_without_fill(spot):
    """Price in ticks, quantity in lots, time in ns."""
    (update,) = spot.private(REPORT, 5)
    assert (update.cid, update.status, update.price, update.qty, update.filled) == (
        "mUvoqJxFIILMdfAW5iGSOW",
        OrderStatus.OPEN,
        102644,
        1000,
        0,
    )
    assert update.venue_ns == 1499405658657 * 10**6


def test_a_cancel_report_names_the_order_not_the_cancel(spot):
    """On spot `c` is the cancel's own id and `C` the order's."""
    (update,) = spot.private({**REPORT, "c": "cancel-1", "C": "asmm-7", "x": "CANCELED", "X": "CANCELED"}, 5)
    assert (update.cid, update.status) == ("asmm-7", OrderStatus.CANCELLED)


def test_a_trade_report_is_a_fill_and_an_update(spot):
    """The fee stays in its asset, whichever that is."""
    trade = {"x": "TRADE", "X": "PARTIALLY_FILLED", "l": "0.25000000", "L": "10264.40000000"}
    trade |= {"z": "0.25000000", "n": "0.00001000", "N": "BNB", "t": 77, "m": True}
    fill, update = spot.private({**REPORT, **trade}, 5)
    assert isinstance(fill, FillEvent)
    assert (fill.tid, fill.qty, fill.fee, fill.fee_asset) == (
        "77",
        Decimal("0.25"),
        Decimal("0.00001"),
        "BNB",
    )
    assert update.filled == 250


def test_other_symbols_and_kinds_say_nothing(spot):
    """A message about a market that is not ours is no error."""
    assert spot.private({**REPORT, "s": "ETHUSDT"}, 5) == []
    assert spot.private({"e": "listStatus"}, 5) == []


def test_an_unknown_status_is_an_error(spot):
    """A state that the venue never documented must not be guessed."""
    with pytest.raises(KeyError):
        spot.private({**REPORT, "X": "LIMBO"}, 5)


def test_an_account_update_tells_balances_and_positions():
    """USD-M wallet balances and one-way positions."""
    wire = BinanceWire([instrument("binanceusdm")], futures=True)
    account = {
        "B": [{"a": "USDT", "wb": "122624.12345678", "cw": "100.1", "bc": "50.1"}],
        "P": [
            {"s": "BTCUSDT", "pa": "-0.010", "ep": "10264.4", "ps": "BOTH"},
            {"s": "BTCUSDT", "pa": "20", "ep": "6563.6", "ps": "LONG"},
        ],
    }
    balance, position = wire.private({"e": "ACCOUNT_UPDATE", "T": 1, "a": account}, 5)
    assert isinstance(balance, BalanceEvent)
    assert balance.free == Decimal("122624.12345678")
    assert isinstance(position, PositionEvent)
    assert position.qty == Decimal("-0.010")


ORDER = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "orderId": "5cf98598",
    "orderLinkId": "asmm-1",
    "side": "Sell",
    "orderStatus": "New",
    "cancelType": "UNKNOWN",
    "rejectReason": "EC_NoError",
    "price": "72.5",
    "qty": "1",
    "cumExecQty": "",
    "updatedTime": "1672364262457",
}


def test_bybit_orders(linear):
    """One message may tell of several orders; other categories are not ours."""
    message = {"topic": "order", "data": [ORDER, {**ORDER, "category": "inverse"}]}
    (update,) = linear.private(message, 5)
    assert (update.side, update.price, update.qty, update.filled) == (-1, 725, 1000, 0)


def test_a_crossing_post_only_counts_as_rejected(linear):
    """Bybit says OK, then Cancelled with a reason."""
    refused = {"orderStatus": "Cancelled", "rejectReason": "EC_PostOnlyWillTakeLiquidity"}
    assert linear.order({**ORDER, **refused}, 5, "stream").status is OrderStatus.REJECTED
    filled = {**refused, "cumExecQty": "0.5"}
    assert linear.order({**ORDER, **filled}, 5, "stream").status is OrderStatus.CANCELLED


EXECUTION = {
    "category": "linear",
    "symbol": "BTCUSDT",
    "execFee": "-0.005061",
    "execId": "7e2ae69c",
    "execPrice": "0.3",
    "execQty": "0.025",
    "execType": "Trade",
    "execTime": "1672364174443",
    "isMaker": True,
    "orderId": "f6e324ff",
    "orderLinkId": "asmm-1",
    "side": "Buy",
}


def test_bybit_executions(linear):
    """A rebate is a negative fee; funding is a payment of ours with its sign turned."""
    fill = linear.execution(EXECUTION, 5, "stream")
    assert (fill.tid, fill.fee, fill.fee_asset, fill.maker) == (
        "7e2ae69c",
        Decimal("-0.005061"),
        "USDT",
        True,
    )
    paid = linear.execution({**EXECUTION, "execType": "Funding", "execFee": "0.4"}, 5, "stream")
    assert isinstance(paid, FundingEvent)
    assert paid.amount == Decimal("-0.4")
    assert linear.execution({**EXECUTION, "execType": "Settle"}, 5, "stream") is None


def test_a_spot_fee_without_a_currency_is_in_what_was_received():
    """Bybit takes a buyer's fee in base and a seller's in quote."""
    wire = BybitWire([instrument("bybit-spot")], "spot")
    bought = wire.execution({**EXECUTION, "category": "spot"}, 5, "rest")
    sold = wire.execution({**EXECUTION, "category": "spot", "side": "Sell"}, 5, "rest")
    assert (bought.fee_asset, sold.fee_asset) == ("BTC", "USDT")


def test_bybit_wallet_and_position(linear):
    """A short position is negative; an empty balance is zero."""
    message = {"topic": "wallet", "data": [{"coin": [{"coin": "USDT", "walletBalance": "", "locked": ""}]}]}
    assert linear.private(message, 5)[0].free == 0
    row = {"symbol": "BTCUSDT", "side": "Sell", "size": "0.5", "entryPrice": "100"}
    assert linear.private({"topic": "position", "data": [row]}, 5)[0].qty == Decimal("-0.5")


def test_instruments_are_read_with_their_filters():
    """Both venues' filters become ticks, lots and minima."""
    info = {"symbol": "BTCUSDT", "baseAsset": "BTC", "quoteAsset": "USDT"}
    info["filters"] = [
        {"filterType": "PRICE_FILTER", "tickSize": "0.01000000"},
        {
            "filterType": "LOT_SIZE",
            "stepSize": "0.00001000",
            "minQty": "0.00001000",
            "maxQty": "9000.00000000",
        },
        {"filterType": "NOTIONAL", "minNotional": "5.00000000"},
    ]
    made = binance_wire.read_instrument(info, "binance", Decimal(0), Decimal(0))
    assert (made.tick, made.lot, made.min_notional, made.max_qty) == (
        Decimal("0.01"),
        Decimal("0.00001"),
        Decimal(5),
        900_000_000,
    )
    row = {"symbol": "BTCUSDT", "baseCoin": "BTC", "quoteCoin": "USDT", "priceFilter": {"tickSize": "0.10"}}
    row["lotSizeFilter"] = {
        "qtyStep": "0.001",
        "minOrderQty": "0.001",
        "maxOrderQty": "1190",
        "minNotionalValue": "5",
    }
    made = bybit_wire.read_instrument(row, "bybit-linear", Decimal(0), Decimal(0))
    assert (made.tick, made.lot, made.min_qty, made.max_qty) == (
        Decimal("0.1"),
        Decimal("0.001"),
        1,
        1_190_000,
    )


def test_a_rest_order_and_trade_of_binance(spot):
    """The REST bodies carry the same facts as the stream."""
    order = {"symbol": "BTCUSDT", "orderId": 1, "clientOrderId": "asmm-1", "price": "10.0", "origQty": "1.0"}
    order |= {"executedQty": "0.5", "status": "PARTIALLY_FILLED", "side": "SELL", "updateTime": 3}
    update = spot.order(0, order, 5)
    assert isinstance(update, OrderUpdate)
    assert (update.side, update.filled, update.source) == (-1, 500, "rest")
    trade = {"symbol": "BTCUSDT", "id": 28457, "orderId": 100234, "price": "4.0", "qty": "12.0", "time": 9}
    trade |= {"commission": "10.1", "commissionAsset": "BNB", "isBuyer": True, "isMaker": False}
    assert spot.trade(0, trade, "asmm-1", 5).tid == "28457"
