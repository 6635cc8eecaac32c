"""Everything that the engine holds of one market, and what can be derived from it at a moment."""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite

import numpy as np

from asmm_daemon.core.decision import QUOTE, REDUCE, new_decision
from asmm_daemon.core.explain import Explain
from asmm_daemon.core.features import N_STATE
from asmm_daemon.core.inventory import new_inventory
from asmm_daemon.core.inventory import target as target_of
from asmm_daemon.core.ledger import Ledger
from asmm_daemon.core.market import new_market, set_own
from asmm_daemon.core.markout import Markouts
from asmm_daemon.core.order_state import OrderState
from asmm_daemon.core.orders import OrderTable
from asmm_daemon.core.oversight import Board, Machine, State, Switch
from asmm_daemon.core.params import Model, to_record
from asmm_daemon.core.policy import Action
from asmm_daemon.core.spec import MarketSpec
from asmm_daemon.core.switches import (
    BookWatch,
    FlashWatch,
    InventoryWatch,
    RepeatWatch,
    StuckWatch,
    range_share,
)
from asmm_daemon.core.volatility import is_ready
from asmm_daemon.units import Side

ZERO = Decimal(0)
EXPLAINS = 720
"""Decisions remembered: an hour of cycles."""
SPREADS_ALONE = frozenset({Model.CONSTANT_SPREAD, Model.LINEAR_CONSTANT_SPREAD})
"""Models that quote without an estimate of σ."""
RESTING = frozenset(
    {
        OrderState.LIVE,
        OrderState.PENDING_AMEND,
        OrderState.PENDING_CANCEL,
        OrderState.UNKNOWN_AMEND,
        OrderState.UNKNOWN_CANCEL,
    }
)
"""States of an order that the venue has acknowledged and not ended: it stands in the public book."""


@dataclass(slots=True)
class Tally:
    """Session totals of one market; seconds are venue seconds."""

    cycles: int = 0
    late: int = 0
    skipped: int = 0
    active_s: float = 0.0
    healthy_s: float = 0.0
    bid_s: float = 0.0
    ask_s: float = 0.0
    both_s: float = 0.0
    half_spread_bps_s: float = 0.0
    orders: int = 0
    amends: int = 0
    cancels: int = 0
    inventory_abs_max: Decimal = ZERO
    rejects: dict[str, int] = field(default_factory=dict)
    refusals: dict[str, int] = field(default_factory=dict)
    fallbacks: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Reconciliation:
    """How far the account of one market is known to equal the venue's."""

    asked_ns: int = 0
    waiting: bool = False
    done_ns: int = 0
    """Time of the last snapshot that was taken in."""
    agreed: bool = False
    difference: Decimal = ZERO
    """Venue's inventory less ours at the last comparison."""
    seen: int = 0
    """Times in a row that this same difference was seen."""
    reserved: Decimal = ZERO
    """Spot: what the account holds beyond the allocation; never touched."""
    booked_ns: int = 0
    """When the last execution was booked: a snapshot asked before it cannot be compared."""


@dataclass(slots=True)
class Backoff:
    """A slot that the venue refused waits, longer each time."""

    until_ns: int = 0
    strikes: int = 0


