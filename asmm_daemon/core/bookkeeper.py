"""What the venue says of orders, executions and balances, taken into order tables and ledgers."""

from decimal import Decimal

from asmm_daemon.core.account import Account
from asmm_daemon.core.desk import Backoff, Desk
from asmm_daemon.core.inventory import target
from asmm_daemon.core.order_state import OrderState
from asmm_daemon.core.orders import Order
from asmm_daemon.core.outbox import Outbox
from asmm_daemon.core.oversight import Switch
from asmm_daemon.core.records import RecordKind
from asmm_daemon.core.trader import Trader, strike
from asmm_daemon.events import (
    Accepted,
    AmendAccepted,
    BalanceEvent,
    CancelAccepted,
    Cause,
    FillEvent,
    FundingEvent,
    OrderStatus,
    OrderUpdate,
    Rejected,
    Unknown,
)
from asmm_daemon.units import BUY, SELL

_DISTRUST = frozenset({Cause.REDUCE_ONLY, Cause.AUTH, Cause.MAINTENANCE})
"""Refusals after which nothing is quoted until the account is reconciled anew."""
_OVERTAKEN = frozenset({Cause.POST_ONLY, Cause.NOT_FOUND})
"""Refusals by which the market was faster than the request: it crossed the price, or filled the order."""
_UNASKED = frozenset({OrderState.PENDING_NEW, OrderState.LIVE, OrderState.PENDING_AMEND})
_JOURNALED_FROM_PENDING = frozenset({OrderState.PENDING_NEW, OrderState.UNKNOWN_NEW})


def fill_data(fill: FillEvent) -> dict[str, str | int | bool]:
    """A fill as journal data, decimals as on the wire."""
    return {
        "cid": fill.cid,
        "oid": fill.oid,
        "side": int(fill.side),
        "price": str(fill.price),
        "qty": str(fill.qty),
        "fee": str(fill.fee),
        "fee_asset": fill.fee_asset,
        "maker": fill.maker,
        "venue_ns": fill.venue_ns,
        "source": fill.source,
    }


