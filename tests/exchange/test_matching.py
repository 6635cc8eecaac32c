"""Order entry and matching, by hand-computed cases on a book of 100.0 / 100.1."""

from decimal import Decimal

import pytest

from asmm_daemon.events import BBO, CLEAR, DEPTH
from asmm_daemon.exchange.orders import CancelWhy, OrderState, Reject, Stp, Tif, VenueReject
from asmm_daemon.units import BUY, SELL

from .conftest import book, instrument, rows, trade

D = Decimal


def reason(excinfo):
    return excinfo.value.reason


def test_resting_order_fills_behind_the_queue(bench):
    """A trade of 70 lots against 50 ahead fills 20 of our 50, at our price, as maker."""
    b = bench()
    order = b.place(BUY, "100.0", "0.050", Tif.PO)
    b.feed.add(trade(10, SELL, 1000, 70))
    b.to(20)
    assert (order.state, order.filled, order.left) == (OrderState.PARTIAL, D("0.020"), 30)
    fill = b.lines("fill")[0]
    assert (fill["px"], fill["qty"], fill["left"], fill["maker"]) == ("100.0", "0.020", "0.030", True)
    assert fill["t_ns"] == b.exchange.now_ns - 10_000_000


def test_public_trades_split_the_feed_trade_and_keep_its_quantity(bench):
    """Those ahead trade first, then we; the ids ascend and ours is the fill's."""
    b = bench()
    b.place(BUY, "100.0", "0.050", Tif.PO)
    b.feed.add(trade(10, SELL, 1000, 70), trade(11, SELL, 1000, 5))
    b.to(20)
    trades = b.recorder.trades
    assert [(t.price, t.qty, t.side) for t in trades] == [(1000, 50, -1), (1000, 20, -1), (1000, 5, -1)]
    assert [t.tid - trades[0].tid for t in trades] == [0, 1, 2]
    assert b.lines("fill")[0]["tid"] == str(trades[1].tid)
    assert b.account.trades[0].tid == trades[1].tid


def test_taker_walks_the_book_and_public_sees_it_go(bench):
    """A crossing limit order takes 50 at 100.1, 80 at 100.2, and rests the remainder as the best bid."""
    b = bench()
    order = b.place(BUY, "100.2", "0.150")
    assert (order.filled, order.left) == (D("0.130"), 20)
    assert order.quote_filled == D("100.1") * D("0.050") + D("100.2") * D("0.080")
    assert [(t.price, t.qty, t.side) for t in b.recorder.trades] == [(1001, 50, 1), (1002, 80, 1)]
    assert b.market.best[:2] == (1002, 20)
    assert b.market.best.ask == -1


def test_public_book_includes_our_orders_and_drops_them(bench):
    """Our resting quantity is published with the feed's, and goes when we cancel."""
    b = bench()
    order = b.place(SELL, "100.1", "0.010", Tif.PO)
    assert b.market.depth(1) == ([(1000, 50)], [(1001, 60)])
    b.exchange.cancel(b.account, order)
    assert b.market.depth(1) == ([(1000, 50)], [(1001, 50)])
    changes = [change for _, level, *_ in b.recorder.depths for change in level]
    assert changes[-2:] == [(-1, 1001, 60), (-1, 1001, 50)]


def test_update_ids_have_no_holes(bench):
    """Each published change has the next id."""
    b = bench()
    for ms in range(1, 20):
        b.feed.add(rows(ms, (DEPTH, 1, 990, ms)))
    b.place(BUY, "99.5", "0.060")
    b.to(30)
    ids = [update_id for update_id, *_ in b.recorder.depths]
    assert ids == list(range(ids[0], ids[0] + len(ids)))


def test_post_only_is_refused_on_binance(bench):
    """A crossing GTX order is rejected and leaves no trace but the log's."""
    b = bench()
    with pytest.raises(VenueReject) as excinfo:
        b.place(BUY, "100.1", "0.050", Tif.PO)
    assert reason(excinfo) is Reject.POST_ONLY
    assert b.lines("accept") == []
    assert b.lines("reject")[0]["code"] == "post_only"


