"""Bybit's return codes and messages, and which of them each refusal of the exchange becomes.

Source: https://bybit-exchange.github.io/docs/v5/error; the messages are as the venue sends them.
"""

from typing import Literal

from asmm_daemon.exchange.orders import Reject, VenueReject

Category = Literal["linear", "spot"]
Verb = Literal["create", "amend", "cancel"]


class ApiError(Exception):
    """A request that the venue answers with a return code other than 0."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message


PARAMS = 10001
SERVER_TIMEOUT = 10000
CLOCK = 10002
KEY = 10003
SIGN = 10004
PERMISSION = 10005
RATE_LIMIT = 10006
ROUTE = 10017

_LINEAR: dict[Reject, tuple[int, str]] = {
    Reject.UNKNOWN_SYMBOL: (PARAMS, "params error: symbol invalid"),
    Reject.MARKET_CLOSED: (110066, "Trading is currently not allowed."),
    Reject.PRICE_TICK: (PARAMS, "Price invalid"),
    Reject.PRICE_RANGE: (110003, "Order price is out of permissible range."),
    Reject.PRICE_COLLAR: (110003, "Order price exceeds the allowable range."),
    Reject.QTY_LOT: (PARAMS, "Qty invalid"),
    Reject.QTY_MIN: (PARAMS, "The number of contracts exceeds minimum limit allowed"),
    Reject.QTY_MAX: (PARAMS, "The number of contracts exceeds maximum limit allowed: too large"),
    Reject.MIN_NOTIONAL: (110094, "Order does not meet minimum order value {least}USDT"),
    Reject.MAX_ORDERS: (110020, "You cannot have more than 500 active orders."),
    Reject.DUPLICATE_CID: (110072, "OrderLinkedID is duplicate"),
    Reject.BALANCE: (110007, "ab not enough for new order"),
    Reject.POST_ONLY: (PARAMS, "post only order will take liquidity"),
    Reject.REDUCE_ONLY: (110017, "current position is zero, cannot fix reduce-only order qty"),
    Reject.NO_LIQUIDITY: (110003, "Order price exceeds the allowable range."),
    Reject.UNKNOWN_ORDER: (110001, "order not exists or too late to {verb}"),
    Reject.ORDER_DONE: (110001, "order not exists or too late to {verb}"),
    Reject.NO_CHANGE: (
        PARAMS,
        "The order remains unchanged as the parameters entered match the existing ones.",
    ),
    Reject.AMEND_QTY: (
        110064,
        "The number of contracts modified cannot be less than or equal to the filled quantity",
    ),
    Reject.AMEND_LIMIT: (110079, "The order is processing and can not be operated, please try again later"),
    Reject.LEVERAGE: (PARAMS, "buy leverage invalid"),
}
_SPOT: dict[Reject, tuple[int, str]] = {
    Reject.UNKNOWN_SYMBOL: (170121, "Invalid symbol."),
    Reject.MARKET_CLOSED: (170151, "The trading pair is not open yet"),
    Reject.PRICE_TICK: (170134, "Order price has too many decimals."),
    Reject.PRICE_RANGE: (170132, "Order price too high."),
    Reject.PRICE_COLLAR: (170193, "Order price cannot exceed the allowable range."),
    Reject.QTY_LOT: (170137, "Order quantity has too many decimals."),
    Reject.QTY_MIN: (170136, "Order quantity exceeded lower limit."),
    Reject.QTY_MAX: (170135, "Order quantity exceeded upper limit."),
    Reject.MIN_NOTIONAL: (170140, "Order value exceeded lower limit."),
    Reject.MAX_ORDERS: (170810, "Cannot exceed maximum of 500 conditional, TP/SL and active orders."),
    Reject.DUPLICATE_CID: (170141, "Duplicate clientOrderId."),
    Reject.BALANCE: (170131, "Insufficient balance."),
    Reject.POST_ONLY: (170218, "The LIMIT-MAKER order is rejected due to invalid price."),
    Reject.REDUCE_ONLY: (170130, "Data sent for paramter 'reduceOnly' is not valid."),
    Reject.NO_LIQUIDITY: (170149, "Create order failed."),
    Reject.UNKNOWN_ORDER: (170213, "Order does not exist."),
    Reject.ORDER_DONE: (170213, "Order does not exist."),
    Reject.NO_CHANGE: (
        PARAMS,
        "The order remains unchanged as the parameters entered match the existing ones.",
    ),
    Reject.AMEND_QTY: (170313, "The modified contract quantity cannot be less than to the filled quantity."),
    Reject.AMEND_LIMIT: (170311, "Order modification failed."),
    Reject.LEVERAGE: (PARAMS, "params error: category invalid"),
}
_TABLES: dict[Category, dict[Reject, tuple[int, str]]] = {"linear": _LINEAR, "spot": _SPOT}
_VERBS: dict[Verb, str] = {"create": "create", "amend": "replace", "cancel": "cancel"}


def too_many() -> ApiError:
    """The answer to a request over its endpoint's rate."""
    return ApiError(RATE_LIMIT, "Too many visits. Exceeded the API Rate Limit.")


def rejection(reject: VenueReject, category: Category, verb: Verb) -> ApiError:
    """The venue's answer to a refusal of the exchange."""
    code, message = _TABLES[category][reject.reason]
    least = reject.detail.rpartition(" ")[2]
    return ApiError(code, message.format(verb=_VERBS[verb], least=least))
