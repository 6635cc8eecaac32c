"""Spot cancels."""

from typing import Any

from asmm_daemon.exchange.binance import spot_orders
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError, unknown_order
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.orders import OrderRecord, OrderState

RESTRICTIONS = {"ONLY_NEW": OrderState.NEW, "ONLY_PARTIALLY_FILLED": OrderState.PARTIAL}


class SpotCancel:
    """Functions that cancel orders."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def cancel(self, call: Call) -> dict[str, Any]:
        """Cancel one order."""
        board = self.desk.board(call.params)
        return self._cancel(call, board, "", call.params.client_id("newClientOrderId"))

    def replaced(self, call: Call, board: Board) -> dict[str, Any]:
        """The cancelling half of cancel-replace."""
        return self._cancel(call, board, "cancel", call.params.client_id("cancelNewClientOrderId"))

    def _cancel(self, call: Call, board: Board, prefix: str, cancel_id: str | None) -> dict[str, Any]:
        order = self.desk.order(call, board, unknown_order(), prefix)
        if not order.is_open:
            raise unknown_order()
        _restrict(call.params, order)
        shown = cancel_id or self.desk.new_client_id()
        self.desk.cancel_ids[order.oid] = shown
        self.desk.exchange.cancel(call.owner, order, call.origin)
        return spot_orders.cancelled(self.desk, order, shown)

    def cancel_all(self, call: Call) -> list[dict[str, Any]]:
        """Cancel every open order of a symbol."""
        board = self.desk.board(call.params)
        ended = self.desk.exchange.cancel_all(call.owner, board.symbol, call.origin)
        if not ended:
            raise unknown_order()
        return [spot_orders.cancelled(self.desk, order, self.desk.cancel_id(order)) for order in ended]


def _restrict(params: Params, order: OrderRecord) -> None:
    wanted = params.optional("cancelRestrictions")
    if wanted is None:
        return
    if wanted not in RESTRICTIONS:
        raise ApiError(-1145, "cancelRestrictions has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED.")
    if order.state is not RESTRICTIONS[wanted]:
        raise ApiError(-2011, "Order was not canceled due to cancel restrictions.")
