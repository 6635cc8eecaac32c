"""Invariants judged from the venue's truth while a simulation runs."""

from decimal import Decimal

from asmm_daemon.events import Place


class Invariants:
    """S1, S4, S9 after every event; `broken` lists what was violated, `check` asserts that nothing was."""

    def __init__(self, sim, maximum, *, levels=1):
        self.sim = sim
        self.maximum = Decimal(maximum)
        self.levels = levels
        self.broken = []
        sim.watchers.append(self.look)

    def look(self, event, commands):
        """Compares what rests at the venue with what may rest."""
        for m, market in enumerate(self.sim.markets):
            held, unit = self.sim.inventory(m), market.instrument
            orders = [o for o in self.sim.open_orders if o.symbol == market.symbol]
            bids = [o for o in orders if o.side > 0]
            asks = [o for o in orders if o.side < 0]
            least = Decimal(0) if unit.is_spot else -self.maximum
            if bids and held + unit.qty(sum(o.left for o in bids)) > self.maximum:
                self.broken.append("S1 long")
            if asks and held - unit.qty(sum(o.left for o in asks)) < least:
                self.broken.append("S1 short")
            if len(bids) > self.levels or len(asks) > self.levels:
                self.broken.append("S4")
            if bids and asks and max(o.price_ticks for o in bids) >= min(o.price_ticks for o in asks):
                self.broken.append("S9")

    def check(self):
        """Fails with what was violated."""
        assert not self.broken, sorted(set(self.broken))


def same_books(sim, m=0):
    """The ledger equals the venue's account: every trade id, position, fee."""
    ledger = sim.engine._desks[m].ledger
    symbol = sim.markets[m].symbol
    trades = [t for t in sim.venue.trades if t.symbol == symbol]
    booked = {r.key for r in sim.journal if r.kind == "fill" and r.symbol == symbol}
    assert booked == {str(t.tid) for t in trades}
    assert len([r for r in sim.journal if r.kind == "fill" and r.symbol == symbol]) == len(trades)
    assert ledger.qty + sim.engine._desks[m].reconciliation.reserved == sim.inventory(m)
    fees = {}
    for trade in trades:
        fees[trade.fee_asset] = fees.get(trade.fee_asset, Decimal(0)) + trade.fee
    assert {a: f for a, f in ledger.fees.items() if f} == {a: f for a, f in fees.items() if f}
    assert not sim.engine._account.money.differences
    assert not [r for r in sim.journal if r.kind == "difference" and r.key.startswith("balance")]
    held = sim.venue.positions.get(symbol)
    if held is not None:
        assert ledger.realised == held.realised
        assert ledger.cost == held.cost


def placed_after(sim, t_ns, *, side=None):
    """New orders that left after a moment."""
    return [
        command
        for at, command in sim.commands
        if at > t_ns and isinstance(command, Place) and side in (None, command.side)
    ]
