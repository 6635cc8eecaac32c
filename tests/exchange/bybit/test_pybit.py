"""The exchange as pybit, Bybit's own client library, sees it."""

import logging
import queue

import pybit.unified_trading as unified
import pytest
from pybit import _websocket_trading
from pybit.exceptions import InvalidRequestError

logging.getLogger("pybit").setLevel(logging.CRITICAL)


@pytest.fixture
def http(venue):
    """Pybit's REST session with a good key."""
    session = unified.HTTP(api_key="KEY", api_secret="SECRET", max_retries=1)
    session.endpoint = venue.rest_url
    return session


@pytest.fixture
def sockets(venue, monkeypatch):
    """Opens pybit's WebSocket clients; closes them at the end."""
    monkeypatch.setattr(unified, "PUBLIC_WSS", venue.ws_url + "/v5/public/{CHANNEL_TYPE}")
    monkeypatch.setattr(unified, "PRIVATE_WSS", venue.ws_url + "/v5/private")
    monkeypatch.setattr(_websocket_trading, "TRADE_WSS", venue.ws_url + "/v5/trade")
    opened = []

    def connect(kind, **more):
        keys = {"testnet": False} | (
            {} if kind in ("linear", "spot") else {"api_key": "KEY", "api_secret": "SECRET"}
        )
        if kind == "trade":
            client = unified.WebSocketTrading(**keys, **more)
        else:
            client = unified.WebSocket(channel_type=kind, **keys, **more)
        opened.append(client)
        return client

    yield connect
    for client in opened:
        client.exit()


def test_market_data(http, venue):
    """Time, filters, book, trades, candles and tickers have the shapes that pybit's users read."""
    category = venue.category
    assert int(http.get_server_time()["result"]["timeNano"]) > 1_700_000_000_000_000_000
    (info,) = http.get_instruments_info(category=category)["result"]["list"]
    assert (info["symbol"], info["status"], info["priceFilter"]["tickSize"]) == ("BTCUSDT", "Trading", "0.1")
    book = http.get_orderbook(category=category, symbol="BTCUSDT", limit=50)["result"]
    assert len(book["b"]) == 50
    assert float(book["b"][0][0]) < float(book["a"][0][0])
    assert [float(p) for p, _ in book["a"]] == sorted(float(p) for p, _ in book["a"])
    trades = http.get_public_trade_history(category=category, symbol="BTCUSDT", limit=20)["result"]["list"]
    assert len(trades) == 20
    assert int(trades[0]["time"]) >= int(trades[-1]["time"])
    candles = http.get_kline(category=category, symbol="BTCUSDT", interval="1", limit=5)["result"]["list"]
    assert all(float(low) <= float(close) <= float(high) for _, _, high, low, close, _, _ in candles)
    (ticker,) = http.get_tickers(category=category, symbol="BTCUSDT")["result"]["list"]
    assert float(ticker["bid1Price"]) < float(ticker["ask1Price"])


def test_order_life_cycle(http, venue):
    """Place, read back, amend, cancel, and find it in the history, by both kinds of id."""
    category = venue.category
    new = {"category": category, "symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit"}
    link = f"py-{category}-1"
    placed = http.place_order(**new, qty="0.1", price="95", timeInForce="PostOnly", orderLinkId=link)
    order_id = placed["result"]["orderId"]
    assert placed["result"]["orderLinkId"] == link
    query = {"category": category, "symbol": "BTCUSDT"}
    (order,) = http.get_open_orders(**query)["result"]["list"]
    assert (order["orderId"], order["orderStatus"], order["price"]) == (order_id, "New", "95")
    http.amend_order(**query, orderId=order_id, price="94.5", qty="0.2")
    (order,) = http.get_open_orders(**query, orderLinkId=link)["result"]["list"]
    assert (order["price"], order["qty"], order["leavesQty"]) == ("94.5", "0.2", "0.2")
    http.cancel_order(**query, orderLinkId=link)
    assert http.get_open_orders(**query)["result"]["list"] == []
    (order,) = http.get_order_history(**query, orderId=order_id)["result"]["list"]
    assert (order["orderStatus"], order["cancelType"]) == ("Cancelled", "CancelByUser")
    with pytest.raises(InvalidRequestError) as refused:
        http.cancel_order(**query, orderLinkId=link)
    assert refused.value.status_code == {"linear": 110001, "spot": 170213}[category]


