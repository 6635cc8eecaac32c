"""Judges the limits of a session (S2, S3, S4, S16), by the venue's own log alone.

Inventory and equity are rebuilt from the venue's executions and its public book; reaction times count
from the moment at which a breach could be seen.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from asmm_daemon.service.audit import Violation
from asmm_daemon.units import NS_PER_S

Line = Mapping[str, Any]
_SIGN = {"buy": 1, "sell": -1}


@dataclass(frozen=True, slots=True)
class MarketLimits:
    """What was promised for one market. Base currency."""

    max_inventory: Decimal
    opening: Decimal = Decimal(0)
    spot: bool = False
    reduce_above: float = 0.9
    held: Decimal = Decimal(0)
    """The inventory whose own gain and loss does not count (spot: the target)."""
    levels: int = 1


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """What was promised for the account. Quote currency, venue seconds."""

    capital: Decimal
    drawdown: float = 0.15
    stop_new_s: float = 1.0
    pull_s: float = 5.0


@dataclass(slots=True)
class _Order:
    sym: str
    side: int


@dataclass(slots=True)
class _Market:
    limits: MarketLimits
    base: str
    inventory: Decimal
    cash: Decimal = Decimal(0)
    mid: Decimal | None = None
    first_mid: Decimal | None = None
    high_ns: int | None = None
    """Since when the inventory is above its share."""

    @property
    def growing(self) -> int:
        """The side that takes the inventory further off."""
        limits = self.limits
        low = limits.spot and self.inventory * 2 < limits.max_inventory
        return -1 if low or self.inventory < 0 else 1

    @property
    def share(self) -> float:
        """How much of its range the inventory uses."""
        used = float(self.inventory / self.limits.max_inventory)
        return max(used, 1.0 - used) if self.limits.spot else abs(used)

    @property
    def gain(self) -> Decimal:
        """What the market has earned beyond holding what was held."""
        if self.mid is None or self.first_mid is None:
            return Decimal(0)
        limits = self.limits
        return (
            self.cash
            + self.inventory * self.mid
            - limits.opening * self.first_mid
            - limits.held * (self.mid - self.first_mid)
        )


@dataclass(slots=True)
class _Limits:
    """The state behind `audit_limits`."""

    account: AccountLimits
    markets: dict[str, _Market]
    orders: dict[str, _Order] = field(default_factory=dict)
    peak: Decimal = Decimal(0)
    lost_ns: int | None = None

    def follow(self, line: Line) -> None:
        """Takes in what a line changes."""
        kind, market = line["ev"], self.markets.get(line.get("sym", ""))
        if kind == "accept":
            self.orders[line["oid"]] = _Order(line["sym"], _SIGN[line["side"]])
        elif kind == "cancel":
            self.orders.pop(line["oid"], None)
        elif kind == "fill":
            if Decimal(line["left"]) <= 0:
                self.orders.pop(line["oid"], None)
            if market is not None:
                _book(market, line)
        elif kind == "book" and market is not None and Decimal(line["bid"]) > 0 < Decimal(line["ask"]):
            market.mid = (Decimal(line["bid"]) + Decimal(line["ask"])) / 2
            market.first_mid = market.first_mid or market.mid
        if market is not None:
            self._measure(market, line["t_ns"])

    def _measure(self, market: _Market, t_ns: int) -> None:
        if market.share <= market.limits.reduce_above:
            market.high_ns = None
        elif market.high_ns is None:
            market.high_ns = t_ns
        equity = self.account.capital + sum((m.gain for m in self.markets.values()), Decimal(0))
        self.peak = max(self.peak, equity)
        if self.lost_ns is None and float((self.peak - equity) / self.peak) > self.account.drawdown:
            self.lost_ns = t_ns

    def broken(self, line: Line) -> dict[str, str]:
        """What is broken after a line, by invariant."""
        account, t_ns, found = self.account, line["t_ns"], {}
        accepted = line["ev"] == "accept"
        for sym, market in self.markets.items():
            sides = [order.side for order in self.orders.values() if order.sym == sym]
            if max(sides.count(1), sides.count(-1)) > market.limits.levels:
                found["S4"] = f"{sym}: more live orders than levels on one side"
            new = accepted and line["sym"] == sym and _SIGN[line["side"]] == market.growing
            if new and _older(market.high_ns, t_ns, account.stop_new_s):
                found["S2"] = f"{sym}: an order that increases an inventory of {market.inventory}"
            elif market.growing in sides and _older(market.high_ns, t_ns, account.pull_s):
                found["S2"] = f"{sym}: an increasing order still rests at {market.inventory}"
        if accepted and _older(self.lost_ns, t_ns, account.stop_new_s):
            found["S3"] = "a new order after the drawdown limit"
        elif self.orders and _older(self.lost_ns, t_ns, account.pull_s):
            found["S3"] = "an order still rests after the drawdown limit"
        return found


def audit_limits(
    lines: Iterable[Line], account: AccountLimits, limits: Mapping[str, MarketLimits]
) -> list[Violation]:
    """Reads a venue log once; one violation for each time that S2, S3 or S4 begins to be broken."""
    markets = {sym: _Market(own, sym.removesuffix("USDT"), own.opening) for sym, own in limits.items()}
    state = _Limits(account, markets, peak=account.capital)
    found: list[Violation] = []
    before: dict[str, str] = {}
    for line in lines:
        state.follow(line)
        now = state.broken(line)
        found += [Violation(name, line["t_ns"], text) for name, text in now.items() if name not in before]
        before = now
    return found


def compare_stop(lines: Iterable[Line], stop_wall_ns: int, limit_s: float) -> list[Violation]:
    """S16: nothing rests `limit_s` real seconds after a stop was asked for, by the machine's clock."""
    resting: dict[str, Line] = {}
    for line in lines:
        late = line["wall_ns"] - stop_wall_ns > limit_s * NS_PER_S
        if resting and late:
            return [Violation("S16", line["t_ns"], f"{len(resting)} orders still rest after the stop")]
        if line["ev"] == "accept":
            resting[line["oid"]] = line
        elif line["ev"] == "cancel" or (line["ev"] == "fill" and Decimal(line["left"]) <= 0):
            resting.pop(line["oid"], None)
    return [Violation("S16", 0, f"{len(resting)} orders rest at the end of the log")] if resting else []


def _book(market: _Market, line: Line) -> None:
    side, qty, fee = _SIGN[line["side"]], Decimal(line["qty"]), Decimal(line["fee"])
    market.inventory += side * qty
    market.cash -= side * qty * Decimal(line["px"])
    if line.get("fee_asset") == market.base:
        market.inventory -= fee
    else:
        market.cash -= fee


def _older(since_ns: int | None, t_ns: int, limit_s: float) -> bool:
    return since_ns is not None and t_ns - since_ns > limit_s * NS_PER_S
