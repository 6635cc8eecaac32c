"""The USD-M user stream: ORDER_TRADE_UPDATE, TRADE_LITE, ACCOUNT_UPDATE, ACCOUNT_CONFIG_UPDATE."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.accounts import Account, Position
from asmm_daemon.exchange.binance import tags
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import fixed, plain
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.phases import Phase
from asmm_daemon.exchange.binance.usdm_orders import ms
from asmm_daemon.exchange.orders import CancelWhy, OrderRecord, Trade

EVENTS = (
    "ORDER_TRADE_UPDATE",
    "TRADE_LITE",
    "ACCOUNT_UPDATE",
    "ACCOUNT_CONFIG_UPDATE",
    "MARGIN_CALL",
    "listenKeyExpired",
)
REASONS = {"fill": "ORDER", "liquidation": "ORDER", "funding": "FUNDING_FEE"}
_EXECUTION = {Phase.NEW: "NEW", Phase.AMENDED: "AMENDMENT", Phase.TRADE: "TRADE"}
_EXPIRY = {CancelWhy.STP: "1", CancelWhy.EXPIRED: "2", CancelWhy.LIQUIDATION: "5"}


def execution_type(order: OrderRecord, phase: Phase) -> str:
    """`x` of an order update."""
    if phase is not Phase.ENDED:
        return _EXECUTION[phase]
    return "CANCELED" if tags.status(order) == "CANCELED" else "EXPIRED"


def order_update(
    desk: Desk, board: Board, order: OrderRecord, trade: Trade | None, phase: Phase, t_ns: int
) -> dict[str, Any]:
    """One change of an order."""
    tag = tags.tag_of(order)
    p_digits, q_digits = board.scales.price.digits, board.scales.qty.digits
    quote = board.market.instrument.quote
    return {
        "e": "ORDER_TRADE_UPDATE",
        "T": ms(t_ns),
        "E": ms(t_ns),
        "o": {
            "s": order.symbol,
            "c": desk.cid(order),
            "S": "BUY" if order.side > 0 else "SELL",
            "o": tag.kind,
            "f": tag.tif,
            "q": fixed(order.qty, q_digits),
            "p": fixed(order.price, p_digits) if order.price else "0",
            "ap": fixed(order.average, max(5, p_digits)) if order.filled else "0",
            "sp": "0",
            "x": execution_type(order, phase),
            "X": "NEW" if phase is Phase.NEW else tags.status(order),
            "i": order.oid,
            "l": fixed(trade.qty, q_digits) if trade else "0",
            "z": fixed(order.filled, q_digits) if order.filled else "0",
            "L": fixed(trade.price, p_digits) if trade else "0",
            "n": fixed(trade.fee, 8) if trade else "0",
            "N": trade.fee_asset if trade else quote,
            "T": ms(t_ns),
            "t": trade.tid if trade else 0,
            "b": "0",
            "a": "0",
            "m": trade.maker if trade else False,
            "R": order.reduce_only,
            "wt": "CONTRACT_PRICE",
            "ot": tag.kind,
            "ps": "BOTH",
            "cp": False,
            "rp": fixed(trade.realised, 8) if trade else "0",
            "pP": False,
            "si": 0,
            "ss": 0,
            "V": tags.STP_NAMES[order.stp],
            "pm": tag.price_match,
            "gtd": tag.good_till_ms,
            "er": _EXPIRY.get(order.why, "0") if order.why else "0",
        },
    }


def trade_lite(desk: Desk, board: Board, order: OrderRecord, trade: Trade) -> dict[str, Any]:
    """One execution, in fewer fields and ahead of the order update."""
    p_digits, q_digits = board.scales.price.digits, board.scales.qty.digits
    return {
        "e": "TRADE_LITE",
        "E": ms(trade.t_ns),
        "T": ms(trade.t_ns),
        "s": order.symbol,
        "q": fixed(order.qty, q_digits),
        "p": fixed(order.price, p_digits),
        "m": trade.maker,
        "c": desk.cid(order),
        "S": "BUY" if order.side > 0 else "SELL",
        "L": fixed(trade.price, p_digits),
        "l": fixed(trade.qty, q_digits),
        "t": trade.tid,
        "i": order.oid,
    }


def account_update(
    desk: Desk,
    account: Account,
    assets: Sequence[str],
    positions: Sequence[Position],
    reason: str,
    change: Decimal,
    t_ns: int,
) -> dict[str, Any]:
    """Balances and positions after a change; `change` is what was neither profit nor commission."""
    return {
        "e": "ACCOUNT_UPDATE",
        "T": ms(t_ns),
        "E": ms(t_ns),
        "a": {
            "B": [
                {
                    "a": asset,
                    "wb": fixed(account.balance(asset).total, 8),
                    "cw": fixed(account.balance(asset).total, 8),
                    "bc": plain(change),
                }
                for asset in assets
            ],
            "P": [_position(desk.boards[position.symbol], position) for position in positions],
            "m": reason,
        },
    }


def _position(board: Board, position: Position) -> dict[str, Any]:
    entry = plain(round(position.entry, 8))
    return {
        "s": board.symbol,
        "pa": fixed(position.qty, board.scales.qty.digits),
        "ep": entry,
        "cr": fixed(position.realised, 8),
        "up": fixed(position.unrealised(board.market.mark), 8),
        "mt": "cross",
        "iw": "0",
        "ps": "BOTH",
        "ma": board.market.instrument.quote,
        "bep": entry,
    }


def leverage_update(symbol: str, leverage: int, t_ns: int) -> dict[str, Any]:
    """A contract's leverage changed."""
    return {
        "e": "ACCOUNT_CONFIG_UPDATE",
        "E": ms(t_ns),
        "T": ms(t_ns),
        "ac": {"s": symbol, "l": leverage},
    }
