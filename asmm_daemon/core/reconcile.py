"""A fresh read of the venue's account against ours: what was missed is booked, what differs is said.

A snapshot's parts are read one after another, so a single difference may only mean that something was
executed in between. The same difference three times in a row, with nothing executed in between, is
inventory that moved without a trade of ours: it is booked as a transfer.
"""

from decimal import Decimal

from asmm_daemon.core.account import Account
from asmm_daemon.core.bookkeeper import Bookkeeper, opening_quantity
from asmm_daemon.core.desk import Desk
from asmm_daemon.core.order_state import OrderState
from asmm_daemon.core.outbox import Outbox
from asmm_daemon.core.oversight import Switch
from asmm_daemon.core.records import RecordKind
from asmm_daemon.core.trader import Trader
from asmm_daemon.events import OrderStatus, OrderUpdate, Reconcile, Snapshot
from asmm_daemon.units import NS_PER_S

SOON_NS = NS_PER_S
"""How soon a snapshot is asked for again when the last one could not settle everything."""
STRIKES = 3


class Reconciler:
    """Asks for snapshots and takes them in."""

    def __init__(self, account: Account, keeper: Bookkeeper, trader: Trader, outbox: Outbox) -> None:
        self.account = account
        self.keeper = keeper
        self.trader = trader
        self.outbox = outbox

    def due(self, desk: Desk) -> bool:
        """Whether it is time to ask: regularly, soon after an open difference, never twice at once."""
        state, limits, now = desk.reconciliation, self.account.limits, self.outbox.t_ns
        if state.waiting and now - state.asked_ns < limits.reconcile_timeout_s * NS_PER_S:
            return False
        waited = now - state.asked_ns
        urgent = (
            not state.agreed
            or desk.ledger.opened_ns is None
            or not desk.board.causes.keys().isdisjoint({Switch.RECONCILE, Switch.STARTUP})
        )
        return waited >= (SOON_NS if urgent else limits.reconcile_every_s * NS_PER_S)

    def ask(self, desk: Desk, reason: str) -> None:
        """Asks for a market's snapshot."""
        desk.reconciliation.waiting = True
        desk.reconciliation.asked_ns = self.outbox.t_ns
        self.outbox.send(Reconcile(desk.m, reason))

    def take(self, desk: Desk, snapshot: Snapshot) -> bool:
        """Takes in a snapshot; True when an execution was booked that no stream had brought."""
        state = desk.reconciliation
        asked_ns = state.asked_ns if state.waiting else snapshot.t_ns
        state.waiting = False
        quiet = state.booked_ns < asked_ns
        missed = [fill for fill in snapshot.fills if self.keeper.on_fill(desk, fill)]
        for balance in snapshot.balances:
            self.keeper.on_balance(balance)
        self._take_orders(desk, snapshot, asked_ns)
        venue = self._venue_inventory(desk, snapshot)
        if venue is None:
            return bool(missed)
        if desk.ledger.opened_ns is None:
            self._open(desk, venue, snapshot)
        elif quiet:
            self._compare(desk, venue)
            self._compare_money(snapshot, asked_ns)
        state.done_ns = snapshot.t_ns
        self._release(desk)
        return bool(missed)

    def _take_orders(self, desk: Desk, snapshot: Snapshot, asked_ns: int) -> None:
        listed = set()
        for event in snapshot.orders:
            if not self.keeper.is_ours(event.cid):
                continue
            listed.add(event.cid)
            order = desk.table.find(event.cid, event.oid)
            if order is None:
                if event.status is OrderStatus.OPEN:
                    self.keeper.adopt(desk, event)
                continue
            risen = _risen(event, order.state, order.final_ns, asked_ns)
            desk.table.update(event, resurfaced=risen)
            if risen and not order.state.final:
                self.trader.cancel(desk, order, "listed as open after its end")
        for order in desk.table.active():
            told = order.state in (OrderState.LIVE, OrderState.PENDING_CANCEL, OrderState.UNKNOWN_CANCEL)
            if told and order.cid not in listed and order.request_ns < asked_ns and not order.queried_ns:
                self.trader.query(desk, order)

    def _venue_inventory(self, desk: Desk, snapshot: Snapshot) -> Decimal | None:
        instrument = desk.spec.instrument
        if not instrument.is_spot:
            return snapshot.position.qty if snapshot.position is not None else Decimal(0)
        for balance in snapshot.balances:
            if balance.asset == instrument.base:
                return balance.free + balance.locked
        return Decimal(0) if snapshot.balances else None

    def _open(self, desk: Desk, venue: Decimal, snapshot: Snapshot) -> None:
        """The ledger begins with what the venue holds, at the current mid."""
        mid = desk.mid
        if mid is None:
            return
        qty = opening_quantity(venue, desk, mid)
        desk.reconciliation.reserved = venue - qty
        for fill in snapshot.fills:
            desk.ledger.mark_known(fill.tid, fill.venue_ns)
        desk.ledger.open(qty, mid, snapshot.t_ns)
        desk.reconciliation.agreed = True
        self.outbox.record(
            RecordKind.OPENING,
            desk.symbol,
            "",
            qty=str(qty),
            price=str(mid),
            reserved=str(venue - qty),
            opened_ns=snapshot.t_ns,
        )

    def _compare(self, desk: Desk, venue: Decimal) -> None:
        state = desk.reconciliation
        difference = venue - state.reserved - desk.ledger.qty
        if not difference:
            state.agreed, state.seen, state.difference = True, 0, difference
            return
        state.seen = state.seen + 1 if difference == state.difference else 1
        state.agreed, state.difference = False, difference
        self.outbox.record(
            RecordKind.DIFFERENCE,
            desk.symbol,
            "inventory",
            venue=str(venue - state.reserved),
            ledger=str(desk.ledger.qty),
        )
        mid = desk.mid
        if state.seen >= STRIKES and mid is not None:
            desk.ledger.transfer(difference, mid)
            self.outbox.record(RecordKind.TRANSFER, desk.symbol, "", qty=str(difference), price=str(mid))
            state.agreed, state.seen = True, 0
        elif state.seen > 1:
            desk.board.set(Switch.RECONCILE, "inventory differs from the venue's")

    def _compare_money(self, snapshot: Snapshot, asked_ns: int) -> None:
        """Quote currency and fee assets against the ledgers of every market that moves them."""
        if any(
            d.reconciliation.booked_ns >= asked_ns or d.ledger.opened_ns is None for d in self.account.desks
        ):
            return
        flows: dict[str, Decimal] = {}
        unknown = set()
        for desk in self.account.desks:
            quote = desk.spec.instrument.quote
            moved = desk.ledger.flows()
            if quote not in moved:
                unknown.add(quote)
            for asset, amount in moved.items():
                flows[asset] = flows.get(asset, Decimal(0)) + amount
        bases = {d.spec.instrument.base for d in self.account.desks if d.spec.instrument.is_spot}
        for balance in snapshot.balances:
            asset, total = balance.asset, balance.free + balance.locked
            if asset not in flows or asset in unknown or asset in bases:
                continue
            difference = self.account.money.compare(asset, total, flows[asset], snapshot.t_ns)
            if difference is not None:
                self.outbox.record(
                    RecordKind.DIFFERENCE,
                    "",
                    f"balance {asset}",
                    venue=str(total),
                    ledger=str(total - difference),
                )

    def _release(self, desk: Desk) -> None:
        """Ends the causes that waited for a reconciled account with no order in doubt."""
        doubt = any(o.state.unknown for o in desk.table.active())
        if desk.reconciliation.agreed and desk.ledger.opened_ns is not None and not doubt:
            desk.board.clear(Switch.STARTUP)
            desk.board.clear(Switch.RECONCILE)


def _risen(event: OrderUpdate, state: OrderState, final_ns: int, asked_ns: int) -> bool:
    """Whether a fresh listing contradicts an end that was told well before it was asked for."""
    return event.status is OrderStatus.OPEN and state.final and final_ns + SOON_NS < asked_ns
