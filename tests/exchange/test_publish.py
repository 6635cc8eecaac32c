"""The published book: complete, never crossed, and what its diffs add up to."""

from hypothesis import given, settings
from hypothesis import strategies as st

from asmm_daemon.core.book import qty_at
from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP, TRADE
from asmm_daemon.exchange.orders import Tif, VenueReject
from asmm_daemon.units import BUY, SELL

from .conftest import Bench, rows, trade

PRICES = st.integers(990, 1010)
SIDES = st.sampled_from((BUY, SELL))
ROWS = st.one_of(
    st.tuples(st.just(DEPTH), SIDES, PRICES, st.integers(0, 400)),
    st.tuples(st.just(BBO), SIDES, PRICES, st.integers(1, 400)),
    st.tuples(st.just(CLEAR), SIDES, st.one_of(st.just(0), PRICES), st.just(0)),
    st.tuples(st.just(TRADE), SIDES, PRICES, st.integers(1, 400)),
    st.tuples(st.just(GAP), st.just(0), st.just(0), st.just(0)),
)
STEPS = st.lists(
    st.one_of(
        st.lists(ROWS, min_size=1, max_size=6),
        st.tuples(SIDES, PRICES, st.integers(20, 300), st.sampled_from((Tif.PO, Tif.GTC, Tif.IOC))),
        st.integers(0, 20),
    ),
    max_size=40,
)


def expected(b, side):
    """The published side, worked out from the feed's book and our orders alone."""
    head = b.market.model.book.head[0]
    best, other = (head["bid"], head["ask"]) if side > 0 else (head["ask"], head["bid"])
    own = {}
    for order in b.exchange.open_orders(b.account):
        if order.side == side and side * (other - order.price_ticks) > 0:
            own[order.price_ticks] = own.get(order.price_ticks, 0) + order.left
    levels = {}
    for price in range(980, 1020):
        seen = int(qty_at(b.market.model.book, side, price)) if side * (best - price) >= 0 else 0
        if seen + own.get(price, 0):
            levels[price] = seen + own.get(price, 0)
    return sorted(levels.items(), reverse=side > 0)


@settings(max_examples=200, deadline=None)
@given(STEPS)
def test_published_book_is_the_feed_and_our_orders(steps):
    """After every message and request; the diffs told so far add up to the same book."""
    b = Bench()
    seen = {1: {}, -1: {}}
    told = 0
    for t_ms, step in enumerate(steps, 1):
        if isinstance(step, list):
            b.feed.add(rows(t_ms, *step))
        elif isinstance(step, int):
            orders = b.exchange.open_orders(b.account)
            if orders:
                b.exchange.cancel(b.account, orders[step % len(orders)])
        else:
            side, ticks, lots, tif = step
            try:
                b.place(side, b.market.instrument.price(ticks), b.market.instrument.qty(lots), tif)
            except VenueReject:
                continue
        b.to(t_ms)
        bids, asks = b.market.depth(100)
        assert bids == expected(b, 1)
        assert asks == expected(b, -1)
        assert not bids or not asks or bids[0][0] < asks[0][0]
        assert (b.market.best.bid, b.market.best.ask) == (
            bids[0][0] if bids else -1,
            asks[0][0] if asks else -1,
        )
        for _, changes, *_ in b.recorder.depths[told:]:
            for side, price, lots in changes:
                seen[side][price] = lots
        told = len(b.recorder.depths)
        assert sorted((p, q) for p, q in seen[1].items() if q) == sorted(bids)
        assert sorted((p, q) for p, q in seen[-1].items() if q) == sorted(asks)


def test_a_large_message_grows_the_trade_buffer(bench):
    """Three thousand trades in one message are all public."""
    b = bench()
    b.feed.add(rows(1, *[(TRADE, 1, 1001, 1)] * 3000), trade(2, 1, 1001, 2))
    b.to(2)
    assert [t.qty for t in b.recorder.trades] == [1] * 3000 + [2]
