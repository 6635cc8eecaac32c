"""What Binance remembers of an order beyond what it is to the exchange."""

from dataclasses import dataclass

from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.orders import CancelWhy, OrderRecord, OrderState, OrderType, Stp, Tif

STP_MODES = {
    "NONE": Stp.NONE,
    "EXPIRE_TAKER": Stp.TAKER,
    "EXPIRE_MAKER": Stp.MAKER,
    "EXPIRE_BOTH": Stp.BOTH,
}
SPOT_STP_MODES = ("EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
"""What every spot symbol allows; USD-M allows all."""
STP_NAMES = {mode: name for name, mode in STP_MODES.items()}
STATUS = {
    OrderState.NEW: "NEW",
    OrderState.PARTIAL: "PARTIALLY_FILLED",
    OrderState.FILLED: "FILLED",
    OrderState.CANCELLED: "CANCELED",
    OrderState.EXPIRED: "EXPIRED",
}


@dataclass(frozen=True, slots=True)
class Tag:
    """The venue's own words for an order; an order without one (a liquidation) has these defaults."""

    kind: str = "LIMIT"
    tif: str = "GTC"
    price_match: str = "NONE"
    good_till_ms: int = 0
    strategy_id: int | None = None
    strategy_type: int | None = None


def tag_of(order: OrderRecord) -> Tag:
    """An order's tag, or one that fits its type."""
    if isinstance(order.tag, Tag):
        return order.tag
    return Tag("MARKET" if order.kind is OrderType.MARKET else "LIMIT", _plain_tif(order.tif))


def _plain_tif(tif: Tif) -> str:
    return "GTC" if tif is Tif.PO else str(tif)


def status(order: OrderRecord) -> str:
    """An order's status in Binance's words."""
    if order.why is CancelWhy.STP and not order.is_open:
        return "EXPIRED_IN_MATCH"
    if order.why is CancelWhy.POST_ONLY and not order.is_open:
        return "CANCELED"
    return STATUS[order.state]


def side(params: Params) -> str:
    """BUY or SELL."""
    value = params.text("side")
    if value not in ("BUY", "SELL"):
        raise ApiError(-1117, "Invalid side.")
    return value


def stp_mode(params: Params) -> Stp:
    """The self-trade prevention asked for; the symbols' default is to expire the maker."""
    value = params.optional("selfTradePreventionMode")
    if value is None:
        return Stp.MAKER
    if value not in STP_MODES:
        raise ApiError(-1130, "Data sent for parameter 'selfTradePreventionMode' is not valid.")
    return STP_MODES[value]


def response_type(params: Params, default: str, allowed: tuple[str, ...]) -> str:
    """`newOrderRespType`."""
    value = params.optional("newOrderRespType")
    if value is None:
        return default
    if value not in allowed:
        raise ApiError(-1136, "Invalid newOrderRespType.")
    return value
