"""From desired quotes to commands: the difference to the working orders, through the gate, journaled.

The only place where orders, amendments and cancels are made.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.account import Account
from asmm_daemon.core.desk import Backoff, Desk
from asmm_daemon.core.diff import (
    AMEND,
    CANCEL,
    CHANGE,
    DESIRED,
    KEEP,
    PLACE,
    REPLACE,
    SLOTS,
    WORKING,
    diff,
)
from asmm_daemon.core.explain import QuoteLine
from asmm_daemon.core.order_state import OrderState
from asmm_daemon.core.orders import Order
from asmm_daemon.core.outbox import Outbox
from asmm_daemon.core.oversight import State, Switch
from asmm_daemon.core.params import MAX_LEVELS
from asmm_daemon.core.records import RecordKind
from asmm_daemon.core.risk import Facts, Gate, Refusal
from asmm_daemon.core.spec import Identity
from asmm_daemon.events import Amend, Cancel, CancelAll, Place, Query, Replace
from asmm_daemon.units import NS_PER_S, Side

IOC_LEVEL = MAX_LEVELS
"""Slot of the bounded IOC order that ends a long REDUCING."""
QUIET_S = 1.0
"""Time without a refusal after which a slot's waiting starts small again."""
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_LEAVING = frozenset({OrderState.PENDING_CANCEL, OrderState.UNKNOWN_CANCEL})
_WITHDRAW = frozenset(
    {
        Refusal.STATE,
        Refusal.SIDE_OFF,
        Refusal.SIZE,
        Refusal.COLLAR,
        Refusal.INVENTORY,
        Refusal.EXPOSURE,
        Refusal.BALANCE,
    }
)
"""Refusals of an amendment after which the order at its old terms is not wanted either."""
_CANCEL_FIRST = frozenset({Refusal.INVENTORY, Refusal.EXPOSURE, Refusal.BALANCE})
"""Refusals of a replacement, where old and new count together, that the new order alone may pass."""


def base36(number: int) -> str:
    """A number in the digits that client order ids may hold."""
    text = ""
    while number:
        number, digit = divmod(number, 36)
        text = _DIGITS[digit] + text
    return text or "0"


