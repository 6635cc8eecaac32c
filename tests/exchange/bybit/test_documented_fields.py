"""Every field that the venue's documentation lists is there, in the type that its examples show."""

import json
from pathlib import Path

import pytest

from asmm_daemon.exchange.bybit import account_rest, market_rest, order_rest
from asmm_daemon.exchange.bybit.order_rest import Call

FIELDS = {
    name: words.split()
    for name, words in json.loads(Path(__file__).with_name("documented_fields.json").read_text()).items()
}
NUMBERS = {"positionIdx", "triggerDirection", "smpGroup", "riskId", "tradeMode", "autoAddMargin", "seq"}
NUMBERS |= {"adlRankIndicator", "isMaker", "reduceOnly", "closeOnTrigger", "isReduceOnly", "cumFeeDetail"}
NUMBERS |= {"collateralSwitch", "marginCollateral", "coin"}


def holds(body, names):
    """All names are there, and text wherever the documentation says string."""
    assert not [name for name in names if name not in body]
    assert not [name for name in names if name not in NUMBERS and not isinstance(body[name], str)]


@pytest.fixture(params=["linear", "spot"])
def traded(request, desk):
    """A room in which an order filled and another rests, everything watched."""
    room = desk(request.param)
    room.hub.names.update(("order", "execution", "execution.fast", "wallet", "position"))
    room.limit("Buy", "100.1", "0.05", orderLinkId="filled")
    room.limit("Buy", "99", "0.1", orderLinkId="resting")
    return room


def ask(room, handler, **params):
    """A private handler's result."""
    return handler(
        Call(room.state, room.server.keys.get("KEY"), room.account, {"category": room.category} | params)
    )


def test_private_topics_have_every_field(traded):
    """order, execution, execution.fast, wallet and position messages."""
    for message in traded.hub.take("order"):
        assert set(message) == {"id", "topic", "creationTime", "data"}
        holds(message["data"][0], [*FIELDS["order"], "category", "closedPnl", "feeCurrency"])
    holds(traded.hub.take("execution")[0]["data"][0], [*FIELDS["execution"], "category", "isLeverage"])
    fast = traded.hub.take("execution.fast")[0]["data"][0]
    expected = "category symbol execId execPrice execQty orderId isMaker orderLinkId side execTime seq"
    assert set(fast) == set(expected.split())
    (wallet,) = traded.hub.take("wallet")[0]["data"]
    holds(wallet, FIELDS["account"])
    holds(wallet["coin"][0], FIELDS["coin"])
    if traded.category == "linear":
        holds(traded.hub.take("position")[0]["data"][0], [*FIELDS["position"], "entryPrice", "category"])


def test_private_reads_have_every_field(traded):
    """Orders, executions, wallet and positions over REST."""
    (order,) = ask(traded, order_rest.realtime, symbol="BTCUSDT")["list"]
    holds(order, FIELDS["order"])
    (execution,) = ask(traded, order_rest.executions)["list"]
    holds(execution, FIELDS["execution"])
    (account,) = ask(traded, account_rest.wallet_balance, accountType="UNIFIED")["list"]
    holds(account, FIELDS["account"])
    holds(account["coin"][0], FIELDS["coin"])
    if traded.category == "linear":
        (position,) = ask(traded, account_rest.positions, symbol="BTCUSDT")["list"]
        holds(position, FIELDS["position"])
        assert (position["side"], position["size"], position["avgPrice"]) == ("Buy", "0.05", "100.1")


def test_margins_of_a_linear_account(desk):
    """Position and order margin at ten-fold leverage, and what is left."""
    room = desk("linear")
    room.limit("Buy", "100.1", "0.05")
    room.limit("Buy", "99", "0.1")
    (account,) = ask(room, account_rest.wallet_balance, accountType="UNIFIED", coin="USDT")["list"]
    (coin,) = account["coin"]
    mark = float(ask(room, account_rest.positions, symbol="BTCUSDT")["list"][0]["markPrice"])
    assert float(coin["totalPositionIM"]) == pytest.approx(0.05 * mark / 10)
    assert float(coin["totalOrderIM"]) == pytest.approx(9.9 / 10)
    free = float(account["totalMarginBalance"]) - float(account["totalInitialMargin"])
    assert float(account["totalAvailableBalance"]) == pytest.approx(free)


def test_a_spot_order_locks_its_amount(desk):
    """`locked` is what resting orders hold, part of the wallet balance."""
    room = desk("spot")
    room.limit("Buy", "99", "0.1")
    (account,) = ask(room, account_rest.wallet_balance, accountType="UNIFIED", coin="USDT")["list"]
    (coin,) = account["coin"]
    assert (coin["locked"], coin["walletBalance"]) == ("9.9", "100000")


def test_tickers_have_every_field(traded):
    """The REST ticker of each category."""
    (ticker,) = market_rest.tickers(traded.state, {"category": traded.category})["list"]
    holds(
        ticker,
        FIELDS["ticker"] if traded.category == "spot" else [*FIELDS["ticker"], *FIELDS["contract_ticker"]],
    )
