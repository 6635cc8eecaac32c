"""The functions of the USD-M API: paths, WebSocket methods, security, weights."""

from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Endpoint, Security, each, one
from asmm_daemon.exchange.binance.gate import Gate
from asmm_daemon.exchange.binance.listen_api import ListenApi
from asmm_daemon.exchange.binance.market_data import MarketData, ping
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.binance.rate_info import RateInfo
from asmm_daemon.exchange.binance.spot_endpoints import sapi_endpoints
from asmm_daemon.exchange.binance.tickers import Tickers
from asmm_daemon.exchange.binance.usdm_account import UsdmAccount
from asmm_daemon.exchange.binance.usdm_info import UsdmInfo
from asmm_daemon.exchange.binance.usdm_positions import UsdmPositions
from asmm_daemon.exchange.binance.usdm_settings import UsdmSettings
from asmm_daemon.exchange.binance.usdm_trade import UsdmTrade, batch
from asmm_daemon.exchange.binance.user_stream import UserStream

V1, V2, V3 = "/fapi/v1/", "/fapi/v2/", "/fapi/v3/"
USER, TRADE, KEY = Security.USER_DATA, Security.TRADE, Security.KEY


def depth_weight(params: Params) -> int:
    """2 up to 50 levels, 5 for 100, 10 for 500, else 20."""
    limit = params.limit(500, 1000)
    return next((weight for top, weight in ((50, 2), (100, 5), (500, 10)) if limit <= top), 20)


def klines_weight(params: Params) -> int:
    """1 below 100 candles, 2 below 500, 5 up to 1000, else 10."""
    limit = params.limit(500, 1500)
    return next((weight for top, weight in ((99, 1), (499, 2), (1000, 5)) if limit <= top), 10)


def batch_size(params: Params) -> int:
    """As many orders as a batch holds."""
    return len(batch(params))


def market_endpoints(desk: Desk) -> list[Endpoint]:
    """Market data."""
    data, tickers, info = MarketData(desk), Tickers(desk), UsdmInfo(desk)
    return [
        Endpoint("GET", f"{V1}ping", ping, ws="ping"),
        Endpoint("GET", f"{V1}time", data.time, ws="time"),
        Endpoint("GET", f"{V1}exchangeInfo", info.exchange_info),
        Endpoint("GET", f"{V1}depth", data.depth, weight=depth_weight, ws="depth"),
        Endpoint("GET", f"{V1}trades", data.trades, weight=5),
        Endpoint("GET", f"{V1}historicalTrades", data.historical_trades, KEY, 20),
        Endpoint("GET", f"{V1}aggTrades", data.agg_trades, weight=20),
        Endpoint("GET", f"{V1}klines", data.klines, weight=klines_weight),
        Endpoint("GET", f"{V1}continuousKlines", data.klines, weight=klines_weight),
        Endpoint("GET", f"{V1}markPriceKlines", data.price_klines, weight=klines_weight),
        Endpoint("GET", f"{V1}indexPriceKlines", data.price_klines, weight=klines_weight),
        Endpoint("GET", f"{V1}premiumIndex", info.premium_index, weight=each(1, 10)),
        Endpoint("GET", f"{V1}fundingRate", info.funding_rates),
        Endpoint("GET", f"{V1}fundingInfo", info.funding_info),
        Endpoint("GET", f"{V1}openInterest", info.open_interest),
        Endpoint("GET", f"{V1}ticker/24hr", tickers.ticker_24h, weight=each(1, 40)),
        Endpoint("GET", f"{V1}ticker/price", tickers.ticker_price, weight=each(1, 2), ws="ticker.price"),
        Endpoint("GET", f"{V2}ticker/price", tickers.ticker_price, weight=each(1, 2)),
        Endpoint("GET", f"{V1}ticker/bookTicker", tickers.book_ticker, weight=each(2, 5), ws="ticker.book"),
    ]


