"""The history of amendments of each order."""

from collections import deque
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import SPOT_PLACES, fixed
from asmm_daemon.exchange.orders import OrderRecord
from asmm_daemon.units import NS_PER_MS

KEEP = 5_000


@dataclass(frozen=True, slots=True)
class Amendment:
    """One amendment: terms and client ids before and after."""

    number: int
    oid: int
    symbol: str
    cids: tuple[str, str]
    price: tuple[Decimal, Decimal]
    qty: tuple[Decimal, Decimal]
    count: int
    t_ns: int


class Amendments:
    """The latest amendments of all orders."""

    def __init__(self) -> None:
        self._all: deque[Amendment] = deque(maxlen=KEEP)
        self._count = 0

    def add(self, order: OrderRecord, cids: tuple[str, str], price: Decimal, qty: Decimal, t_ns: int) -> int:
        """Remembers what an order was before (`price`, `qty`); the amendment's number."""
        self._count += 1
        self._all.append(
            Amendment(
                self._count,
                order.oid,
                order.symbol,
                cids,
                (price, order.price),
                (qty, order.qty),
                order.amends,
                t_ns,
            )
        )
        return self._count

    def of(self, oid: int, limit: int) -> list[Amendment]:
        """An order's amendments, the oldest first."""
        return [amendment for amendment in self._all if amendment.oid == oid][:limit]


def spot_body(amendment: Amendment) -> dict[str, Any]:
    """As spot lists it."""
    return {
        "symbol": amendment.symbol,
        "orderId": amendment.oid,
        "executionId": amendment.number,
        "origClientOrderId": amendment.cids[0],
        "newClientOrderId": amendment.cids[1],
        "origQty": fixed(amendment.qty[0], SPOT_PLACES),
        "newQty": fixed(amendment.qty[1], SPOT_PLACES),
        "time": amendment.t_ns // NS_PER_MS,
    }


def usdm_body(board: Board, amendment: Amendment) -> dict[str, Any]:
    """As USD-M lists it."""
    price, qty = board.scales.price.digits, board.scales.qty.digits
    return {
        "amendmentId": amendment.number,
        "symbol": amendment.symbol,
        "pair": amendment.symbol,
        "orderId": amendment.oid,
        "clientOrderId": amendment.cids[1],
        "time": amendment.t_ns // NS_PER_MS,
        "amendment": {
            "price": {"before": fixed(amendment.price[0], price), "after": fixed(amendment.price[1], price)},
            "origQty": {"before": fixed(amendment.qty[0], qty), "after": fixed(amendment.qty[1], qty)},
            "count": amendment.count,
        },
        "priceMatch": "NONE",
    }