class Trader:
    """Makes the commands of all markets."""

    def __init__(self, account: Account, gate: Gate, outbox: Outbox, identity: Identity) -> None:
        self.account = account
        self.gate = gate
        self.outbox = outbox
        self.identity = identity
        self._counter = 0
        self._working = np.zeros(SLOTS, WORKING)
        self._changes = np.zeros(SLOTS + 2 * MAX_LEVELS, CHANGE)

    def sync(self, desk: Desk) -> tuple[QuoteLine, ...]:
        """Sends the fewest commands that bring the working orders to the wanted quotes."""
        wanted = self._wanted(desk)
        limits = desk.spec.limits
        orders = [o for o in desk.table.active() if o.level != IOC_LEVEL][:SLOTS]
        for i, order in enumerate(orders):
            self._working[i] = (
                order.side,
                order.level,
                order.price,
                order.left,
                order.state is OrderState.LIVE,
                order.state in _LEAVING,
                desk.spec.can_amend and order.amendable and order.amends < limits.max_amends_per_order,
                desk.spec.can_replace and not desk.spec.can_amend,
            )
        working = self._working[: len(orders)]
        tolerance = limits.tolerance_ticks
        if not desk.spec.can_amend and desk.mid is not None:
            tolerance = max(tolerance, int(limits.replace_bps * 1e-4 * desk.mid_ticks))
        count = diff(wanted, working, tolerance, limits.qty_tolerance, self._changes)
        lines = []
        for action, w, d in self._changes[:count].tolist():
            held = orders[w] if w >= 0 else None
            want: tuple[int, int, int, int] | None = wanted[d].item() if d >= 0 else None
            what = self._carry_out(desk, action, held, want)
            if want is not None:
                side, level, price, lots = want
                lines.append(QuoteLine(side, level, price, lots, what))
        return tuple(lines)

    def cancel(self, desk: Desk, order: Order, reason: str) -> None:
        """Cancels one order; cancels are never held back."""
        desk.table.cancel_sent(order, self.outbox.t_ns, reason)
        desk.tally.cancels += 1
        self.outbox.record(RecordKind.CANCEL, desk.symbol, order.cid, reason=reason)
        self.outbox.send(Cancel(desk.m, order.cid, order.oid))

    def cancel_everything(self, desk: Desk, reason: str) -> None:
        """Cancels over every path, orders that we do not know of included."""
        self.outbox.send(CancelAll(desk.m, reason))
        desk.swept_ns = self.outbox.t_ns

    def query(self, desk: Desk, order: Order) -> None:
        """Asks for an order's true state and its trades."""
        order.queried_ns = self.outbox.t_ns
        self.outbox.send(Query(desk.m, order.cid, order.oid))

    def take(self, desk: Desk, side: Side, price: int, lots: int) -> Refusal | None:
        """Sends a bounded IOC order that reduces the inventory."""
        want = self._new_order(desk, side, IOC_LEVEL, price, lots, "IOC")
        return self._place(desk, want)

    def facts(self, desk: Desk) -> Facts:
        """What the gate judges by at this moment."""
        top = desk.market.market[0]
        return Facts(
            instrument=desk.spec.instrument,
            limits=desk.spec.limits,
            table=desk.table,
            state=desk.machine.state,
            book_current=desk.book_current(self.outbox.t_ns),
            mid=desk.mid_ticks,
            best_bid=int(top["bid"]),
            best_ask=int(top["ask"]),
            inventory=desk.ledger.qty,
            max_inventory=desk.max_inventory,
            reduce_side=desk.reduce_side,
            reducible=abs(desk.ledger.qty - desk.centre),
            sides_off=desk.sides_off(),
            quote_total=self.account.quote_total(desk),
            other_exposure=self.account.other_exposure(desk),
            flatten=self.account.limits.flatten_on_halt,
        )

    def _wanted(self, desk: Desk) -> NDArray[Any]:
        """The held decision's quotes that the trading state lets through."""
        state = desk.machine.state
        halted = state is State.HALTED and not self.account.limits.flatten_on_halt
        if not desk.quoting or state is State.PAUSED or halted:
            return np.zeros(0, DESIRED)
        chosen, off = desk.decision[0], desk.sides_off()
        half = state is not State.ACTIVE and Switch.SOFT_DRAWDOWN in self.account.board.causes
        rows = []
        for side, prices, lots in (
            (1, chosen["bid_price"], chosen["bid_qty"]),
            (-1, chosen["ask_price"], chosen["ask_qty"]),
        ):
            if side in off or (state is not State.ACTIVE and side != desk.reduce_side):
                continue
            for level in range(int(chosen["levels"])):
                price, qty = int(prices[level]), int(lots[level])
                if half:
                    qty = max(qty // 2, min(qty, desk.spec.instrument.min_lots(price)))
                if qty > 0:
                    rows.append((side, level, price, qty))
        return np.array(rows, DESIRED)

    def _carry_out(
        self, desk: Desk, action: int, order: Order | None, want: tuple[int, int, int, int] | None
    ) -> str:
        if order is not None and action == CANCEL:
            self.cancel(desk, order, "not wanted" if want is None else "replace")
            return "cancel"
        if order is not None and want is not None and action == AMEND:
            return self._amend(desk, order, want[2], want[3])
        if order is not None and want is not None and action == REPLACE:
            return self._replace(desk, order, want)
        if want is not None and action == PLACE:
            return self._new_quote(desk, want)
        return "keep" if action == KEEP else "wait"

    def _new_quote(self, desk: Desk, want: tuple[int, int, int, int]) -> str:
        side, level, price, lots = want
        if self._waits(desk, side, level):
            return "backoff"
        refusal = self._place(desk, self._new_order(desk, 1 if side > 0 else -1, level, price, lots, "PO"))
        return str(refusal) if refusal else "place"

    def _waits(self, desk: Desk, side: int, level: int) -> bool:
        return desk.backoffs.get((side, level), Backoff()).until_ns > self.outbox.t_ns

    def _new_order(self, desk: Desk, side: Side, level: int, price: int, lots: int, tif: str) -> Place:
        reduce_only = desk.machine.state is not State.ACTIVE and not desk.spec.instrument.is_spot
        cid = (
            f"{self.identity.prefix}{desk.spec.strategy}{desk.m}"
            f"-{base36(self.identity.epoch)}-{base36(self._counter + 1)}"
        )
        return Place(desk.m, cid, side, level, price, lots, reduce_only, "IOC" if tif == "IOC" else "PO")

    def _place(self, desk: Desk, want: Place) -> Refusal | None:
        refusal = self.gate.check(want, None, self.facts(desk), self.outbox.t_ns)
        if refusal is not None:
            _count(desk, refusal)
            return refusal
        desk.table.add(want, self.outbox.t_ns)
        self._intend(desk, want)
        self.outbox.send(want)
        return None

    def _intend(self, desk: Desk, want: Place) -> None:
        """Counts a new order and journals that it is about to be requested (S7)."""
        self._counter += 1
        desk.tally.orders += 1
        self.outbox.record(
            RecordKind.INTENT,
            desk.symbol,
            want.cid,
            side=want.side,
            level=want.level,
            price=want.price,
            qty=want.qty,
            tif=want.tif,
            reduce_only=want.reduce_only,
        )

    def _replace(self, desk: Desk, order: Order, want: tuple[int, int, int, int]) -> str:
        """One request instead of two, so that the side never stands empty; cancels first if it cannot."""
        side, level, price, lots = want
        if self._waits(desk, side, level):
            if (price - order.price) * side >= 0 and lots >= order.left:
                return "backoff"
            self.cancel(desk, order, "replace later")
            return "cancel"
        new = self._new_order(desk, 1 if side > 0 else -1, level, price, lots, "PO")
        refusal = self.gate.check(new, None, self.facts(desk), self.outbox.t_ns, instead=order)
        if refusal in _CANCEL_FIRST:
            self.cancel(desk, order, f"replace: {refusal}")
            return "cancel"
        if refusal is not None:
            _count(desk, refusal)
            if refusal in _WITHDRAW:
                self.cancel(desk, order, str(refusal))
            return str(refusal)
        desk.table.replace_sent(order, new, self.outbox.t_ns)
        desk.tally.cancels += 1
        self.outbox.record(RecordKind.CANCEL, desk.symbol, order.cid, reason="replace")
        self._intend(desk, new)
        self.outbox.send(
            Replace(
                new.m,
                new.cid,
                new.side,
                new.level,
                new.price,
                new.qty,
                new.reduce_only,
                new.tif,
                order.cid,
                order.oid,
            )
        )
        return "replace"

    def _amend(self, desk: Desk, order: Order, price: int, lots: int) -> str:
        total = lots + max(order.booked, order.seen_filled)
        want = Amend(desk.m, order.cid, order.oid, order.side, price, total)
        refusal = self.gate.check(want, order, self.facts(desk), self.outbox.t_ns)
        if refusal is not None:
            _count(desk, refusal)
            if refusal in _WITHDRAW:
                self.cancel(desk, order, str(refusal))
            return str(refusal)
        desk.table.amend_sent(order, price, total, self.outbox.t_ns)
        desk.tally.amends += 1
        self.outbox.record(RecordKind.AMEND, desk.symbol, order.cid, price=price, qty=total)
        self.outbox.send(want)
        return "amend"


def _count(desk: Desk, refusal: Refusal) -> None:
    desk.tally.refusals[refusal] = desk.tally.refusals.get(refusal, 0) + 1


def strike(backoff: Backoff, t_ns: int, first_s: float, most_s: float) -> None:
    """Makes a slot wait, twice as long with every refusal in a row; a quiet spell ends the row."""
    if t_ns - backoff.until_ns > QUIET_S * NS_PER_S:
        backoff.strikes = 0
    backoff.until_ns = t_ns + int(min(first_s * 2.0 ** min(backoff.strikes, 20), most_s) * NS_PER_S)
    backoff.strikes += 1
