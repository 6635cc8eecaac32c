"""Spot orders: what a request asks for, and how an order reads in answers."""

import re
from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.binance import tags
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import SPOT_PLACES, fixed
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.orders import CancelWhy, NewOrder, OrderRecord, OrderType, Tif, Trade
from asmm_daemon.units import BUY, NS_PER_MS, SELL

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
_TIFS = {"GTC": Tif.GTC, "IOC": Tif.IOC, "FOK": Tif.FOK}


def ms(t_ns: int) -> int:
    """Milliseconds of a venue time."""
    return t_ns // NS_PER_MS


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
    for name in ("stopPrice", "trailingDelta", "icebergQty"):
        if params.has(name):
            raise ApiError(-1106, f"Parameter '{name}' sent when not required.")
    params.only(known)
    tif = _tif(params, kind)
    qty, quote_qty, price = _amounts(params, kind)
    tag = tags.Tag(
        kind,
        "GTC" if tif is Tif.PO or kind == "MARKET" else str(tif),
        strategy_id=params.optional_integer("strategyId"),
        strategy_type=params.optional_integer("strategyType"),
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
        stp=tags.stp_mode(params),
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


def eight(value: Decimal) -> str:
    """A decimal with spot's 8 places."""
    return fixed(value, SPOT_PLACES)


def terms(order: OrderRecord) -> dict[str, Any]:
    """The part of an order that all answers share."""
    tag = tags.tag_of(order)
    body: dict[str, Any] = {
        "price": eight(order.price),
        "origQty": eight(order.qty),
        "executedQty": eight(order.filled),
        "origQuoteOrderQty": eight(order.quote_qty or Decimal(0)),
        "cummulativeQuoteQty": eight(order.quote_filled),
        "status": tags.status(order),
        "timeInForce": tag.tif,
        "type": tag.kind,
        "side": "BUY" if order.side > 0 else "SELL",
    }
    if order.why is CancelWhy.STP:
        body |= {"preventedMatchId": 0, "preventedQuantity": eight(order.qty - order.filled)}
    if tag.strategy_id is not None:
        body["strategyId"] = tag.strategy_id
    if tag.strategy_type is not None:
        body["strategyType"] = tag.strategy_type
    return body


def ack(desk: Desk, order: OrderRecord) -> dict[str, Any]:
    """The answer to a new order, newOrderRespType ACK."""
    return {
        "symbol": order.symbol,
        "orderId": order.oid,
        "orderListId": -1,
        "clientOrderId": desk.cid(order),
        "transactTime": ms(order.updated_ns),
    }


def result(desk: Desk, order: OrderRecord) -> dict[str, Any]:
    """The answer to a new order, newOrderRespType RESULT."""
    return {
        **ack(desk, order),
        **terms(order),
        "workingTime": ms(order.created_ns),
        "selfTradePreventionMode": tags.STP_NAMES[order.stp],
    }


def full(desk: Desk, order: OrderRecord, fills: list[Trade]) -> dict[str, Any]:
    """The answer to a new order, newOrderRespType FULL."""
    return {
        **result(desk, order),
        "fills": [
            {
                "price": eight(trade.price),
                "qty": eight(trade.qty),
                "commission": eight(trade.fee),
                "commissionAsset": trade.fee_asset,
                "tradeId": trade.tid,
            }
            for trade in fills
        ],
    }


def cancelled(desk: Desk, order: OrderRecord, cancel_id: str) -> dict[str, Any]:
    """The answer to a cancel: the order, its id as the original one."""
    return {
        "symbol": order.symbol,
        "origClientOrderId": desk.cid(order),
        "orderId": order.oid,
        "orderListId": -1,
        "clientOrderId": cancel_id,
        "transactTime": ms(order.updated_ns),
        **terms(order),
        "selfTradePreventionMode": tags.STP_NAMES[order.stp],
    }


def queried(desk: Desk, order: OrderRecord) -> dict[str, Any]:
    """An order as queries and lists show it."""
    return {
        "symbol": order.symbol,
        "orderId": order.oid,
        "orderListId": -1,
        "clientOrderId": desk.cid(order),
        **terms(order),
        "stopPrice": "0.00000000",
        "icebergQty": "0.00000000",
        "time": ms(order.created_ns),
        "updateTime": ms(order.updated_ns),
        "isWorking": True,
        "workingTime": ms(order.created_ns),
        "selfTradePreventionMode": tags.STP_NAMES[order.stp],
    }


def amended(desk: Desk, order: OrderRecord, original_id: str, now_ns: int) -> dict[str, Any]:
    """The answer to an amendment that kept the order's place."""
    tag = tags.tag_of(order)
    return {
        "transactTime": ms(now_ns),
        "executionId": desk.next_execution(),
        "amendedOrder": {
            "symbol": order.symbol,
            "orderId": order.oid,
            "orderListId": -1,
            "origClientOrderId": original_id,
            "clientOrderId": desk.cid(order),
            "price": eight(order.price),
            "qty": eight(order.qty),
            "executedQty": eight(order.filled),
            "preventedQty": "0.00000000",
            "quoteOrderQty": "0.00000000",
            "cumulativeQuoteQty": eight(order.quote_filled),
            "status": tags.status(order),
            "timeInForce": tag.tif,
            "type": tag.kind,
            "side": "BUY" if order.side > 0 else "SELL",
            "workingTime": ms(order.created_ns),
            "selfTradePreventionMode": tags.STP_NAMES[order.stp],
        },
    }


def own_trade(board: Board, trade: Trade) -> dict[str, Any]:
    """One of the account's trades."""
    return {
        "symbol": board.symbol,
        "id": trade.tid,
        "orderId": trade.oid,
        "orderListId": -1,
        "price": eight(trade.price),
        "qty": eight(trade.qty),
        "quoteQty": eight(trade.quote),
        "commission": eight(trade.fee),
        "commissionAsset": trade.fee_asset,
        "time": ms(trade.t_ns),
        "isBuyer": trade.side > 0,
        "isMaker": trade.maker,
        "isBestMatch": True,
    }
