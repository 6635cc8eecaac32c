"""The functions of the spot API: paths, WebSocket methods, security, weights."""

from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Endpoint, Security, each, one
from asmm_daemon.exchange.binance.gate import Gate
from asmm_daemon.exchange.binance.listen_api import ListenApi
from asmm_daemon.exchange.binance.market_data import MarketData, ping
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.binance.rate_info import RateInfo
from asmm_daemon.exchange.binance.spot_account import Sapi, SpotAccount
from asmm_daemon.exchange.binance.spot_cancel import SpotCancel
from asmm_daemon.exchange.binance.spot_info import SpotInfo
from asmm_daemon.exchange.binance.spot_trade import SpotTrade
from asmm_daemon.exchange.binance.tickers import Tickers

V3 = "/api/v3/"
USER, TRADE, KEY = Security.USER_DATA, Security.TRADE, Security.KEY


def depth_weight(params: Params) -> int:
    """5 up to 100 levels, 25 up to 500, 50 up to 1000, else 250."""
    limit = params.limit(100, 5000)
    return next((weight for top, weight in ((100, 5), (500, 25), (1000, 50)) if limit <= top), 250)


def sapi_endpoints(desk: Desk) -> list[Endpoint]:
    """Functions beside trading that clients of both products ask."""
    sapi = Sapi(desk)
    base = "/sapi/v1/"
    return [
        Endpoint("GET", f"{base}system/status", sapi.system_status),
        Endpoint("GET", f"{base}account/apiRestrictions", sapi.restrictions, USER),
        Endpoint("GET", f"{base}capital/config/getall", sapi.coins, USER, 10),
        Endpoint("GET", f"{base}margin/allPairs", sapi.nothing, KEY),
        Endpoint("GET", f"{base}margin/allAssets", sapi.nothing, KEY),
        Endpoint("GET", f"{base}margin/isolated/allPairs", sapi.nothing, USER, 10),
    ]


def market_endpoints(desk: Desk) -> list[Endpoint]:
    """Market data."""
    data, tickers, info = MarketData(desk), Tickers(desk), SpotInfo(desk)
    return [
        Endpoint("GET", f"{V3}ping", ping, ws="ping"),
        Endpoint("GET", f"{V3}time", data.time, ws="time"),
        Endpoint("GET", f"{V3}exchangeInfo", info.exchange_info, weight=20, ws="exchangeInfo"),
        Endpoint("GET", f"{V3}depth", data.depth, weight=depth_weight, ws="depth"),
        Endpoint("GET", f"{V3}trades", data.trades, weight=25, ws="trades.recent"),
        Endpoint("GET", f"{V3}historicalTrades", data.historical_trades, weight=25, ws="trades.historical"),
        Endpoint("GET", f"{V3}aggTrades", data.agg_trades, weight=4, ws="trades.aggregate"),
        Endpoint("GET", f"{V3}klines", data.klines, weight=2, ws="klines"),
        Endpoint("GET", f"{V3}uiKlines", data.klines, weight=2, ws="uiKlines"),
        Endpoint("GET", f"{V3}avgPrice", tickers.average_price, weight=2, ws="avgPrice"),
        Endpoint("GET", f"{V3}ticker/24hr", tickers.ticker_24h, weight=each(2, 80), ws="ticker.24hr"),
        Endpoint("GET", f"{V3}ticker", tickers.rolling, weight=each(4, 200), ws="ticker"),
        Endpoint("GET", f"{V3}ticker/tradingDay", tickers.trading_day, weight=4, ws="ticker.tradingDay"),
        Endpoint("GET", f"{V3}ticker/price", tickers.ticker_price, weight=each(2, 4), ws="ticker.price"),
        Endpoint("GET", f"{V3}ticker/bookTicker", tickers.book_ticker, weight=each(2, 4), ws="ticker.book"),
    ]


def trade_endpoints(desk: Desk) -> list[Endpoint]:
    """Orders."""
    cancels = SpotCancel(desk)
    trade = SpotTrade(desk, cancels)
    order = f"{V3}order"
    replace = f"{order}/cancelReplace"
    amend = f"{order}/amend/keepPriority"
    return [
        Endpoint("POST", order, trade.place, TRADE, ws="order.place", acts=True, orders=one),
        Endpoint("POST", f"{order}/test", trade.test, TRADE, ws="order.test"),
        Endpoint("DELETE", order, cancels.cancel, TRADE, ws="order.cancel", acts=True),
        Endpoint("POST", replace, trade.replace, TRADE, ws="order.cancelReplace", acts=True, orders=one),
        Endpoint("PUT", amend, trade.amend, TRADE, 4, "order.amend.keepPriority", acts=True),
        Endpoint("GET", f"{order}/amendments", trade.amendments, USER, 4, "order.amendments"),
        Endpoint("GET", order, trade.query, USER, 4, "order.status"),
        Endpoint("GET", f"{V3}openOrders", trade.open_orders, USER, each(6, 80), "openOrders.status"),
        Endpoint(
            "DELETE", f"{V3}openOrders", cancels.cancel_all, TRADE, 1, "openOrders.cancelAll", acts=True
        ),
        Endpoint("GET", f"{V3}allOrders", trade.all_orders, USER, 20, "allOrders"),
        Endpoint("GET", f"{V3}myTrades", trade.my_trades, USER, 20, "myTrades"),
        Endpoint("GET", f"{V3}myPreventedMatches", trade.prevented_matches, USER, 20, "myPreventedMatches"),
    ]


def spot_endpoints(desk: Desk, listen: ListenApi, gate: Gate) -> list[Endpoint]:
    """All functions of the spot API."""
    account = SpotAccount(desk)
    stream = f"{V3}userDataStream"
    return [
        *market_endpoints(desk),
        *trade_endpoints(desk),
        Endpoint("GET", f"{V3}account", account.account, USER, 20, "account.status"),
        Endpoint("GET", f"{V3}account/commission", account.commission, USER, 20, "account.commission"),
        Endpoint("GET", f"{V3}myFilters", account.filters, USER, 40, "myFilters"),
        Endpoint("GET", f"{V3}rateLimit/order", RateInfo(gate).orders, USER, 40, "account.rateLimits.orders"),
        Endpoint("GET", "/sapi/v1/asset/tradeFee", account.trade_fee, USER),
        Endpoint("POST", stream, listen.start, KEY, 2, "userDataStream.start"),
        Endpoint("PUT", stream, listen.extend, KEY, 2, "userDataStream.ping"),
        Endpoint("DELETE", stream, listen.close, KEY, 2, "userDataStream.stop"),
        *sapi_endpoints(desk),
    ]
