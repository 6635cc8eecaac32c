"""The order life cycle, the user stream and the book as ccxt.pro sees them."""

import asyncio
import re
from decimal import Decimal

import ccxt.pro
import pytest

SYMBOLS = {"binance": "BTC/USDT", "binanceusdm": "BTC/USDT:USDT"}


def connect(product, v):
    """A ccxt.pro client whose addresses all name the venue."""
    client = getattr(ccxt.pro, product)(
        {
            "apiKey": "KEY",
            "secret": "SECRET",
            "enableRateLimit": False,
            "timeout": 5000,
            "options": {"fetchCurrencies": False, "fetchMargins": False},
        }
    )
    api = client.urls["api"]
    for name, url in api.items():
        if isinstance(url, str):
            api[name] = re.sub(r"^https://[^/]+", v.rest, url)
    api["ws"]["spot"] = f"{v.ws}/stream"
    api["ws"]["linear"] = f"{v.ws}/ws"
    api["ws"]["ws-api"] |= {"spot": f"{v.ws}/ws-api/v3", "linear": f"{v.ws}/ws-fapi/v1"}
    return client


async def until(watch, wanted):
    """The first watched item that is wanted."""
    while True:
        for item in await watch():
            if wanted(item):
                return item


def run(venue, product, scenario):
    """Runs a scenario against a fresh venue, with time enough for a busy machine."""

    async def main():
        async with venue(product) as v:
            client = connect(product, v)
            try:
                await client.load_markets()
                async with asyncio.timeout(60):
                    await scenario(client, SYMBOLS[product], v)
            finally:
                await client.close()

    asyncio.run(main())


@pytest.mark.parametrize("product", SYMBOLS)
def test_order_life_cycle(venue, product):
    """Post-only create, query, edit, cancel, market fill and own trades, over REST."""

    async def scenario(client, symbol, v):
        price = float(v.price("BUY", 300))
        params = {"postOnly": True, "newClientOrderId": "asmm-1"}
        order = await client.create_order(symbol, "limit", "buy", 0.01, price, params)
        assert (order["status"], order["clientOrderId"], order["postOnly"]) == ("open", "asmm-1", True)
        found = await client.fetch_open_orders(symbol)
        assert [(o["id"], o["price"], o["amount"]) for o in found] == [(order["id"], price, 0.01)]
        changed = {"postOnly": True, "newClientOrderId": "asmm-2"} if product == "binance" else {}
        edited = await client.edit_order(order["id"], symbol, "limit", "buy", 0.02, price - 10, changed)
        assert (await client.fetch_order(edited["id"], symbol))["price"] == price - 10
        cancelled = await client.cancel_order(edited["id"], symbol)
        assert cancelled["status"] == "canceled"
        taken = await client.create_order(symbol, "market", "buy", 0.01)
        assert (taken["status"], taken["filled"]) == ("closed", 0.01)
        mine = await client.fetch_my_trades(symbol)
        assert [t["order"] for t in mine] == [taken["id"]]
        assert mine[0]["takerOrMaker"] == "taker"
        assert mine[0]["fee"]["cost"] == float(v.account.trades[-1].fee)

    run(venue, product, scenario)


@pytest.mark.parametrize("product", SYMBOLS)
def test_order_entry_over_websocket(venue, product):
    """Orders placed and cancelled over the WebSocket API."""

    async def scenario(client, symbol, v):
        price = float(v.price("SELL", 300))
        order = await client.create_order_ws(symbol, "limit", "sell", 0.01, price, {"newClientOrderId": "w1"})
        assert order["status"] == "open"
        assert (await client.cancel_order_ws(order["id"], symbol))["status"] == "canceled"
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order_ws(order["id"], symbol)

    run(venue, product, scenario)


@pytest.mark.parametrize("product", SYMBOLS)
def test_private_streams(venue, product):
    """Orders, own trades and balances arrive on the user stream, equal to the account."""

    async def scenario(client, symbol, v):
        orders = asyncio.ensure_future(until(lambda: client.watch_orders(symbol), lambda o: o["filled"]))
        trades = asyncio.ensure_future(until(lambda: client.watch_my_trades(symbol), lambda _: True))
        name = "executionReport" if product == "binance" else "ORDER_TRADE_UPDATE"
        while not v.server.hub.wanted(f"main@{name}"):  # noqa: ASYNC110  (the client has no such event)
            await asyncio.sleep(0.01)
        taken = await client.create_order(symbol, "market", "buy", 0.01)
        seen, trade = await orders, await trades
        assert seen["id"] == trade["order"] == taken["id"]
        assert trade["fee"]["cost"] == float(v.account.trades[0].fee)
        balance = await client.fetch_balance()
        if product == "binance":
            wallet = next(row for row in balance["info"]["balances"] if row["asset"] == "USDT")["free"]
        else:
            wallet = balance["info"]["totalWalletBalance"]
        assert Decimal(wallet) == v.account.balance("USDT").total

    run(venue, product, scenario)


