"""The exchange as ccxt 4.5.90 (REST and ccxt.pro) sees it, spot and linear."""

import asyncio
import contextlib

import ccxt.pro
import pytest

SYMBOLS = {"linear": "BTC/USDT:USDT", "spot": "BTC/USDT"}


@contextlib.asynccontextmanager
async def connected(venue, **keys):
    """A ccxt.pro client that talks to the venue."""
    keys = {"apiKey": "KEY", "secret": "SECRET", "enableRateLimit": False} | keys
    client = ccxt.pro.bybit(
        keys | {"options": {"defaultType": {"linear": "swap"}.get(venue.category, "spot")}}
    )
    rest, public, private = venue.rest_url, f"{venue.ws_url}/v5/public", f"{venue.ws_url}/v5/private"
    client.urls["api"] |= dict.fromkeys(("spot", "futures", "v2", "public", "private"), rest)
    client.urls["api"]["ws"] = {
        "public": {"spot": f"{public}/spot", "linear": f"{public}/linear"},
        "private": {
            "spot": {"unified": private, "nonUnified": private},
            "contract": private,
            "usdc": private,
            "trade": f"{venue.ws_url}/v5/trade",
        },
    }
    try:
        yield client
    finally:
        await client.close()


@pytest.fixture
def session(venue):
    """Runs a coroutine function with a connected client, the symbol and the category."""

    def run(body, **keys):
        async def main():
            async with connected(venue, **keys) as client:
                await client.load_markets()
                await asyncio.wait_for(body(client, SYMBOLS[venue.category]), 40)

        asyncio.run(main())

    return run


def test_markets_and_prices(session, venue):
    """load_markets as it comes, then clock, book, trades, candles, ticker."""

    async def body(client, symbol):
        market = client.market(symbol)
        assert (market["id"], market["precision"]) == (
            "BTCUSDT",
            {"amount": 0.001, "price": 0.1}
            | {key: None for key in market["precision"] if key not in ("amount", "price")},
        )
        assert abs(await client.fetch_time() - client.milliseconds()) < 2000
        book = await client.fetch_order_book(symbol, 20)
        assert len(book["bids"]) == 20
        assert book["bids"][0][0] < book["asks"][0][0]
        assert len(await client.fetch_trades(symbol, limit=10)) == 10
        assert (await client.fetch_ohlcv(symbol, "1m"))[-1][5] > 0
        ticker = await client.fetch_ticker(symbol)
        assert ticker["bid"] < ticker["ask"]
        fee = await client.fetch_trading_fee(symbol)
        assert fee["maker"] == {"linear": 0.0002, "spot": 0.001}[venue.category]
        if venue.category == "linear":
            rate = await client.fetch_funding_rate(symbol)
            assert rate["fundingRate"] == 0.0001
            assert await client.fetch_funding_rate_history(symbol) == []

    session(body)


def test_order_life_cycle(session, venue):
    """Post-only order by client id: open, edited, cancelled, each read back over REST."""

    async def body(client, symbol):
        cid = f"cx-{venue.category}-1"
        params = {"postOnly": True, "clientOrderId": cid}
        created = await client.create_order(symbol, "limit", "buy", 0.1, 95.0, params)
        order = await client.fetch_open_order(created["id"], symbol)
        assert (order["status"], order["clientOrderId"], order["timeInForce"]) == ("open", cid, "PO")
        await client.edit_order(created["id"], symbol, "limit", "buy", 0.2, 94.0)
        (order,) = await client.fetch_open_orders(symbol)
        assert (order["price"], order["amount"], order["remaining"]) == (94.0, 0.2, 0.2)
        await client.cancel_order(None, symbol, {"orderLinkId": cid})
        order = await client.fetch_order(created["id"], symbol, {"acknowledged": True})
        assert (order["status"], order["filled"]) == ("canceled", 0)
        with pytest.raises(ccxt.OrderNotFound):
            await client.cancel_order(created["id"], symbol)
        for n in range(3):
            await client.create_order(symbol, "limit", "buy", 0.1, 90.0 + n)
        await client.cancel_all_orders(symbol)
        assert await client.fetch_open_orders(symbol) == []

    session(body)


def test_fills_balances_and_positions(session, venue, until):
    """A market order and its trades, fees, balance and position."""

    async def body(client, symbol):
        before = await client.fetch_balance()
        created = await client.create_order(symbol, "market", "buy", 0.1, None, {"marketUnit": "baseCoin"})
        trades = await client.fetch_my_trades(symbol, params={"orderId": created["id"]})
        assert sum(trade["amount"] for trade in trades) == pytest.approx(0.1)
        assert {trade["takerOrMaker"] for trade in trades} == {"taker"}
        after = await client.fetch_balance()
        if venue.category == "spot":
            assert {trade["fee"]["currency"] for trade in trades} == {"BTC"}
            assert after["BTC"]["total"] - before["BTC"]["total"] == pytest.approx(0.1 * 0.999)
            assert await client.create_order(symbol, "limit", "sell", 0.1, 130.0)
            assert (await client.fetch_balance())["BTC"]["used"] == pytest.approx(0.1)
            await client.cancel_all_orders(symbol)
            return
        cost = sum(trade["fee"]["cost"] for trade in trades)
        assert before["USDT"]["total"] - after["USDT"]["total"] == pytest.approx(cost)
        (position,) = await client.fetch_positions([symbol])
        assert (position["side"], position["contracts"]) == ("long", pytest.approx(0.1))
        await client.set_leverage(7, symbol)
        await client.create_order(symbol, "market", "sell", 0.1, None, {"reduceOnly": True})
        assert await client.fetch_positions() == []

    session(body)