def test_batches_and_cancel_all(http, venue):
    """Batch place, amend and cancel, then cancel-all."""
    query = {"category": venue.category, "symbol": "BTCUSDT"}
    entry = {"symbol": "BTCUSDT", "side": "Buy", "orderType": "Limit", "qty": "0.1"}
    entries = [entry | {"price": str(90 + n), "orderLinkId": f"py-b{n}"} for n in range(3)]
    placed = http.place_batch_order(category=venue.category, request=entries)
    assert [row["code"] for row in placed["retExtInfo"]["list"]] == [0, 0, 0]
    amends = [{"symbol": "BTCUSDT", "orderLinkId": "py-b0", "price": "90.5"}]
    assert (
        http.amend_batch_order(category=venue.category, request=amends)["retExtInfo"]["list"][0]["code"] == 0
    )
    cancels = [{"symbol": "BTCUSDT", "orderLinkId": "py-b1"}]
    assert (
        http.cancel_batch_order(category=venue.category, request=cancels)["retExtInfo"]["list"][0]["code"]
        == 0
    )
    ended = http.cancel_all_orders(**query)["result"]["list"]
    assert {row["orderLinkId"] for row in ended} == {"py-b0", "py-b2"}
    assert http.get_open_orders(**query)["result"]["list"] == []


def test_fills_positions_and_wallet(http, venue, until):
    """An order inside the spread is filled by the market; trades, position and wallet agree."""
    category = venue.category
    query = {"category": category, "symbol": "BTCUSDT"}
    before = {row["execId"] for row in http.get_executions(**query)["result"]["list"]}
    placed = http.place_order(**query, side="Buy", orderType="Limit", qty="0.1", price="100.2")["result"]
    rows = until(
        lambda: http.get_order_history(**query, orderId=placed["orderId"])["result"]["list"],
    )
    assert rows[0]["orderStatus"] == "Filled"
    executions = http.get_executions(**query, orderId=placed["orderId"])["result"]["list"]
    assert sum(float(row["execQty"]) for row in executions) == pytest.approx(0.1)
    assert not before & {row["execId"] for row in executions}
    logged = {line["tid"]: line for line in venue.lines("fill")}
    for row in executions:
        assert logged[row["execId"]]["fee"] == row["execFee"] or float(row["execFee"]) == pytest.approx(
            float(logged[row["execId"]]["fee"])
        )
    (wallet,) = http.get_wallet_balance(accountType="UNIFIED")["result"]["list"]
    coins = {row["coin"]: row for row in wallet["coin"]}
    if category == "linear":
        (position,) = http.get_positions(**query)["result"]["list"]
        assert (position["side"], float(position["size"])) == ("Buy", pytest.approx(0.1))
        http.place_order(**query, side="Sell", orderType="Market", qty="0.1", reduceOnly=True)
        assert http.get_positions(category="linear", settleCoin="USDT")["result"]["list"] == []
        assert http.get_positions(**query)["result"]["list"][0]["size"] == "0"
    else:
        assert float(coins["BTC"]["walletBalance"]) == pytest.approx(10 + 0.1 * 0.999)


def test_settings_and_fees(http, venue):
    """Fee rates, key information, leverage and the disconnection window."""
    (fees,) = http.get_fee_rates(category=venue.category, symbol="BTCUSDT")["result"]["list"]
    assert fees["makerFeeRate"] == {"linear": "0.0002", "spot": "0.001"}[venue.category]
    assert http.get_api_key_information()["result"]["readOnly"] == 0
    assert http.get_account_info()["result"]["unifiedMarginStatus"] == 6
    product = {"linear": "DERIVATIVES", "spot": "SPOT"}[venue.category]
    http.set_dcp(product=product, timeWindow=40)
    (info,) = http.query_dcp_info()["result"]["dcpInfos"]
    assert info == {"product": product, "dcpStatus": "ON", "timeWindow": "40"}
    if venue.category == "linear":
        http.set_leverage(category="linear", symbol="BTCUSDT", buyLeverage="5", sellLeverage="5")
        with pytest.raises(InvalidRequestError, match="leverage not modified"):
            http.set_leverage(category="linear", symbol="BTCUSDT", buyLeverage="5", sellLeverage="5")
        with pytest.raises(InvalidRequestError, match="buy leverage invalid"):
            http.set_leverage(category="linear", symbol="BTCUSDT", buyLeverage="sNaN", sellLeverage="sNaN")


