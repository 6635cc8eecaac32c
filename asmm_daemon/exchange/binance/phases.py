"""Tells what an order callback means: accepted, amended, executed, or ended."""

from enum import Enum

from asmm_daemon.exchange.orders import OrderRecord, Trade


class Phase(Enum):
    """What happened to an order."""

    NEW = "new"
    AMENDED = "amended"
    TRADE = "trade"
    ENDED = "ended"


class Phases:
    """Remembers how often each open order was amended, to tell an amendment from an acceptance."""

    def __init__(self) -> None:
        self._amends: dict[int, int] = {}

    def of(self, order: OrderRecord, trade: Trade | None) -> Phase:
        """The phase of one callback."""
        if trade is not None:
            if not order.is_open:
                self._amends.pop(order.oid, None)
            return Phase.TRADE
        if not order.is_open:
            self._amends.pop(order.oid, None)
            return Phase.ENDED
        if order.oid not in self._amends:
            self._amends[order.oid] = order.amends
            return Phase.NEW
        self._amends[order.oid] = order.amends
        return Phase.AMENDED
