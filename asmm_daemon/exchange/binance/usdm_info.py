"""USD-M exchange information, funding and mark prices, brackets."""

from typing import Any

from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import fixed
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.rules import MAX_PRICE
from asmm_daemon.units import NS_PER_MS, wire

RATE_LIMITS: list[dict[str, Any]] = [
    {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1, "limit": 2400},
    {"rateLimitType": "ORDERS", "interval": "MINUTE", "intervalNum": 1, "limit": 1200},
    {"rateLimitType": "ORDERS", "interval": "SECOND", "intervalNum": 10, "limit": 300},
]
STATUS = {"TRADING": "TRADING", "HALT": "PENDING_TRADING", "DELISTED": "CLOSE"}
DELIVERY_MS = 4133404800000
ONBOARD_MS = 1569398400000
MAX_NOTIONAL = "1000000000"


class UsdmInfo:
    """Functions about the contracts."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def exchange_info(self, _: Call) -> dict[str, Any]:
        """Trading rules of all contracts."""
        boards = self.desk.boards.values()
        assets = dict.fromkeys(board.market.instrument.quote for board in boards)
        return {
            "timezone": "UTC",
            "serverTime": self.desk.time_ms(),
            "futuresType": "U_MARGINED",
            "rateLimits": RATE_LIMITS,
            "exchangeFilters": [],
            "assets": [
                {"asset": asset, "marginAvailable": True, "autoAssetExchange": "0"} for asset in assets
            ],
            "symbols": [self._symbol(board) for board in boards],
        }

    def _symbol(self, board: Board) -> dict[str, Any]:
        instrument = board.market.instrument
        return {
            "symbol": instrument.symbol,
            "pair": instrument.symbol,
            "contractType": "PERPETUAL",
            "deliveryDate": DELIVERY_MS,
            "onboardDate": ONBOARD_MS,
            "status": STATUS.get(board.market.status, "PENDING_TRADING"),
            "maintMarginPercent": "2.5000",
            "requiredMarginPercent": "5.0000",
            "baseAsset": instrument.base,
            "quoteAsset": instrument.quote,
            "marginAsset": instrument.quote,
            "pricePrecision": board.scales.price.digits,
            "quantityPrecision": board.scales.qty.digits,
            "baseAssetPrecision": 8,
            "quotePrecision": 8,
            "underlyingType": "COIN",
            "underlyingSubType": ["PoW"],
            "settlePlan": 0,
            "triggerProtect": "0.0500",
            "liquidationFee": "0.012500",
            "marketTakeBound": "0.05",
            "maxMoveOrderLimit": self.desk.exchange.rules.max_amends,
            "filters": self._filters(board),
            "orderTypes": ["LIMIT", "MARKET"],
            "timeInForce": ["GTC", "IOC", "FOK", "GTX", "GTD"],
            "permissionSets": ["GRID", "COPY"],
        }

    def _filters(self, board: Board) -> list[dict[str, Any]]:
        market, instrument, rules = board.market, board.market.instrument, self.desk.exchange.rules
        price, qty = board.scales.price, board.scales.qty
        lot = {"minQty": qty.text(instrument.min_qty), "maxQty": qty.text(instrument.max_qty)}
        return [
            {
                "filterType": "PRICE_FILTER",
                "minPrice": fixed(market.tick, price.digits),
                "maxPrice": fixed(MAX_PRICE, price.digits),
                "tickSize": fixed(market.tick, price.digits),
            },
            {"filterType": "LOT_SIZE", **lot, "stepSize": fixed(market.lot, qty.digits)},
            {"filterType": "MARKET_LOT_SIZE", **lot, "stepSize": fixed(market.lot, qty.digits)},
            {"filterType": "MAX_NUM_ORDERS", "limit": rules.max_orders},
            {"filterType": "MIN_NOTIONAL", "notional": wire(instrument.min_notional)},
            {
                "filterType": "PERCENT_PRICE",
                "multiplierUp": fixed(1 + rules.collar_up, 4),
                "multiplierDown": fixed(1 - rules.collar_down, 4),
                "multiplierDecimal": "4",
            },
        ]

    def premium_index(self, call: Call) -> Any:
        """Mark price and funding rate."""
        board = self.desk.optional_board(call.params)
        if board is not None:
            return self._premium(board, call.now_ms)
        return [self._premium(board, call.now_ms) for board in self.desk.boards.values()]

    def _premium(self, board: Board, now_ms: int) -> dict[str, Any]:
        market = board.market
        mark = fixed(market.mark, 8)
        return {
            "symbol": board.symbol,
            "markPrice": mark,
            "indexPrice": mark,
            "estimatedSettlePrice": mark,
            "lastFundingRate": fixed(market.funding_rate, 8),
            "interestRate": "0.00010000",
            "nextFundingTime": market.next_funding_ns // NS_PER_MS,
            "time": now_ms,
        }

    def funding_info(self, _: Call) -> list[dict[str, Any]]:
        """Funding caps, floors and intervals."""
        return [
            {
                "symbol": symbol,
                "adjustedFundingRateCap": "0.02000000",
                "adjustedFundingRateFloor": "-0.02000000",
                "fundingIntervalHours": 8,
                "disclaimer": False,
            }
            for symbol in self.desk.boards
        ]

    def funding_rates(self, call: Call) -> list[dict[str, Any]]:
        """The funding rates of the contracts now; none is remembered from before."""
        board = self.desk.optional_board(call.params)
        boards = list(self.desk.boards.values()) if board is None else [board]
        return [
            {
                "symbol": b.symbol,
                "fundingTime": max(0, b.market.next_funding_ns // NS_PER_MS - 8 * 3_600_000),
                "fundingRate": fixed(b.market.funding_rate, 8),
                "markPrice": fixed(b.market.mark, 8),
            }
            for b in boards
        ]

    def open_interest(self, call: Call) -> dict[str, Any]:
        """Open interest: of the accounts that are known here."""
        board = self.desk.board(call.params)
        held = sum(
            abs(account.positions[board.symbol].qty)
            for account in self.desk.exchange.accounts.values()
            if board.symbol in account.positions
        )
        return {"openInterest": f"{held:f}", "symbol": board.symbol, "time": call.now_ms}

    def leverage_bracket(self, call: Call) -> Any:
        """Notional and leverage brackets: one for all notionals."""
        board = self.desk.optional_board(call.params)
        boards = self.desk.boards.values() if board is None else [board]
        rules = self.desk.exchange.rules
        rows = [
            {
                "symbol": board.symbol,
                "notionalCoef": 1.0,
                "brackets": [
                    {
                        "bracket": 1,
                        "initialLeverage": rules.max_leverage,
                        "notionalCap": int(MAX_NOTIONAL),
                        "notionalFloor": 0,
                        "maintMarginRatio": float(rules.maintenance_rate),
                        "cum": 0.0,
                    }
                ],
            }
            for board in boards
        ]
        return rows if board is None else rows[0]
