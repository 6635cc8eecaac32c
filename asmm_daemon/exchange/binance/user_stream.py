"""Publishes every account's events."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import orjson

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.binance import spot_events, usdm_events
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.phases import Phases
from asmm_daemon.exchange.hub import StreamHub
from asmm_daemon.exchange.listener import NullListener
from asmm_daemon.exchange.orders import OrderRecord, Trade


def stream_name(account: str, event: str) -> str:
    """The hub's name of one kind of an account's events."""
    return f"{account}@{event}"


class UserStream(NullListener):
    """Turns what happens in accounts into user stream events, each published under its own name."""

    def __init__(self, desk: Desk, hub: StreamHub) -> None:
        self.desk = desk
        self.hub = hub
        self.phases = Phases()
        self._incomes: dict[str, int] = {}

    def publish(self, account: str, event: dict[str, Any], t_ns: int, sym: str | None = None) -> None:
        """Sends one event to those who listen to its kind."""
        self.hub.publish(
            stream_name(account, event["e"]),
            orjson.dumps(event),
            exch_ns=t_ns,
            local_ns=t_ns,
            sym=sym,
            event=True,
        )

    def on_order(self, account: Account, order: OrderRecord, trade: Trade | None, t_ns: int) -> None:
        """An order changed."""
        phase = self.phases.of(order, trade)
        if self.desk.is_spot:
            event = spot_events.execution_report(self.desk, order, trade, phase, t_ns)
            self.publish(account.name, event, t_ns, order.symbol)
            return
        board = self.desk.boards[order.symbol]
        if trade is not None:
            self.publish(
                account.name, usdm_events.trade_lite(self.desk, board, order, trade), t_ns, order.symbol
            )
        event = usdm_events.order_update(self.desk, board, order, trade, phase, t_ns)
        self.publish(account.name, event, t_ns, order.symbol)

    def on_account(
        self, account: Account, assets: Sequence[str], symbols: Sequence[str], why: str, t_ns: int
    ) -> None:
        """Balances or positions changed."""
        moved = self._moved(account, why)
        if self.desk.is_spot:
            for asset, delta in moved.items():
                self.publish(account.name, spot_events.balance_update(asset, delta, t_ns), t_ns)
            self.publish(account.name, spot_events.account_position(account, assets, t_ns), t_ns)
            return
        if why == "order":
            return
        change = sum(moved.values(), Decimal(0))
        reason = usdm_events.REASONS.get(why) or ("DEPOSIT" if change >= 0 else "WITHDRAW")
        positions = [] if why in ("funding", "transfer") else [account.positions[s] for s in symbols]
        event = usdm_events.account_update(self.desk, account, assets, positions, reason, change, t_ns)
        self.publish(account.name, event, t_ns)

    def _moved(self, account: Account, why: str) -> dict[str, Decimal]:
        """Transfers and funding since the last call, by asset."""
        if why not in ("transfer", "funding"):
            return {}
        last = self._incomes.get(account.name, -1)
        moved: dict[str, Decimal] = {}
        for entry in reversed(account.income):
            if entry.iid <= last:
                break
            if entry.kind == why:
                moved[entry.asset] = moved.get(entry.asset, Decimal(0)) + entry.amount
        if account.income:
            self._incomes[account.name] = account.income[-1].iid
        return moved
