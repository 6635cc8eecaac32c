"""Judges a session from outside: the venue's own log, and the daemon's journal beside it.

Names of the invariants (S1, S4, …) as in the README's safety table. The audit knows nothing of the
engine's beliefs: inventory, open orders and the market are rebuilt from what the venue wrote down.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.errors import StateError
from asmm_daemon.units import NS_PER_S

_SIGN = {"buy": 1, "sell": -1}
NEAR_BPS = Decimal(5)


@dataclass(frozen=True, slots=True)
class Violation:
    """One broken invariant, with the venue's time and what was seen."""

    invariant: str
    t_ns: int
    text: str


@dataclass(slots=True)
class _Order:
    side: int
    price: Decimal | None
    left: Decimal
    cid: str


@dataclass(slots=True)
class MarketAudit:
    """One market of a session, as the venue saw it. Times in venue seconds since our first order."""

    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    covered_s: float = 0.0
    near_bid_s: float = 0.0
    near_ask_s: float = 0.0
    near_both_s: float = 0.0
    fills_buy: int = 0
    fills_sell: int = 0
    inventory: Decimal = Decimal(0)
    bid: Decimal = Decimal(0)
    ask: Decimal = Decimal(0)
    orders: dict[str, _Order] = field(default_factory=dict)
    since_ns: int = 0

    @property
    def near_shares(self) -> tuple[float, float, float]:
        """Shares of the covered time with a bid, an ask, and both near the mid (S20)."""
        total = self.covered_s or 1.0
        return self.near_bid_s / total, self.near_ask_s / total, self.near_both_s / total


@dataclass(slots=True)
class Audit:
    """The whole session."""

    markets: dict[str, MarketAudit] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    fills: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    balances: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Decimal] = field(default_factory=dict)

    @property
    def open_orders(self) -> int:
        """Orders that rest at the end of the log."""
        return sum(len(market.orders) for market in self.markets.values())


