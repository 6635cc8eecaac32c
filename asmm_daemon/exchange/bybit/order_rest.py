"""Private REST reads of orders and executions.

Sources: https://bybit-exchange.github.io/docs/v5/order/open-order, .../order/order-list, .../order/execution
"""

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, NamedTuple

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.bybit.codes import PARAMS, ApiError
from asmm_daemon.exchange.bybit.funding import funding_json
from asmm_daemon.exchange.bybit.order_json import execution_json, order_json, status, tag_of
from asmm_daemon.exchange.bybit.page import limit, page, time_range
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import ms
from asmm_daemon.exchange.keys import ApiKey
from asmm_daemon.exchange.orders import OrderRecord

Result = dict[str, Any]
_CLOSED_KEPT = 500


class Call(NamedTuple):
    """One authenticated request: its parameters as text."""

    state: State
    key: ApiKey
    account: Account
    params: Mapping[str, str]


def _orders(call: Call, *, needs_market: bool) -> Iterable[OrderRecord]:
    """Orders that a query names, newest first: orderId > orderLinkId > symbol > baseCoin.

    `needs_market`: a contract query must name a symbol, base or settle coin when it names no order.
    Conditional orders (`orderFilter` other than Order) are none here.
    """
    state, params = call.state, call.params
    if not state.check_category(params.get("category")):
        return []
    if params.get("orderFilter", "Order") not in ("", "Order"):
        return []
    rows = reversed(state.exchange.all_orders(call.account))
    if params.get("orderId"):
        number = state.id_number(params["orderId"], "order")
        return (order for order in rows if order.oid == number)
    if params.get("orderLinkId"):
        own = params["orderLinkId"]
        return (order for order in rows if tag_of(order).link_id == own)
    if params.get("symbol"):
        symbol = state.market(params["symbol"]).symbol
        return (order for order in rows if order.symbol == symbol)
    base, settle = params.get("baseCoin"), params.get("settleCoin")
    if needs_market and state.category == "linear" and base is None and settle is None:
        raise ApiError(
            PARAMS, "Missing some parameters that must be filled in, symbol or settleCoin or baseCoin"
        )
    names = {
        symbol
        for symbol, market in state.exchange.markets.items()
        if base in (None, market.instrument.base) and settle in (None, market.instrument.quote)
    }
    return (order for order in rows if order.symbol in names)


def _named(params: Mapping[str, str]) -> bool:
    return bool(params.get("orderId") or params.get("orderLinkId"))


def _order_page(call: Call, rows: Iterable[OrderRecord]) -> Result:
    found, cursor = page(((order.oid, order) for order in rows), call.params, limit(call.params, 20, 50))
    category = call.state.category
    return {
        "nextPageCursor": cursor,
        "category": call.params["category"],
        "list": [order_json(order, category) for order in found],
    }


def realtime(call: Call) -> Result:
    """`/v5/order/realtime`: open orders, or the latest 500 ended ones."""
    rows = _orders(call, needs_market=True)
    if not _named(call.params):
        wants_open = call.params.get("openOnly", "0") != "1"
        rows = [order for order in rows if order.is_open == wants_open]
        if not wants_open:
            rows = rows[:_CLOSED_KEPT]
    return _order_page(call, rows)


def history(call: Call) -> Result:
    """`/v5/order/history`: ended orders of a time range (in one status)."""
    start, end = time_range(call.params, ms(call.state.exchange.now_ns))
    wanted, category = call.params.get("orderStatus"), call.state.category
    rows = [
        order
        for order in _orders(call, needs_market=False)
        if not order.is_open
        and start <= ms(order.created_ns) <= end
        and (not wanted or status(order, category) == wanted)
    ]
    return _order_page(call, rows)


def executions(call: Call) -> Result:
    """`/v5/execution/list`, newest first."""
    state, params = call.state, call.params
    served = state.check_category(params.get("category"))
    start, end = time_range(params, ms(state.exchange.now_ns))
    number = state.id_number(params["orderId"], "order") if params.get("orderId") else None
    symbol = state.market(params["symbol"]).symbol if params.get("symbol") and served else None
    rows: list[tuple[int, Callable[[], Result]]] = []
    for execution in state.executions_of(call.account) if served else ():
        trade = execution.trade
        if params.get("orderId"):
            wanted = trade.oid == number
        elif params.get("orderLinkId"):
            wanted = tag_of(execution.order).link_id == params["orderLinkId"]
        else:
            wanted = symbol in (None, trade.symbol) and start <= ms(trade.t_ns) <= end
        if wanted and params.get("execType", "Trade") == "Trade":
            rows.append((execution.seq, partial(execution_json, execution, state.category)))
    if served and not _named(params) and params.get("execType", "Funding") == "Funding":
        rows.extend(
            (paid.seq, partial(funding_json, state, paid))
            for paid in state.payments_of(call.account)
            if symbol in (None, paid.income.symbol) and start <= ms(paid.income.t_ns) <= end
        )
    rows.sort(key=itemgetter(0), reverse=True)
    found, cursor = page(rows, params, limit(params, 50, 100))
    return {
        "nextPageCursor": cursor,
        "category": params["category"],
        "list": [build() for build in found],
    }