def trade_endpoints(desk: Desk) -> list[Endpoint]:
    """Orders."""
    trade = UsdmTrade(desk)
    order, several = f"{V1}order", f"{V1}batchOrders"
    return [
        Endpoint("POST", order, trade.place, TRADE, 0, "order.place", acts=True, orders=one),
        Endpoint("POST", f"{order}/test", trade.test, TRADE, 0),
        Endpoint("PUT", order, trade.modify, TRADE, 0, "order.modify", acts=True, orders=one),
        Endpoint("DELETE", order, trade.cancel, TRADE, 1, "order.cancel", acts=True),
        Endpoint("GET", f"{V1}orderAmendment", trade.modifications, USER),
        Endpoint("GET", order, trade.query, USER, 1, "order.status"),
        Endpoint("POST", several, trade.place_batch, TRADE, 5, acts=True, orders=batch_size),
        Endpoint("PUT", several, trade.modify_batch, TRADE, 5, acts=True, orders=batch_size),
        Endpoint("DELETE", several, trade.cancel_batch, TRADE, 1, acts=True),
        Endpoint("DELETE", f"{V1}allOpenOrders", trade.cancel_all, TRADE, 1, acts=True),
        Endpoint("POST", f"{V1}countdownCancelAll", trade.countdown, TRADE, 10, acts=True),
        Endpoint("GET", f"{V1}openOrder", trade.open_order, USER, 1),
        Endpoint("GET", f"{V1}openOrders", trade.open_orders, USER, each(1, 40)),
        Endpoint("GET", f"{V1}allOrders", trade.all_orders, USER, 5),
        Endpoint("GET", f"{V1}userTrades", trade.user_trades, USER, 5),
    ]


def account_endpoints(desk: Desk, users: UserStream) -> list[Endpoint]:
    """The account."""
    positions = UsdmPositions(desk)
    account = UsdmAccount(desk, positions)
    info, settings = UsdmInfo(desk), UsdmSettings(desk, positions, users)
    return [
        Endpoint("GET", f"{V2}balance", account.balance, USER, 5, "account.balance"),
        Endpoint("GET", f"{V3}balance", account.balance, USER, 5, "v2/account.balance"),
        Endpoint("GET", f"{V1}account", account.account_v2, USER, 5, "account.status"),
        Endpoint("GET", f"{V2}account", account.account_v2, USER, 5),
        Endpoint("GET", f"{V3}account", account.account_v3, USER, 5, "v2/account.status"),
        Endpoint("GET", f"{V1}positionRisk", positions.risk_v2, USER, 5, "account.position"),
        Endpoint("GET", f"{V2}positionRisk", positions.risk_v2, USER, 5),
        Endpoint("GET", f"{V3}positionRisk", positions.risk_v3, USER, 5, "v2/account.position"),
        Endpoint("POST", f"{V1}leverage", settings.leverage, TRADE, acts=True),
        Endpoint("POST", f"{V1}marginType", settings.margin_type, TRADE),
        Endpoint("GET", f"{V1}positionSide/dual", settings.position_mode, USER, 30),
        Endpoint("POST", f"{V1}positionSide/dual", settings.set_position_mode, TRADE),
        Endpoint("GET", f"{V1}multiAssetsMargin", settings.multi_assets, USER, 30),
        Endpoint("GET", f"{V1}accountConfig", settings.account_config, USER, 5),
        Endpoint("GET", f"{V1}symbolConfig", settings.symbol_config, USER, 5),
        Endpoint("GET", f"{V1}commissionRate", settings.commission_rate, USER, 20),
        Endpoint("GET", f"{V1}leverageBracket", info.leverage_bracket, USER),
        Endpoint("GET", f"{V1}income", settings.income, USER, 30),
        Endpoint("GET", f"{V1}apiTradingStatus", settings.trading_status, USER),
        Endpoint("GET", f"{V1}adlQuantile", settings.adl_quantile, USER, 5),
        Endpoint("GET", f"{V1}feeBurn", settings.fee_burn, USER, 30),
        Endpoint("GET", f"{V1}forceOrders", settings.nothing, USER, 20),
    ]


def usdm_endpoints(desk: Desk, listen: ListenApi, users: UserStream, gate: Gate) -> list[Endpoint]:
    """All functions of the USD-M API."""
    key = f"{V1}listenKey"
    return [
        *market_endpoints(desk),
        *trade_endpoints(desk),
        *account_endpoints(desk, users),
        Endpoint("GET", f"{V1}rateLimit/order", RateInfo(gate).orders, USER),
        Endpoint("POST", key, listen.start, KEY, 1, "userDataStream.start"),
        Endpoint("PUT", key, listen.extend, KEY, 1, "userDataStream.ping"),
        Endpoint("DELETE", key, listen.close, KEY, 1, "userDataStream.stop"),
        *sapi_endpoints(desk),
    ]
