"""The live status on a terminal: price, quotes, inventory, PnL, state and age of data."""

import asyncio
import contextlib
import sys
from math import isfinite
from typing import Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from asmm_daemon.core.view import EngineView, MarketView
from asmm_daemon.service.health import RELOAD_REFUSED, Health

_STYLE = {"ACTIVE": "green", "REDUCING": "yellow", "PAUSED": "cyan", "HALTED": "bold red"}


class Screen:
    """An async context that redraws twice a second while it is open.

    A terminal that was closed ends the drawing alone: the session goes on, and ends as it should.
    """

    def __init__(self, health: Health, console: Console | None = None) -> None:
        self._health = health
        self._live = Live(
            console=console or Console(),
            refresh_per_second=2,
            transient=True,
            auto_refresh=False,
            redirect_stderr=sys.stderr.isatty(),
        )
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._live.start()
        self._task = asyncio.create_task(self._redraw())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
        with contextlib.suppress(OSError):
            self._live.stop()

    async def _redraw(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                view = self._health.view
                if view is not None:
                    self._live.update(render(view, self._health.reload_error), refresh=True)
                await asyncio.sleep(0.5)


def render(view: EngineView, reload_error: str = "") -> Group:
    """The screen of one view: a column a market, so that no number is cut on a narrow terminal."""
    table = Table(expand=False, show_edge=False, pad_edge=False, box=None, header_style="bold")
    table.add_column("", style="dim", no_wrap=True)
    for market in view.markets:
        table.add_column(market.symbol, justify="right", no_wrap=True, min_width=16)
    columns = [_column(market) for market in view.markets]
    for name in columns[0]:
        table.add_row(name, *(column[name] for column in columns))
    head = Text.assemble(
        ("asmm ", "bold"),
        (view.state, _STYLE.get(view.state, "")),
        f"  equity {view.equity:.2f}  drawdown {view.drawdown:.2%}  open orders {view.open_orders}",
        f"  {', '.join(view.causes)}" if view.causes else "",
    )
    idle = [f"{m.symbol} quotes nothing: {', '.join(m.missing)}" for m in view.markets if m.missing]
    if view.state == "HALTED":
        idle.append('`asmm resume --reason "…"` ends the halt')
    refused = [Text(f"{RELOAD_REFUSED}: {reload_error}", style="yellow")] if reload_error else []
    below = Text("\n".join([*idle, "Ctrl-C cancels all orders and stops"]), style="dim")
    return Group(head, table, *refused, below)


def _column(market: MarketView) -> dict[str, Text | str]:
    best = {side: [o.price for o in market.orders if o.side == side] for side in (1, -1)}
    return {
        "state": Text(market.state, style=_STYLE.get(market.state, "")),
        "bid": str(market.bid if market.bid is not None else "-"),
        "mid": _number(market.mid, 9),
        "ask": str(market.ask if market.ask is not None else "-"),
        "our bid": str(max(best[1], default="-")),
        "our ask": str(min(best[-1], default="-")),
        "inventory": f"{market.inventory:f}",
        "of at most": f"{market.inventory_limit:f}",
        "γ": _number(market.gamma, 3),
        "PnL net": f"{market.pnl_net:.4f}",
        "fills buy/sell": f"{market.counts.fills_buy}/{market.counts.fills_sell}",
        "book age": f"{market.book_age_s:.1f} s" if isfinite(market.book_age_s) else "-",
    }


def _number(value: float, digits: int) -> str:
    return f"{value:.{digits}g}" if isfinite(value) else "-"
