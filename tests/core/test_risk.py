"""The pre-trade gate: each refusal, and S1 under any sequence of approved orders."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmm_daemon.core.orders import OrderTable
from asmm_daemon.core.oversight import State
from asmm_daemon.core.risk import Facts, Gate, Refusal
from asmm_daemon.core.spec import AccountLimits, MarketLimits
from asmm_daemon.events import Amend, Place
from asmm_daemon.units import Instrument

D = Decimal
S = 1_000_000_000


def instrument(product="binanceusdm"):
    return Instrument(
        symbol="BTCUSDT",
        product=product,
        base="BTC",
        quote="USDT",
        tick=D("0.1"),
        lot=D("0.001"),
        min_notional=D(5),
        min_qty=1,
        max_qty=100_000,
        maker=D("0.0002"),
        taker=D("0.0005"),
    )


def facts(product="binanceusdm", **changes):
    base = Facts(
        instrument=instrument(product),
        limits=MarketLimits(max_inventory=D(1), max_order=D("0.1"), max_order_value=D(50_000)),
        table=OrderTable(),
        state=State.ACTIVE,
        book_current=True,
        mid=600_000.5,
        best_bid=600_000,
        best_ask=600_001,
        inventory=D(0),
        max_inventory=D(1),
        reduce_side=None,
        reducible=D(0),
        sides_off={},
        quote_total=None,
        other_exposure=D(0),
        flatten=False,
    )
    return replace(base, **changes)


def place(side=1, price=599_990, qty=10, *, level=0, cid="a", tif="PO", reduce_only=False):
    return Place(0, cid, side, level, price, qty, reduce_only, tif)


def gate(**changes):
    return Gate(AccountLimits(capital=D(100_000), max_exposure=D(1_000_000), **changes))


def refusal(want, known, **account):
    return gate(**account).check(want, None, known, 0)


def test_a_sound_quote_passes():
    """Nothing is refused without a reason."""
    assert refusal(place(), facts()) is None


@pytest.mark.parametrize(
    ("want", "known", "why"),
    [
        (place(), facts(state=State.PAUSED), Refusal.STATE),
        (place(), facts(state=State.HALTED), Refusal.STATE),
        (place(), facts(state=State.REDUCING, reduce_side=-1, reducible=D(1)), Refusal.STATE),
        (place(), facts(book_current=False), Refusal.STALE),
        (place(), facts(sides_off={1: "repeated execution"}), Refusal.SIDE_OFF),
        (place(price=0), facts(), Refusal.SIZE),
        (place(qty=0), facts(), Refusal.SIZE),
        (place(qty=101), facts(), Refusal.SIZE),
        (place(price=500, qty=1), facts(mid=500.5, best_ask=501), Refusal.SIZE),
        (place(price=580_000), facts(), Refusal.COLLAR),
        (place(), facts(mid=float("nan")), Refusal.COLLAR),
        (place(price=600_001), facts(), Refusal.WOULD_TAKE),
        (place(-1, price=600_000), facts(), Refusal.WOULD_TAKE),
        (place(), facts(inventory=D("0.995")), Refusal.INVENTORY),
        (place(-1, price=600_010), facts(inventory=D("-0.995")), Refusal.INVENTORY),
        (place(-1, price=600_010), facts("binance", inventory=D("0.005")), Refusal.INVENTORY),
        (place(), facts("binance", quote_total=D(599)), Refusal.BALANCE),
        (place(), facts(other_exposure=D(999_999)), Refusal.EXPOSURE),
    ],
)
def test_each_refusal(want, known, why):
    """Every limit refuses the order that would break it."""
    assert refusal(want, known) is why


def test_reducing_lets_through_only_what_reduces_and_not_past_the_goal():
    """S2: in REDUCING the other side passes, up to what can be reduced."""
    known = facts(state=State.REDUCING, inventory=D("0.95"), reduce_side=-1, reducible=D("0.95"))
    assert refusal(place(-1, price=600_010), known) is None
    dust = replace(known, inventory=D("0.005"), reducible=D("0.005"))
    assert refusal(place(-1, price=600_010), dust) is Refusal.INVENTORY


def test_halted_flattens_only_by_reduce_only_orders():
    """S3's exception: reduce-only orders, and only where the account asks for it."""
    known = facts(state=State.HALTED, inventory=D(1), reduce_side=-1, reducible=D(1), flatten=True)
    assert refusal(place(-1, price=600_010), known) is Refusal.STATE
    assert refusal(place(-1, price=600_010, reduce_only=True), known) is None
    assert refusal(place(-1, price=600_010, reduce_only=True), replace(known, flatten=False)) is Refusal.STATE


