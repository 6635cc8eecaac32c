"""Order entry: create, amend, cancel, cancel-all and their batches, alike over REST and WebSocket.

Sources: https://bybit-exchange.github.io/docs/v5/order/create-order and the pages beside it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.bybit.codes import PARAMS, ApiError, Verb, rejection, too_many
from asmm_daemon.exchange.bybit.order_json import tag_of
from asmm_daemon.exchange.bybit.order_params import (
    Body,
    amend_terms,
    find_order,
    new_order,
    text,
)
from asmm_daemon.exchange.bybit.private_topics import PrivateTopics
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import ms
from asmm_daemon.exchange.orders import OrderRecord, Origin, Reject, VenueReject

BATCH_MAX = {"linear": 20, "spot": 10}


@dataclass(frozen=True, slots=True)
class Outcome:
    """`result` and `retExtInfo` of an accepted request."""

    result: dict[str, Any]
    ext: dict[str, Any]


class Trading:
    """Runs order requests in the exchange; its callers wrap them in `Server.act`."""

    def __init__(self, state: State, topics: PrivateTopics) -> None:
        self._state = state
        self._topics = topics
        self._verbs: dict[Verb, Callable[[Account, Body, Origin], OrderRecord]] = {
            "create": self._create,
            "amend": self._amend,
            "cancel": self._cancel,
        }

    def one(self, verb: Verb, account: Account, body: Body, origin: Origin) -> Outcome:
        """A single request: the ids of the order that it accepted. Raises ApiError."""
        return Outcome(self._ids(self._run(verb, account, body, origin)), {})

    def batch(self, verb: Verb, account: Account, body: Body, origin: Origin, within: int) -> Outcome:
        """Several requests of one kind; each succeeds or fails by itself.

        Only the first `within` are inside the rate limit.
        """
        category, requests = text(body, "category"), body.get("request")
        if not self._state.check_category(category) or not isinstance(requests, list) or not requests:
            raise ApiError(PARAMS, "params error: request invalid")
        if len(requests) > BATCH_MAX[self._state.category]:
            raise ApiError(PARAMS, "params error: The number of orders in a batch exceeds the limit")
        rows, codes = [], []
        for number, item in enumerate(requests):
            entry = item if isinstance(item, dict) else {}
            row = {"category": category, "symbol": str(entry.get("symbol", ""))}
            try:
                if number >= within:
                    raise too_many()
                order = self._run(verb, account, {**entry, "category": category}, origin)
            except ApiError as error:
                own = str(entry.get("orderLinkId") or "")
                row |= {"orderId": str(entry.get("orderId") or ""), "orderLinkId": own}
                if verb == "create":
                    row["createAt"] = ""
                codes.append({"code": error.code, "msg": error.message})
            else:
                row |= self._ids(order)
                if verb == "create":
                    row["createAt"] = str(ms(order.created_ns))
                codes.append({"code": 0, "msg": "OK"})
            rows.append(row)
        return Outcome({"list": rows}, {"list": codes})

    def cancel_all(self, account: Account, body: Body, origin: Origin) -> Outcome:
        """Cancels the open orders of a symbol, base coin or settle coin; on spot also all of them."""
        state = self._state
        served = state.check_category(text(body, "category"))
        symbol, base, settle = (text(body, name) for name in ("symbol", "baseCoin", "settleCoin"))
        if text(body, "category") != "spot" and symbol is base is settle is None:
            raise ApiError(
                PARAMS, "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin"
            )
        ended: list[OrderRecord] = []
        if served and text(body, "orderFilter") in (None, "Order"):
            names = [state.market(symbol).symbol] if symbol else self._symbols(base, settle)
            with self._topics.together():
                for name in names:
                    ended += state.exchange.cancel_all(account, name, origin)
        return Outcome({"list": [self._ids(order) for order in ended], "success": "1"}, {})

    def _symbols(self, base: str | None, settle: str | None) -> list[str]:
        found = []
        for market in self._state.exchange.markets.values():
            instrument = market.instrument
            if base == instrument.base or (base is None and settle in (None, instrument.quote)):
                found.append(instrument.symbol)
        return found

    def _run(self, verb: Verb, account: Account, body: Body, origin: Origin) -> OrderRecord:
        try:
            with self._topics.together():
                return self._verbs[verb](account, body, origin)
        except VenueReject as reject:
            raise rejection(reject, self._state.category, verb) from reject

    def _create(self, account: Account, body: Body, origin: Origin) -> OrderRecord:
        return self._state.exchange.place(account, new_order(self._state, account, body), origin)

    def _find(self, account: Account, body: Body) -> OrderRecord:
        if not self._state.check_category(text(body, "category")):
            raise VenueReject(Reject.UNKNOWN_ORDER)
        self._state.market(text(body, "symbol"))
        return find_order(self._state, account, body)

    def _amend(self, account: Account, body: Body, origin: Origin) -> OrderRecord:
        order = self._find(account, body)
        if not order.is_open:
            raise VenueReject(Reject.ORDER_DONE)
        price, qty = amend_terms(self._state, order, body)
        return self._state.exchange.amend(account, order, price=price, qty=qty, origin=origin)

    def _cancel(self, account: Account, body: Body, origin: Origin) -> OrderRecord:
        return self._state.exchange.cancel(account, self._find(account, body), origin)

    def _ids(self, order: OrderRecord) -> dict[str, Any]:
        return {"orderId": self._state.id_text(order.oid, "order"), "orderLinkId": tag_of(order).link_id}
