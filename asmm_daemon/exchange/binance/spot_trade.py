"""Spot order entry and order queries."""

from typing import Any

from asmm_daemon.exchange.binance import history, spot_orders, spot_request, tags
from asmm_daemon.exchange.binance.amendments import spot_body
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError, no_such_order
from asmm_daemon.exchange.binance.prevented import listed
from asmm_daemon.exchange.binance.spot_cancel import SpotCancel
from asmm_daemon.exchange.orders import NewOrder, OrderRecord

RESPONSES = ("ACK", "RESULT", "FULL")


class SpotTrade:
    """Functions that place, test and query orders."""

    def __init__(self, desk: Desk, cancels: SpotCancel) -> None:
        self.desk = desk
        self.cancels = cancels

    def place(self, call: Call) -> dict[str, Any]:
        """New order."""
        new, response = self._request(call, spot_request.NEW_ORDER)
        return self._placed(call, self.desk.exchange.place(call.owner, new, call.origin), response)

    def test(self, call: Call) -> dict[str, Any]:
        """New order, checked and not placed."""
        known = (*spot_request.NEW_ORDER, "computeCommissionRates")
        new, _ = self._request(call, known)
        self.desk.exchange.check(call.owner, new, call.origin)
        if not call.params.flag("computeCommissionRates"):
            return {}
        instrument = self.desk.board(call.params).market.instrument
        rates = {"maker": f"{instrument.maker:.8f}", "taker": f"{instrument.taker:.8f}"}
        none = {"maker": "0.00000000", "taker": "0.00000000"}
        return {
            "standardCommissionForOrder": rates,
            "specialCommissionForOrder": none,
            "taxCommissionForOrder": none,
            "discount": {
                "enabledForAccount": False,
                "enabledForSymbol": False,
                "discountAsset": "BNB",
                "discount": "0.25000000",
            },
        }

    def _request(self, call: Call, known: tuple[str, ...]) -> tuple[NewOrder, str]:
        new = spot_request.parse_new(self.desk, call.params, known)
        default = "ACK" if call.params.text("type") == "LIMIT_MAKER" else "FULL"
        return new, tags.response_type(call.params, default, RESPONSES)

    def _placed(self, call: Call, order: OrderRecord, response: str) -> dict[str, Any]:
        if response == "ACK":
            return spot_orders.ack(self.desk, order)
        if response == "RESULT":
            return spot_orders.result(self.desk, order)
        fills = [trade for trade in reversed(call.owner.trades) if trade.oid == order.oid]
        fills.reverse()
        return spot_orders.full(self.desk, order, fills)

    def replace(self, call: Call) -> dict[str, Any]:
        """Cancel an order and send a new one, by `cancelReplaceMode`."""
        params = call.params
        board = self.desk.board(params)
        mode = params.text("cancelReplaceMode")
        if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise ApiError(-1130, "Data sent for parameter 'cancelReplaceMode' is not valid.")
        new, response = self._request(call, (*spot_request.NEW_ORDER, *spot_request.REPLACE))
        spot_request.check_filters(board, new)
        cancel_result, cancel_body = self._attempt(lambda: self.cancels.replaced(call, board))
        if cancel_result == "FAILURE" and mode == "STOP_ON_FAILURE":
            raise _replace_error(cancel_result, "NOT_ATTEMPTED", cancel_body, None)
        new_result, new_body = self._attempt(
            lambda: self._placed(call, self.desk.exchange.place(call.owner, new, call.origin), response)
        )
        if "FAILURE" in (cancel_result, new_result):
            raise _replace_error(cancel_result, new_result, cancel_body, new_body)
        return {
            "cancelResult": cancel_result,
            "newOrderResult": new_result,
            "cancelResponse": cancel_body,
            "newOrderResponse": new_body,
        }

    def _attempt(self, action: Any) -> tuple[str, dict[str, Any]]:
        try:
            return "SUCCESS", self.desk.refusing(action)
        except ApiError as error:
            return "FAILURE", error.body()

    def amend(self, call: Call) -> dict[str, Any]:
        """Reduce an order's quantity without losing its place."""
        params = call.params
        board = self.desk.board(params)
        order = self.desk.order(call, board, ApiError(-2038, "Unknown order sent."))
        if not order.is_open:
            raise ApiError(-2038, "Unknown order sent.")
        qty = params.decimal("newQty")
        cid = params.client_id("newClientOrderId") or self.desk.new_client_id()
        original, before = self.desk.cid(order), order.qty
        self.desk.renaming[order.oid] = cid
        try:
            self.desk.exchange.amend(call.owner, order, qty=qty, shrink_only=True, origin=call.origin)
        finally:
            self.desk.renaming.pop(order.oid, None)
        if cid != original:
            self.desk.rename(order, cid)
        self.desk.amendments.add(order, (original, cid), order.price, before, call.now_ns)
        return spot_orders.amended(self.desk, order, original, call.now_ns)

    def amendments(self, call: Call) -> list[dict[str, Any]]:
        """The history of an order's amendments."""
        self.desk.board(call.params)
        found = self.desk.amendments.of(call.params.integer("orderId"), call.params.limit(500, 1000))
        return [spot_body(amendment) for amendment in found]

    def query(self, call: Call) -> dict[str, Any]:
        """One order's status."""
        board = self.desk.board(call.params)
        return spot_orders.queried(self.desk, self.desk.order(call, board, no_such_order()))

    def open_orders(self, call: Call) -> list[dict[str, Any]]:
        """All resting orders."""
        board = self.desk.optional_board(call.params)
        found = self.desk.exchange.open_orders(call.owner, board.symbol if board else None)
        return [spot_orders.queried(self.desk, order) for order in found]

    def all_orders(self, call: Call) -> list[dict[str, Any]]:
        """Orders of a symbol, ended ones too."""
        board = self.desk.board(call.params)
        records = self.desk.exchange.all_orders(call.owner, board.symbol)
        chosen = history.orders(records, call.params, call.params.limit(500, 1000), spot=True)
        return [spot_orders.queried(self.desk, order) for order in chosen]

    def my_trades(self, call: Call) -> list[dict[str, Any]]:
        """The account's trades on a symbol."""
        board = self.desk.board(call.params)
        limit = call.params.limit(500, 1000)
        trades = history.own_trades(call.owner, board.symbol, call.params, limit, spot=True)
        return [spot_orders.own_trade(board, trade) for trade in trades]

    def prevented_matches(self, call: Call) -> list[dict[str, Any]]:
        """Matches that self-trade prevention stopped: one by its id, or those of an order."""
        params = call.params
        board = self.desk.board(params)
        number, oid = params.optional_integer("preventedMatchId"), params.optional_integer("orderId")
        if (number is None) == (oid is None):
            raise ApiError(-1128, "Combination of optional parameters invalid.")
        first = params.optional_integer("fromPreventedMatchId") or 0
        found = self.desk.prevented.of(call.owner.name, board.symbol, oid, number)
        return [listed(match) for match in found if match.number >= first][: params.limit(500, 1000)]


def _replace_error(
    cancel_result: str, new_result: str, cancel_body: dict[str, Any], new_body: dict[str, Any] | None
) -> ApiError:
    data = {
        "cancelResult": cancel_result,
        "newOrderResult": new_result,
        "cancelResponse": cancel_body,
        "newOrderResponse": new_body,
    }
    if "SUCCESS" in (cancel_result, new_result):
        return ApiError(-2021, "Order cancel-replace partially failed.", status=409, data=data)
    return ApiError(-2022, "Order cancel-replace failed.", data=data)
