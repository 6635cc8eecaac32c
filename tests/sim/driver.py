"""An engine and the embedded exchange's core on one virtual clock, with latency and faults between.

Deterministic: one heap of due actions, ties in order of scheduling. What the engine commands is
checked against the exchange's truth on the way: durable intent before request, unique ids.
"""

import heapq
from decimal import Decimal

import numpy as np

from asmm_daemon.core.engine import Engine
from asmm_daemon.core.records import RecordKind
from asmm_daemon.core.spec import AccountLimits, Identity
from asmm_daemon.events import (
    CLEAR,
    DEPTH,
    ROW,
    Accepted,
    Amend,
    AmendAccepted,
    BalanceEvent,
    Cancel,
    CancelAccepted,
    CancelAll,
    Cause,
    Channel,
    CycleTick,
    FillEvent,
    FundingEvent,
    MarketData,
    Operator,
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
    Unknown,
    WatchTick,
)
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.orders import NewOrder, OrderType, Tif, VenueReject
from tests.sim.parts import CAUSES, MS, START_NS, STATUS, Ears, S, spec


class Sim:
    """One account, any number of markets of one product."""

    def __init__(self, feed, product="binanceusdm", *, specs=None, account=None, base=None, **options):
        self.exchange = Exchange(
            product,
            feed,
            VenueLog(None, lambda: 0),
            start_ns=START_NS,
            deposits={"main": {"USDT": Decimal(200_000), **(base or {})}},
            instruments=options.get("instruments"),
        )
        self.exchange.listen(Ears(self))
        self.venue = self.exchange.accounts["main"]
        self.markets = sorted(self.exchange.markets.values(), key=lambda market: market.index)
        self.latency_ns = options.get("latency_ms", 5) * MS
        self.specs = specs or [spec(market.instrument) for market in self.markets]
        self.limits = account or AccountLimits(capital=Decimal(100_000))
        self.epoch = 0
        self.journal = []
        self.commands = []
        self.heap = []
        self.serial = 0
        self.now = START_NS
        self.silent = set()
        self.fault = lambda command: None
        self.cids = set()
        self.primed = set()
        self.told_ns = {}
        self.watchers = []
        self.doing = {
            Place: self._do_place,
            Amend: self._do_amend,
            Replace: self._do_replace,
            Cancel: self._do_cancel,
            CancelAll: self._do_cancel_all,
            Query: self._do_query,
            ProveBook: self._do_prove_book,
            Reconcile: self._do_reconcile,
        }
        self.start()

    def start(self):
        """A new daemon on the same journal."""
        self.epoch += 1
        self.engine = Engine(self.specs, self.limits, Identity("sim-", self.epoch))
        self.engine.restore(self.journal)
        self.primed.clear()
        self.alive = self.epoch
        self.at(self.now, self._beat, self.epoch)
        self.at(self.now + 200 * MS, self._cycle, self.epoch, 0)

    def at(self, t_ns, action, *args):
        """Schedules an action."""
        self.serial += 1
        heapq.heappush(self.heap, (t_ns, self.serial, action, args))

    def run(self, seconds):
        """Runs the exchange, the wires and the engine for a span of venue time."""
        end = self.now + int(seconds * S)
        while True:
            feed_ns = self.exchange.next_ns()
            due = self.heap[0][0] if self.heap else end + 1
            t_ns = min(due, end + 1 if feed_ns is None else feed_ns)
            if t_ns > end:
                break
            if feed_ns is not None and feed_ns <= due:
                self.exchange.advance(feed_ns)
                self.now = max(self.now, feed_ns)
                continue
            self.exchange.advance(due)
            self.now = max(self.now, due)
            _, _, action, args = heapq.heappop(self.heap)
            action(*args)
        self.exchange.advance(end)
        self.now = end

    def feed(self, event):
        """One event through the engine, its journal and its commands."""
        commands = self.engine.step(event)
        self.journal += self.engine.drain_records()
        for command in commands:
            self.commands.append((self.now, command))
            if isinstance(command, (Place, Replace)):
                assert command.cid not in self.cids, "a client order id is used twice (S4)"
                self.cids.add(command.cid)
                assert any(
                    r.kind is RecordKind.INTENT and r.key == command.cid for r in self.journal[-64:]
                ), "no intent before the request (S7)"
            self.at(self.now + self.latency_ns, self._execute, command, self.epoch)
        for watcher in self.watchers:
            watcher(event, commands)

    def later(self, make, epoch=None):
        """Delivers an event after the latency, to the daemon that is alive now."""
        self.at(self.now + self.latency_ns, self._deliver, make, epoch or self.epoch)

    def _deliver(self, make, epoch):
        if epoch == self.epoch and self.alive == epoch:
            event = make(self.now)
            if event is not None:
                self.feed(event)

    def _beat(self, epoch):
        if epoch != self.epoch or self.alive != epoch:
            return
        if "private" not in self.silent:
            self.feed(Proof(self.now, None, Channel.PRIVATE))
        self.feed(WatchTick(self.now))
        self.at(self.now + 100 * MS, self._beat, epoch)

    def _cycle(self, epoch, number):
        if epoch != self.epoch or self.alive != epoch:
            return
        self.feed(CycleTick(self.now, number, 0))
        self.at(self.now + 5 * S, self._cycle, epoch, number + 1)

    def publish(self, market, items, local_ns):
        """A public message, after the whole book where the stream is new."""
        if "book" in self.silent or self.alive != self.epoch:
            return
        if market.index not in self.primed:
            bids, asks = market.depth(1000)
            if not bids or not asks:
                return
            self.primed.add(market.index)
            head = items[0][:2]
            items = [(*head, CLEAR, side, 0, 0, -1, False) for side in (1, -1)]
            items += [(*head, DEPTH, 1, p, q, -1, False) for p, q in bids]
            items += [(*head, DEPTH, -1, p, q, -1, False) for p, q in asks]
        rows = np.array(items, ROW)
        rows["last"][-1] = True
        due_ns = self.told_ns[market.index] = max(local_ns, self.now, self.told_ns.get(market.index, 0))
        self.at(due_ns, self._deliver, lambda t: MarketData(t, market.index, rows), self.epoch)

    def index(self, symbol):
        """Market index of a symbol."""
        return self.exchange.markets[symbol].index

    def tell_order(self, order, trade, t_ns):
        """The private stream: the order's state, then its execution."""
        if "private" in self.silent:
            return
        update = self._update(order, "stream")
        if trade is not None:
            fill = self._fill(trade, "stream")
            self.later(fill)
        self.later(update)

    def tell_funding(self, account, symbols):
        """Funding payments of these markets, each with its own id."""
        for entry in list(account.income)[-len(symbols) - 1 :]:
            if entry.kind == "funding" and entry.symbol in symbols:
                m, amount, asset, fid = self.index(entry.symbol), entry.amount, entry.asset, str(entry.iid)
                self.later(lambda t, m=m, a=amount, s=asset, f=fid: FundingEvent(t, m, a, s, f))

    def _update(self, order, source):
        market = self.exchange.markets[order.symbol]
        fixed = {
            "m": market.index,
            "cid": order.cid,
            "oid": str(order.oid),
            "status": STATUS[order.state],
            "side": order.side,
            "price": order.price_ticks,
            "qty": order.qty_lots,
            "filled": int(order.filled / market.instrument.lot),
            "venue_ns": order.updated_ns,
            "source": source,
        }
        return lambda t: OrderUpdate(t_ns=t, **fixed)

    def _fill(self, trade, source):
        m = self.index(trade.symbol)
        return lambda t: FillEvent(
            t_ns=t,
            m=m,
            cid=trade.cid,
            oid=str(trade.oid),
            tid=str(trade.tid),
            side=trade.side,
            price=trade.price,
            qty=trade.qty,
            fee=trade.fee,
            fee_asset=trade.fee_asset,
            maker=trade.maker,
            venue_ns=trade.t_ns,
            source=source,
        )

    def _execute(self, command, epoch):
        """The venue's side of a command. `fault(command)` may answer "lost" or "ack lost"."""
        if "rest" in self.silent:
            return
        what = self.fault(command)
        kind = {Place: "create", Amend: "amend", Replace: "create", Cancel: "cancel"}.get(type(command))
        if what == "lost":
            self._unknown(command, kind, epoch)
            return
        reply = self.doing[type(command)](command)
        if what == "ack lost" and kind:
            self._unknown(command, kind, epoch)
        elif reply is not None and self.alive == epoch:
            for make in reply if isinstance(reply, tuple) else (reply,):
                self.later(make, epoch)

    def _unknown(self, command, kind, epoch):
        if kind is None or self.alive != epoch:
            return
        lost = [(command.cid, kind)]
        if isinstance(command, Replace):
            lost.append((command.old_cid, "cancel"))
        for cid, request in lost:
            self.at(
                self.now + 1 * S,
                self._deliver,
                lambda t, cid=cid, request=request: Unknown(t, command.m, cid, request, "time-out"),
                epoch,
            )

    def _reject(self, command, request, reject):
        cause = CAUSES.get(reject.reason, Cause.OTHER)
        code = str(reject.reason)
        return lambda t: Rejected(t, command.m, command.cid, request, cause, code, reject.detail)

    def _do_place(self, command):
        instrument = self.markets[command.m].instrument
        new = NewOrder(
            symbol=instrument.symbol,
            side=command.side,
            kind=OrderType.LIMIT,
            tif=Tif.PO if command.tif == "PO" else Tif.IOC,
            qty=instrument.qty(command.qty),
            price=instrument.price(command.price),
            cid=command.cid,
            reduce_only=command.reduce_only,
        )
        try:
            order = self.exchange.place(self.venue, new)
        except VenueReject as reject:
            return self._reject(command, "create", reject)
        return lambda t: Accepted(t, command.m, command.cid, str(order.oid))

    def _find(self, command):
        symbol = self.markets[command.m].symbol
        return self.exchange.find(self.venue, symbol, cid=command.cid)

    def _do_amend(self, command):
        instrument = self.markets[command.m].instrument
        try:
            order = self.exchange.amend(
                self.venue,
                self._find(command),
                price=instrument.price(command.price),
                qty=instrument.qty(command.qty),
            )
        except VenueReject as reject:
            return self._reject(command, "amend", reject)
        price, qty = order.price_ticks, order.qty_lots
        return lambda t: AmendAccepted(t, command.m, command.cid, price, qty)

    def _do_replace(self, command):
        """Atomic: nothing happens between the cancel and the create, which only follows its success."""
        old = Cancel(command.m, command.old_cid, command.old_oid)
        try:
            order = self.exchange.cancel(self.venue, self._find(old))
        except VenueReject as reject:
            cause = Cause.NOT_ATTEMPTED
            return (
                lambda t: Rejected(t, command.m, command.cid, "create", cause, "-2022", ""),
                self._reject(old, "cancel", reject),
            )
        return self._update(order, "rest"), self._do_place(command)

    def _do_cancel(self, command):
        try:
            self.exchange.cancel(self.venue, self._find(command))
        except VenueReject as reject:
            return self._reject(command, "cancel", reject)
        return lambda t: CancelAccepted(t, command.m, command.cid)

    def _do_cancel_all(self, command):
        self.exchange.cancel_all(self.venue, self.markets[command.m].symbol)

    def _do_query(self, command):
        try:
            order = self._find(command)
        except VenueReject:
            return lambda t: OrderUpdate(
                t, command.m, command.cid, "", OrderStatus.NOT_FOUND, 1, 0, 0, 0, t, "rest"
            )
        for trade in list(self.venue.trades):
            if trade.oid == order.oid:
                self.later(self._fill(trade, "rest"))
        return self._update(order, "rest")

    def _do_prove_book(self, command):
        market = self.markets[command.m]
        top = self.engine.market(command.m).book.head[0]
        if (market.best.bid, market.best.ask) == (int(top["bid"]), int(top["ask"])):
            return lambda t: Proof(t, command.m, Channel.BOOK)
        return None

    def _do_reconcile(self, command):
        market = self.markets[command.m]
        orders = [self._update(o, "rest") for o in self.exchange.open_orders(self.venue, market.symbol)]
        fills = [self._fill(t, "rest") for t in self.venue.trades if t.symbol == market.symbol]
        balances = [(a, b.free, b.locked) for a, b in self.venue.balances.items()]
        held = self.venue.positions.get(market.symbol)
        qty, entry = (held.qty, held.entry) if held else (Decimal(0), Decimal(0))
        spot = market.instrument.is_spot
        return lambda t: Snapshot(
            t,
            command.m,
            tuple(make(t) for make in orders),
            tuple(make(t) for make in fills[-100:]),
            tuple(BalanceEvent(t, *balance) for balance in balances),
            None if spot else PositionEvent(t, command.m, qty, entry),
        )

    def kill(self):
        """SIGKILL: the daemon forgets everything but its journal."""
        self.alive = 0

    def stop(self):
        """SIGTERM: the engine is told to stop; beats go on until nothing rests."""
        self.feed(Operator(self.now, "stop", "test"))

    @property
    def open_orders(self):
        """What truly rests at the venue."""
        return self.exchange.open_orders(self.venue)

    def inventory(self, m=0):
        """What the venue says is held."""
        market = self.markets[m]
        if market.instrument.is_spot:
            return self.venue.balance(market.instrument.base).total
        held = self.venue.positions.get(market.symbol)
        return held.qty if held else Decimal(0)
