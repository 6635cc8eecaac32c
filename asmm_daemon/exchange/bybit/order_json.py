"""Orders and executions as `/v5/order/*`, `/v5/execution/list` and the private topics show them.

Sources: https://bybit-exchange.github.io/docs/v5/order/open-order,
https://bybit-exchange.github.io/docs/v5/websocket/private/order and .../private/execution
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.bybit.codes import Category
from asmm_daemon.exchange.bybit.ids import venue_id
from asmm_daemon.exchange.bybit.text import ms, plain
from asmm_daemon.exchange.orders import CancelWhy, OrderRecord, OrderState, OrderType, Stp, Tif, Trade
from asmm_daemon.units import BUY, Side

SIDES: dict[str, Side] = {"Buy": 1, "Sell": -1}
TYPES = {"Limit": OrderType.LIMIT, "Market": OrderType.MARKET}
TIFS = {"GTC": Tif.GTC, "IOC": Tif.IOC, "FOK": Tif.FOK, "PostOnly": Tif.PO}
SMP = {"None": Stp.NONE, "CancelTaker": Stp.TAKER, "CancelMaker": Stp.MAKER, "CancelBoth": Stp.BOTH}
_SIDE_NAMES = {side: name for name, side in SIDES.items()}
_TYPE_NAMES = {kind: name for name, kind in TYPES.items()}
_TIF_NAMES = {tif: name for name, tif in TIFS.items()}
_SMP_NAMES = {stp: name for name, stp in SMP.items()}
_CANCEL_TYPES = {
    CancelWhy.USER: "CancelByUser",
    CancelWhy.ALL: "CancelByUser",
    CancelWhy.DEADMAN: "CancelByDCP",
    CancelWhy.STP: "CancelBySmp",
    CancelWhy.LIQUIDATION: "CancelByPrepareLiq",
}
_REASONS = {
    CancelWhy.USER: "EC_PerCancelRequest",
    CancelWhy.ALL: "EC_PerCancelRequest",
    CancelWhy.DEADMAN: "EC_PerCancelRequest",
    CancelWhy.STP: "EC_BySelfMatch",
    CancelWhy.POST_ONLY: "EC_PostOnlyWillTakeLiquidity",
    CancelWhy.LIQUIDATION: "EC_PerCancelRequest",
}


@dataclass(slots=True)
class OrderTag:
    """What the wire keeps on an order.

    The id that its sender gave ("" for none), the last price when it came, its realised profit so far.
    """

    link_id: str
    last_price: str
    market_unit: str = ""
    close_on_trigger: bool = False
    closed_pnl: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Execution:
    """One execution with what the venue tells of its order at that moment; `left` in lots."""

    trade: Trade
    order: OrderRecord
    left: Decimal
    fee_rate: Decimal
    closed_size: Decimal
    mark: str
    seq: int


def tag_of(order: OrderRecord) -> OrderTag:
    """The wire's own part of an order; an empty one for orders that the venue made by itself."""
    return order.tag if isinstance(order.tag, OrderTag) else OrderTag("", "")


def side_name(side: int) -> str:
    """Buy or Sell."""
    return "Buy" if side == BUY else "Sell"


def status(order: OrderRecord, category: Category) -> str:
    """`orderStatus`. Spot alone knows PartiallyFilledCanceled, and rejects a crossing post-only."""
    if order.state is OrderState.NEW:
        return "New"
    if order.state is OrderState.PARTIAL:
        return "PartiallyFilled"
    if order.state is OrderState.FILLED:
        return "Filled"
    if category == "spot" and order.why is CancelWhy.POST_ONLY:
        return "Rejected"
    return "PartiallyFilledCanceled" if category == "spot" and order.filled else "Cancelled"


def _lost_its_position(order: OrderRecord) -> bool:
    return order.why is CancelWhy.EXPIRED and order.tif in (Tif.GTC, Tif.PO)


def cancel_type(order: OrderRecord) -> str:
    """`cancelType`: who ended an order, UNKNOWN where nobody did."""
    if order.why is None:
        return "UNKNOWN"
    return "CancelByReduceOnly" if _lost_its_position(order) else _CANCEL_TYPES.get(order.why, "UNKNOWN")


def reject_reason(order: OrderRecord) -> str:
    """`rejectReason`: why an order ended; an IOC, FOK or market remainder has its own."""
    if order.why is None or _lost_its_position(order):
        return "EC_NoError"
    if order.why is CancelWhy.EXPIRED:
        return "EC_CancelForNoFullFill" if order.tif is Tif.FOK else "EC_NoImmediateQtyToFill"
    return _REASONS[order.why]


