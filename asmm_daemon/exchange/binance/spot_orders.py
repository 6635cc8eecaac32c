"""Spot orders as answers show them."""

from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.binance import tags
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import SPOT_PLACES, fixed
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.prevented import brief
from asmm_daemon.exchange.orders import CancelWhy, OrderRecord, Trade
from asmm_daemon.units import NS_PER_MS


def ms(t_ns: int) -> int:
    """Milliseconds of a venue time."""
    return t_ns // NS_PER_MS


def eight(value: Decimal) -> str:
    """A decimal with spot's 8 places."""
    return fixed(value, SPOT_PLACES)


def terms(desk: Desk, order: OrderRecord) -> dict[str, Any]:
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
    match = desk.prevented_match(order)
    if match is not None and order.why is CancelWhy.STP:
        body |= {"preventedMatchId": match.number, "preventedQuantity": eight(order.qty - order.filled)}
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
        **terms(desk, order),
        "workingTime": ms(order.created_ns),
        "selfTradePreventionMode": tags.STP_NAMES[order.stp],
    }


def full(desk: Desk, order: OrderRecord, fills: list[Trade]) -> dict[str, Any]:
    """The answer to a new order, newOrderRespType FULL."""
    prevented = desk.prevented.of(order.account, order.symbol, order.oid, None)
    return {
        **result(desk, order),
        **({"preventedMatches": [brief(match) for match in prevented]} if prevented else {}),
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
        **terms(desk, order),
        "selfTradePreventionMode": tags.STP_NAMES[order.stp],
    }


def queried(desk: Desk, order: OrderRecord) -> dict[str, Any]:
    """An order as queries and lists show it."""
    return {
        "symbol": order.symbol,
        "orderId": order.oid,
        "orderListId": -1,
        "clientOrderId": desk.cid(order),
        **terms(desk, order),
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