def test_one_order_a_slot():
    """S4: a level that has an order, whatever its state, takes no other."""
    table = OrderTable()
    order = table.add(place(), 0)
    table.lost_track(order, 1, "timeout")
    assert refusal(place(cid="b"), facts(table=table)) is Refusal.SLOT
    assert refusal(place(cid="b", level=1), facts(table=table)) is None


def test_own_orders_never_cross_not_even_in_flight():
    """S9: both terms of an amendment under way count."""
    table = OrderTable()
    ask = table.add(place(-1, price=600_005), 0)
    assert refusal(place(price=600_005, cid="b"), facts(table=table, best_ask=600_020)) is Refusal.OWN_CROSS
    table.accepted(ask, "1", 1)
    table.amend_sent(ask, 600_010, 10, 2)
    known = facts(table=table, best_ask=600_020)
    assert refusal(place(price=600_005, cid="b"), known) is Refusal.OWN_CROSS
    assert refusal(place(price=600_004, cid="b"), known) is None


def test_messages_are_limited_per_second():
    """A runaway loop is stopped; a second later orders pass again."""
    guard = gate(max_messages_per_s=3)
    known = facts()
    assert [guard.check(place(), None, known, k) for k in range(4)] == [None, None, None, Refusal.RATE]
    assert guard.check(place(), None, known, S) is None


def test_an_amendment_counts_with_its_larger_terms():
    """Raising a quantity is judged as new exposure, lowering it is not."""
    table = OrderTable()
    order = table.add(place(qty=50), 0)
    table.accepted(order, "1", 1)
    known = facts(table=table, inventory=D("0.94"))
    smaller = Amend(0, "a", "1", 1, 599_980, 40)
    larger = Amend(0, "a", "1", 1, 599_980, 70)
    assert gate().check(smaller, order, known, 0) is None
    assert gate().check(larger, order, known, 0) is Refusal.INVENTORY


REQUESTS = st.lists(
    st.tuples(st.sampled_from([1, -1]), st.integers(1, 100), st.integers(0, 3), st.booleans()), max_size=30
)


def play(requests, *, checked):
    """Places what the gate approves; some orders execute whole. Returns the widest reach in lots."""
    guard, table, inventory, widest = gate(), OrderTable(), D(0), 0
    for k, (side, qty, level, executes) in enumerate(requests):
        known = facts(table=table, inventory=inventory)
        want = place(side, 599_990 if side > 0 else 600_010, qty, level=level, cid=str(k))
        if checked and guard.check(want, None, known, k * S):
            continue
        order = table.add(want, k)
        table.accepted(order, str(k), k)
        if executes:
            inventory += side * D(qty) * D("0.001")
            table.executed(str(k), str(k), qty, k)
        lots = int(inventory / D("0.001"))
        widest = max(widest, lots + table.open_lots(1), table.open_lots(-1) - lots)
    return widest


@given(requests=REQUESTS)
def test_approved_orders_can_never_lead_beyond_the_maximum(requests):
    """S1: inventory plus open bids stays at or below the maximum, and the mirror of it."""
    assert play(requests, checked=True) <= 1000


def test_without_the_gate_the_maximum_is_broken():
    """Switched off, the gate's absence shows: the same requests lead beyond the maximum."""
    requests = [(1, 100, 0, True)] * 12
    assert play(requests, checked=True) <= 1000
    assert play(requests, checked=False) > 1000