def read_log(path: Path) -> Iterable[dict[str, Any]]:
    """The lines of a venue log. Raises StateError with the line's number when one is damaged."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            try:
                yield orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise StateError(f"{path}:{number}: not a line of a venue log: {error}") from None


def audit(
    lines: Iterable[Mapping[str, Any]],
    *,
    half_spreads: Mapping[str, Sequence[tuple[int, float]]] | None = None,
    max_inventory: Mapping[str, Decimal] | None = None,
) -> Audit:
    """Reads a venue log once and checks S1, S4, S9 and S10, and measures S20.

    Args:
        lines: the venue log.
        half_spreads: by symbol, (t_ns, the model's half-spread in quote currency), oldest first.
        max_inventory: by symbol, base currency; checks S1 where given.
    """
    report = Audit()
    cids: set[str] = set()
    for expected, line in enumerate(lines):
        if line["seq"] != expected:
            report.violations.append(
                Violation("log", line["t_ns"], f"line {line['seq']} where {expected} was due")
            )
            break
        _line(report, line, cids, half_spreads or {}, max_inventory or {})
    return report


def _line(
    report: Audit,
    line: Mapping[str, Any],
    cids: set[str],
    half_spreads: Mapping[str, Sequence[tuple[int, float]]],
    max_inventory: Mapping[str, Decimal],
) -> None:
    kind = line["ev"]
    if kind == "start":
        for entry in line["symbols"]:
            report.markets[entry["sym"]] = MarketAudit(
                Decimal(entry["tick"]), Decimal(entry["lot"]), Decimal(entry["min_notional"])
            )
        return
    if kind == "balance":
        report.balances[line["asset"]] = Decimal(line["free"]) + Decimal(line["locked"])
        return
    if kind == "position":
        report.positions[line["sym"]] = Decimal(line["qty"])
        return
    market = report.markets.get(line.get("sym", ""))
    if market is None or kind not in ("book", "accept", "amend", "fill", "cancel"):
        return
    _elapse(market, line["t_ns"], half_spreads.get(line["sym"], ()))
    if kind == "book":
        market.bid, market.ask = Decimal(line["bid"]), Decimal(line["ask"])
    elif kind == "accept":
        _accept(report, market, line, cids)
    elif kind == "amend":
        _amend(report, market, line)
    elif kind == "cancel":
        market.orders.pop(line["oid"], None)
    else:
        _fill(report, market, line)
    limit = max_inventory.get(line["sym"])
    if limit is not None and kind in ("accept", "amend"):
        _exposure(report, market, line, limit)


def _elapse(market: MarketAudit, t_ns: int, half_spreads: Sequence[tuple[int, float]]) -> None:
    if not market.since_ns:
        return
    began, market.since_ns = market.since_ns, t_ns
    passed = (t_ns - began) / NS_PER_S
    if passed <= 0 or market.bid <= 0 or market.ask <= 0:
        return
    mid = (market.bid + market.ask) / 2
    reach = max(mid * NEAR_BPS / 10_000, 2 * market.tick)
    at = bisect_right(half_spreads, began, key=lambda entry: entry[0]) - 1
    if at >= 0:
        reach = max(reach, Decimal(repr(1.5 * half_spreads[at][1])))
    near = {
        order.side
        for order in market.orders.values()
        if order.price is not None and abs(order.price - mid) <= reach
    }
    market.covered_s += passed
    market.near_bid_s += passed * (1 in near)
    market.near_ask_s += passed * (-1 in near)
    market.near_both_s += passed * (len(near) == 2)


def _accept(report: Audit, market: MarketAudit, line: Mapping[str, Any], cids: set[str]) -> None:
    cid, t_ns = line.get("cid", ""), line["t_ns"]
    if cid in cids:
        report.violations.append(Violation("S4", t_ns, f"client order id {cid} was used twice"))
    cids.add(cid)
    market.since_ns = market.since_ns or t_ns
    price = Decimal(line["px"]) if "px" in line else None
    qty = Decimal(line["qty"])
    side = _SIGN[line["side"]]
    market.orders[line["oid"]] = _Order(side, price, qty, cid)
    if price is None:
        report.violations.append(Violation("S10", t_ns, f"{cid} is a market order"))
        return
    _grid(report, market, t_ns, cid, price, qty, reduce_only=bool(line.get("reduce_only")))
    _uncrossed(report, market, t_ns)


def _amend(report: Audit, market: MarketAudit, line: Mapping[str, Any]) -> None:
    order = market.orders.get(line["oid"])
    if order is None:
        return
    price, qty = Decimal(line["px"]), Decimal(line["qty"])
    order.price, order.left = price, qty
    _grid(report, market, line["t_ns"], order.cid, price, qty, reduce_only=True)
    _uncrossed(report, market, line["t_ns"])


def _grid(
    report: Audit,
    market: MarketAudit,
    t_ns: int,
    cid: str,
    price: Decimal,
    qty: Decimal,
    *,
    reduce_only: bool,
) -> None:
    if price % market.tick or qty % market.lot or price <= 0 or qty <= 0:
        report.violations.append(Violation("S10", t_ns, f"{cid}: {qty} at {price} is off the grid"))
    if price * qty < market.min_notional and not reduce_only:
        report.violations.append(
            Violation("S10", t_ns, f"{cid}: {price * qty} is under the minimum notional")
        )


def _uncrossed(report: Audit, market: MarketAudit, t_ns: int) -> None:
    bids = [o.price for o in market.orders.values() if o.side > 0 and o.price is not None]
    asks = [o.price for o in market.orders.values() if o.side < 0 and o.price is not None]
    if bids and asks and max(bids) >= min(asks):
        report.violations.append(Violation("S9", t_ns, f"own bid {max(bids)} meets own ask {min(asks)}"))


def _fill(report: Audit, market: MarketAudit, line: Mapping[str, Any]) -> None:
    side = _SIGN[line["side"]]
    key = f"{line['sym']}/{line['tid']}"
    if key in report.fills:
        report.violations.append(Violation("log", line["t_ns"], f"trade {key} stands twice"))
    report.fills[key] = line
    market.inventory += side * Decimal(line["qty"])
    market.fills_buy += side > 0
    market.fills_sell += side < 0
    order = market.orders.get(line["oid"])
    if order is not None:
        order.left = Decimal(line["left"])
        if order.left <= 0:
            del market.orders[line["oid"]]
    if not line["maker"]:
        report.violations.append(Violation("S10", line["t_ns"], f"trade {line['tid']} took liquidity"))


def _exposure(report: Audit, market: MarketAudit, line: Mapping[str, Any], limit: Decimal) -> None:
    bids = sum((o.left for o in market.orders.values() if o.side > 0), Decimal(0))
    asks = sum((o.left for o in market.orders.values() if o.side < 0), Decimal(0))
    if market.inventory + bids > limit or market.inventory - asks < -limit:
        report.violations.append(
            Violation(
                "S1", line["t_ns"], f"inventory {market.inventory}, bids {bids}, asks {asks}, limit {limit}"
            )
        )


def compare_fills(report: Audit, records: Iterable[Record]) -> list[Violation]:
    """S6: the venue's trades and the ledger's rows are the same, exactly."""
    booked = {f"{r.symbol}/{r.key}": r.data for r in records if r.kind is RecordKind.FILL}
    wrong = []
    for key in sorted(report.fills.keys() - booked.keys()):
        wrong.append(Violation("S6", report.fills[key]["t_ns"], f"trade {key} is not in the ledger"))
    for key in sorted(booked.keys() - report.fills.keys()):
        wrong.append(Violation("S6", 0, f"trade {key} of the ledger is unknown to the venue"))
    for key in booked.keys() & report.fills.keys():
        ours, theirs = booked[key], report.fills[key]
        pairs = (("price", "px"), ("qty", "qty"), ("fee", "fee"))
        apart = [a for a, b in pairs if Decimal(str(ours[a])) != Decimal(theirs[b])]
        if apart:
            wrong.append(
                Violation("S6", theirs["t_ns"], f"trade {key}: {', '.join(apart)} differ: {ours} {theirs}")
            )
    return wrong


def compare_intents(lines: Iterable[Mapping[str, Any]], intents: Mapping[str, int]) -> list[Violation]:
    """S7: each order's intent was on disk before the venue saw its request.

    `intents`: client order id to the machine time (ns) at which its journal row was written.
    """
    return [
        Violation("S7", line["t_ns"], f"{line.get('cid')} was accepted without an earlier intent")
        for line in lines
        if line["ev"] == "accept" and intents.get(line.get("cid", ""), line["wall_ns"] + 1) > line["wall_ns"]
    ]
