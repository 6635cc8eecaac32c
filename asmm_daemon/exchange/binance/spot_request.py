"""What a spot order request asks for, checked as far as the exchange itself does not."""

import re
from decimal import Decimal

from asmm_daemon.exchange.binance import tags
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import SPOT_PLACES
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.orders import NewOrder, OrderType, Stp, Tif
from asmm_daemon.units import BUY, SELL

NEW_ORDER = (
    "symbol",
    "side",
    "type",
    "timeInForce",
    "quantity",
    "quoteOrderQty",
    "price",
    "newClientOrderId",
    "strategyId",
    "strategyType",
    "newOrderRespType",
    "selfTradePreventionMode",
    "recvWindow",
    "timestamp",
    "signature",
    "apiKey",
    "returnRateLimits",
)
REPLACE = (
    "cancelReplaceMode",
    "cancelNewClientOrderId",
    "cancelOrigClientOrderId",
    "cancelOrderId",
    "cancelRestrictions",
    "orderRateLimitExceededMode",
)
_SYMBOL = re.compile(r"^[A-Z0-9\-_.]{1,20}$")
_UNSUPPORTED = {
    "STOP_LOSS": "Stop loss orders are not supported for this symbol.",
    "STOP_LOSS_LIMIT": "Stop loss limit orders are not supported for this symbol.",
    "TAKE_PROFIT": "Take profit orders are not supported for this symbol.",
    "TAKE_PROFIT_LIMIT": "Take profit limit orders are not supported for this symbol.",
}
_STP_MODES = ("NONE", *tags.SPOT_STP_MODES, "DECREMENT", "TRANSFER")
LEAST_STRATEGY_TYPE = 1_000_000
_TIFS = {"GTC": Tif.GTC, "IOC": Tif.IOC, "FOK": Tif.FOK}


def parse_new(desk: Desk, params: Params, known: tuple[str, ...] = NEW_ORDER) -> NewOrder:
    """A new order's request, checked as far as the exchange itself does not."""
    symbol = params.text("symbol")
    if not _SYMBOL.match(symbol):
        raise ApiError(
            -1100, "Illegal characters found in parameter 'symbol'; legal range is '^[A-Z0-9-_.]{1,20}$'."
        )
    desk.board_of(symbol)
    side = BUY if tags.side(params) == "BUY" else SELL
    kind = params.text("type")
    if kind in _UNSUPPORTED:
        raise ApiError(-1013, _UNSUPPORTED[kind])
    if kind not in ("LIMIT", "MARKET", "LIMIT_MAKER"):
        raise ApiError(-1116, "Invalid orderType.")
    if params.has("icebergQty"):
        raise ApiError(-1013, "Iceberg orders are not supported for this symbol.")
    for name in ("stopPrice", "trailingDelta"):
        if params.has(name):
            raise ApiError(-1106, f"Parameter '{name}' sent when not required.")
    params.only(known)
    tif = _tif(params, kind)
    qty, quote_qty, price = _amounts(params, kind)
    strategy = params.optional_integer("strategyType")
    if strategy is not None and strategy < LEAST_STRATEGY_TYPE:
        raise ApiError(-1134, f"strategyType was less than {LEAST_STRATEGY_TYPE}.")
    tag = tags.Tag(
        kind,
        "GTC" if tif is Tif.PO or kind == "MARKET" else str(tif),
        strategy_id=params.optional_integer("strategyId"),
        strategy_type=strategy,
    )
    return NewOrder(
        symbol=symbol,
        side=side,
        kind=OrderType.MARKET if kind == "MARKET" else OrderType.LIMIT,
        tif=tif,
        qty=qty,
        price=price,
        quote_qty=quote_qty,
        cid=params.client_id("newClientOrderId") or desk.new_client_id(),
        stp=_stp(params),
        tag=tag,
    )


def _tif(params: Params, kind: str) -> Tif:
    if kind != "LIMIT":
        if params.has("timeInForce"):
            raise ApiError(-1106, "Parameter 'timeInForce' sent when not required.")
        return Tif.PO if kind == "LIMIT_MAKER" else Tif.IOC
    value = params.text("timeInForce")
    if value not in _TIFS:
        raise ApiError(-1115, "Invalid timeInForce.")
    return _TIFS[value]


def _stp(params: Params) -> Stp:
    mode = params.optional("selfTradePreventionMode")
    if mode in _STP_MODES and mode not in tags.SPOT_STP_MODES:
        raise ApiError(-1013, "This symbol does not allow the specified self-trade prevention mode.")
    return tags.stp_mode(params)


def _amounts(params: Params, kind: str) -> tuple[Decimal | None, Decimal | None, Decimal | None]:
    if kind == "MARKET":
        if params.has("price"):
            raise ApiError(-1106, "Parameter 'price' sent when not required.")
        if not params.has("quantity"):
            if not params.has("quoteOrderQty"):
                raise ApiError(
                    -1102, "Param 'quantity' or 'quoteOrderQty' must be sent, but both were empty/null!"
                )
            return None, _positive(params, "quoteOrderQty", "Invalid quoteOrderQty."), None
        if params.has("quoteOrderQty"):
            raise ApiError(-1106, "Parameter 'quoteOrderQty' sent when not required.")
        return _positive(params, "quantity", "Invalid quantity."), None, None
    if params.has("quoteOrderQty"):
        raise ApiError(-1106, "Parameter 'quoteOrderQty' sent when not required.")
    qty = _positive(params, "quantity", "Invalid quantity.")
    return qty, None, _positive(params, "price", "Invalid price.")


def _positive(params: Params, name: str, message: str) -> Decimal:
    value = params.decimal(name)
    if value <= 0:
        raise ApiError(-1013, message)
    if -int(value.as_tuple().exponent) > SPOT_PLACES and value != round(value, SPOT_PLACES):
        raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
    return value


def check_filters(board: Board, new: NewOrder) -> None:
    """The symbol's filters, which cancel-replace evaluates before it cancels anything."""
    market, instrument = board.market, board.market.instrument
    if new.price is not None and new.price % market.tick:
        raise ApiError(-1013, "Filter failure: PRICE_FILTER")
    if new.qty is not None:
        if new.qty % market.lot or new.qty < instrument.qty(instrument.min_qty):
            raise ApiError(-1013, "Filter failure: LOT_SIZE")
        if new.price is not None and new.price * new.qty < instrument.min_notional:
            raise ApiError(-1013, "Filter failure: NOTIONAL")