def test_refusals_raise_ccxts_own_errors(session, venue):
    """Insufficient funds, a bad size, a duplicate id and a wrong key are told apart."""

    async def body(client, symbol):
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order(symbol, "limit", "buy", 50_000.0, 100.0)
        with pytest.raises(ccxt.InvalidOrder):
            await client.create_order(symbol, "limit", "buy", 0.001, 95.0)
        params = {"clientOrderId": f"cx-{venue.category}-once"}
        await client.create_order(symbol, "limit", "buy", 0.1, 95.0, params)
        with pytest.raises(ccxt.InvalidOrder):
            await client.create_order(symbol, "limit", "buy", 0.1, 95.0, params)
        await client.cancel_all_orders(symbol)
        client.secret = "WRONG"
        with pytest.raises(ccxt.AuthenticationError):
            await client.fetch_balance()
        client.secret = "SECRET"
        client.milliseconds = lambda: ccxt.pro.bybit.milliseconds() - 60_000
        client.nonce = client.milliseconds
        with pytest.raises(ccxt.InvalidNonce):
            await client.fetch_balance()

    session(body)


def test_book_and_trades_are_followed_live(session, venue, until):
    """watch_order_book keeps the documented sync, and ends on the book that REST shows."""

    async def body(client, symbol):
        for _ in range(60):
            book = await client.watch_order_book(symbol)
            assert book["bids"][0][0] < book["asks"][0][0]
        assert (await client.watch_trades(symbol))[-1]["price"] > 0
        assert (await client.watch_ticker(symbol))["last"] > 0
        assert (await client.watch_ohlcv(symbol, "1m"))[-1][4] > 0
        with venue.paused():
            shown, followed = await client.fetch_order_book(symbol, 50), client.orderbooks[symbol]
            sides = [shown["bids"], shown["asks"]]
            await asyncio.to_thread(until, lambda: [followed["bids"][:50], followed["asks"][:50]] == sides)

    session(body)


def test_private_streams_tell_an_orders_life(session, venue, until):
    """Orders, executions, balance and positions arrive for an order that the market fills."""

    async def body(client, symbol):
        cid = f"cx-{venue.category}-s"
        watches = {
            "order": client.watch_orders(symbol),
            "trade": client.watch_my_trades(symbol),
            "balance": client.watch_balance(),
        }
        if venue.category == "linear":
            client.options["watchPositions"] = {"fetchPositionsSnapshot": False}
            watches["position"] = client.watch_positions([symbol])
        tasks = {name: asyncio.ensure_future(watch) for name, watch in watches.items()}
        topics = [{"trade": "execution", "balance": "wallet"}.get(name, name) for name in tasks]
        await asyncio.to_thread(until, lambda: all(map(venue.server.hub.wanted, topics)))
        created = await client.create_order(symbol, "limit", "buy", 0.1, 100.2, {"clientOrderId": cid})
        told = dict(zip(tasks, await asyncio.gather(*tasks.values()), strict=True))
        assert told["order"][-1]["id"] == created["id"]
        (trade,) = told["trade"][-1:]
        assert (trade["order"], trade["side"], trade["takerOrMaker"]) == (created["id"], "buy", "maker")
        assert trade["id"] in {line["tid"] for line in venue.lines("fill")}
        assert told["balance"]["USDT"]["total"] > 0
        if venue.category == "linear":
            assert told["position"][-1]["side"] == "long"

    session(body)


def test_order_entry_over_websocket(session, venue):
    """create, edit and cancel over the trade socket."""

    async def body(client, symbol):
        params = {"clientOrderId": f"cx-{venue.category}-w", "timeInForce": "PostOnly"}
        created = await client.create_order_ws(symbol, "limit", "buy", 0.1, 95.0, params)
        await client.edit_order_ws(created["id"], symbol, "limit", "buy", 0.1, 94.0)
        assert (await client.fetch_open_order(created["id"], symbol))["price"] == 94.0
        await client.cancel_order_ws(created["id"], symbol)
        assert await client.fetch_open_orders(symbol) == []
        with pytest.raises(ccxt.InsufficientFunds):
            await client.create_order_ws(symbol, "limit", "buy", 50_000.0, 100.0)

    session(body)


def test_dead_mans_window_is_set(session, venue):
    """cancel_all_orders_after sets the disconnection window of the product."""

    async def body(client, symbol):
        del symbol
        await client.cancel_all_orders_after(25_000, {"type": {"linear": "swap"}.get(venue.category, "spot")})
        assert venue.wire._state.dcp_window_s == {"main": 25}

    session(body)