@pytest.mark.parametrize("product", SYMBOLS)
def test_watched_book_equals_the_venue(venue, product):
    """The book that ccxt keeps from snapshot and diffs is the venue's, without a checksum error."""

    async def scenario(client, symbol, v):
        for _ in range(10):
            book = await client.watch_order_book(symbol)
        price = float(v.price("BUY", 300))
        await client.create_order(symbol, "limit", "buy", 0.777, price)
        while (price, 0.777) not in [tuple(level[:2]) for level in book["bids"]]:
            book = await client.watch_order_book(symbol)
        assert book["bids"][0][0] < book["asks"][0][0]

    run(venue, product, scenario)


@pytest.mark.parametrize("product", SYMBOLS)
def test_market_data(venue, product):
    """Trades, candles, tickers and the book over REST and streams."""

    async def scenario(client, symbol, v):
        trades = await client.watch_trades(symbol)
        assert trades[-1]["side"] in ("buy", "sell")
        candles = await client.fetch_ohlcv(symbol, "1m")
        assert candles[-1][2] >= candles[-1][3] > 0
        ticker = await client.fetch_ticker(symbol)
        assert ticker["last"] > 0
        book = await client.fetch_order_book(symbol, 20)
        assert len(book["bids"]) == len(book["asks"]) == 20
        while not (recent := await client.fetch_trades(symbol)):
            await client.watch_trades(symbol)  # an aggregate trade is open for up to 100 ms
        assert recent[-1]["price"] > 0
        assert abs((await client.fetch_time()) - v.server.time_ms()) < 2000

    run(venue, product, scenario)


def test_positions_leverage_and_dead_man(venue):
    """The USD-M account: position, leverage, funding rate, countdown."""

    async def scenario(client, symbol, v):
        await client.create_order(symbol, "market", "sell", 0.02)
        position = (await client.fetch_positions([symbol]))[0]
        assert (position["side"], position["contracts"]) == ("short", 0.02)
        assert position["entryPrice"] == float(v.account.positions["BTCUSDT"].entry)
        await client.set_leverage(5, symbol)
        assert (await client.fetch_leverages([symbol]))[symbol]["longLeverage"] == 5
        assert (await client.fetch_funding_rate(symbol))["fundingRate"] == 0.0001
        request = {"symbol": "BTCUSDT", "countdownTime": 5000}
        answer = await client.fapiPrivatePostCountdownCancelAll(request)
        assert answer == {"symbol": "BTCUSDT", "countdownTime": "5000"}
        reduce = {"reduceOnly": True}
        await client.create_order(symbol, "market", "buy", 1, None, reduce)
        assert await client.fetch_positions([symbol]) == []

    run(venue, "binanceusdm", scenario)


@pytest.mark.parametrize("product", SYMBOLS)
def test_refusals_keep_their_codes(venue, product):
    """Post-only that would take, unknown orders and doubled ids give the venue's own codes."""
    codes = {
        "binance": ("immediately match", "-2011", "Duplicate order"),
        "binanceusdm": ("-5022", "-2011", "-4116"),
    }

    async def scenario(client, symbol, v):
        post_only, unknown, doubled = codes[product]
        through = float(v.price("SELL", 500))
        with pytest.raises(ccxt.BaseError, match=post_only):
            await client.create_order(symbol, "limit", "buy", 0.01, through, {"postOnly": True})
        with pytest.raises(ccxt.OrderNotFound, match=unknown):
            await client.cancel_order("1", symbol)
        price = float(v.price("BUY", 300))
        await client.create_order(symbol, "limit", "buy", 0.01, price, {"newClientOrderId": "same"})
        with pytest.raises(ccxt.BaseError, match=doubled):
            await client.create_order(symbol, "limit", "buy", 0.01, price, {"newClientOrderId": "same"})
        await client.cancel_all_orders(symbol)
        assert await client.fetch_open_orders(symbol) == []

    run(venue, product, scenario)
