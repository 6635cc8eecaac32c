"""The core engine: the daemon's own engine, fed event by event, against the simulated venue.

Slow and faithful: it shares the venue and the order of events with the fast engine, and nothing of how
a daemon handles them. A test holds the two against each other.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Literal

import numpy as np

from asmm_daemon.backtest.recorder import Recorder
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import NEVER, Timeline, first_message, warm_up
from asmm_daemon.backtest.venue import (
    ACCEPTED,
    AMEND,
    AMEND_CROSSED,
    AMEND_MISSED,
    AMENDED,
    CANCEL,
    CANCEL_ALL,
    CANCEL_MISSED,
    CANCELLED,
    CREATE_CROSSED,
    EXECUTED,
    FUNDED,
    NOT_ATTEMPTED,
    PLACE,
    PROVE,
    PROVEN,
    QUEUE,
    RECONCILE,
    RECONCILED,
    REPLACE,
    go_on,
    new_venue,
    next_reply_ns,
    request,
)
from asmm_daemon.core.engine import Engine
from asmm_daemon.core.order_state import OrderState
from asmm_daemon.core.params import to_record
from asmm_daemon.core.spec import Identity
from asmm_daemon.errors import TapeError
from asmm_daemon.events import (
    Accepted,
    Amend,
    AmendAccepted,
    BalanceEvent,
    Cancel,
    CancelAll,
    Cause,
    Channel,
    Command,
    CycleTick,
    Event,
    FillEvent,
    FundingEvent,
    MarketData,
    OrderStatus,
    OrderUpdate,
    Place,
    PositionEvent,
    Proof,
    ProveBook,
    Query,
    Reconcile,
    Rejected,
    Replace,
    Snapshot,
    WatchTick,
)
from asmm_daemon.tape.columns import TapeInfo
from asmm_daemon.units import NS_PER_S, Side

WATCH_NS = NS_PER_S // 10
SPOT_DEPOSIT = Decimal(10**9)
"""Base currency that a simulated spot account holds: the allocation, not the account, bounds a run."""
_TOLD = frozenset({OrderState.LIVE, OrderState.PENDING_AMEND, OrderState.PENDING_CANCEL})
_REFUSED: dict[int, tuple[Literal["create", "amend", "cancel"], Cause]] = {
    CREATE_CROSSED: ("create", Cause.POST_ONLY),
    AMEND_CROSSED: ("amend", Cause.POST_ONLY),
    AMEND_MISSED: ("amend", Cause.NOT_FOUND),
    CANCEL_MISSED: ("cancel", Cause.NOT_FOUND),
    NOT_ATTEMPTED: ("create", Cause.NOT_ATTEMPTED),
}


class CoreRun:
    """One run of the daemon's engine over a tape."""

    def __init__(
        self, setup: Setup, info: TapeInfo, tape: Timeline, *, begin_ns: int = 0, width: int = 65536
    ) -> None:
        self._message = first_message(tape, begin_ns)
        self.setup, self.info, self.tape = setup, info, tape
        self.venue = new_venue(
            entry_ns=setup.latency.entry_ns, response_ns=setup.latency.response_ns, width=width
        )
        self.engine = Engine([setup.spec], setup.account, Identity("bt-", 1))
        self.now = int(tape.local_ns[self._message])
        self.recorder = Recorder(setup, self.engine, self.now)
        self._cids: list[str] = [""]
        self._numbers: dict[str, int] = {}
        self._terms: dict[str, tuple[Side, int, int]] = {}
        params = to_record(setup.spec.quote, setup.spec.instrument)
        self._row = warm_up(self.engine.market(0), params, tape, self._message)
        self._trades = 0
        self._held = SPOT_DEPOSIT if setup.spec.instrument.is_spot else Decimal(0)

    def run(self, end_ns: int = 2**62) -> Result:
        """Goes on to the end of the tape, or of the run."""
        tape, state = self.tape, self.venue.state[0]
        cycle = round(self.setup.cycle_s * NS_PER_S)
        message, number = self._message, 0
        cycle_ns, watch_ns = self.now + cycle, self.now
        while True:
            message_ns = int(tape.local_ns[message]) if message < tape.ends.size else int(NEVER)
            if message_ns == NEVER:
                end_ns = min(end_ns, self.now)
            t_ns = min(message_ns, cycle_ns, watch_ns)
            if go_on(self.venue, tape, min(t_ns, end_ns)):
                t_ns = int(next_reply_ns(self.venue))
                if t_ns > end_ns:
                    break
                self._move_to(t_ns)
                reply = self.venue.replies[state["read"] % QUEUE].copy()
                state["read"] += 1
                self._on_reply(reply)
                continue
            if t_ns > end_ns or t_ns == NEVER:
                break
            self._move_to(t_ns)
            if t_ns == message_ns:
                end = int(tape.ends[message])
                self.recorder.before_message(self.now)
                self._feed(MarketData(self.now, 0, tape.rows[self._row : end]))
                self._row = end
                message += 1
            elif t_ns == cycle_ns:
                self.recorder.step(self.now)
                number += 1
                cycle_ns += cycle
                self._feed(CycleTick(self.now, number, 0))
            else:
                watch_ns += WATCH_NS
                self._feed(Proof(self.now, None, Channel.PRIVATE), Proof(self.now, None, Channel.REST))
                self._feed(WatchTick(self.now))
        self.recorder.step(self.now)
        return self.recorder.result(self.info, messages=message, rows=self._row)

    def _move_to(self, t_ns: int) -> None:
        self.recorder.count(t_ns)
        self.now = max(self.now, t_ns)

    def _feed(self, *events: Event) -> None:
        for event in events:
            self._send(self.engine.step(event))
            self.engine.drain_records()
        self.recorder.see()

    def _send(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, Replace):
                old = self._numbers[command.old_cid]
                self._request(REPLACE, self._number(command), command, command.price, command.qty, old)
            elif isinstance(command, Place):
                self._request(PLACE, self._number(command), command, command.price, command.qty)
            elif isinstance(command, Amend):
                self._request(AMEND, self._numbers[command.cid], command, command.price, command.qty)
            elif isinstance(command, Cancel):
                self._request(CANCEL, self._numbers[command.cid], command)
            elif isinstance(command, CancelAll):
                self._request(CANCEL_ALL, -1, command)
            elif isinstance(command, ProveBook):
                self._request(PROVE, -1, command)
            elif isinstance(command, Reconcile):
                self._request(RECONCILE, -1, command)
            elif isinstance(command, Query):
                raise TapeError(f"order {command.cid}: its fate is open, which this venue never leaves")

    def _number(self, order: Place | Replace) -> int:
        self._cids.append(order.cid)
        self._numbers[order.cid] = len(self._cids) - 1
        self._terms[order.cid] = order.side, order.price, order.qty
        return self._numbers[order.cid]

    def _request(
        self, kind: int, order: int, command: Command, price: int = 0, qty: int = 0, old: int = 0
    ) -> None:
        self.recorder.sent(kind)
        side = int(getattr(command, "side", 0))
        request(self.venue, self.now, kind, order, side, price, qty, old)

    def _on_reply(self, reply: np.void) -> None:
        kind, t_ns = int(reply["kind"]), self.now
        if kind == PROVEN:
            self._feed(Proof(t_ns, 0, Channel.BOOK))
        elif kind == RECONCILED:
            self._feed(self._snapshot(t_ns))
        elif kind == FUNDED:
            self._on_funding(reply)
        else:
            self._on_order(kind, self._cids[int(reply["order"])], reply, t_ns)

    def _on_funding(self, reply: np.void) -> None:
        """What the position that the venue had pays, at the venue's mark."""
        instrument, twice = self.setup.spec.instrument, int(reply["twice_mid"])
        if instrument.is_spot or not self._held:
            return
        ticks = twice / 2 if twice else float(self.engine.market(0).market[0]["mid"])
        rate = Decimal(int(reply["price"])).scaleb(-8)
        amount = -self._held * Decimal(ticks) * instrument.tick * rate
        self._feed(FundingEvent(self.now, 0, amount, instrument.quote, str(reply["venue_ns"])))

    def _on_order(self, kind: int, cid: str, reply: np.void, t_ns: int) -> None:
        price, qty = int(reply["price"]), int(reply["qty"])
        if kind == EXECUTED:
            self._on_fill(cid, reply, t_ns)
        elif kind == ACCEPTED:
            self._feed(Accepted(t_ns, 0, cid, cid))
        elif kind == AMENDED:
            self._terms[cid] = self._terms[cid][0], price, qty
            self._feed(AmendAccepted(t_ns, 0, cid, price, qty))
        elif kind == CANCELLED:
            side, price, qty = self._terms[cid]
            at_ns = int(reply["venue_ns"])
            status = OrderStatus.CANCELLED
            self._feed(OrderUpdate(t_ns, 0, cid, cid, status, side, price, qty, 0, at_ns, "stream"))
        else:
            request_name, cause = _REFUSED[kind]
            if cause is Cause.POST_ONLY:
                self.recorder.crossed()
            self._feed(Rejected(t_ns, 0, cid, request_name, cause, str(cause), ""))

    def _on_fill(self, cid: str, reply: np.void, t_ns: int) -> None:
        instrument = self.setup.spec.instrument
        price, qty = instrument.price(int(reply["price"])), instrument.qty(int(reply["qty"]))
        side: Side = 1 if reply["side"] > 0 else -1
        fee = price * qty * instrument.maker
        self._trades += 1
        self._held += side * qty
        fill = FillEvent(
            t_ns=t_ns,
            m=0,
            cid=cid,
            oid=cid,
            tid=str(self._trades),
            side=side,
            price=price,
            qty=qty,
            fee=fee,
            fee_asset=instrument.quote,
            maker=True,
            venue_ns=int(reply["venue_ns"]),
            source="stream",
        )
        self.recorder.fill(fill, self._numbers[cid], reply)
        self._feed(fill)
        if reply["left"] == 0:
            total = self.venue.filled[int(reply["order"]) % QUEUE]
            price_ticks, at_ns = int(reply["price"]), int(reply["venue_ns"])
            filled = OrderStatus.FILLED
            self._feed(
                OrderUpdate(
                    t_ns, 0, cid, cid, filled, side, price_ticks, int(total), int(total), at_ns, "stream"
                )
            )

    def _snapshot(self, t_ns: int) -> Snapshot:
        """The account as the venue has it. Its orders are those that the engine holds open: none is lost."""
        instrument = self.setup.spec.instrument
        orders = tuple(
            OrderUpdate(
                t_ns, 0, order.cid, order.cid, OrderStatus.OPEN, *self._terms[order.cid], 0, t_ns, "rest"
            )
            for order in self.engine.view().markets[0].orders
            if order.state in _TOLD
        )
        if instrument.is_spot:
            balance = BalanceEvent(t_ns, instrument.base, self._held, Decimal(0))
            return Snapshot(t_ns, 0, orders, (), (balance,), None)
        return Snapshot(t_ns, 0, orders, (), (), PositionEvent(t_ns, 0, self._held, Decimal(0)))


def run_core(
    setup: Setup, info: TapeInfo, tape: Timeline, *, begin_ns: int = 0, end_ns: int = 2**62
) -> Result:
    """The whole tape, or between two times of its receive clock, through the daemon's own engine."""
    return CoreRun(setup, info, tape, begin_ns=begin_ns).run(end_ns)
