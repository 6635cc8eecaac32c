"""USD-M orders as answers show them."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.binance import tags
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import fixed
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.orders import NewOrder, OrderRecord, Trade
from asmm_daemon.units import NS_PER_MS


def ms(t_ns: int) -> int:
    """Milliseconds of a venue time."""
    return t_ns // NS_PER_MS


def average_text(board: Board, order: OrderRecord) -> str:
    """The average price with the contract's precision and four more, as the venue writes it."""
    if not order.filled:
        return fixed(Decimal(0), board.scales.price.digits)
    return fixed(order.average, max(5, board.scales.price.digits))


def body(desk: Desk, board: Board, order: OrderRecord) -> dict[str, Any]:
    """An order as every answer shows it."""
    tag = tags.tag_of(order)
    p_digits, q_digits = board.scales.price.digits, board.scales.qty.digits
    return {
        "orderId": order.oid,
        "symbol": order.symbol,
        "status": tags.status(order),
        "clientOrderId": desk.cid(order),
        "price": fixed(order.price, p_digits),
        "avgPrice": average_text(board, order),
        "origQty": fixed(order.qty, q_digits),
        "executedQty": fixed(order.filled, q_digits),
        "cumQty": fixed(order.filled, q_digits),
        "cumQuote": fixed(order.quote_filled, max(5, p_digits)),
        "timeInForce": tag.tif,
        "type": tag.kind,
        "reduceOnly": order.reduce_only,
        "closePosition": False,
        "side": "BUY" if order.side > 0 else "SELL",
        "positionSide": "BOTH",
        "stopPrice": fixed(Decimal(0), p_digits),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": tag.kind,
        "priceMatch": tag.price_match,
        "selfTradePreventionMode": tags.STP_NAMES[order.stp],
        "goodTillDate": tag.good_till_ms,
        "updateTime": ms(order.updated_ns),
    }


def accepted(desk: Desk, board: Board, order: OrderRecord) -> dict[str, Any]:
    """The answer to a new order, newOrderRespType ACK: as it was accepted, before any execution."""
    before = replace(order, filled=Decimal(0), quote_filled=Decimal(0))
    return {**body(desk, board, before), "status": "NEW", "updateTime": ms(order.created_ns)}


def tested(board: Board, new: NewOrder, now_ns: int) -> dict[str, Any]:
    """The answer to a test order: as a new order's, without an order id."""
    tag = new.tag if isinstance(new.tag, tags.Tag) else tags.Tag()
    zero = fixed(Decimal(0), board.scales.qty.digits)
    return {
        "orderId": 0,
        "symbol": new.symbol,
        "status": "NEW",
        "clientOrderId": new.cid,
        "price": fixed(new.price or Decimal(0), board.scales.price.digits),
        "avgPrice": fixed(Decimal(0), board.scales.price.digits),
        "origQty": fixed(new.qty or Decimal(0), board.scales.qty.digits),
        "executedQty": zero,
        "cumQty": zero,
        "cumQuote": fixed(Decimal(0), 5),
        "timeInForce": tag.tif,
        "type": tag.kind,
        "reduceOnly": new.reduce_only,
        "closePosition": False,
        "side": "BUY" if new.side > 0 else "SELL",
        "positionSide": "BOTH",
        "stopPrice": fixed(Decimal(0), board.scales.price.digits),
        "workingType": "CONTRACT_PRICE",
        "priceProtect": False,
        "origType": tag.kind,
        "priceMatch": tag.price_match,
        "selfTradePreventionMode": tags.STP_NAMES[new.stp],
        "goodTillDate": tag.good_till_ms,
        "updateTime": ms(now_ns),
    }


def queried(desk: Desk, board: Board, order: OrderRecord) -> dict[str, Any]:
    """An order as queries and lists show it."""
    out = body(desk, board, order)
    del out["cumQty"]
    out["time"] = ms(order.created_ns)
    return out


def own_trade(board: Board, trade: Trade) -> dict[str, Any]:
    """One of the account's trades."""
    return {
        "symbol": board.symbol,
        "id": trade.tid,
        "orderId": trade.oid,
        "side": "BUY" if trade.side > 0 else "SELL",
        "price": fixed(trade.price, board.scales.price.digits),
        "qty": fixed(trade.qty, board.scales.qty.digits),
        "realizedPnl": fixed(trade.realised, 8),
        "quoteQty": fixed(trade.quote, 8),
        "commission": fixed(trade.fee, 8),
        "commissionAsset": trade.fee_asset,
        "time": ms(trade.t_ns),
        "positionSide": "BOTH",
        "buyer": trade.side > 0,
        "maker": trade.maker,
    }
