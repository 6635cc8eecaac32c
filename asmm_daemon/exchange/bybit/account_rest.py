"""Private REST reads and settings of the account: wallet, fees, positions, keys, protection.

Sources: https://bybit-exchange.github.io/docs/v5/account/wallet-balance, .../account/fee-rate,
.../position, .../user/apikey-info, .../order/dcp
"""

from asmm_daemon.exchange.bybit.account_json import position_json, wallet_json
from asmm_daemon.exchange.bybit.codes import PARAMS, ApiError
from asmm_daemon.exchange.bybit.order_rest import Call, Result
from asmm_daemon.exchange.bybit.state import DCP_DEFAULT_S, DCP_PRODUCT
from asmm_daemon.exchange.bybit.text import ms, number, plain
from asmm_daemon.exchange.market import Market


def wallet_balance(call: Call) -> Result:
    """`/v5/account/wallet-balance`."""
    kind = call.params.get("accountType")
    if kind != "UNIFIED":
        raise ApiError(PARAMS, "accountType only support UNIFIED.")
    coins = call.params["coin"].split(",") if call.params.get("coin") else None
    return {"list": [wallet_json(call.state.exchange, call.account, coins)]}


def account_info(call: Call) -> Result:
    """`/v5/account/info`."""
    state = call.state
    return {
        "marginMode": "REGULAR_MARGIN",
        "updatedTime": str(ms(state.exchange.now_ns)),
        "unifiedMarginStatus": 6,
        "dcpStatus": "ON" if state.dcp_enabled else "OFF",
        "timeWindow": state.dcp_window_s.get(call.account.name, DCP_DEFAULT_S),
        "smpGroup": 0,
        "isMasterTrader": False,
        "spotHedgingStatus": "OFF",
    }


def fee_rate(call: Call) -> Result:
    """`/v5/account/fee-rate`."""
    state, params = call.state, call.params
    served = state.check_category(params.get("category"))
    markets: list[Market] = []
    if served and params.get("symbol"):
        markets = [state.market(params["symbol"])]
    elif served:
        base = params.get("baseCoin")
        markets = [m for m in state.exchange.markets.values() if base in (None, m.instrument.base)]
    rows = [
        {
            "symbol": market.symbol,
            "baseCoin": "",
            "takerFeeRate": plain(market.instrument.taker),
            "makerFeeRate": plain(market.instrument.maker),
        }
        for market in markets
    ]
    return {"category": params["category"], "list": rows}


def positions(call: Call) -> Result:
    """`/v5/position/list`: a named market's position even when flat, else those that are not."""
    state, params = call.state, call.params
    category = params.get("category")
    if category == "spot":
        raise ApiError(PARAMS, "params error: Category is invalid")
    rows: list[Result] = []
    if state.check_category(category):
        if params.get("symbol"):
            markets = [state.market(params["symbol"])]
        elif params.get("settleCoin") or params.get("baseCoin"):
            settle = params.get("settleCoin")
            markets = [m for m in state.exchange.markets.values() if settle in (None, m.instrument.quote)]
            markets = [m for m in markets if state.position(call.account, m.symbol).qty]
        else:
            raise ApiError(PARAMS, "Missing some parameters that must be filled in, symbol or settleCoin")
        for market in markets:
            held = state.position(call.account, market.symbol)
            rows.append(position_json(state.exchange, held, market, state.seq))
    return {"category": category, "list": rows, "nextPageCursor": ""}


def set_leverage(call: Call) -> Result:
    """`/v5/position/set-leverage`."""
    state, params = call.state, call.params
    if not state.check_category(params.get("category")) or state.category == "spot":
        raise ApiError(PARAMS, "params error: Category is invalid")
    symbol = state.market(params.get("symbol")).symbol
    buy, sell = number(params.get("buyLeverage", "")), number(params.get("sellLeverage", ""))
    if buy is None or sell is None:
        raise ApiError(PARAMS, "buy leverage invalid")
    if buy != sell:
        raise ApiError(PARAMS, "buy leverage not equal to sell leverage")
    if not 1 <= buy <= state.max_leverage or buy != buy.to_integral_value():
        raise ApiError(PARAMS, "buy leverage invalid")
    if int(buy) == state.position(call.account, symbol).leverage:
        raise ApiError(110043, "leverage not modified")
    state.exchange.set_leverage(call.account, symbol, int(buy))
    return {}


