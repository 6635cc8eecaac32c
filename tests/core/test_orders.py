"""The order table: illegal, late and duplicate transitions, and bounds that hold in any order of events."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmm_daemon.core.order_state import FINAL, TABLE, Input, OrderState, after
from asmm_daemon.core.orders import EXTRA, OrderTable
from asmm_daemon.errors import IllegalTransition
from asmm_daemon.events import AmendAccepted, Cause, OrderStatus, OrderUpdate, Place, Rejected

D = Decimal
S = OrderState
NS = 1_000_000_000
REQUESTS = {Input.AMEND_SENT, Input.CANCEL_SENT}


def place(cid="a", side=1, price=100, qty=10):
    return Place(m=0, cid=cid, side=side, level=0, price=price, qty=qty, reduce_only=False, tif="PO")


def update(cid="a", status=OrderStatus.OPEN, filled=0, *, price=100, qty=10, t=NS, source="stream", oid="1"):
    return OrderUpdate(
        t_ns=t,
        m=0,
        cid=cid,
        oid=oid,
        status=status,
        side=1,
        price=price,
        qty=qty,
        filled=filled,
        venue_ns=t,
        source=source,
    )


def rejected(request="create", cause=Cause.OTHER, t=NS):
    return Rejected(t_ns=t, m=0, cid="a", request=request, cause=cause, code="-1", message="")


def live_order():
    table = OrderTable()
    order = table.add(place(), 0)
    table.accepted(order, "1", NS)
    return table, order


def test_venue_inputs_are_listed_for_every_state():
    """What a venue may send late or twice never meets a hole in the table."""
    for state in S:
        for what in set(Input) - REQUESTS:
            assert (state, what) in TABLE


@pytest.mark.parametrize("state", sorted(FINAL))
def test_nothing_is_requested_for_a_final_order(state):
    """Amending or cancelling a final order is a mistake of ours and raises."""
    for what in REQUESTS:
        with pytest.raises(IllegalTransition):
            after(state, what)


@pytest.mark.parametrize("state", [s for s in S if s is not S.LIVE])
def test_only_a_live_order_is_amended(state):
    """An amendment never overtakes a request whose outcome is open."""
    with pytest.raises(IllegalTransition):
        after(state, Input.AMEND_SENT)


def test_a_create_under_way_is_not_cancelled_before_its_outcome():
    """A cancel could overtake its own create and be answered with 'not found'."""
    with pytest.raises(IllegalTransition):
        after(S.PENDING_NEW, Input.CANCEL_SENT)


@pytest.mark.parametrize("state", sorted(FINAL - {S.LOST}))
def test_final_states_stay_whatever_comes_late(state):
    """Late acks, updates and refusals do not bring an order back; only a fresh listing does."""
    for what in set(Input) - REQUESTS - {Input.RESURFACED}:
        assert after(state, what) is state


def test_a_lost_order_that_turns_up_is_live():
    """An order presumed lost that the venue acknowledges after all counts again."""
    assert after(S.LOST, Input.ACK) is S.LIVE


def test_fill_before_ack():
    """Executions may overtake the acknowledgement; the late ack does not reopen a full order."""
    table = OrderTable()
    order = table.add(place(), 0)
    table.executed("", "1", 4, NS)
    assert order.open_lots == 10
    table.accepted(order, "1", NS)
    assert (order.state, order.open_lots) == (S.LIVE, 6)
    table.executed("a", "1", 6, NS)
    assert (order.state, order.open_lots) == (S.FILLED, 0)
    table.accepted(order, "1", 2 * NS)
    assert order.state is S.FILLED


def test_a_status_alone_frees_no_exposure():
    """FILLED without its fills still counts as open until the ledger has them."""
    table, order = live_order()
    table.update(update(status=OrderStatus.FILLED, filled=10))
    assert (order.state, order.open_lots, order.settled) == (S.FILLED, 10, False)
    table.executed("a", "1", 10, NS)
    assert (order.open_lots, order.settled) == (0, True)


def test_partial_fill_while_cancelling():
    """The cancelled rest is free, the executed part counts until it is booked."""
    table, order = live_order()
    table.cancel_sent(order, NS, "test")
    assert order.open_lots == 10
    table.cancel_accepted(order, NS)
    assert order.state is S.PENDING_CANCEL
    table.update(update(status=OrderStatus.CANCELLED, filled=3))
    assert (order.state, order.open_lots) == (S.CANCELLED, 3)
    table.executed("a", "1", 3, NS)
    assert order.settled


def test_a_cancel_that_finds_nothing_proves_nothing():
    """After 'not found' the order is UNKNOWN and counts as open until a query has answered."""
    table, order = live_order()
    table.cancel_sent(order, NS, "test")
    table.rejected(order, rejected("cancel", Cause.NOT_FOUND))
    assert (order.state, order.open_lots) == (S.UNKNOWN_CANCEL, 10)


def test_both_terms_of_an_amendment_count_until_it_is_told():
    """While an amendment is under way the larger quantity and both prices are exposed."""
    table, order = live_order()
    table.amend_sent(order, 101, 15, NS)
    assert (order.open_lots, set(order.prices())) == (15, {100, 101})
    table.update(update(price=100, qty=10))
    assert order.state is S.PENDING_AMEND
    table.amended(order, AmendAccepted(t_ns=NS, m=0, cid="a", price=101, qty=15))
    assert (order.state, order.price, order.open_lots) == (S.LIVE, 101, 15)


def test_a_late_ack_of_an_earlier_amendment_is_no_news():
    """The stream told the first amendment; its ack comes while the second is under way and ends nothing."""
    table, order = live_order()
    table.amend_sent(order, 101, 10, NS)
    table.update(update(price=101, qty=10, t=2 * NS))
    table.amend_sent(order, 102, 10, 2 * NS)
    table.amended(order, AmendAccepted(t_ns=3 * NS, m=0, cid="a", price=101, qty=10))
    assert (order.state, order.price, order.next_price) == (S.PENDING_AMEND, 101, 102)
    table.amended(order, AmendAccepted(t_ns=3 * NS, m=0, cid="a", price=102, qty=10))
    assert (order.state, order.price) == (S.LIVE, 102)


def test_a_refused_amendment_leaves_the_order_as_it_was_only_when_told():
    """A filter's refusal keeps the order; any other leaves its fate open."""
    table, order = live_order()
    table.amend_sent(order, 101, 15, NS)
    table.rejected(order, rejected("amend", Cause.FILTER))
    assert (order.state, order.open_lots) == (S.LIVE, 10)
    table.amend_sent(order, 101, 15, NS)
    table.rejected(order, rejected("amend", Cause.POST_ONLY))
    assert (order.state, order.open_lots) == (S.UNKNOWN_AMEND, 15)