def test_post_only_is_accepted_then_cancelled_on_bybit(bench):
    """Bybit takes the order and cancels it at once."""
    b = bench("bybit-linear")
    order = b.place(BUY, "100.1", "0.050", Tif.PO)
    assert (order.state, order.why) == (OrderState.EXPIRED, CancelWhy.POST_ONLY)
    assert [line["ev"] for line in b.lines()[-2:]] == ["accept", "cancel"]
    assert b.market.depth(1)[1] == [(1001, 50)]


@pytest.mark.parametrize(
    ("tif", "qty", "filled", "why"),
    [
        (Tif.IOC, "0.060", "0.050", CancelWhy.EXPIRED),
        (Tif.FOK, "0.060", "0", CancelWhy.EXPIRED),
        (Tif.FOK, "0.050", "0.050", None),
    ],
)
def test_immediate_orders(bench, tif, qty, filled, why):
    """IOC takes what is there, FOK takes all or nothing; neither rests."""
    b = bench()
    order = b.place(BUY, "100.1", qty, tif)
    assert (order.filled, order.why, order.is_open) == (D(filled), why, False)


def test_market_order_takes_all_levels_and_the_rest_expires(bench):
    """130 lots are on offer; the rest of 200 ends."""
    b = bench()
    order = b.place(SELL, None, "0.200")
    assert (order.filled, order.state, order.why) == (D("0.130"), OrderState.EXPIRED, CancelWhy.EXPIRED)


def test_spot_market_buy_by_quote_amount(bench):
    """Spending 10 USDT at 100.1 buys 99 lots... of which 50 at 100.1 and 49 at 100.2."""
    b = bench("binance")
    order = b.place(BUY, None, None, quote_qty=D(10))
    assert order.filled == D("0.099")
    assert order.quote_filled == D("100.1") * D("0.050") + D("100.2") * D("0.049")
    assert b.account.balance("USDT").total == D(100_000) - order.quote_filled
    assert b.account.balance("USDT").locked == 0


@pytest.mark.parametrize(
    ("price", "qty", "expected"),
    [
        ("100.05", "0.1", Reject.PRICE_TICK),
        ("99.0", "0.0005", Reject.QTY_MIN),
        ("99.0", "0.1005", Reject.QTY_LOT),
        ("99.0", "2000", Reject.QTY_MAX),
        ("99.0", "0.005", Reject.MIN_NOTIONAL),
        ("0", "0.1", Reject.PRICE_RANGE),
        ("106.0", "0.1", Reject.PRICE_COLLAR),
        ("1e40", "0.1", Reject.PRICE_RANGE),
    ],
)
def test_filters(bench, price, qty, expected):
    """Each filter refuses by its own reason and changes nothing."""
    b = bench()
    with pytest.raises(VenueReject) as excinfo:
        b.place(BUY, price, qty)
    assert reason(excinfo) is expected
    assert b.exchange.open_orders(b.account) == []


def test_client_id_repeats_only_after_the_first_ended_on_binance(bench):
    """Binance wants ids unique among open orders, Bybit among all."""
    b, y = bench(), bench("bybit-linear")
    for each in (b, y):
        first = each.place(BUY, "99.0", "0.1", cid="a")
        with pytest.raises(VenueReject) as excinfo:
            each.place(BUY, "99.0", "0.1", cid="a")
        assert reason(excinfo) is Reject.DUPLICATE_CID
        each.exchange.cancel(each.account, first)
    second = b.place(BUY, "99.0", "0.1", cid="a")
    assert b.exchange.find(b.account, None, cid="a") is second
    with pytest.raises(VenueReject):
        y.place(BUY, "99.0", "0.1", cid="a")


def test_cancelling_twice_is_refused(bench):
    """The second cancel finds the order done."""
    b = bench()
    order = b.place(BUY, "99.0", "0.1")
    b.exchange.cancel(b.account, order)
    with pytest.raises(VenueReject) as excinfo:
        b.exchange.cancel(b.account, order)
    assert reason(excinfo) is Reject.ORDER_DONE


