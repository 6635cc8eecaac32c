"""What Binance answers when the exchange refuses: code and message per product."""

import re
from dataclasses import dataclass
from decimal import Decimal

from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.orders import Reject, VenueReject
from asmm_daemon.units import Product

_SPOT: dict[Reject, tuple[int, str]] = {
    Reject.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Reject.MARKET_CLOSED: (-1013, "Market is closed."),
    Reject.PRICE_TICK: (-1013, "Filter failure: PRICE_FILTER"),
    Reject.PRICE_RANGE: (-1013, "Filter failure: PRICE_FILTER"),
    Reject.PRICE_COLLAR: (-1013, "Filter failure: PERCENT_PRICE_BY_SIDE"),
    Reject.QTY_LOT: (-1013, "Filter failure: LOT_SIZE"),
    Reject.QTY_MIN: (-1013, "Filter failure: LOT_SIZE"),
    Reject.QTY_MAX: (-1013, "Filter failure: LOT_SIZE"),
    Reject.MIN_NOTIONAL: (-1013, "Filter failure: NOTIONAL"),
    Reject.MAX_ORDERS: (-1013, "Filter failure: MAX_NUM_ORDERS"),
    Reject.DUPLICATE_CID: (-2010, "Duplicate order sent."),
    Reject.BALANCE: (-2010, "Account has insufficient balance for requested action."),
    Reject.POST_ONLY: (-2010, "Order would immediately match and take."),
    Reject.REDUCE_ONLY: (-1106, "Parameter 'reduceOnly' sent when not required."),
    Reject.NO_LIQUIDITY: (-2010, "Order book liquidity is less than symbol minimum quantity."),
    Reject.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    Reject.ORDER_DONE: (-2011, "Unknown order sent."),
    Reject.NO_CHANGE: (-2038, "The requested action would change no state; rejecting."),
    Reject.AMEND_QTY: (-2038, "Order amend (quantity increase) is not supported."),
    Reject.AMEND_LIMIT: (-2038, "Filter failure: MAX_NUM_ORDER_AMENDS"),
    Reject.LEVERAGE: (-1130, "Data sent for parameter 'leverage' is not valid."),
}

_USDM: dict[Reject, tuple[int, str]] = {
    Reject.UNKNOWN_SYMBOL: (-1121, "Invalid symbol."),
    Reject.MARKET_CLOSED: (-4141, "Symbol is closed."),
    Reject.PRICE_TICK: (-4014, "Price not increased by tick size."),
    Reject.PRICE_RANGE: (-4002, "Price greater than max price."),
    Reject.QTY_LOT: (-4023, "Qty not increased by step size."),
    Reject.QTY_MIN: (-4004, "Quantity less than min quantity."),
    Reject.QTY_MAX: (-4005, "Quantity greater than max quantity."),
    Reject.MIN_NOTIONAL: (
        -4164,
        "Order's notional must be no smaller than {} (unless you choose reduce only)",
    ),
    Reject.MAX_ORDERS: (-2025, "Reach max open order limit."),
    Reject.DUPLICATE_CID: (-4116, "ClientOrderId is duplicated."),
    Reject.BALANCE: (-2019, "Margin is insufficient."),
    Reject.POST_ONLY: (
        -5022,
        (
            "Due to the order could not be executed as maker, the Post Only order will be rejected. "
            "The order will not be recorded in the order history"
        ),
    ),
    Reject.REDUCE_ONLY: (-2022, "ReduceOnly Order is rejected."),
    Reject.NO_LIQUIDITY: (
        -5021,
        (
            "Due to the order could not be filled immediately, the FOK order has been rejected. "
            "The order will not be recorded in the order history"
        ),
    ),
    Reject.UNKNOWN_ORDER: (-2011, "Unknown order sent."),
    Reject.ORDER_DONE: (-2011, "Unknown order sent."),
    Reject.NO_CHANGE: (-5027, "No need to modify the order."),
    Reject.AMEND_QTY: (-4003, "Quantity less than zero."),
    Reject.AMEND_LIMIT: (-5026, "Exceed maximum modify order limit."),
    Reject.LEVERAGE: (-4028, "Leverage {} is not valid"),
}


_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def _collar(detail: str) -> tuple[str, str]:
    """A price against the last one: above the cap, or below the floor."""
    price, last = (Decimal(number) for number in _NUMBER.findall(detail)[:2])
    if price > last:
        return "-4016", "Price is higher than mark price multiplier cap."
    return "-4024", "Price is lower than mark price multiplier floor."


@dataclass(frozen=True, slots=True)
class BinanceDialect:
    """Ids as integers, rejections by Binance's codes."""

    product: Product

    def oid(self, oid: int) -> str:
        """The order id as the client sees it."""
        return str(oid)

    def tid(self, tid: int) -> str:
        """The trade id as the client sees it."""
        return str(tid)

    def describe(self, reason: Reject, detail: str) -> tuple[str, str]:
        """(code, message) of a rejection as the client sees them."""
        if self.product == "binance":
            code, message = _SPOT[reason]
            return str(code), message
        if reason is Reject.PRICE_COLLAR:
            return _collar(detail)
        code, message = _USDM[reason]
        numbers = _NUMBER.findall(detail)
        known = {Reject.MIN_NOTIONAL: numbers[-1:], Reject.LEVERAGE: numbers[:1]}.get(reason, [])
        return str(code), message.format(*known or [""])

    def error(self, reject: VenueReject) -> ApiError:
        """A refusal as the answer to the client."""
        code, message = self.describe(reject.reason, reject.detail)
        return ApiError(int(code), message)
