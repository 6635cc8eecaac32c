"""The live status on a terminal: price, quotes, inventory, PnL, state and age of data."""

import asyncio
from math import isfinite
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from asmm_daemon.core.view import EngineView, MarketView
from asmm_daemon.service.health import Health

_STYLE = {"ACTIVE": "green", "REDUCING": "yellow", "PAUSED": "cyan", "HALTED": "bold red"}
_COLUMNS = (
    "market",
    "state",
    "bid",
    "mid",
    "ask",
    "our bid",
    "our ask",
    "inventory",
    "γ",
    "PnL net",
    "fills",
    "book age",
)


class Screen:
    """An async context that redraws twice a second while it is open."""

    def __init__(self, health: Health, console: Console | None = None) -> None:
        self._health = health
        self._live = Live(
            console=console or Console(), refresh_per_second=2, transient=True, auto_refresh=False
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._live.start()
        self._task = asyncio.create_task(self._redraw())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
        self._live.stop()

    async def _redraw(self) -> None:
        while True:
            view = self._health.view
            if view is not None:
                self._live.update(render(view), refresh=True)
            await asyncio.sleep(0.5)


def render(view: EngineView) -> Group:
    """The screen of one view."""
    table = Table(expand=True, show_edge=False, pad_edge=False)
    for column in _COLUMNS:
        table.add_column(column, justify="left" if column in ("market", "state") else "right", no_wrap=True)
    for market in view.markets:
        table.add_row(*_row(market))
    head = Text.assemble(
        ("asmm ", "bold"),
        (view.state, _STYLE.get(view.state, "")),
        f"  equity {view.equity:.2f}  drawdown {view.drawdown:.2%}  open orders {view.open_orders}",
        f"  {', '.join(view.causes)}" if view.causes else "",
    )
    waiting = [f"{m.symbol} waits for {', '.join(m.missing)}" for m in view.markets if m.missing]
    return Group(head, table, Text("; ".join(waiting) or "Ctrl-C cancels all orders and stops", style="dim"))


def _row(market: MarketView) -> list[Text | str]:
    best = {side: [o.price for o in market.orders if o.side == side] for side in (1, -1)}
    return [
        market.symbol,
        Text(market.state, style=_STYLE.get(market.state, "")),
        str(market.bid if market.bid is not None else "-"),
        _number(market.mid, 8),
        str(market.ask if market.ask is not None else "-"),
        str(max(best[1], default="-")),
        str(min(best[-1], default="-")),
        f"{market.inventory:f} / {market.inventory_limit:.6g}",
        _number(market.gamma, 3),
        f"{market.pnl_net:.4f}",
        f"{market.counts.fills_buy}/{market.counts.fills_sell}",
        f"{market.book_age_s:.1f} s" if isfinite(market.book_age_s) else "-",
    ]


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if isfinite(value) else "-"
