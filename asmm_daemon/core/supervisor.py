"""The watchdog's beat: every age and every switch is judged here, ten times a second."""

from collections import deque
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from math import nan

from asmm_daemon.core.account import Account
from asmm_daemon.core.channels import Channels
from asmm_daemon.core.desk import Desk
from asmm_daemon.core.order_state import OrderState
from asmm_daemon.core.orders import EXTRA, Order
from asmm_daemon.core.outbox import Outbox
from asmm_daemon.core.oversight import NEED_RECONCILE, SWEEPING, State, Switch
from asmm_daemon.core.reconcile import Reconciler
from asmm_daemon.core.records import RecordKind
from asmm_daemon.core.trader import IOC_LEVEL, Trader
from asmm_daemon.core.view import StateChange
from asmm_daemon.events import ProveBook
from asmm_daemon.units import NS_PER_S

INVALID_GRACE_S = 0.5
"""How long a book may be crossed or unknown before quotes are pulled; nothing new leaves meanwhile."""
SWEEP_EVERY_S = 1.5
TRANSITIONS = 10_000
"""Changes of state remembered for the summary; the journal has all."""
PEAK_EVERY_S = 1.0
"""Shortest time between two journal records of a rising peak."""
_PENDING = frozenset({OrderState.PENDING_NEW, OrderState.PENDING_AMEND})
_CANCELLABLE = frozenset({OrderState.LIVE, OrderState.PENDING_AMEND, OrderState.UNKNOWN_AMEND})