def order_json(order: OrderRecord, category: Category) -> dict[str, Any]:
    """One order, the fields that REST and stream share."""
    tag = tag_of(order)
    fees = sum(order.fees.values(), Decimal(0))
    left = order.qty - order.filled if order.is_open else Decimal(0)
    spot = category == "spot"
    body = {
        "symbol": order.symbol,
        "orderId": venue_id(order.oid, "order", category),
        "orderLinkId": tag.link_id,
        "blockTradeId": "",
        "side": _SIDE_NAMES[order.side],
        "positionIdx": 0,
        "orderStatus": status(order, category),
        "cancelType": cancel_type(order),
        "rejectReason": reject_reason(order),
        "timeInForce": _TIF_NAMES[order.tif],
        "isLeverage": "0" if spot else "",
        "price": format(order.price, "f"),
        "qty": format(order.qty, "f"),
        "avgPrice": plain(order.average) if order.filled else "",
        "leavesQty": plain(left),
        "leavesValue": plain(left * order.price),
        "cumExecQty": plain(order.filled),
        "cumExecValue": plain(order.quote_filled),
        "cumExecFee": plain(fees),
        "cumFeeDetail": {asset: plain(fee) for asset, fee in order.fees.items()},
        "orderType": _TYPE_NAMES[order.kind],
        "stopOrderType": "",
        "orderIv": "",
        "marketUnit": tag.market_unit,
        "triggerPrice": "",
        "takeProfit": "",
        "stopLoss": "",
        "triggerBy": "",
        "tpTriggerBy": "",
        "slTriggerBy": "",
        "triggerDirection": 0,
        "placeType": "",
        "lastPriceOnCreated": tag.last_price,
        "closeOnTrigger": tag.close_on_trigger,
        "reduceOnly": order.reduce_only,
        "smpGroup": 0,
        "smpType": _SMP_NAMES[order.stp],
        "smpOrderId": "" if order.met is None else venue_id(order.met, "order", category),
        "slLimitPrice": "0",
        "tpLimitPrice": "0",
        "createdTime": str(ms(order.created_ns)),
        "updatedTime": str(ms(order.updated_ns)),
    }
    if spot:
        return body | {"basePrice": tag.last_price, "ocoTriggerBy": ""}
    return body | {"createType": _create_type(order), "tpslMode": "UNKNOWN"}


def _create_type(order: OrderRecord) -> str:
    return "CreateByUser" if isinstance(order.tag, OrderTag) else "CreateByLiq"


def order_event(order: OrderRecord, category: Category) -> dict[str, Any]:
    """One order as the `order` topic pushes it."""
    tag = tag_of(order)
    currency = next(iter(order.fees), "") if category == "spot" else ""
    return order_json(order, category) | {
        "category": category,
        "closedPnl": plain(tag.closed_pnl),
        "feeCurrency": currency,
        "slippageToleranceType": "UNKNOWN",
        "slippageTolerance": "",
    }


def execution_json(execution: Execution, category: Category) -> dict[str, Any]:
    """One execution, the fields that REST and stream share."""
    trade, order = execution.trade, execution.order
    tag = tag_of(order)
    body = {
        "symbol": trade.symbol,
        "orderId": venue_id(trade.oid, "order", category),
        "orderLinkId": tag.link_id,
        "side": _SIDE_NAMES[trade.side],
        "orderPrice": format(order.price, "f"),
        "orderQty": format(order.qty, "f"),
        "leavesQty": plain(execution.left),
        "orderType": _TYPE_NAMES[order.kind],
        "stopOrderType": "" if category == "spot" else "UNKNOWN",
        "execFee": plain(trade.fee),
        "execId": venue_id(trade.tid, "trade", category),
        "execPrice": format(trade.price, "f"),
        "execQty": format(trade.qty, "f"),
        "execType": "Trade",
        "execValue": plain(trade.quote),
        "execTime": str(ms(trade.t_ns)),
        "isMaker": trade.maker,
        "feeRate": plain(execution.fee_rate),
        "feeCurrency": trade.fee_asset,
        "tradeIv": "",
        "markIv": "",
        "markPrice": execution.mark,
        "indexPrice": "",
        "underlyingPrice": "",
        "blockTradeId": "",
        "closedSize": plain(execution.closed_size),
        "isLeverage": "0",
        "marketUnit": tag.market_unit,
        "seq": execution.seq,
    }
    return body if category == "spot" else body | {"createType": _create_type(order)}


def execution_event(execution: Execution, category: Category) -> dict[str, Any]:
    """One execution as the `execution` topic pushes it."""
    row = {"category": category, **execution_json(execution, category)}
    return row if category == "spot" else row | {"execPnl": plain(execution.trade.realised)}


def fast_execution(execution: Execution, category: Category) -> dict[str, Any]:
    """One execution as `execution.fast` pushes it; a maker's `orderLinkId` is always empty."""
    trade, tag = execution.trade, tag_of(execution.order)
    return {
        "category": category,
        "symbol": trade.symbol,
        "execId": venue_id(trade.tid, "trade", category),
        "execPrice": format(trade.price, "f"),
        "execQty": format(trade.qty, "f"),
        "orderId": venue_id(trade.oid, "order", category),
        "isMaker": trade.maker,
        "orderLinkId": "" if trade.maker else tag.link_id,
        "side": _SIDE_NAMES[trade.side],
        "execTime": str(ms(trade.t_ns)),
        "seq": execution.seq,
    }