class Desk:
    """One market: estimators, orders, books, watches. Only the engine writes it."""

    def __init__(self, m: int, spec: MarketSpec, asset_prices: dict[str, Decimal]) -> None:
        self.m = m
        self.spec = spec
        self.symbol = spec.instrument.symbol
        self.params = to_record(spec.quote, spec.instrument)
        self.market = new_market()
        self.inventory = new_inventory()
        self.decision = new_decision()
        self.features = np.zeros(N_STATE)
        self.table = OrderTable()
        self.ledger = Ledger(spec.instrument, asset_prices)
        self.board = Board()
        self.board.set(Switch.STARTUP, "not reconciled yet")
        self.board.set(Switch.WARMING, "σ is not ready")
        self.machine = Machine()
        self.inventory_watch = InventoryWatch()
        self.stuck = StuckWatch()
        self.flash = FlashWatch()
        self.book = BookWatch()
        self.repeat = RepeatWatch()
        self.markouts = Markouts()
        self.balance_off: dict[Side, str] = {}
        self.reconciliation = Reconciliation()
        self.backoffs: dict[tuple[int, int], Backoff] = {}
        self.action = Action(spec.quote.gamma, spec.quote.skew, -1)
        self.fallback = ""
        self.chosen_ns = -1
        """Time of the last cycle in which the policy's own action was taken while quoting."""
        self.pauses = 0
        """How often quoting was paused or halted."""
        self.quoting = False
        """Whether `decision` holds quotes that are wanted now."""
        self.refused = False
        """Whether a wanted quote could not be sent: it is decided anew soon."""
        self.decided_ns = 0
        self.decided_off: frozenset[Side] = frozenset()
        """Sides that were off at the last decision."""
        self.latency_s = 0.0
        self.reduced_ns: int | None = None
        self.swept_ns = 0
        self.swept_for: frozenset[Switch] = frozenset()
        self.ioc_ns = 0
        self.first_active_ns: int | None = None
        self.explains: deque[Explain] = deque(maxlen=EXPLAINS)
        self.tally = Tally()
        self._own: dict[tuple[int, int], int] = {}

    @property
    def mid_ticks(self) -> float:
        """The last valid mid in ticks, NaN before the first."""
        mid = float(self.market.market[0]["mid"])
        return mid if mid > 0 else float("nan")

    @property
    def mid(self) -> Decimal | None:
        """The last valid mid in quote currency."""
        ticks = self.mid_ticks
        return Decimal(ticks) * self.spec.instrument.tick if isfinite(ticks) else None

    @property
    def valid(self) -> bool:
        """Whether the book is known, two-sided and not crossed."""
        return bool(self.market.market[0]["valid"])

    @property
    def warm(self) -> bool:
        """Whether the model has the σ that it needs."""
        return self.spec.quote.model in SPREADS_ALONE or bool(is_ready(self.market.volatility))

    def book_current(self, t_ns: int) -> bool:
        """Whether the book is valid and proven current."""
        return self.valid and self.book.age_s(t_ns) <= self.spec.limits.stale_after_s

    @property
    def max_inventory(self) -> Decimal:
        """Effective maximum in base currency, with a margin for a rising mid."""
        limits, mid = self.spec.limits, self.mid
        if mid is None:
            return limits.max_inventory
        bound = limits.max_exposure * Decimal(1 - limits.exposure_margin) / mid
        return min(limits.max_inventory, bound)

    @property
    def target(self) -> Decimal:
        """Inventory target in base currency, in whole lots."""
        instrument, mid = self.spec.instrument, self.mid
        if mid is None:
            return ZERO
        goal = float(target_of(self.params, float(mid)))
        return round(goal / float(instrument.lot)) * instrument.lot

    @property
    def share(self) -> float:
        """Used share of the allowed inventory range."""
        return range_share(self.ledger.qty, self.max_inventory, spot=self.spec.instrument.is_spot)

    @property
    def centre(self) -> Decimal:
        """Where reducing leads to: flat, on spot the middle of the range."""
        return self.max_inventory / 2 if self.spec.instrument.is_spot else ZERO

    @property
    def reduce_side(self) -> Side | None:
        """The side that brings the inventory back, None when it is there."""
        excess = self.ledger.qty - self.centre
        if abs(excess) < self.spec.instrument.lot:
            return None
        return -1 if excess > 0 else 1

    @property
    def flat(self) -> bool:
        """Whether nothing is held that could be reduced: less than the venue's smallest order."""
        instrument, mid = self.spec.instrument, self.mid
        if mid is None:
            return not self.ledger.qty
        least = instrument.qty(instrument.min_lots(instrument.floor_ticks(mid)))
        return abs(self.ledger.qty - self.centre) < least

    def profit(self, *, against_holding: bool) -> Decimal | None:
        """Net result at the mid, on spot against holding the target; None while a needed mid is unknown."""
        mid = self.mid
        if mid is None:
            return None if self.ledger.qty else self.ledger.net(ZERO)
        net = self.ledger.net(mid)
        if against_holding and self.spec.instrument.is_spot and self.ledger.opened_ns is not None:
            return net - self.ledger.hold(self.target, mid)
        return net

    def reach(self) -> Decimal:
        """Quote currency of the largest position that open orders could lead to."""
        lot, inventory = self.spec.instrument.lot, self.ledger.qty
        longest = inventory + self.table.open_lots(1) * lot
        shortest = self.table.open_lots(-1) * lot - inventory
        return max(longest, shortest, abs(inventory)) * (self.mid or ZERO)

    def sides_off(self) -> dict[Side, str]:
        """Sides that do not quote, with the reason."""
        return {**self.balance_off, **dict.fromkeys(self.repeat.off_ns, "repeated execution")}

    def fill_inventory(self, quote_total: Decimal | None, room: Decimal, *, soft: bool) -> None:
        """Writes the INVENTORY record for the next decision; `room` is the account's exposure left."""
        instrument, record, mid = self.spec.instrument, self.inventory[0], self.mid or ZERO
        limits, held = self.spec.limits, self.ledger.qty
        margin = limits.max_exposure * Decimal(1 - limits.exposure_margin)
        record["lots"] = float(held / instrument.lot)
        record["exposure_left"] = max(float(min(room, margin) - abs(held) * mid), 0.0)
        record["unrealised"] = float(self.ledger.unrealised(mid)) if mid else 0.0
        record["size_factor"] = 0.5 if soft else 1.0
        record["mode"] = QUOTE if self.machine.state is State.ACTIVE else REDUCE
        off = self.sides_off()
        record["bid_off"], record["ask_off"] = 1 in off, -1 in off
        if instrument.is_spot:
            record["avail_base"] = max(float(held), 0.0)
            record["avail_quote"] = np.inf if quote_total is None else max(float(quote_total), 0.0)

    def sync_own(self) -> None:
        """Tells the market state what of ours stands in the public book."""
        if not self.spec.own_in_book:
            return
        own: dict[tuple[int, int], int] = {}
        for order in self.table:
            if order.state in RESTING and order.left > 0:
                key = (int(order.side), order.price)
                own[key] = own.get(key, 0) + order.left
        if own == self._own:
            return
        for side, price in self._own.keys() - own.keys():
            set_own(self.market, self.params, side, price, 0)
        for (side, price), qty in own.items():
            if self._own.get((side, price)) != qty:
                set_own(self.market, self.params, side, price, qty)
        self._own = own
