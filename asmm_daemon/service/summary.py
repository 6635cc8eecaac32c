"""The session summary, `asmm-summary/1`."""

import resource
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asmm_daemon.config import Config
from asmm_daemon.core.view import EngineView, MarketView
from asmm_daemon.service.daemon import Outcome
from asmm_daemon.service.health import Health
from asmm_daemon.service.plain import plain, short
from asmm_daemon.units import NS_PER_S


@dataclass(frozen=True, slots=True)
class Span:
    """A session's start and end on both clocks."""

    start_wall_ns: int
    end_wall_ns: int
    start_venue_ns: int
    end_venue_ns: int


def summarise(
    config: Config, view: EngineView, outcome: Outcome, health: Health, span: Span, differences: list[str]
) -> dict[str, Any]:
    """The summary's keys in their order; decimals are strings."""
    return {
        "format": "asmm-summary/1",
        "mode": config.mode,
        "venue": config.venue.name,
        "started": _iso(span.start_wall_ns),
        "ended": _iso(span.end_wall_ns),
        "wall_s": (span.end_wall_ns - span.start_wall_ns) / NS_PER_S,
        "venue_s": (span.end_venue_ns - span.start_venue_ns) / NS_PER_S,
        "speed": config.demo.speed,
        "exit": outcome.exit,
        "error": outcome.error,
        "config_sha256": health.config_sha256,
        "model_sha256": health.model_sha256,
        "markets": [_market(market) for market in view.markets],
        "states": plain(view.state_seconds),
        "transitions": [
            {"t_ns": t.t_ns, "symbol": t.symbol, "from": t.before, "to": t.after, "cause": t.cause}
            for t in view.transitions
        ],
        "equity_start": plain(view.equity_start),
        "equity_end": plain(view.equity),
        "equity_peak": plain(view.equity_peak),
        "drawdown_max": view.drawdown_max,
        "loop_lag_p99_ms": health.lag.p99_s() * 1e3,
        "rss_mb_max": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "open_orders": 0 if outcome.verified_zero_open else view.open_orders,
        "unknown_orders": 0 if outcome.verified_zero_open else view.unknown_orders,
        "reconciled": outcome.reconciled,
        "differences": differences,
    }


def _iso(wall_ns: int) -> str:
    return datetime.fromtimestamp(wall_ns / NS_PER_S, UTC).isoformat()


def _market(market: MarketView) -> dict[str, Any]:
    counts = market.counts
    both = counts.quoted_both_s / counts.healthy_s if counts.healthy_s else 0.0
    fields: dict[str, Any] = plain(
        {
            "symbol": market.symbol,
            "cycles": counts.cycles,
            "cycles_late": counts.cycles_late,
            "cycles_skipped": counts.cycles_skipped,
            "active_s": counts.active_s,
            "healthy_s": counts.healthy_s,
            "quoted_bid_s": counts.quoted_bid_s,
            "quoted_ask_s": counts.quoted_ask_s,
            "quoted_both_s": counts.quoted_both_s,
            "quoted_both_share": both,
            "half_spread_bps_mean": counts.half_spread_bps_mean,
            "orders": counts.orders,
            "amends": counts.amends,
            "cancels": counts.cancels,
            "rejects": market.rejects,
            "fills_buy": counts.fills_buy,
            "fills_sell": counts.fills_sell,
            "volume_base": market.volume_base,
            "volume_quote": market.volume_quote,
            "fees": market.fees,
            "funding": market.funding,
            "pnl_realised": market.pnl_realised,
            "pnl_unrealised": market.pnl_unrealised,
            "pnl_net": market.pnl_net,
            "inventory": market.inventory,
            "inventory_target": market.inventory_target,
            "inventory_abs_max": counts.inventory_abs_max,
            "fallbacks": sum(market.fallbacks.values()),
            "open_orders": len(market.orders),
        }
    )
    return fields


def lines(summary: dict[str, Any]) -> list[str]:
    """The summary for a person, a few lines."""
    text = [
        f"{summary['mode']} on {summary['venue']}: {summary['venue_s']:.0f} s of market time, ended by "
        f"{summary['exit']}" + (f" ({summary['error']})" if summary["error"] else ""),
    ]
    for market in summary["markets"]:
        fees = ", ".join(f"{short(amount)} {asset}" for asset, amount in market["fees"].items()) or "none"
        text += [
            (
                f"{market['symbol']}: quoted both sides {market['quoted_both_share']:.1%} of "
                f"{market['healthy_s']:.0f} healthy s, half-spread {market['half_spread_bps_mean']:.2f} bps; "
                f"{market['orders']} orders, {market['amends']} amends, {market['cancels']} cancels"
            ),
            (
                f"  fills {market['fills_buy']} buy / {market['fills_sell']} sell, volume "
                f"{short(market['volume_quote'])} quote, fees {fees}"
            ),
            (
                f"  PnL net {short(market['pnl_net'])} (realised {short(market['pnl_realised'])}, "
                f"unrealised {short(market['pnl_unrealised'])}), inventory {market['inventory']}"
            ),
        ]
    text.append(
        f"open orders {summary['open_orders']}, unknown {summary['unknown_orders']}, ledger "
        + ("equals the venue's account" if summary["reconciled"] else "NOT reconciled with the venue")
    )
    return text
