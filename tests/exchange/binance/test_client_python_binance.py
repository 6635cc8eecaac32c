"""The order life cycle, the user streams and the depth cache as python-binance sees them."""

import asyncio
from decimal import Decimal

import pytest
from binance import AsyncClient, BinanceSocketManager, DepthCacheManager
from binance.exceptions import BinanceAPIException
from binance.ws.reconnecting_websocket import ReconnectingWebsocket


@pytest.fixture(autouse=True)
def _quick_close(monkeypatch):
    """The library waits out one read time-out when it closes."""
    monkeypatch.setattr(ReconnectingWebsocket, "TIMEOUT", 1.0)


class Client(AsyncClient):
    """The library's client with its addresses named by the test."""

    @classmethod
    async def at(cls, v):
        """A connected client of a venue."""
        names = {
            "API_URL": f"{v.rest}/api",
            "MARGIN_API_URL": f"{v.rest}/sapi",
            "FUTURES_URL": f"{v.rest}/fapi",
            "FUTURES_DATA_URL": f"{v.rest}/futures/data",
            "WS_API_URL": f"{v.ws}/ws-api/v3",
            "WS_FUTURES_URL": f"{v.ws}/ws-fapi/v1",
        }
        local = type("LocalClient", (cls,), names)
        client = local("KEY", "SECRET")
        client.https_proxy = None
        return client


def sockets(client, v):
    """The library's stream manager for a venue."""
    names = {"STREAM_URL": f"{v.ws}/", "FSTREAM_URL": f"{v.ws}/"}
    return type("LocalSockets", (BinanceSocketManager,), names)(client)


def run(venue, product, scenario):
    """Runs a scenario against a fresh venue."""

    async def main():
        async with venue(product) as v:
            client = await Client.at(v)
            try:
                async with asyncio.timeout(60):
                    await scenario(client, v)
            finally:
                await client.ws_api.close()
                await client.ws_future.close()
                await client.close_connection()

    asyncio.run(main())


async def collect(socket, done):
    """Events of a socket up to the first that is `done`."""
    events = []
    while not events or not done(events[-1]):
        events.append(await socket.recv())
    return events


def test_spot_life_cycle(venue):
    """Limit maker, query, cancel-replace, amend, cancel and market order over REST."""

    async def scenario(client, v):
        info = await client.get_symbol_info("BTCUSDT")
        assert {f["filterType"] for f in info["filters"]} >= {"PRICE_FILTER", "LOT_SIZE", "NOTIONAL"}
        terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT_MAKER", "quantity": "0.01"}
        ack = await client.create_order(**terms, price=v.price("BUY", 300), newClientOrderId="a1")
        assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
        seen = await client.get_order(symbol="BTCUSDT", origClientOrderId="a1")
        assert (seen["status"], seen["type"], seen["origQty"]) == ("NEW", "LIMIT_MAKER", "0.01000000")
        replaced = await client.cancel_replace_order(
            **terms,
            cancelReplaceMode="STOP_ON_FAILURE",
            cancelOrderId=ack["orderId"],
            price=v.price("BUY", 400),
            newClientOrderId="a2",
        )
        assert (replaced["cancelResult"], replaced["newOrderResult"]) == ("SUCCESS", "SUCCESS")
        assert [o["clientOrderId"] for o in await client.get_open_orders(symbol="BTCUSDT")] == ["a2"]
        cancelled = await client.cancel_order(symbol="BTCUSDT", origClientOrderId="a2")
        assert (cancelled["status"], cancelled["origClientOrderId"]) == ("CANCELED", "a2")
        bought = await client.order_market_buy(symbol="BTCUSDT", quoteOrderQty="1000")
        assert bought["status"] == "FILLED"
        assert sum(Decimal(fill["qty"]) for fill in bought["fills"]) == Decimal(bought["executedQty"])
        trades = await client.get_my_trades(symbol="BTCUSDT")
        assert [t["id"] for t in trades] == [fill["tradeId"] for fill in bought["fills"]]
        account = await client.get_account()
        free = {b["asset"]: Decimal(b["free"]) for b in account["balances"]}
        assert free["BTC"] == v.account.balance("BTC").free

    run(venue, "binance", scenario)


def test_spot_orders_over_websocket(venue):
    """The library's WebSocket API calls place, query and cancel orders."""

    async def scenario(client, v):
        price = v.price("SELL", 300)
        order = await client.ws_create_order(
            symbol="BTCUSDT", side="SELL", type="LIMIT", timeInForce="GTC", quantity="0.01", price=price
        )
        assert order["status"] == "NEW"
        seen = await client.ws_get_order(symbol="BTCUSDT", orderId=order["orderId"])
        assert seen["price"] == f"{price}.00000000"
        cancelled = await client.ws_cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
        assert cancelled["status"] == "CANCELED"
        with pytest.raises(BinanceAPIException) as refused:
            await client.ws_cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
        assert refused.value.code == -2011

    run(venue, "binance", scenario)


def test_spot_user_stream(venue):
    """Reports of a market order and a cancel come over the WebSocket API subscription."""

    async def scenario(client, v):
        async with sockets(client, v).user_socket() as socket:
            terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
            order = await client.create_order(**terms, quantity="0.01", price=v.price("BUY", 300))
            await client.cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
            reports = await collect(socket, lambda e: e.get("x") == "CANCELED")
            kinds = [e["x"] for e in reports if e["e"] == "executionReport"]
            assert kinds == ["NEW", "CANCELED"]
            assert reports[-1]["C"] == order["clientOrderId"]
            await client.order_market_sell(symbol="BTCUSDT", quantity="0.01")
            fills = await collect(socket, lambda e: e.get("X") == "FILLED")
            assert fills[-1]["N"] == "USDT"
            assert sum(Decimal(e["l"]) for e in fills if e.get("x") == "TRADE") == Decimal("0.01")

    run(venue, "binance", scenario)