@pytest.mark.parametrize(
    ("product", "keeps"), [("binanceusdm", False), ("bybit-linear", True), ("binance", True)]
)
def test_amending_to_less_keeps_the_queue_place_where_the_venue_says_so(bench, product, keeps):
    """After a smaller quantity a trade of 60 reaches us behind 50, unless the amendment re-queued."""
    b = bench(product)
    order = b.place(BUY, "100.0", "0.060")
    b.feed.add(rows(1, (DEPTH, 1, 1000, 90)), trade(2, SELL, 1000, 60))
    b.to(1)
    b.exchange.amend(b.account, order, qty=D("0.055"))
    b.to(2)
    assert b.lines("amend")[0]["kept_priority"] is keeps
    assert order.filled == (D("0.010") if keeps else D(0))


def test_amending_the_price_moves_the_published_level(bench):
    """The old level is published without us, the new one with us."""
    b = bench()
    order = b.place(BUY, "99.9", "0.060")
    b.exchange.amend(b.account, order, price=D("99.8"), qty=D("0.060"))
    assert b.market.published(1, 999) == 80
    assert b.market.published(1, 998) == 60
    assert (order.price, order.amends) == (D("99.8"), 1)


def test_crossing_gtx_amendment_cancels(bench):
    """USD-M cancels a post-only order whose amendment would trade."""
    b = bench()
    order = b.place(BUY, "99.9", "0.060", Tif.PO)
    b.exchange.amend(b.account, order, price=D("100.1"), qty=D("0.060"))
    assert order.why is CancelWhy.POST_ONLY
    assert b.lines("fill") == []


def test_amending_below_the_filled_quantity(bench):
    """USD-M cancels; the others refuse."""
    for product, ended in (("binanceusdm", True), ("bybit-linear", False)):
        b = bench(product)
        order = b.place(BUY, "100.0", "0.100")
        b.feed.add(trade(1, SELL, 1000, 110))
        b.to(1)
        assert order.filled == D("0.060")
        if ended:
            b.exchange.amend(b.account, order, qty=D("0.060"))
            assert order.state is OrderState.CANCELLED
        else:
            with pytest.raises(VenueReject) as excinfo:
                b.exchange.amend(b.account, order, qty=D("0.060"))
            assert reason(excinfo) is Reject.AMEND_QTY


@pytest.mark.parametrize(
    ("stp", "taken", "taker_why", "maker_why"),
    [
        (Stp.TAKER, "0.050", CancelWhy.STP, None),
        (Stp.MAKER, "0.130", CancelWhy.EXPIRED, CancelWhy.STP),
        (Stp.BOTH, "0.050", CancelWhy.STP, CancelWhy.STP),
    ],
)
def test_self_trade_prevention(bench, stp, taken, taker_why, maker_why):
    """An own ask at 100.2 stops, or gives way to, an own taker of 200 lots that comes from below."""
    b = bench()
    maker = b.place(SELL, "100.2", "0.060")
    taker = b.place(BUY, "100.2", "0.200", Tif.IOC, stp=stp)
    assert (taker.filled, taker.why, maker.why) == (D(taken), taker_why, maker_why)
    assert maker.filled == 0


@pytest.mark.parametrize(
    ("stp", "taker_why", "maker_why"),
    [
        (Stp.TAKER, CancelWhy.STP, None),
        (Stp.MAKER, CancelWhy.EXPIRED, CancelWhy.STP),
        (Stp.BOTH, CancelWhy.STP, CancelWhy.STP),
    ],
)
def test_fill_or_kill_never_fills_in_part(bench, stp, taker_why, maker_why):
    """Of 190 lots on offer 60 are the account's own: a FOK order for 180 trades nothing at all."""
    b = bench()
    maker = b.place(SELL, "100.2", "0.060")
    taker = b.place(BUY, "100.2", "0.180", Tif.FOK, stp=stp)
    assert (taker.filled, taker.why, maker.why) == (0, taker_why, maker_why)
    assert b.lines("fill") == []