class Supervisor:
    """Judges switches, follows the trading states and chases orders whose fate is open."""

    def __init__(
        self,
        account: Account,
        channels: Channels,
        trader: Trader,
        reconciler: Reconciler,
        outbox: Outbox,
        requote: Callable[[Desk, str], None],
    ) -> None:
        self.account = account
        self.channels = channels
        self.trader = trader
        self.reconciler = reconciler
        self.outbox = outbox
        self.requote = requote
        self.transitions: deque[StateChange] = deque(maxlen=TRANSITIONS)
        self._peak_ns = 0

    def watch(self, desk: Desk) -> None:
        """One beat for one market."""
        now = self.outbox.t_ns
        self._watch_book(desk, now)
        desk.markouts.measure(now, desk.mid_ticks * float(desk.spec.instrument.tick) if desk.valid else nan)
        self._watch_channels(desk, now)
        if desk.warm:
            desk.board.clear(Switch.WARMING)
        self._watch_inventory(desk, now)
        self.follow(desk)
        self._chase(desk, now)
        self._trim(desk)
        if self.reconciler.due(desk):
            self.reconciler.ask(desk, "timer" if desk.reconciliation.agreed else "open difference")
        desk.table.prune(now)

    def watch_account(self) -> None:
        """One beat for the account: equity against its peaks."""
        equity = self.account.equity()
        if equity is None or not all(d.ledger.opened_ns is not None for d in self.account.desks):
            return
        limits, watch, board = self.account.limits, self.account.drawdown, self.account.board
        if self.account.equity_start is None:
            self.account.equity_start = equity
        rose = watch.update(
            equity,
            self.outbox.t_ns,
            flat=self.account.flat,
            soft_limit=limits.drawdown_soft,
            leave_s=limits.soft_leave_after_s,
        )
        if rose and self.outbox.t_ns - self._peak_ns > PEAK_EVERY_S * NS_PER_S:
            self._peak_ns = self.outbox.t_ns
            self.outbox.record(RecordKind.PEAK, "", "", peak=str(watch.peak), equity=str(equity), reason="")
        lost = watch.drawdown(equity)
        if lost > limits.drawdown_halt and board.set(Switch.DRAWDOWN, f"{lost:.2%} below the peak"):
            self.outbox.record(
                RecordKind.LATCH, "", Switch.DRAWDOWN, on=True, reason=board.causes[Switch.DRAWDOWN]
            )
        if watch.soft:
            board.set(Switch.SOFT_DRAWDOWN, f"more than {limits.drawdown_soft:.0%} below the peak")
        else:
            board.clear(Switch.SOFT_DRAWDOWN)

    def follow(self, desk: Desk) -> None:
        """Moves a market's trading state to what its causes ask for, and acts on the change."""
        causes, since_ns = self.account.causes(desk), desk.machine.since_ns
        moved = desk.machine.follow(self.account.target_state(desk), self.outbox.t_ns)
        if moved is not None:
            before, after = moved
            reason = "; ".join(f"{switch}: {text}" for switch, text in causes.items()) or "all clear"
            self.transitions.append(
                StateChange(self.outbox.t_ns, desk.symbol, before.name, after.name, reason)
            )
            self.outbox.record(
                RecordKind.TRANSITION,
                desk.symbol,
                "",
                before=before.name,
                after=after.name,
                cause=reason,
            )
            if before is State.PAUSED and self._long_ago(since_ns):
                desk.spec.policy.reset()
            self._enter(desk, after)
        self._sweep(desk, causes.keys() & SWEEPING)

    def _long_ago(self, since_ns: int) -> bool:
        return self.outbox.t_ns - since_ns > self.account.limits.policy_reset_after_s * NS_PER_S

    def _enter(self, desk: Desk, state: State) -> None:
        now = self.outbox.t_ns
        desk.reduced_ns = now if state is State.REDUCING else None
        if state is State.ACTIVE and desk.first_active_ns is None:
            desk.first_active_ns = now
        if state >= State.PAUSED:
            desk.quoting = False
            desk.pauses += 1
            self.trader.sync(desk)
        self.requote(desk, "state")

    def _sweep(self, desk: Desk, causes: AbstractSet[Switch]) -> None:
        """Cancels over every path for each new cause, and again while anything may still rest."""
        new = causes - desk.swept_for
        waited_s = (self.outbox.t_ns - desk.swept_ns) / NS_PER_S
        flattening = self.account.limits.flatten_on_halt and desk.machine.state is State.HALTED
        again = causes and desk.table.active() and waited_s > SWEEP_EVERY_S and not flattening
        if new or again:
            self.trader.cancel_everything(desk, ", ".join(sorted(new or causes)))
        desk.swept_for = frozenset(causes)

    def _watch_book(self, desk: Desk, now: int) -> None:
        limits, watch = desk.spec.limits, desk.book
        watch.see(now, valid=desk.valid)
        age_s = watch.age_s(now)
        if age_s > limits.stale_after_s:
            since = f"no proof for {age_s:.1f} s" if watch.proof_ns else "no proof yet"
            desk.board.set(Switch.STALE_BOOK, since)
        else:
            desk.board.clear(Switch.STALE_BOOK)
        if watch.invalid_s(now) > INVALID_GRACE_S:
            desk.board.set(Switch.INVALID_BOOK, "crossed, one-sided or gapped")
        elif desk.valid:
            desk.board.clear(Switch.INVALID_BOOK)
        if watch.should_ask(now, limits.book_silence_s, limits.prove_every_s):
            self.outbox.send(ProveBook(desk.m))

    def _watch_channels(self, desk: Desk, now: int) -> None:
        limits = self.account.limits
        for switch, reason in (
            (Switch.DISCONNECT, self.channels.silent(desk.m, now, limits.disconnect_after_s)),
            (Switch.CHANNEL_DOWN, self.channels.broken(desk.m, now, limits.private_down_grace_s)),
        ):
            if reason is not None:
                desk.board.set(switch, reason)
            elif desk.board.clear(switch) and switch in NEED_RECONCILE:
                desk.board.set(Switch.RECONCILE, f"after {switch}")
                desk.reconciliation.waiting = False

    def _watch_inventory(self, desk: Desk, now: int) -> None:
        limits, share = desk.spec.limits, desk.share
        if desk.ledger.opened_ns is None:
            return
        high = desk.inventory_watch.update(share, limits.reduce_above, limits.reduce_below)
        stuck = desk.stuck.update(share, now, limits.stuck_above, limits.stuck_after_s, limits.reduce_below)
        crash = desk.valid and desk.flash.update(
            desk.mid_ticks, now, limits.flash_move, limits.flash_window_s, limits.flash_cooldown_s
        )
        for switch, holds in ((Switch.INVENTORY, high), (Switch.STUCK, stuck)):
            if holds:
                desk.board.set(switch, f"{share:.0%} of the range")
            else:
                desk.board.clear(switch)
        if crash:
            desk.board.set(Switch.FLASH_CRASH, f"moved {desk.flash.move():.1%} within the window")
        elif desk.valid:
            desk.board.clear(Switch.FLASH_CRASH)
        for side in desk.repeat.due(now, limits.repeat_rearm_s):
            desk.repeat.rearm(side)

    def _chase(self, desk: Desk, now: int) -> None:
        """Asks about orders whose fate is open, and repeats cancels that were not confirmed."""
        limits = desk.spec.limits
        late_ns, retry_ns = limits.query_after_s * NS_PER_S, limits.cancel_retry_s * NS_PER_S
        for order in list(desk.table):
            waited = now - max(order.request_ns, order.queried_ns)
            if order.state.final:
                if not order.settled and now - max(order.final_ns, order.queried_ns) > retry_ns:
                    self.trader.query(desk, order)
            elif order.state in _PENDING and now - order.request_ns > late_ns:
                desk.table.lost_track(order, now, "no answer")
                self.trader.query(desk, order)
            elif order.state.unknown and waited > retry_ns:
                self.trader.query(desk, order)
            elif order.state is OrderState.PENDING_CANCEL and order.replaced and self._unwanted(desk, order):
                self.trader.cancel(desk, order, "nothing may rest")
            elif order.state is OrderState.PENDING_CANCEL and waited > retry_ns:
                self._cancel_again(desk, order, now, late_ns)
            elif order.state in _CANCELLABLE and self._unwanted(desk, order):
                self.trader.cancel(desk, order, "nothing may rest")

    def _cancel_again(self, desk: Desk, order: Order, now: int, late_ns: float) -> None:
        """An unconfirmed cancel is first asked about, then sent again."""
        if order.queried_ns > order.request_ns or now - order.request_ns > late_ns:
            self.trader.cancel(desk, order, "cancel not confirmed")
            order.queried_ns = 0
        else:
            self.trader.query(desk, order)

    def _unwanted(self, desk: Desk, order: Order) -> bool:
        halted = desk.machine.state is State.HALTED and not self.account.limits.flatten_on_halt
        return order.level == EXTRA or halted or desk.machine.state is State.PAUSED

    def _trim(self, desk: Desk) -> None:
        """A falling maximum (a rising mid) may leave open orders that S1 no longer allows."""
        if not any(order.state in _CANCELLABLE for order in desk.table):
            return
        facts = self.trader.facts(desk)
        most = facts.lots(facts.max_inventory, up=False)
        least = 0 if facts.instrument.is_spot else -most
        over = {
            1: facts.lots(facts.inventory, up=True) + desk.table.open_lots(1) > most,
            -1: facts.lots(facts.inventory, up=False) - desk.table.open_lots(-1) < least,
        }
        for order in desk.table.active():
            if over[order.side] and order.state in _CANCELLABLE and order.level != IOC_LEVEL:
                self.trader.cancel(desk, order, "over the maximum")
