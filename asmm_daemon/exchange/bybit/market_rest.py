"""Public REST endpoints: `/v5/market/*` and `/v5/system/status`.

Source: https://bybit-exchange.github.io/docs/v5/market/time and the pages beside it.
"""

from collections.abc import Mapping
from typing import Any

from asmm_daemon.exchange.bybit.candles import INTERVALS
from asmm_daemon.exchange.bybit.codes import PARAMS, ApiError
from asmm_daemon.exchange.bybit.instruments import instrument_info
from asmm_daemon.exchange.bybit.order_json import side_name
from asmm_daemon.exchange.bybit.page import limit, whole
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import ms, plain
from asmm_daemon.exchange.bybit.tickers import rest_ticker
from asmm_daemon.exchange.market import Market

Params = Mapping[str, str]
Result = dict[str, Any]
_FOREVER_MS = 1 << 62


def _markets(state: State, params: Params) -> list[Market]:
    """The markets that a request names: none of another category, all without a symbol."""
    if not state.check_category(params.get("category")):
        return []
    if "symbol" in params:
        return [state.market(params["symbol"])]
    base = params.get("baseCoin")
    return [m for m in state.exchange.markets.values() if base in (None, m.instrument.base)]


def _one(state: State, params: Params) -> Market:
    state.check_category(params.get("category", state.category))
    return state.market(params.get("symbol"))


def server_time(state: State, _params: Params) -> Result:
    """`/v5/market/time`."""
    now_ms = state.server.time_ms()
    return {"timeSecond": str(now_ms // 1000), "timeNano": str(now_ms * 1_000_000)}


def instruments(state: State, params: Params) -> Result:
    """`/v5/market/instruments-info`: those that trade, unless another status is asked for."""
    rows = [
        instrument_info(m.instrument, m.tick, m.lot, is_listed=m.status != "DELISTED")
        for m in _markets(state, params)
    ]
    rows = [row for row in rows if row["status"] == params.get("status", "Trading")]
    body: Result = {"category": params["category"], "list": rows}
    return body if params["category"] == "spot" else body | {"nextPageCursor": ""}


def orderbook(state: State, params: Params) -> Result:
    """`/v5/market/orderbook`."""
    market = _one(state, params)
    depth = limit(params, 1 if state.category == "spot" else 25, 1000)
    bids, asks = market.depth(depth)
    price, qty = state.prices[market.symbol], state.qtys[market.symbol]
    return {
        "s": market.symbol,
        "b": [[price.text(p), qty.text(q)] for p, q in bids],
        "a": [[price.text(p), qty.text(q)] for p, q in asks],
        "ts": state.server.time_ms(),
        "u": market.update_id,
        "seq": state.seq,
        "cts": ms(market.update_ns),
    }


def recent_trades(state: State, params: Params) -> Result:
    """`/v5/market/recent-trade`, newest first."""
    market = _one(state, params)
    size = limit(params, 60, 60) if state.category == "spot" else limit(params, 500, 1000)
    rows: list[Result] = []
    for trade in reversed(market.trades):
        if len(rows) == size:
            break
        rows.append(
            {
                "execId": state.id_text(trade.tid, "trade"),
                "symbol": market.symbol,
                "price": state.prices[market.symbol].text(trade.price),
                "size": state.qtys[market.symbol].text(trade.qty),
                "side": side_name(trade.side),
                "time": str(ms(trade.t_ns)),
                "isBlockTrade": False,
                "isRPITrade": False,
                "seq": str(state.seq),
            }
        )
    return {"category": state.category, "list": rows}


def kline(state: State, params: Params) -> Result:
    """`/v5/market/kline`, newest first."""
    market = _one(state, params)
    interval = params.get("interval", "")
    if interval not in INTERVALS:
        raise ApiError(PARAMS, "params error: Interval is invalid")
    candles = state.candles[market.symbol]
    candles.roll(ms(state.exchange.now_ns))
    start, end = whole(params, "start") or 0, whole(params, "end") or _FOREVER_MS
    price, instrument = state.prices[market.symbol], market.instrument
    rows = [
        [
            str(bar.start_ms),
            price.text(bar.open),
            price.text(bar.high),
            price.text(bar.low),
            price.text(bar.close),
            plain(instrument.qty(bar.volume)),
            plain(bar.turnover * instrument.tick * instrument.lot),
        ]
        for bar in candles.bars(interval, start, end)
    ]
    size = limit(params, 200, 1000)
    rows = rows[:size] if "start" in params and "end" not in params else rows[-size:]
    return {"symbol": market.symbol, "category": state.category, "list": rows[::-1]}


def tickers(state: State, params: Params) -> Result:
    """`/v5/market/tickers`."""
    rows = [rest_ticker(state, market) for market in _markets(state, params)]
    return {"category": params["category"], "list": rows}


def funding_history(state: State, params: Params) -> Result:
    """`/v5/market/funding/history`: the rates that were applied since the exchange began."""
    market = _one(state, params)
    if state.category == "spot":
        raise ApiError(PARAMS, "params error: Category is invalid")
    start, end = whole(params, "startTime"), whole(params, "endTime")
    if start is not None and end is None:
        raise ApiError(PARAMS, "params error: endTime is required with startTime")
    rows = [
        {
            "symbol": market.symbol,
            "fundingRate": plain(rate),
            "fundingRateTimestamp": str(ms(t_ns)),
        }
        for t_ns, rate in reversed(state.funding.get(market.symbol, ()))
        if (start or 0) <= ms(t_ns) <= (end or _FOREVER_MS)
    ]
    return {"category": state.category, "list": rows[: limit(params, 200, 200)]}


def risk_limit(state: State, params: Params) -> Result:
    """`/v5/market/risk-limit`: one tier per market."""
    rows = [
        {
            "id": 1,
            "symbol": market.symbol,
            "riskLimitValue": "2000000",
            "maintenanceMargin": plain(state.exchange.rules.maintenance_rate),
            "initialMargin": plain(1 / state.max_leverage),
            "isLowestRisk": 1,
            "maxLeverage": f"{state.max_leverage:.2f}",
            "mmDeduction": "",
        }
        for market in _markets(state, params)
    ]
    return {"category": params["category"], "list": rows, "nextPageCursor": ""}


def system_status(_state: State, _params: Params) -> Result:
    """`/v5/system/status`: no maintenance is planned."""
    return {"list": []}
