"""USD-M order entry and order queries."""

from collections.abc import Callable, Mapping
from typing import Any

import orjson

from asmm_daemon.exchange.binance import history, tags, usdm_orders, usdm_request
from asmm_daemon.exchange.binance.amendments import usdm_body
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError, no_such_order, unknown_order
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.orders import CancelWhy, NewOrder, OrderRecord, Reject, Tif, VenueReject
from asmm_daemon.units import BUY, NS_PER_MS, SELL

RESPONSES = ("ACK", "RESULT")
MAX_BATCH = 5
MAX_BATCH_CANCEL = 10


def batch(params: Params) -> list[Params]:
    """The orders of a batch request."""
    return [Params(item) for item in _objects(params.text("batchOrders"))]


def _objects(text: str) -> list[Mapping[str, str]]:
    try:
        items = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ApiError(-1130, "Data sent for parameter 'batchOrders' is not valid.") from error
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ApiError(-1130, "Data sent for parameter 'batchOrders' is not valid.")
    if not 1 <= len(items) <= MAX_BATCH:
        raise ApiError(-4082, f"Invalid number of batch place orders: {len(items)}")
    return [{key: _text(value) for key, value in item.items() if value is not None} for item in items]


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


class UsdmTrade:
    """Functions that place, modify, cancel and query orders."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def place(self, call: Call) -> dict[str, Any]:
        """New order."""
        board = self.desk.board(call.params)
        new = usdm_request.parse_new(self.desk, call.params, call.now_ms)
        response = tags.response_type(call.params, "ACK", RESPONSES)
        _fill_or_kill(board, new)
        order = self.desk.exchange.place(call.owner, new, call.origin)
        self._expire_later(call, order)
        if response == "ACK":
            return usdm_orders.accepted(self.desk, board, order)
        return usdm_orders.body(self.desk, board, order)

    def _expire_later(self, call: Call, order: OrderRecord) -> None:
        good_till_ms = tags.tag_of(order).good_till_ms
        if not good_till_ms or not order.is_open:
            return

        def expire(_: int) -> None:
            if order.is_open:
                self.desk.exchange.cancel(call.owner, order, why=CancelWhy.EXPIRED)

        self.desk.exchange.call_at(good_till_ms * NS_PER_MS, expire)

    def test(self, call: Call) -> dict[str, Any]:
        """New order, checked and not placed."""
        new = usdm_request.parse_new(self.desk, call.params, call.now_ms)
        self.desk.exchange.check(call.owner, new, call.origin)
        return usdm_orders.tested(self.desk.board_of(new.symbol), new, call.now_ns)

    def place_batch(self, call: Call) -> list[dict[str, Any]]:
        """Several new orders; each is answered for itself."""
        return self._each(call, batch(call.params), self.place)

    def modify(self, call: Call) -> dict[str, Any]:
        """Change an order's price and quantity; its queue place is lost."""
        board = self.desk.board(call.params)
        side = BUY if tags.side(call.params) == "BUY" else SELL
        qty = usdm_request.quantity(board, call.params)
        price = usdm_request.price(board, call.params, side)
        order = self.desk.order(call, board, no_such_order())
        if not order.is_open or order.side != side:
            raise no_such_order()
        before, amends = (order.price, order.qty), order.amends
        self.desk.exchange.amend(call.owner, order, price=price, qty=qty, origin=call.origin)
        if order.amends > amends:
            cids = (self.desk.cid(order),) * 2
            self.desk.amendments.add(order, cids, *before, call.now_ns)
        return {**usdm_orders.body(self.desk, board, order), "pair": order.symbol}

    def modifications(self, call: Call) -> list[dict[str, Any]]:
        """The history of an order's modifications."""
        board = self.desk.board(call.params)
        order = self.desk.order(call, board, no_such_order())
        found = self.desk.amendments.of(order.oid, call.params.limit(50, 100))
        return [usdm_body(board, amendment) for amendment in found]

    def modify_batch(self, call: Call) -> list[dict[str, Any]]:
        """Several modifications; each is answered for itself."""
        return self._each(call, batch(call.params), self.modify)

    def _each(
        self, call: Call, items: list[Params], action: Callable[[Call], dict[str, Any]]
    ) -> list[dict[str, Any]]:
        answers = []
        for params in items:
            one = Call(params, call.now_ns, call.account, call.key, call.origin)
            try:
                answers.append(self.desk.refusing(lambda one=one: action(one)))  # type: ignore[misc]
            except ApiError as error:
                answers.append(error.body())
        return answers

    def cancel(self, call: Call) -> dict[str, Any]:
        """Cancel one order."""
        board = self.desk.board(call.params)
        return self._cancel(call, board, self.desk.order(call, board, unknown_order()))

    def _cancel(self, call: Call, board: Board, order: OrderRecord) -> dict[str, Any]:
        if not order.is_open:
            raise unknown_order()
        self.desk.exchange.cancel(call.owner, order, call.origin)
        return usdm_orders.body(self.desk, board, order)

    def cancel_batch(self, call: Call) -> list[dict[str, Any]]:
        """Cancel up to ten orders by id or client id."""
        board = self.desk.board(call.params)
        wanted = _cancel_list(call.params)
        answers = []
        for oid, cid in wanted:
            try:
                order = self.desk.find(call.owner, board, unknown_order(), oid, cid)
                answers.append(self.desk.refusing(lambda order=order: self._cancel(call, board, order)))  # type: ignore[misc]
            except ApiError as error:
                answers.append(error.body())
        return answers

    def cancel_all(self, call: Call) -> dict[str, Any]:
        """Cancel every open order of a contract; done also when there is none."""
        board = self.desk.board(call.params)
        self.desk.exchange.cancel_all(call.owner, board.symbol, call.origin)
        return {"code": 200, "msg": "The operation of cancel all open order is done."}

    def countdown(self, call: Call) -> dict[str, Any]:
        """(Re)start or stop the countdown that cancels every open order of a contract."""
        board = self.desk.board(call.params)
        window_ms = call.params.integer("countdownTime")
        if window_ms < 0:
            raise ApiError(-1130, "Data sent for parameter 'countdownTime' is not valid.")
        self.desk.exchange.arm_deadman(call.owner, board.symbol, window_ms, call.origin)
        return {"symbol": board.symbol, "countdownTime": str(window_ms)}

    def query(self, call: Call) -> dict[str, Any]:
        """One order's status."""
        board = self.desk.board(call.params)
        return usdm_orders.queried(self.desk, board, self.desk.order(call, board, no_such_order()))

    def open_order(self, call: Call) -> dict[str, Any]:
        """One resting order."""
        board = self.desk.board(call.params)
        order = self.desk.order(call, board, no_such_order())
        if not order.is_open:
            raise no_such_order()
        return usdm_orders.queried(self.desk, board, order)

    def open_orders(self, call: Call) -> list[dict[str, Any]]:
        """All resting orders."""
        board = self.desk.optional_board(call.params)
        found = self.desk.exchange.open_orders(call.owner, board.symbol if board else None)
        return [usdm_orders.queried(self.desk, self.desk.boards[o.symbol], o) for o in found]

    def all_orders(self, call: Call) -> list[dict[str, Any]]:
        """Orders of a contract, ended ones too."""
        board = self.desk.board(call.params)
        records = self.desk.exchange.all_orders(call.owner, board.symbol)
        chosen = history.orders(records, call.params, call.params.limit(500, 1000), spot=False)
        return [usdm_orders.queried(self.desk, board, order) for order in chosen]

    def user_trades(self, call: Call) -> list[dict[str, Any]]:
        """The account's trades on a contract."""
        board = self.desk.board(call.params)
        limit = call.params.limit(500, 1000)
        trades = history.own_trades(call.owner, board.symbol, call.params, limit, spot=False)
        return [usdm_orders.own_trade(board, trade) for trade in trades]


