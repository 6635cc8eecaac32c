"""Private topics: order, execution, execution.fast, wallet and position, as events happen.

Sources: https://bybit-exchange.github.io/docs/v5/websocket/private/order and the pages beside it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import partial
from typing import Any

import orjson

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.bybit.account_json import position_event, wallet_json
from asmm_daemon.exchange.bybit.codes import Category
from asmm_daemon.exchange.bybit.funding import funding_json, payment
from asmm_daemon.exchange.bybit.order_json import (
    Execution,
    execution_event,
    fast_execution,
    order_event,
    tag_of,
)
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import ms
from asmm_daemon.exchange.orders import OrderRecord, Trade

ALL_IN_ONE = ("order", "execution", "execution.fast", "position", "wallet", "greeks", "dcp")
CATEGORISED = ("order", "execution", "execution.fast", "position")
CATEGORY_NAMES = ("spot", "linear", "inverse", "option")
DCP_TOPICS = ("dcp", "dcp.future", "dcp.spot", "dcp.option")
PROTECTS: dict[Category, tuple[str, ...]] = {"linear": ("dcp", "dcp.future"), "spot": ("dcp", "dcp.spot")}
"""The topics whose subscription protects a category's orders against disconnection."""


def is_topic(name: str) -> bool:
    """Whether the private channel has such a topic."""
    if name in ALL_IN_ONE or name in DCP_TOPICS:
        return True
    stem, _, category = name.rpartition(".")
    return stem in CATEGORISED and category in CATEGORY_NAMES


def stream(topic: str, account: str) -> str:
    """The hub's name of one account's topic."""
    return topic if account == "main" else f"{topic}@{account}"


class PrivateTopics:
    """Publishes one account's events; what one request causes goes out together, at its end.

    So an order that matches at once, or a post-only one that cannot rest, is first heard of in the
    state in which the request left it, and all its executions come in one message.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._held = 0
        self._orders: dict[int, tuple[Account, OrderRecord]] = {}
        self._executions: list[tuple[Account, Execution]] = []
        self._wallets: dict[str, tuple[Account, dict[str, None]]] = {}
        self._positions: dict[tuple[str, str], Account] = {}

    @contextmanager
    def together(self) -> Iterator[None]:
        """Holds events back until the request that causes them is done."""
        self._held += 1
        try:
            yield
        finally:
            self._held -= 1
            if not self._held:
                self._flush()

    def on_order(self, account: Account, order: OrderRecord, trade: Trade | None) -> None:
        """An order's new state, with the execution that led to it."""
        self._orders[order.oid] = (account, order)
        if trade is not None:
            self._executions.append((account, self._execution(account, order, trade)))
        if not self._held:
            self._flush()

    def on_account(self, account: Account, assets: Sequence[str], symbols: Sequence[str]) -> None:
        """Balances and positions that changed."""
        if assets:
            coins = self._wallets.setdefault(account.name, (account, {}))[1]
            coins.update(dict.fromkeys(assets))
        for symbol in symbols:
            self._positions[account.name, symbol] = account
        if not self._held:
            self._flush()

    def on_funding(self, account: Account) -> None:
        """Funding was settled on a position: the payment is an execution too."""
        state, income = self._state, account.income[-1]
        paid = payment(state, account, income)
        state.payments_of(account).append(paid)
        row = {"category": state.category, **funding_json(state, paid)}
        self._send("execution", account, income.symbol, lambda: row)

    def _execution(self, account: Account, order: OrderRecord, trade: Trade) -> Execution:
        state = self._state
        market = state.exchange.markets[trade.symbol]
        tag_of(order).closed_pnl += trade.realised
        rate = market.instrument.maker if trade.maker else market.instrument.taker
        closed = Decimal(0)
        if state.category == "linear":
            held = state.position(account, trade.symbol).qty
            before = held - trade.side * trade.qty
            closed = min(trade.qty, abs(before)) if before * trade.side < 0 else Decimal(0)
        left = market.instrument.qty(order.left)
        found = Execution(trade, order, left, rate, closed, state.mark(market), state.next_seq())
        state.executions_of(account).append(found)
        return found

    def _flush(self) -> None:
        orders, self._orders = self._orders, {}
        executions, self._executions = self._executions, []
        wallets, self._wallets = self._wallets, {}
        positions, self._positions = self._positions, {}
        exchange, category = self._state.exchange, self._state.category
        for account, execution in executions:
            symbol = execution.trade.symbol
            self._send("execution.fast", account, symbol, partial(fast_execution, execution, category))
            self._send("execution", account, symbol, partial(execution_event, execution, category))
        for account, order in orders.values():
            self._send("order", account, order.symbol, partial(order_event, order, category))
        for (_, symbol), account in positions.items():
            held, market = self._state.position(account, symbol), exchange.markets[symbol]
            row = partial(position_event, exchange, held, market, self._state.seq)
            self._send("position", account, symbol, row)
        for account, coins in wallets.values():
            self._send("wallet", account, None, partial(wallet_json, exchange, account, coins))

    def _send(
        self, topic: str, account: Account, symbol: str | None, row: Callable[[], dict[str, Any]]
    ) -> None:
        state = self._state
        names = [topic, f"{topic}.{state.category}"] if topic in CATEGORISED else [topic]
        wanted = [name for name in names if state.server.hub.wanted(stream(name, account.name))]
        if not wanted:
            return
        data, seq, now_ns = [row()], state.seq, state.exchange.now_ns
        for name in wanted:
            body = {
                "id": f"{account.name}_{symbol or topic}_{seq}",
                "topic": name,
                "creationTime": ms(now_ns),
                "data": data,
            }
            state.server.hub.publish(
                stream(name, account.name),
                orjson.dumps(body),
                exch_ns=now_ns,
                local_ns=now_ns,
                sym=symbol,
                event=True,
            )