class Bookkeeper:
    """Takes in order and account events of all markets."""

    def __init__(self, account: Account, trader: Trader, outbox: Outbox) -> None:
        self.account = account
        self.trader = trader
        self.outbox = outbox

    def on_accepted(self, desk: Desk, event: Accepted) -> None:
        """A create request was acknowledged."""
        order = desk.table.find(event.cid, event.oid)
        if order is not None:
            desk.table.accepted(order, event.oid, event.t_ns)

    def on_amended(self, desk: Desk, event: AmendAccepted) -> None:
        """An amendment was acknowledged."""
        order = desk.table.find(event.cid)
        if order is not None:
            desk.table.amended(order, event)

    def on_cancel_accepted(self, desk: Desk, event: CancelAccepted) -> None:
        """A cancel request was acknowledged."""
        order = desk.table.find(event.cid)
        if order is not None:
            desk.table.cancel_accepted(order, event.t_ns)

    def on_unknown(self, desk: Desk, event: Unknown) -> None:
        """A request's outcome cannot be told: the order is asked about."""
        order = desk.table.find(event.cid)
        if order is not None and not order.state.final:
            desk.table.lost_track(order, event.t_ns, event.message)
            self.trader.query(desk, order)

    def on_rejected(self, desk: Desk, event: Rejected) -> None:
        """A request was refused: the slot waits, the side goes off or the account is asked anew."""
        code = event.code or str(event.cause)
        desk.tally.rejects[code] = desk.tally.rejects.get(code, 0) + 1
        order = desk.table.find(event.cid)
        if order is not None:
            desk.table.rejected(order, event)
            if order.state.unknown:
                self.trader.query(desk, order)
            if event.request != "cancel":
                self._hold_back(desk, order, event)
        if event.cause in _DISTRUST:
            desk.board.set(Switch.RECONCILE, f"{event.cause} {event.code}")

    def on_update(self, desk: Desk, event: OrderUpdate) -> None:
        """An order's state from the stream or a query."""
        if event.status is OrderStatus.NOT_FOUND:
            order = desk.table.find(event.cid, event.oid)
            if order is not None and not order.state.final:
                desk.table.not_found(order, event.t_ns, proof_s=desk.spec.limits.not_found_proof_s)
            return
        known = desk.table.update(event)
        if known is None and event.status is OrderStatus.OPEN and self.is_ours(event.cid):
            self.adopt(desk, event)

    def on_fill(self, desk: Desk, event: FillEvent) -> bool:
        """An execution; False when it is booked already, or part of the adopted inventory."""
        if desk.ledger.opened_ns is None or event.venue_ns < desk.ledger.opened_ns:
            return False
        if not desk.ledger.book(event):
            return False
        self.outbox.record(RecordKind.FILL, desk.symbol, event.tid, **fill_data(event))
        lots = int((event.qty / desk.spec.instrument.lot).to_integral_value())
        desk.table.executed(event.cid, event.oid, lots, event.t_ns)
        desk.reconciliation.booked_ns = event.t_ns
        desk.markouts.add(event)
        desk.tally.inventory_abs_max = max(desk.tally.inventory_abs_max, abs(desk.ledger.qty))
        limits = desk.spec.limits
        name = event.cid or event.oid
        if desk.repeat.executed_order(
            event.side, name, event.t_ns, limits.repeat_fills, limits.repeat_window_s
        ):
            side = "buy" if event.side == BUY else "sell"
            self.outbox.record(
                RecordKind.LATCH, desk.symbol, f"repeat_{side}", on=True, reason="repeated execution"
            )
        return True

    def on_funding(self, desk: Desk, event: FundingEvent) -> None:
        """A funding payment, booked once."""
        if desk.ledger.book_funding(event.fid, event.amount, event.t_ns):
            self.outbox.record(
                RecordKind.FUNDING, desk.symbol, event.fid, amount=str(event.amount), asset=event.asset
            )

    def on_balance(self, event: BalanceEvent) -> None:
        """An asset's balance; a side that lacked funds may try again."""
        self.account.balances[event.asset] = event
        for desk in self.account.desks:
            instrument = desk.spec.instrument
            if event.asset == instrument.quote:
                desk.balance_off.pop(BUY, None)
            if event.asset in (instrument.base, *(() if instrument.is_spot else (instrument.quote,))):
                desk.balance_off.pop(SELL, None)

    def adopt(self, desk: Desk, event: OrderUpdate) -> Order:
        """Takes in an order of ours that no table knows, and cancels it."""
        order = desk.table.adopt(event)
        if not order.state.final:
            self.trader.cancel(desk, order, "adopted")
        return order

    def is_ours(self, cid: str) -> bool:
        """Whether a client order id carries our prefix: no other order is ever touched (S21)."""
        return cid.startswith(self.trader.identity.prefix)

    def settle(self, desk: Desk) -> bool:
        """Journals the order states that matter for a restart; True when a slot became free or live."""
        changed = bool(desk.table.changes)
        for change in desk.table.changes:
            state = change.after
            if state is OrderState.CANCELLED and change.before in _UNASKED:
                self._strike(desk, change.order)
            acknowledged = state is OrderState.LIVE and change.before in _JOURNALED_FROM_PENDING
            if state.final or state.unknown or acknowledged:
                self.outbox.record(
                    RecordKind.ORDER,
                    desk.symbol,
                    change.order.cid,
                    state=str(state),
                    oid=change.order.oid,
                    filled=change.order.seen_filled,
                    reason=change.reason,
                )
        desk.table.changes.clear()
        desk.sync_own()
        return changed

    def _strike(self, desk: Desk, order: Order) -> None:
        """The venue ended an order unasked: a post-only order that would have taken, on some venues."""
        if order.tif == "PO":
            backoff = desk.backoffs.setdefault((order.side, order.level), Backoff())
            strike(backoff, self.outbox.t_ns, 0.05, 2.0)

    def _hold_back(self, desk: Desk, order: Order, event: Rejected) -> None:
        if event.cause is Cause.NOT_ATTEMPTED:
            return
        slot = (int(order.side), order.level)
        backoff = desk.backoffs.setdefault(slot, Backoff())
        if event.cause is Cause.BALANCE:
            desk.balance_off[order.side] = "insufficient balance"
            desk.reconciliation.asked_ns = 0
        elif event.cause in _OVERTAKEN:
            strike(backoff, event.t_ns, 0.05, 2.0)
        elif event.cause is Cause.CLOCK and backoff.strikes:
            desk.board.set(Switch.RECONCILE, "the venue refuses our clock")
        if event.cause is not Cause.BALANCE and event.cause not in _OVERTAKEN:
            strike(backoff, event.t_ns, 1.0, 15.0)


def opening_quantity(venue: Decimal, desk: Desk, mid: Decimal) -> Decimal:
    """The part of the venue's inventory that belongs to the daemon: on spot at most the target.

    So both sides can quote from the start, and what the account holds beyond it is never touched.
    """
    instrument = desk.spec.instrument
    if not instrument.is_spot:
        return venue
    goal = instrument.qty(instrument.floor_lots(Decimal(repr(float(target(desk.params, float(mid)))))))
    return max(min(venue, goal), Decimal(0))