def test_spot_depth_cache(venue):
    """The library's depth cache follows the documented procedure to the venue's own book."""

    async def scenario(client, v):
        manager = DepthCacheManager(
            client, "BTCUSDT", bm=sockets(client, v), conv_type=Decimal, ws_interval=100
        )
        async with manager as cache:
            for _ in range(15):
                depth = await cache.recv()
            price = Decimal(v.price("BUY", 300))
            await client.order_limit_buy(symbol="BTCUSDT", quantity="0.777", price=str(price))
            while [price, Decimal("0.777")] not in [[p, q] for p, q in depth.get_bids()]:
                depth = await cache.recv()
            assert depth.get_bids()[0][0] < depth.get_asks()[0][0]

    run(venue, "binance", scenario)


def test_usdm_life_cycle(venue):
    """GTX order, modify, query, batch, cancel-all, market order and position over REST."""

    async def scenario(client, v):
        info = await client.futures_exchange_info()
        assert info["symbols"][0]["contractType"] == "PERPETUAL"
        terms = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTX"}
        order = await client.futures_create_order(**terms, quantity="0.010", price=v.price("BUY", 300))
        assert (order["status"], order["timeInForce"], order["origQty"]) == ("NEW", "GTX", "0.010")
        changed = await client.futures_modify_order(
            symbol="BTCUSDT",
            side="BUY",
            orderId=order["orderId"],
            quantity="0.020",
            price=v.price("BUY", 400),
        )
        assert (changed["orderId"], changed["origQty"]) == (order["orderId"], "0.020")
        batch = [{**terms, "quantity": "0.010", "price": v.price("BUY", away)} for away in (500, 600)]
        placed = await client.futures_place_batch_order(batchOrders=batch)
        assert [o["status"] for o in placed] == ["NEW", "NEW"]
        assert len(await client.futures_get_open_orders(symbol="BTCUSDT")) == 3
        ids = [placed[0]["orderId"], 1]
        gone = await client.futures_cancel_orders(symbol="BTCUSDT", orderidlist=ids)
        assert (gone[0]["status"], gone[1]["code"]) == ("CANCELED", -2011)
        done = await client.futures_cancel_all_open_orders(symbol="BTCUSDT")
        assert done == {"code": 200, "msg": "The operation of cancel all open order is done."}
        filled = await client.futures_create_order(
            symbol="BTCUSDT", side="SELL", type="MARKET", quantity="0.010", newOrderRespType="RESULT"
        )
        assert (filled["status"], filled["executedQty"]) == ("FILLED", "0.010")
        position = (await client.futures_position_information(symbol="BTCUSDT"))[0]
        assert position["positionAmt"] == "-0.010"
        trades = await client.futures_account_trades(symbol="BTCUSDT")
        assert sum(Decimal(t["commission"]) for t in trades) == v.account.positions["BTCUSDT"].fees

    run(venue, "binanceusdm", scenario)


def test_usdm_orders_over_websocket(venue):
    """The library's futures WebSocket API calls place, modify and cancel orders."""

    async def scenario(client, v):
        terms = {"symbol": "BTCUSDT", "side": "BUY", "quantity": "0.010"}
        order = await client.ws_futures_create_order(
            **terms, type="LIMIT", timeInForce="GTX", price=v.price("BUY", 300)
        )
        assert order["status"] == "NEW"
        changed = await client.ws_futures_edit_order(
            **terms, orderId=order["orderId"], price=v.price("BUY", 400)
        )
        assert changed["price"] == f"{v.price('BUY', 400)}.00"
        cancelled = await client.ws_futures_cancel_order(symbol="BTCUSDT", orderId=order["orderId"])
        assert cancelled["status"] == "CANCELED"

    run(venue, "binanceusdm", scenario)


def test_usdm_user_stream(venue):
    """Order and account updates come on a listen key's private connection."""

    async def scenario(client, v):
        async with sockets(client, v).futures_user_socket() as socket:
            await client.futures_create_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="0.010")
            events = await collect(socket, lambda e: e.get("o", {}).get("X") == "FILLED")
            events += await collect(socket, lambda e: e["e"] == "ACCOUNT_UPDATE")
            kinds = {e["e"] for e in events}
            assert kinds == {"ORDER_TRADE_UPDATE", "TRADE_LITE", "ACCOUNT_UPDATE"}
            update = events[-1]["a"]
            assert (update["m"], update["P"][0]["pa"]) == ("ORDER", "0.010")
            assert Decimal(update["B"][0]["wb"]) == v.account.balance("USDT").total

    run(venue, "binanceusdm", scenario)


def test_usdm_streams(venue):
    """Routed market streams deliver trades, candles, mark prices and book tickers."""

    async def scenario(client, v):
        manager = sockets(client, v)
        names = ["btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@markPrice@1s", "btcusdt@bookTicker"]
        wanted = {"aggTrade", "kline", "markPriceUpdate", "bookTicker"}
        async with manager.futures_multiplex_socket(names) as socket:
            seen = set()
            while seen != wanted:
                seen.add((await socket.recv())["data"]["e"])

    run(venue, "binanceusdm", scenario)