def test_not_found_frees_only_when_the_request_is_old_enough():
    """A request may still be on its way: 'not found' right after it proves nothing."""
    table = OrderTable()
    order = table.add(place(), 0)
    table.lost_track(order, NS, "timeout")
    table.not_found(order, 2 * NS, proof_s=5)
    assert (order.state, order.open_lots) == (S.UNKNOWN_NEW, 10)
    table.not_found(order, 6 * NS, proof_s=5)
    assert (order.state, order.open_lots) == (S.LOST, 0)


def test_duplicate_id_means_that_the_order_exists():
    """A refusal for a used id is answered by asking, never by forgetting."""
    table = OrderTable()
    order = table.add(place(), 0)
    table.rejected(order, rejected("create", Cause.DUPLICATE_ID))
    assert order.state is S.UNKNOWN_NEW


def test_older_updates_do_not_turn_back_the_terms():
    """An update from before the last one changes neither price nor quantity."""
    table, order = live_order()
    table.update(update(price=105, t=5 * NS))
    table.update(update(price=100, t=2 * NS))
    assert order.price == 105


def test_an_unknown_cancel_that_is_confirmed_open_can_be_cancelled_again():
    """A query asked after the request decides; the stream alone does not."""
    table, order = live_order()
    table.cancel_sent(order, NS, "test")
    table.lost_track(order, 2 * NS, "timeout")
    table.update(update(t=2 * NS))
    assert order.state is S.UNKNOWN_CANCEL
    order.queried_ns = 3 * NS
    table.update(update(t=4 * NS, source="rest"))
    assert order.state is S.LIVE