def _fill_or_kill(board: Board, new: NewOrder) -> None:
    """Refuses a FOK order that the book cannot fill, before it is recorded anywhere."""
    if new.tif is not Tif.FOK or new.price is None or new.qty is None:
        return
    unit = board.market.instrument
    lots = unit.floor_lots(new.qty)
    ticks = unit.floor_ticks(new.price) if new.side > 0 else unit.ceil_ticks(new.price)
    if board.market.model.available(new.side, ticks, lots) < lots:
        raise VenueReject(Reject.NO_LIQUIDITY, f"fewer than {new.qty} at {new.price}")


def _cancel_list(params: Params) -> list[tuple[int | None, str | None]]:
    lower = {name.lower(): name for name in params.values}
    for key, is_id in (("orderidlist", True), ("origclientorderidlist", False)):
        name = lower.get(key)
        if name is None:
            continue
        try:
            items = orjson.loads(params.text(name))
        except orjson.JSONDecodeError as error:
            raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.") from error
        if not isinstance(items, list) or not 1 <= len(items) <= MAX_BATCH_CANCEL:
            raise ApiError(-4032, "Exceed maximum cancel order size.")
        if is_id and not all(type(item) is int for item in items):
            raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
        return [(item, None) if is_id else (None, str(item)) for item in items]
    raise ApiError(
        -1102, "Param 'origClientOrderIdList' or 'orderIdList' must be sent, but both were empty/null!"
    )
