"""The function that tells how many orders an account has used of its limits."""

from typing import Any

from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.gate import Gate

WINDOWS = {"1m": ("MINUTE", 1), "10s": ("SECOND", 10), "1d": ("DAY", 1)}


def limit_row(kind: str, window: str, cap: int, count: int) -> dict[str, Any]:
    """One rate limit and what is used of it."""
    interval, number = WINDOWS[window]
    return {
        "rateLimitType": kind,
        "interval": interval,
        "intervalNum": number,
        "limit": cap,
        "count": count,
    }


class RateInfo:
    """Order rate limits by account."""

    def __init__(self, gate: Gate) -> None:
        self.gate = gate

    def orders(self, call: Call) -> list[dict[str, Any]]:
        """Orders counted in each window."""
        counts = self.gate.order_counts(call.owner.name, call.now_ns)
        return [
            limit_row("ORDERS", budget.limit.name, budget.limit.cap, counts[budget.limit.name])
            for budget in self.gate.orders
        ]
