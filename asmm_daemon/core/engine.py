"""The engine: events in, approved commands out. Pure and deterministic.

The service feeds every event through `step`, writes `drain_records()` durably, then sends the
commands that `step` returned, in their order. Nothing here reads a clock: time is `event.t_ns`.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.account import Account
from asmm_daemon.core.bookkeeper import Bookkeeper
from asmm_daemon.core.channels import Channels
from asmm_daemon.core.desk import RESTING, Desk
from asmm_daemon.core.explain import Explain
from asmm_daemon.core.history import warm_market
from asmm_daemon.core.ledger import Ledger
from asmm_daemon.core.market import MarketState, on_message
from asmm_daemon.core.moment import Moment, moment_of
from asmm_daemon.core.operate import operate
from asmm_daemon.core.outbox import Outbox
from asmm_daemon.core.oversight import State, Switch
from asmm_daemon.core.policy import Action
from asmm_daemon.core.quoter import Quoter
from asmm_daemon.core.reconcile import Reconciler
from asmm_daemon.core.records import Record
from asmm_daemon.core.reload import apply_specs
from asmm_daemon.core.report import Clockwork, engine_view
from asmm_daemon.core.restore import Restorer
from asmm_daemon.core.risk import Gate
from asmm_daemon.core.spec import AccountLimits, Identity, MarketSpec
from asmm_daemon.core.supervisor import Supervisor
from asmm_daemon.core.trader import Trader
from asmm_daemon.core.view import EngineView
from asmm_daemon.events import (
    BBO,
    DEPTH,
    TRADE,
    Accepted,
    AmendAccepted,
    BalanceEvent,
    CancelAccepted,
    Channel,
    ChannelEvent,
    Command,
    CycleTick,
    Event,
    FillEvent,
    FundingEvent,
    History,
    MarketData,
    Operator,
    OrderUpdate,
    PositionEvent,
    Proof,
    Rejected,
    Snapshot,
    Unknown,
    WatchTick,
)
from asmm_daemon.units import NS_PER_S


class Engine:
    """Quotes, orders, limits, states and accounts of several markets on one account.

    Args:
        specs: one per configured market; index `m` of events and commands is the position here.
        account: limits over all markets.
        identity: prefix and epoch of client order ids; the epoch must grow with every start.
    """

    def __init__(self, specs: Sequence[MarketSpec], account: AccountLimits, identity: Identity) -> None:
        prices = dict(account.asset_prices)
        self._desks = [Desk(m, spec, prices) for m, spec in enumerate(specs)]
        self._outbox = Outbox()
        self._account = Account(account, self._desks)
        self._channels = Channels()
        self._gate = Gate(account)
        self._trader = Trader(self._account, self._gate, self._outbox, identity)
        self._keeper = Bookkeeper(self._account, self._trader, self._outbox)
        self._reconciler = Reconciler(self._account, self._keeper, self._trader, self._outbox)
        self._quoter = Quoter(self._account, self._trader, self._outbox)
        self._supervisor = Supervisor(
            self._account, self._channels, self._trader, self._reconciler, self._outbox, self._quoter.requote
        )
        self._clockwork = Clockwork()
        self._started = False
        self._handlers: dict[type[Event], Callable[[Any], None]] = {
            History: self._on_history,
            MarketData: self._on_market,
            Accepted: self._on_accepted,
            AmendAccepted: self._on_amended,
            CancelAccepted: self._on_cancel_accepted,
            Rejected: self._on_rejected,
            Unknown: self._on_unknown,
            OrderUpdate: self._on_update,
            FillEvent: self._on_fill,
            BalanceEvent: self._on_balance,
            PositionEvent: self._on_position,
            FundingEvent: self._on_funding,
            ChannelEvent: self._on_channel,
            Proof: self._on_proof,
            Snapshot: self._on_snapshot,
            CycleTick: self._on_cycle,
            WatchTick: self._on_watch,
            Operator: self._on_operator,
        }

    def restore(self, records: Iterable[Record]) -> None:
        """Rebuilds ledgers, open orders, peak and latches from the journal, oldest record first.

        Called once, before the first `step`. Orders without a final state come back as UNKNOWN and
        are asked about before anything is quoted.
        """
        restorer = Restorer(self._account)
        for record in records:
            restorer.take(record)
        restorer.finish()

    def hold(self, reason: str, t_ns: int) -> None:
        """Latches HALTED because a latch outside the journal says so (a crash between the two)."""
        self._outbox.begin(t_ns)
        if not self.halted:
            self._account.board.set(Switch.OPERATOR_HALT, reason)

    def step(self, event: Event) -> list[Command]:
        """Takes one event; returns the approved commands that it causes, in sending order."""
        self._outbox.begin(event.t_ns)
        if not self._started:
            self._started = True
            self._channels.start(len(self._desks), event.t_ns)
        self._handlers[type(event)](event)
        return self._outbox.commands

    def drain_records(self) -> list[Record]:
        """The journal records since the last call; durable before this step's commands are sent."""
        return self._outbox.drain()

    def apply(self, specs: Sequence[MarketSpec], account: AccountLimits, t_ns: int) -> None:
        """Swaps parameters, limits and policies between two events (SIGHUP).

        Raises:
            ConfigError: markets, venue product or instruments' grid differ from the running ones;
                nothing has changed then.
        """
        self._outbox.begin(t_ns)
        apply_specs(self._account, self._gate, self._outbox, specs, account)

    def view(self) -> EngineView:
        """A frozen snapshot for status, metrics and summary."""
        return engine_view(
            self._account, self._channels, self._supervisor, self._gate, self._clockwork, self._outbox.t_ns
        )

    def explains(self, m: int) -> tuple[Explain, ...]:
        """The last hour's decisions of a market, oldest first."""
        return tuple(self._desks[m].explains)

    def market(self, m: int) -> MarketState:
        """A market's state, to read: a recorder's checkpoint copies it."""
        return self._desks[m].market

    def best_resting(self, m: int) -> tuple[int, int]:
        """Our best resting bid and ask of a market in ticks, 0 where none rests."""
        resting = [o for o in self._desks[m].table if o.state in RESTING and o.left > 0]
        bids, asks = ([o.price for o in resting if o.side == side] for side in (1, -1))
        return max(bids, default=0), min(asks, default=0)

    def ledger(self, m: int) -> Ledger:
        """A market's ledger, to read."""
        return self._desks[m].ledger

    def max_inventory(self, m: int) -> Decimal:
        """The effective maximum of a market, base currency."""
        return self._desks[m].max_inventory

    def quoting(self, m: int) -> bool:
        """Whether the last decision's quotes are wanted now."""
        return self._desks[m].quoting

    def action(self, m: int) -> Action:
        """The γ and skew in force."""
        return self._desks[m].action

    def features(self, m: int) -> NDArray[np.float64]:
        """A copy of the last cycle's features of a market."""
        return self._desks[m].features.copy()

    def moment(self, m: int) -> Moment | None:
        """The quote cycle that has just been taken in, for a learner; None where nothing was chosen in it."""
        return moment_of(self._desks[m], self._outbox.t_ns)

    @property
    def specs(self) -> tuple[MarketSpec, ...]:
        """The markets as they run now."""
        return tuple(desk.spec for desk in self._desks)

    @property
    def open_orders(self) -> int:
        """Orders that are or may be open at the venue, over all markets."""
        return sum(len(desk.table.active()) for desk in self._desks)

    @property
    def halted(self) -> bool:
        """Whether a latch holds the account in HALTED."""
        return any(self._account.target_state(desk) is State.HALTED for desk in self._desks)

    def _on_history(self, event: History) -> None:
        desk = self._desks[event.m]
        warm_market(desk.market, desk.params, event.candles, event.trades)

    def _on_market(self, event: MarketData) -> None:
        desk = self._desks[event.m]
        rows = event.rows
        if not len(rows):
            return
        on_message(desk.market, desk.params, rows)
        desk.latency_s = (event.t_ns - int(rows[-1]["exch_ns"])) / NS_PER_S
        kind = int(rows[-1]["kind"])
        if kind in (DEPTH, BBO, TRADE):
            self._channels.hear(event.m, Channel.BOOK, event.t_ns)
        if kind in (DEPTH, BBO):
            desk.book.prove(event.t_ns)
        if desk.quoting:
            self._quoter.follow_price(desk)

    def _settle(self, desk: Desk) -> None:
        """After an order event: journal it, and fill the slot that became free at a fresh price."""
        freed = any(change.after.final for change in desk.table.changes)
        if self._keeper.settle(desk) and desk.quoting:
            if freed:
                self._quoter.requote(desk, "order")
            else:
                self._trader.sync(desk)
            self._keeper.settle(desk)

    def _on_accepted(self, event: Accepted) -> None:
        self._channels.hear(None, Channel.REST, event.t_ns)
        self._keeper.on_accepted(self._desks[event.m], event)
        self._settle(self._desks[event.m])

    def _on_amended(self, event: AmendAccepted) -> None:
        self._channels.hear(None, Channel.REST, event.t_ns)
        self._keeper.on_amended(self._desks[event.m], event)
        self._settle(self._desks[event.m])

    def _on_cancel_accepted(self, event: CancelAccepted) -> None:
        self._channels.hear(None, Channel.REST, event.t_ns)
        self._keeper.on_cancel_accepted(self._desks[event.m], event)
        self._settle(self._desks[event.m])

    def _on_rejected(self, event: Rejected) -> None:
        self._keeper.on_rejected(self._desks[event.m], event)
        self._settle(self._desks[event.m])

    def _on_unknown(self, event: Unknown) -> None:
        self._keeper.on_unknown(self._desks[event.m], event)
        self._settle(self._desks[event.m])

    def _on_update(self, event: OrderUpdate) -> None:
        self._channels.hear(None, Channel.PRIVATE if event.source == "stream" else Channel.REST, event.t_ns)
        self._keeper.on_update(self._desks[event.m], event)
        self._settle(self._desks[event.m])

    def _on_fill(self, event: FillEvent) -> None:
        self._channels.hear(None, Channel.PRIVATE if event.source == "stream" else Channel.REST, event.t_ns)
        desk = self._desks[event.m]
        if self._keeper.on_fill(desk, event):
            self._after_fills(desk)
        self._settle(desk)

    def _after_fills(self, desk: Desk) -> None:
        self._keeper.settle(desk)
        self._supervisor.watch_account()
        for each in self._desks:
            self._supervisor.follow(each)
        self._quoter.requote(desk, "fill")

    def _on_balance(self, event: BalanceEvent) -> None:
        self._channels.hear(None, Channel.PRIVATE, event.t_ns)
        self._keeper.on_balance(event)

    def _on_position(self, event: PositionEvent) -> None:
        self._channels.hear(None, Channel.PRIVATE, event.t_ns)

    def _on_funding(self, event: FundingEvent) -> None:
        self._keeper.on_funding(self._desks[event.m], event)

    def _on_channel(self, event: ChannelEvent) -> None:
        self._channels.turn(event.m, event.channel, event.t_ns, up=event.up, reason=event.reason)
        for desk in self._desks:
            if event.m in (None, desk.m):
                self._supervisor.watch(desk)
                self._keeper.settle(desk)

    def _on_proof(self, event: Proof) -> None:
        self._channels.hear(event.m, event.channel, event.t_ns)
        if event.channel is Channel.BOOK and event.m is not None:
            self._desks[event.m].book.prove(event.t_ns)

    def _on_snapshot(self, event: Snapshot) -> None:
        self._channels.hear(None, Channel.REST, event.t_ns)
        desk = self._desks[event.m]
        if self._reconciler.take(desk, event):
            self._after_fills(desk)
        self._supervisor.watch(desk)
        self._settle(desk)

    def _on_cycle(self, event: CycleTick) -> None:
        for desk in self._desks:
            desk.tally.cycles += 1
            desk.tally.late += event.skipped > 0
            desk.tally.skipped += event.skipped
            self._quoter.cycle(desk)
            self._keeper.settle(desk)

    def _on_watch(self, event: WatchTick) -> None:
        self._clockwork.count(self._account, event.t_ns)
        self._supervisor.watch_account()
        for desk in self._desks:
            self._supervisor.watch(desk)
            self._quoter.refresh(desk)
            self._keeper.settle(desk)

    def _on_operator(self, event: Operator) -> None:
        operate(event, self._account, self._outbox)
        for desk in self._desks:
            self._supervisor.follow(desk)
            self._keeper.settle(desk)