def test_without_prevention_one_account_trades_with_itself(bench):
    """Both executions carry the same trade id, as one public trade."""
    b = bench()
    maker = b.place(SELL, "100.1", "0.060")
    taker = b.place(BUY, "100.1", "0.110", Tif.IOC)
    assert (maker.filled, taker.filled) == (D("0.060"), D("0.110"))
    by_tid = {}
    for line in b.lines("fill"):
        by_tid.setdefault(line["tid"], []).append(line["maker"])
    assert sorted(map(len, by_tid.values())) == [1, 2]
    assert sum(t.qty for t in b.recorder.trades) == 110


def test_two_accounts_trade_with_each_other(bench):
    """A second account's taker fills the first one's maker."""
    b = bench(accounts=("main", "other"))
    maker = b.place(SELL, "100.1", "0.060")
    other = b.exchange.accounts["other"]
    b.place(BUY, "100.1", "0.110", Tif.IOC, account=other, stp=Stp.MAKER)
    assert maker.filled == D("0.060")
    assert other.positions["BTCUSDT"].qty == D("0.110")
    assert b.account.positions["BTCUSDT"].qty == D("-0.060")


def test_better_and_cleared_levels_are_published_as_gone(bench):
    """BBO and CLEAR rows remove published levels one by one."""
    b = bench()
    b.feed.add(rows(1, (BBO, 1, 999, 70)), rows(2, (CLEAR, -1, 1001, 0)))
    b.to(2)
    assert b.recorder.depths[-2][1] == [(1, 1000, 0), (1, 999, 70)]
    assert b.recorder.depths[-1][1] == [(-1, 1001, 0)]
    assert tuple(b.market.best) == (999, 70, 1002, 80)


def test_halted_market_takes_no_orders_but_cancels_pass(bench):
    """A halt refuses entry; what rests can be cancelled."""
    b = bench()
    order = b.place(BUY, "99.0", "0.1")
    b.exchange.set_status("BTCUSDT", "HALT")
    with pytest.raises(VenueReject) as excinfo:
        b.place(BUY, "99.0", "0.1")
    assert reason(excinfo) is Reject.MARKET_CLOSED
    b.exchange.cancel(b.account, order)
    assert order.state is OrderState.CANCELLED


def test_coarser_tick_while_running(bench):
    """New orders must lie on the new grid."""
    b = bench()
    b.exchange.set_filters("BTCUSDT", D("0.5"), D("0.01"))
    b.place(BUY, "99.5", "0.06")
    with pytest.raises(VenueReject) as excinfo:
        b.place(BUY, "99.4", "0.06")
    assert reason(excinfo) is Reject.PRICE_TICK
    with pytest.raises(ValueError, match="multiples"):
        b.exchange.set_filters("BTCUSDT", D("0.25"), D("0.01"))


def test_own_orders_are_filled_when_the_feed_crosses_them(bench):
    """An ask of the feed at our bid fills us without a feed trade; the public sees the trade."""
    b = bench()
    order = b.place(BUY, "100.0", "0.060")
    b.feed.add(rows(5, (DEPTH, 1, 1000, 0), (DEPTH, -1, 1000, 100)))
    b.to(5)
    assert order.state is OrderState.FILLED
    assert [(t.price, t.qty, t.side) for t in b.recorder.trades] == [(1000, 60, -1)]


def test_orders_of_an_unknown_symbol_are_refused_and_logged(bench):
    """The reject line names the symbol that was asked for."""
    b = bench(units=[instrument(symbol="ETHUSDT")], messages=[book()])
    with pytest.raises(VenueReject) as excinfo:
        b.place(BUY, "99.0", "0.1")
    assert reason(excinfo) is Reject.UNKNOWN_SYMBOL
    assert b.lines("reject")[0]["sym"] == "BTCUSDT"