def test_adopted_orders_belong_to_no_level():
    """An order of ours that the table never saw is counted and stands outside every slot."""
    table = OrderTable()
    order = table.adopt(update("stray", filled=4))
    assert (order.level, order.state, order.open_lots) == (EXTRA, S.LIVE, 6)


def test_an_id_is_never_added_twice():
    """S4: the table refuses a client order id that it has seen."""
    table = OrderTable()
    table.add(place(), 0)
    with pytest.raises(ValueError, match="twice"):
        table.add(place(), 0)


def test_settled_orders_are_forgotten_and_unsettled_are_not():
    """Memory stays bounded, but an order that lacks fills waits for them."""
    table, order = live_order()
    table.update(update(status=OrderStatus.CANCELLED, filled=2))
    table.prune(1000 * NS)
    assert table.find("a") is order
    table.executed("a", "1", 2, NS)
    table.prune(1000 * NS)
    assert table.find("a") is None


EVENTS = st.lists(
    st.one_of(
        st.just(("ack",)),
        st.tuples(st.just("fill"), st.integers(1, 4)),
        st.just(("cancel",)),
        st.just(("unknown",)),
        st.just(("cancel_ack",)),
        st.just(("cancel_reject",)),
        st.tuples(st.just("open"), st.integers(0, 10)),
        st.just(("cancelled",)),
    ),
    max_size=25,
)


@given(events=EVENTS)
def test_booked_plus_open_never_understates_what_can_fill(events):
    """Until proven gone an order's booked and open lots add up to its whole quantity."""
    table = OrderTable()
    order = table.add(place(qty=10), 0)
    executed = 0
    for k, (what, *args) in enumerate(events):
        t = (k + 1) * NS
        if what == "ack":
            table.accepted(order, "1", t)
        elif what == "fill" and executed + args[0] <= 10 and not order.state.final:
            executed += args[0]
            table.executed("a", "1", args[0], t)
        elif what == "cancel" and not order.state.final and order.state is not S.PENDING_NEW:
            table.cancel_sent(order, t, "test")
        elif what == "unknown":
            table.lost_track(order, t, "timeout")
        elif what == "cancel_ack":
            table.cancel_accepted(order, t)
        elif what == "cancel_reject":
            table.rejected(order, rejected("cancel", Cause.NOT_FOUND, t))
        elif what == "open":
            table.update(update(filled=min(args[0], executed), t=t))
        elif what == "cancelled":
            table.update(update(status=OrderStatus.CANCELLED, filled=executed, t=t))
        if not order.state.final:
            assert order.booked + order.open_lots == 10
        else:
            assert order.booked + order.open_lots == executed


@given(events=EVENTS, repeat=st.integers(2, 3))
def test_every_status_event_is_idempotent(events, repeat):
    """Delivering an update several times leaves the same state as delivering it once."""
    once, _ = live_order()
    many, _ = live_order()
    for k, (what, *args) in enumerate(events):
        if what not in ("open", "cancelled"):
            continue
        status = OrderStatus.OPEN if what == "open" else OrderStatus.CANCELLED
        event = update(status=status, filled=args[0] if args else 0, t=(k + 2) * NS)
        once.update(event)
        for _ in range(repeat):
            many.update(event)
    one, two = once.find("a"), many.find("a")
    assert (one.state, one.seen_filled, one.open_lots) == (two.state, two.seen_filled, two.open_lots)
