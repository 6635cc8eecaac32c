from decimal import Decimal

from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.service.audit import audit, compare_fills, compare_intents

START = {
    "ev": "start",
    "t_ns": 0,
    "symbols": [{"sym": "X", "tick": "0.1", "lot": "0.001", "min_notional": "5"}],
}
BOOK = {"ev": "book", "sym": "X", "t_ns": 1, "bid": "100", "bid_qty": "1", "ask": "100.2", "ask_qty": "1"}


def _accept(t_s, oid, side, px, qty="1", cid=None):
    return {
        "ev": "accept",
        "sym": "X",
        "t_ns": int(t_s * 1e9),
        "oid": oid,
        "cid": cid or f"c{oid}",
        "side": side,
        "px": px,
        "qty": qty,
        "reduce_only": False,
        "wall_ns": int(t_s * 1e9),
    }


def _fill(t_s, oid, side, qty, left, maker=True, tid="t1"):
    return {
        "ev": "fill",
        "sym": "X",
        "t_ns": int(t_s * 1e9),
        "oid": oid,
        "tid": tid,
        "side": side,
        "px": "100",
        "qty": qty,
        "left": left,
        "maker": maker,
        "fee": "0.01",
    }


def _cancel(t_s, oid):
    return {"ev": "cancel", "sym": "X", "t_ns": int(t_s * 1e9), "oid": oid, "why": "user", "left": "1"}


def _audit(*lines, **options):
    numbered = [{**line, "seq": i} for i, line in enumerate((START, BOOK, *lines))]
    return audit(numbered, **options)


def _broken(report):
    return [violation.invariant for violation in report.violations]


def test_quoted_time_is_measured_near_the_mid():
    """A side counts while an order rests within reach of the mid, from our first order on."""
    report = _audit(
        _accept(10, "1", "buy", "100"),
        _accept(20, "2", "sell", "100.2"),
        _cancel(30, "1"),
        _accept(30, "3", "buy", "90"),
        _cancel(40, "2"),
    )
    market = report.markets["X"]
    assert market.covered_s == 30
    assert (market.near_bid_s, market.near_ask_s, market.near_both_s) == (20, 20, 10)


def test_a_wide_model_widens_the_reach():
    """1.5 model half-spreads count as near where that is more than 5 bps."""
    report = _audit(_accept(10, "1", "buy", "98"), _cancel(20, "1"), half_spreads={"X": [(0, 1.5)]})
    assert report.markets["X"].near_bid_s == 10


def test_each_invariant_can_be_broken():
    """Every check reports a log made to break it, and stays silent on a clean one."""
    assert _broken(_audit(_accept(1, "1", "buy", "100"), _fill(2, "1", "buy", "1", "0"))) == []
    twice = _audit(_accept(1, "1", "buy", "100", cid="a"), _accept(2, "2", "buy", "99.9", cid="a"))
    assert _broken(twice) == ["S4"]
    assert _broken(_audit(_accept(1, "1", "buy", "100"), _accept(2, "2", "sell", "99.9"))) == ["S9"]
    assert _broken(_audit(_accept(1, "1", "buy", "100.05"))) == ["S10"]
    assert _broken(_audit(_accept(1, "1", "buy", "100", "0.01"))) == ["S10"]
    taken = _audit(_accept(1, "1", "buy", "100"), _fill(2, "1", "buy", "1", "0", maker=False))
    assert _broken(taken) == ["S10"]
    over = _audit(
        _accept(1, "1", "buy", "100"), _accept(2, "2", "buy", "99"), max_inventory={"X": Decimal("1.5")}
    )
    assert _broken(over) == ["S1"]


def test_a_hole_in_the_log_is_reported():
    """A missing line makes the log worthless, and the audit says so."""
    assert _broken(audit([{**START, "seq": 0}, {**BOOK, "seq": 2}])) == ["log"]


def test_ledger_and_venue_must_hold_the_same_trades():
    """A trade missing on either side, or with another fee, is found."""
    report = _audit(_accept(1, "1", "buy", "100"), _fill(2, "1", "buy", "1", "0"))
    row = {"price": "100", "qty": "1", "fee": "0.01"}
    good = Record(RecordKind.FILL, 1, "X", "t1", row)
    assert compare_fills(report, [good]) == []
    assert len(compare_fills(report, [])) == 1
    assert len(compare_fills(report, [good, Record(RecordKind.FILL, 1, "X", "t2", row)])) == 1
    assert len(compare_fills(report, [Record(RecordKind.FILL, 1, "X", "t1", {**row, "fee": "0.02"})])) == 1


def test_an_intent_must_precede_its_order():
    """An order whose intent is missing or later than its acceptance is found."""
    line = _accept(5, "1", "buy", "100", cid="a")
    assert compare_intents([line], {"a": int(4e9)}) == []
    assert len(compare_intents([line], {"a": int(6e9)})) == 1
    assert len(compare_intents([line], {})) == 1
