"""Spot exchange information: symbols, filters, rate limits."""

from typing import Any

from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import SPOT_PLACES, fixed, plain
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import bad_symbol
from asmm_daemon.exchange.binance.tags import SPOT_STP_MODES
from asmm_daemon.exchange.rules import MAX_PRICE

RATE_LIMITS: list[dict[str, Any]] = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 6000},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 100},
    {"rateLimitType": "ORDERS", "interval": "DAY", "intervalNum": 1, "limit": 200000},
    {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": 61000},
]
STATUS = {"TRADING": "TRADING", "HALT": "HALT", "DELISTED": "BREAK"}


class SpotInfo:
    """The function `exchangeInfo`."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def exchange_info(self, call: Call) -> dict[str, Any]:
        """Trading rules of all symbols, or of those that are named."""
        return {
            "timezone": "UTC",
            "serverTime": self.desk.time_ms(),
            "rateLimits": RATE_LIMITS,
            "exchangeFilters": [],
            "symbols": [self._symbol(board) for board in self._chosen(call)],
        }

    def _chosen(self, call: Call) -> list[Board]:
        if call.params.has("symbol"):
            return [self.desk.board(call.params)]
        if call.params.has("symbols"):
            names = [name.strip(' "') for name in call.params.text("symbols").strip("[]").split(",")]
            boards = [self.desk.boards.get(name) for name in names]
            if None in boards:
                raise bad_symbol()
            return [board for board in boards if board is not None]
        return list(self.desk.boards.values())

    def _symbol(self, board: Board) -> dict[str, Any]:
        instrument = board.market.instrument
        return {
            "symbol": instrument.symbol,
            "status": STATUS.get(board.market.status, "HALT"),
            "baseAsset": instrument.base,
            "baseAssetPrecision": 8,
            "quoteAsset": instrument.quote,
            "quotePrecision": 8,
            "quoteAssetPrecision": 8,
            "baseCommissionPrecision": 8,
            "quoteCommissionPrecision": 8,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "icebergAllowed": False,
            "ocoAllowed": False,
            "otoAllowed": False,
            "opoAllowed": False,
            "quoteOrderQtyMarketAllowed": True,
            "allowTrailingStop": False,
            "cancelReplaceAllowed": True,
            "amendAllowed": True,
            "pegInstructionsAllowed": False,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": False,
            "filters": self._filters(board),
            "permissions": [],
            "permissionSets": [["SPOT"]],
            "defaultSelfTradePreventionMode": "EXPIRE_MAKER",
            "allowedSelfTradePreventionModes": list(SPOT_STP_MODES),
        }

    def _filters(self, board: Board) -> list[dict[str, Any]]:
        market, instrument, rules = board.market, board.market.instrument, self.desk.exchange.rules
        qty = board.scales.qty
        return [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": fixed(market.tick, SPOT_PLACES),
                "maxPrice": fixed(MAX_PRICE, SPOT_PLACES),
                "tickSize": fixed(market.tick, SPOT_PLACES),
            },
            {
                "filterType": "LOT_SIZE",
                "minQty": qty.text(instrument.min_qty),
                "maxQty": qty.text(instrument.max_qty),
                "stepSize": fixed(market.lot, SPOT_PLACES),
            },
            {
                "filterType": "MARKET_LOT_SIZE",
                "minQty": "0.00000000",
                "maxQty": qty.text(instrument.max_qty),
                "stepSize": "0.00000000",
            },
            {
                "filterType": "PERCENT_PRICE_BY_SIDE",
                "bidMultiplierUp": plain(1 + rules.collar_up),
                "bidMultiplierDown": plain(1 - rules.collar_down),
                "askMultiplierUp": plain(1 + rules.collar_up),
                "askMultiplierDown": plain(1 - rules.collar_down),
                "avgPriceMins": 0,
            },
            {
                "filterType": "NOTIONAL",
                "minNotional": fixed(instrument.min_notional, SPOT_PLACES),
                "applyMinToMarket": True,
                "maxNotional": "9000000.00000000",
                "applyMaxToMarket": False,
                "avgPriceMins": 0,
            },
            {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_orders},
            {"filterType": "MAX_NUM_ORDER_AMENDS", "maxNumOrderAmends": rules.max_amends},
        ]
