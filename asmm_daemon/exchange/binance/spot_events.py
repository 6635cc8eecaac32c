"""The spot user stream: executionReport, outboundAccountPosition, balanceUpdate."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.binance import tags
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.phases import Phase
from asmm_daemon.exchange.binance.spot_orders import eight, ms
from asmm_daemon.exchange.orders import CancelWhy, OrderRecord, OrderState, Trade

EVENTS = (
    "executionReport",
    "outboundAccountPosition",
    "balanceUpdate",
    "listenKeyExpired",
    "eventStreamTerminated",
)
_EXECUTION = {Phase.NEW: "NEW", Phase.AMENDED: "REPLACED", Phase.TRADE: "TRADE"}


def execution_type(order: OrderRecord, phase: Phase) -> str:
    """`x` of an execution report."""
    if phase is not Phase.ENDED:
        return _EXECUTION[phase]
    if order.why is CancelWhy.STP:
        return "TRADE_PREVENTION"
    return "CANCELED" if order.state is OrderState.CANCELLED else "EXPIRED"


def execution_report(
    desk: Desk, order: OrderRecord, trade: Trade | None, phase: Phase, t_ns: int
) -> dict[str, Any]:
    """One change of an order."""
    tag = tags.tag_of(order)
    kind = execution_type(order, phase)
    shown, original = desk.cid(order), ""
    if kind == "CANCELED":
        shown, original = desk.cancel_id(order), desk.cid(order)
    elif kind == "REPLACED":
        shown, original = desk.renaming.get(order.oid, shown), desk.cid(order)
    zero = "0.00000000"
    event: dict[str, Any] = {
        "e": "executionReport",
        "E": ms(t_ns),
        "s": order.symbol,
        "c": shown,
        "S": "BUY" if order.side > 0 else "SELL",
        "o": tag.kind,
        "f": tag.tif,
        "q": eight(order.qty),
        "p": eight(order.price),
        "P": zero,
        "F": zero,
        "g": -1,
        "C": original,
        "x": kind,
        "X": "NEW" if phase is Phase.NEW else tags.status(order),
        "r": "NONE",
        "i": order.oid,
        "l": eight(trade.qty) if trade else zero,
        "z": eight(order.filled),
        "L": eight(trade.price) if trade else zero,
        "n": eight(trade.fee) if trade else "0",
        "N": trade.fee_asset if trade else None,
        "T": ms(t_ns),
        "t": trade.tid if trade else -1,
        "I": desk.next_execution(),
        "w": phase is Phase.NEW or order.is_open,
        "m": trade.maker if trade else False,
        "M": trade is not None,
        "O": ms(order.created_ns),
        "Z": eight(order.quote_filled),
        "Y": eight(trade.quote) if trade else zero,
        "Q": eight(order.quote_qty or Decimal(0)),
        "W": ms(order.created_ns),
        "V": tags.STP_NAMES[order.stp],
    }
    match = desk.prevented_match(order)
    if kind == "TRADE_PREVENTION" and match is not None:
        left = eight(order.qty - order.filled)
        event |= {"v": match.number, "A": left, "B": left, "U": order.met, "Cs": order.symbol}
    if tag.strategy_id is not None:
        event["j"] = tag.strategy_id
    if tag.strategy_type is not None:
        event["J"] = tag.strategy_type
    return event


def account_position(account: Account, assets: Sequence[str], t_ns: int) -> dict[str, Any]:
    """Balances after a change."""
    return {
        "e": "outboundAccountPosition",
        "E": ms(t_ns),
        "u": ms(t_ns),
        "B": [
            {
                "a": asset,
                "f": eight(account.balance(asset).free),
                "l": eight(account.balance(asset).locked),
            }
            for asset in assets
        ],
    }


def balance_update(asset: str, delta: Decimal, t_ns: int) -> dict[str, Any]:
    """A deposit or withdrawal."""
    return {"e": "balanceUpdate", "E": ms(t_ns), "a": asset, "d": eight(delta), "T": ms(t_ns)}