def switch_mode(call: Call) -> Result:
    """`/v5/position/switch-mode`: one-way it is and stays."""
    call.state.check_category(call.params.get("category"))
    if call.params.get("mode") == "0":
        raise ApiError(110025, "Position mode is not modified")
    raise ApiError(110029, "Hedge mode is not supported for this symbol.")


def query_api(call: Call) -> Result:
    """`/v5/user/query-api`: what a key may do."""
    key = call.key
    wallet = ["AccountTransfer", "SubMemberTransfer"] + (["Withdraw"] if key.can_withdraw else [])
    return {
        "id": "13770661",
        "note": key.label,
        "apiKey": key.key,
        "readOnly": 0 if key.can_trade else 1,
        "secret": "",
        "permissions": {
            "ContractTrade": ["Order", "Position"] if key.can_trade else [],
            "Spot": ["SpotTrade"] if key.can_trade else [],
            "Wallet": wallet,
            "Options": [],
            "Derivatives": ["DerivativesTrade"] if key.can_trade else [],
            "CopyTrading": [],
            "BlockTrade": [],
            "Exchange": [],
            "NFT": [],
            "Affiliate": [],
            "Earn": [],
        },
        "ips": ["127.0.0.1"] if key.ip_bound else ["*"],
        "type": 1,
        "deadlineDay": 83,
        "expiredAt": "2099-01-01T00:00:00Z",
        "createdAt": "2024-01-01T00:00:00Z",
        "unified": 0,
        "uta": 1,
        "userID": 24600000,
        "inviterID": 0,
        "vipLevel": "No VIP",
        "mktMakerLevel": "0",
        "affiliateID": 0,
        "rsaPublicKey": "",
        "isMaster": True,
        "parentUid": "0",
        "kycLevel": "LEVEL_1",
        "kycRegion": "",
    }


def coin_info(call: Call) -> Result:
    """`/v5/asset/coin/query-info`: the coins that the exchange deals in, no chain to withdraw over."""
    coins: dict[str, None] = {}
    for market in call.state.exchange.markets.values():
        coins |= dict.fromkeys((market.instrument.base, market.instrument.quote))
    wanted = call.params.get("coin")
    rows = [
        {"name": coin, "coin": coin, "remainAmount": "0", "chains": []}
        for coin in coins
        if wanted in (None, coin)
    ]
    return {"rows": rows}


def set_dcp(call: Call) -> Result:
    """`/v5/order/disconnected-cancel-all`: the disconnection window in seconds."""
    state, params = call.state, call.params
    product = params.get("product", "OPTIONS")
    if product not in ("OPTIONS", "DERIVATIVES", "SPOT"):
        raise ApiError(PARAMS, "params error: Product invalid")
    try:
        window_s = int(params.get("timeWindow", ""))
    except ValueError:
        raise ApiError(PARAMS, "params error: TimeWindow invalid") from None
    if not 3 <= window_s <= 300:
        raise ApiError(PARAMS, "params error: TimeWindow invalid")
    if not state.dcp_enabled:
        raise ApiError(10005, "Permission denied, please check your API key permissions.")
    if product == DCP_PRODUCT[state.category]:
        state.dcp_window_s[call.account.name] = window_s
    return {}


def dcp_info(call: Call) -> Result:
    """`/v5/account/query-dcp-info`: empty when the venue has not enabled the protection."""
    state = call.state
    if not state.dcp_enabled:
        return {"dcpInfos": []}
    window_s = state.dcp_window_s.get(call.account.name, DCP_DEFAULT_S)
    product = DCP_PRODUCT[state.category]
    return {"dcpInfos": [{"product": product, "dcpStatus": "ON", "timeWindow": str(window_s)}]}
