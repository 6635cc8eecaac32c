"""The journal back into memory: ledgers, orders without an end, peak and latches."""

from decimal import Decimal
from typing import Any

from asmm_daemon.core.account import Account
from asmm_daemon.core.desk import Desk
from asmm_daemon.core.order_state import OrderState
from asmm_daemon.core.oversight import LATCHED, Switch
from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.events import FillEvent, Place
from asmm_daemon.units import BUY, SELL

_REPEAT = {"repeat_buy": BUY, "repeat_sell": SELL}


class Restorer:
    """Takes journal records oldest first. Markets that are not configured any more are left out."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.desks = {desk.symbol: desk for desk in account.desks}
        self._open: dict[str, tuple[Desk, Place, int]] = {}
        self._oids: dict[str, str] = {}
        self._booked: dict[str, int] = {}
        self._ended: dict[str, int] = {}
        """Orders with an end whose executions are not all booked: lots that the venue counted."""

    def take(self, record: Record) -> None:
        """Applies one record."""
        if record.symbol == "":
            self._take_account(record)
        elif record.symbol in self.desks:
            self._take_market(self.desks[record.symbol], record)

    def finish(self) -> None:
        """Orders that were never proven gone come back as UNKNOWN, to be asked about."""
        for cid, (desk, place, t_ns) in self._open.items():
            order = desk.table.add(place, t_ns)
            order.booked = self._booked.get(cid, 0)
            oid = self._oids.get(cid, "")
            if oid:
                desk.table.accepted(order, oid, t_ns)
                if not order.state.final:
                    desk.table.cancel_sent(order, t_ns, "restored")
            desk.table.lost_track(order, t_ns, "restored")
        for desk in self.account.desks:
            desk.table.changes.clear()

    def _take_account(self, record: Record) -> None:
        account, data = self.account, record.data
        if record.kind is RecordKind.PEAK:
            account.drawdown.peak = account.drawdown.soft_peak = Decimal(str(data["peak"]))
        elif record.kind is RecordKind.LATCH and record.key in LATCHED:
            switch = Switch(record.key)
            if data["on"]:
                account.board.set(switch, str(data["reason"]))
            else:
                account.board.causes.pop(switch, None)
        elif record.kind is RecordKind.OPERATOR and record.key == "resume":
            if Switch.DRAWDOWN in account.board.resume():
                account.drawdown.peak = account.drawdown.soft_peak = None
            for desk in self.desks.values():
                desk.repeat.off_ns.clear()

    def _take_market(self, desk: Desk, record: Record) -> None:
        data: Any = record.data
        if record.kind is RecordKind.OPENING:
            desk.reconciliation.reserved = Decimal(data["reserved"])
            desk.ledger.open(Decimal(data["qty"]), Decimal(data["price"]), int(data["opened_ns"]))
        elif record.kind is RecordKind.FILL:
            self._take_fill(desk, record)
        elif record.kind is RecordKind.FUNDING:
            desk.ledger.book_funding(record.key, Decimal(data["amount"]), record.t_ns)
        elif record.kind is RecordKind.TRANSFER:
            desk.ledger.transfer(Decimal(data["qty"]), Decimal(data["price"]))
        elif record.kind is RecordKind.LATCH and record.key in _REPEAT:
            if data["on"]:
                desk.repeat.off_ns[_REPEAT[record.key]] = record.t_ns
            else:
                desk.repeat.off_ns.pop(_REPEAT[record.key], None)
        else:
            self._take_order(desk, record)

    def _take_fill(self, desk: Desk, record: Record) -> None:
        data: Any = record.data
        fill = FillEvent(
            t_ns=record.t_ns,
            m=desk.m,
            cid=data["cid"],
            oid=data["oid"],
            tid=record.key,
            side=data["side"],
            price=Decimal(data["price"]),
            qty=Decimal(data["qty"]),
            fee=Decimal(data["fee"]),
            fee_asset=data["fee_asset"],
            maker=data["maker"],
            venue_ns=data["venue_ns"],
            source=data["source"],
        )
        if desk.ledger.book(fill):
            lots = int((fill.qty / desk.spec.instrument.lot).to_integral_value())
            self._booked[fill.cid] = self._booked.get(fill.cid, 0) + lots
            self._drop_settled(fill.cid)

    def _take_order(self, desk: Desk, record: Record) -> None:
        data: Any = record.data
        cid = record.key
        if record.kind is RecordKind.INTENT:
            place = Place(
                desk.m,
                cid,
                data["side"],
                data["level"],
                data["price"],
                data["qty"],
                data["reduce_only"],
                data["tif"],
            )
            self._open[cid] = (desk, place, record.t_ns)
        elif record.kind is RecordKind.AMEND and cid in self._open:
            _, place, t_ns = self._open[cid]
            larger = max(place.qty, data["qty"])
            changed = Place(
                desk.m, cid, place.side, place.level, data["price"], larger, place.reduce_only, place.tif
            )
            self._open[cid] = (desk, changed, t_ns)
        elif record.kind is RecordKind.ORDER and cid in self._open:
            self._oids[cid] = data["oid"] or self._oids.get(cid, "")
            if OrderState(data["state"]).final:
                self._ended[cid] = data["filled"]
                self._drop_settled(cid)
            else:
                self._ended.pop(cid, None)

    def _drop_settled(self, cid: str) -> None:
        """An order that ended needs no asking once all that the venue counted is booked."""
        if cid in self._ended and self._ended[cid] <= self._booked.get(cid, 0):
            del self._ended[cid]
            self._open.pop(cid, None)