def test_wrong_signatures_are_told_apart(http, venue):
    """An unknown key, a wrong secret and a stale timestamp have their own codes."""
    for change, code in (({"api_key": "NOBODY"}, 10003), ({"api_secret": "WRONG"}, 10004)):
        bad = unified.HTTP(**({"api_key": "KEY", "api_secret": "SECRET", "max_retries": 1} | change))
        bad.endpoint = venue.rest_url
        with pytest.raises(InvalidRequestError) as refused:
            bad.get_wallet_balance(accountType="UNIFIED")
        assert refused.value.status_code == code


def test_book_trades_and_tickers_over_public_sockets(http, venue, sockets, until):
    """Pybit's own book, kept from snapshot and deltas, equals the exchange's."""
    client = sockets(venue.category)
    books, trades, tickers = queue.Queue(), queue.Queue(), queue.Queue()
    client.orderbook_stream(50, "BTCUSDT", lambda m: books.put(m["data"] | {}))  # pybit reuses one dict
    client.trade_stream("BTCUSDT", trades.put)
    client.ticker_stream("BTCUSDT", tickers.put)
    client.kline_stream(1, "BTCUSDT", trades.put)
    messages = [books.get(timeout=15) for _ in range(40)]
    steps = [message["u"] for message in messages]
    assert steps == list(range(steps[0], steps[0] + 40))
    levels = messages[-1]
    assert len(levels["b"]) == len(levels["a"]) == 50
    assert max(float(p) for p, _ in levels["b"]) < min(float(p) for p, _ in levels["a"])
    assert {message["topic"] for message in (trades.get(timeout=15) for _ in range(8))} >= {
        "publicTrade.BTCUSDT"
    }
    assert tickers.get(timeout=15)["data"]["symbol"] == "BTCUSDT"


def test_private_topics(http, venue, sockets):
    """Order, execution, fast execution, wallet and position arrive for an order that fills."""
    client = sockets("private")
    told = queue.Queue()
    client.order_stream(told.put)
    client.execution_stream(told.put)
    client.fast_execution_stream(told.put)
    client.wallet_stream(told.put)
    wanted = {"order", "execution", "execution.fast", "wallet"}
    if venue.category == "linear":
        client.position_stream(told.put)
        wanted.add("position")
    link = f"py-p-{venue.category}"
    fields = {"category": venue.category, "symbol": "BTCUSDT", "side": "Buy", "orderLinkId": link}
    http.place_order(**fields, orderType="Limit", qty="0.1", price="100.4")
    seen = {}
    while not wanted <= set(seen):
        message = told.get(timeout=15)
        seen.setdefault(message["topic"], []).append(message)
    assert seen["order"][0]["data"][0]["orderLinkId"] == link
    assert seen["execution"][0]["data"][0]["execType"] == "Trade"


def test_order_entry_over_websocket(http, venue, sockets):
    """Create, amend and cancel over /v5/trade, with the answers of REST and its refusals."""
    client = sockets("trade")
    answers = queue.Queue()
    query = {"category": venue.category, "symbol": "BTCUSDT"}
    link = f"py-w-{venue.category}"
    new = {"side": "Buy", "orderType": "Limit", "qty": "0.1", "price": "95", "orderLinkId": link}
    client.place_order(answers.put, answers.put, **query, **new)
    created = answers.get(timeout=15)
    assert (created["retCode"], created["op"], created["data"]["orderLinkId"]) == (0, "order.create", link)
    assert created["header"]["X-Bapi-Limit"] == {"linear": "10", "spot": "20"}[venue.category]
    client.amend_order(answers.put, answers.put, **query, orderLinkId=link, price="94")
    assert answers.get(timeout=15)["retCode"] == 0
    client.cancel_order(answers.put, answers.put, **query, orderLinkId=link)
    assert answers.get(timeout=15)["data"]["orderId"] == created["data"]["orderId"]
    client.cancel_order(answers.put, answers.put, **query, orderLinkId=link)
    assert answers.get(timeout=15)["retCode"] == {"linear": 110001, "spot": 170213}[venue.category]
    assert [line["via"] for line in venue.lines("accept")][-1] == "ws"
