"""How the figures of `Statistics` are named and written for people."""

from dataclasses import dataclass
from math import isfinite
from typing import Literal

from asmm_daemon.backtest.statistics import Statistics

Kind = Literal["money", "base", "ratio", "share", "bps", "count", "number"]


@dataclass(frozen=True, slots=True)
class Label:
    """One line: the field, its name in words, how it is written, and how it is defined."""

    field: str
    words: str
    kind: Kind
    meaning: str = ""


INDICATORS = (
    Label("sharpe_step", "Sharpe per step", "ratio", "mean(Δ)/std(Δ) of net equity per cycle"),
    Label("sortino_step", "Sortino per step", "ratio", "mean(Δ)/√mean(min(Δ, 0)²) per cycle"),
    Label("drawdown_max", "Maximum drawdown", "money", "largest fall of net equity from its peak"),
    Label("pnl_to_map", "P&L-to-MAP", "number", "net PnL / mean |inventory|"),
)
"""The four of the paper, in its order."""

RESULT = (
    Label("pnl_net", "PnL net", "money", "marked at the mid, after fees and funding"),
    Label("pnl_gross", "PnL gross", "money", "before fees and funding"),
    Label("fees", "Fees paid", "money", "negative: rebates"),
    Label("funding", "Funding", "money", "received by positions in perpetuals; negative: paid"),
    Label("return_on_capital", "Return on capital", "share"),
    Label("drawdown_max_ratio", "Maximum drawdown, relative", "share", "of capital + peak"),
    Label("sharpe_daily", "Sharpe daily", "ratio", "of changes per UTC day; needs two days"),
    Label("sortino_daily", "Sortino daily", "ratio", "of changes per UTC day; needs two days"),
    Label("sharpe_annual", "Sharpe annualised", "ratio", "daily × √365"),
    Label("sortino_annual", "Sortino annualised", "ratio", "daily × √365"),
    Label("days_counted", "Days counted", "count", "observed at least half as long as the fullest"),
)
TRADING = (
    Label("fills", "Fills", "count"),
    Label("fills_per_day", "Fills per day", "number"),
    Label("volume", "Volume", "money"),
    Label("maker_share", "Maker share", "share", "of the volume"),
    Label("turnover_per_day", "Inventory turnover per day", "number", "half the volume / mean |inventory|"),
    Label("win_rate", "Win rate", "share", "closing fills that realised a gain at average cost, before fees"),
    Label("closing_fills", "Closing fills", "count"),
    Label("spread_captured_bps", "Spread captured", "bps", "fill against the mid then, by quantity"),
    Label("half_spread_bps", "Half-spread decided", "bps", "mean over cycles that quoted"),
)
PRESENCE = (
    Label("quoted_both_share", "Quoted both sides", "share", "of healthy time, within max(5 bps, 2 ticks)"),
    Label("quoted_bid_share", "Quoted a bid", "share", "of healthy time"),
    Label("quoted_ask_share", "Quoted an ask", "share", "of healthy time"),
    Label("limit_share", "Time at limits", "share", "|inventory| beyond 90 % of its maximum"),
    Label("inventory_mean_abs", "Mean |inventory|", "base"),
    Label("inventory_max_abs", "Largest |inventory|", "base"),
    Label("days", "Days observed", "number", "steps × cycle"),
)


def units(quote: str, base: str) -> dict[str, str]:
    """The unit of each labelled field, for whoever reads the JSON."""
    named = {"money": quote, "base": base, "share": "share from 0 to 1", "bps": "bps", "count": "count"}
    labels = (*INDICATORS, *RESULT, *TRADING, *PRESENCE)
    return {label.field: named.get(label.kind, "") for label in labels} | {
        "pnl_to_map": f"{quote} per {base}",
        "fills_per_day": "1/day",
        "turnover_per_day": "1/day",
        "days": "days",
        "healthy_s": "s",
    }


def written(value: float, kind: Kind) -> str:
    """A figure as a person reads it; a dash for NaN."""
    if not isfinite(value):
        return "–"
    match kind:
        case "money":
            return f"{value:,.2f}" if abs(value) >= 1 or value == 0 else f"{value:.4g}"
        case "share":
            return f"{value:.2%}"
        case "bps":
            return f"{value:.2f} bps"
        case "count":
            return f"{value:,.0f}"
        case _:
            return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def figure(statistics: Statistics, label: Label) -> str:
    """The field of a label, written."""
    return written(float(getattr(statistics, label.field)), label.kind)
