"""Balances, positions, fees and locks, exact to the last digit."""

import contextlib
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asmm_daemon.events import FUNDING, MARK
from asmm_daemon.exchange.accounts import FeeBurn, Position, money
from asmm_daemon.exchange.orders import CancelWhy, OrderState, Reject, Tif, VenueReject
from asmm_daemon.units import BUY, SELL

from .conftest import START_NS, Bench, book, instrument, rows, trade

D = Decimal
HOURS_MS = 3_600_000


def test_spot_buy_locks_quote_and_charges_base(bench):
    """50 lots bought at 100.0: base less 0.02 %, the rest of the lock stays."""
    b = bench("binance")
    b.place(BUY, "100.0", "0.100", Tif.PO)
    assert b.account.balance("USDT").locked == D(10)
    b.feed.add(trade(1, SELL, 1000, 100))
    b.to(1)
    assert b.account.balance("BTC").free == D("10.050") - D("0.00001")
    assert b.account.balance("USDT").locked == D(5)
    assert b.account.balance("USDT").total == D(99_995)
    assert b.lines("fill")[0]["fee_asset"] == "BTC"


def test_spot_taker_gets_back_what_the_better_price_saves(bench):
    """A buy at 100.2 that fills at 100.1 frees the difference at once."""
    b = bench("binance")
    b.place(BUY, "100.2", "0.050")
    assert b.account.balance("USDT").free == D(100_000) - D("100.1") * D("0.050")
    assert b.account.balance("USDT").locked == 0


def test_spot_cancel_and_amend_move_the_lock(bench):
    """A smaller quantity frees its part, a cancel the rest."""
    b = bench("bybit-spot")
    order = b.place(SELL, "101.0", "4")
    b.exchange.amend(b.account, order, qty=D(3))
    assert (b.account.balance("BTC").free, b.account.balance("BTC").locked) == (D(7), D(3))
    b.exchange.cancel(b.account, order)
    assert (b.account.balance("BTC").free, b.account.balance("BTC").locked) == (D(10), D(0))


def test_spot_orders_need_free_balance(bench):
    """What is locked cannot be offered twice."""
    b = bench("binance")
    b.place(SELL, "101.0", "6")
    with pytest.raises(VenueReject) as excinfo:
        b.place(SELL, "101.0", "4.001")
    assert excinfo.value.reason is Reject.BALANCE
    b.place(SELL, "101.0", "4")


@pytest.mark.parametrize(
    ("product", "fee_asset", "fee"), [("binance", "BTC", "-0.0000075"), ("bybit-spot", "USDT", "-0.00075")]
)
def test_maker_rebate_is_received(bench, product, fee_asset, fee):
    """A negative rate pays us; Bybit pays a buyer's rebate in quote."""
    b = bench(product, units=[instrument(product, maker=D("-0.00015"))])
    b.place(BUY, "100.0", "0.050", Tif.PO)
    b.feed.add(trade(1, SELL, 1000, 100))
    b.to(1)
    line = b.lines("fill")[0]
    assert (line["fee_asset"], D(line["fee"])) == (fee_asset, D(fee))


def test_fees_in_a_third_asset(bench):
    """An account that burns BNB pays with it while it lasts."""
    b = bench("binance", deposits={"USDT": D(1000), "BTC": D(1), "BNB": D("0.00001")})
    b.account.fee_burn = FeeBurn("BNB", D(500))
    b.place(BUY, "100.1", "0.010", Tif.IOC)
    b.place(BUY, "100.1", "0.040", Tif.IOC)
    assert [(t.fee_asset, t.fee) for t in b.account.trades] == [
        ("BNB", D("0.00000100")),
        ("BNB", D("0.00000400")),
    ]
    b.account.balance("BNB").free = D(0)
    b.feed.add(book(1))
    b.to(1)
    b.place(BUY, "100.1", "0.010", Tif.IOC)
    assert b.account.trades[-1].fee_asset == "BTC"


def test_linear_position_flips_through_zero(bench):
    """Long 50 at 100.1, sell 100 at 100.0: realised -0.005, then short 50 at 100.0."""
    b = bench()
    b.place(BUY, None, "0.050")
    b.feed.add(book(1, bids=((1000, 500),)))
    b.to(1)
    b.place(SELL, None, "0.100")
    position = b.account.positions["BTCUSDT"]
    assert (position.qty, position.cost, position.entry) == (D("-0.050"), D("-5.0000"), D(100))
    assert position.realised == D("-0.0050")
    fees = money(D("5.005") * D("0.0005")) + money(D(10) * D("0.0005"))
    assert b.account.balance("USDT").total == D(100_000) - D("0.005") - fees
    assert b.lines("position")[-1]["entry_cost"] == "-5.0000"


def test_linear_margin_is_checked(bench):
    """100 USDT at 20x carry 2,000 of notional: the larger side counts, not the sum."""
    b = bench(deposits={"USDT": D(100)})
    b.place(BUY, "99.0", "20")
    b.place(SELL, "101.0", "19")
    with pytest.raises(VenueReject) as excinfo:
        b.place(BUY, "99.0", "1")
    assert excinfo.value.reason is Reject.BALANCE
    assert b.exchange.initial_margin(b.account) == D(99)
    assert b.exchange.available(b.account, "USDT") == D(1)


def test_leverage_is_bounded(bench):
    """More leverage frees margin; too much is refused."""
    b = bench(deposits={"USDT": D(100)})
    b.exchange.set_leverage(b.account, "BTCUSDT", 100)
    b.place(BUY, "99.0", "90")
    with pytest.raises(VenueReject):
        b.exchange.set_leverage(b.account, "BTCUSDT", 126)


def test_reduce_only(bench):
    """Refused without a position, cut to it, and trimmed when it shrinks."""
    b = bench()
    with pytest.raises(VenueReject) as excinfo:
        b.place(SELL, "101.0", "0.010", reduce_only=True)
    assert excinfo.value.reason is Reject.REDUCE_ONLY
    b.place(BUY, None, "0.050")
    order = b.place(SELL, "101.0", "0.080", reduce_only=True)
    assert order.qty == D("0.050")
    b.place(SELL, None, "0.020")
    assert (order.left, order.qty) == (30, D("0.030"))
    b.place(SELL, None, "0.030")
    assert (order.state, order.why) == (OrderState.EXPIRED, CancelWhy.EXPIRED)


def test_funding_rows_are_settled(bench):
    """A long of 0.05 at mark 100.4 pays 1 %."""
    b = bench()
    b.place(BUY, None, "0.050")
    before = b.account.balance("USDT").total
    b.feed.add(rows(5, (MARK, 0, 1004, 0)), rows(6, (FUNDING, 0, 1_000_000, 0)))
    b.to(10)
    assert b.account.balance("USDT").total == before - D("0.0502")
    assert b.account.positions["BTCUSDT"].funding == D("-0.0502")
    assert b.lines("position")[-1]["funding"] == "-0.05020000"


def test_funding_without_rows_comes_every_eight_hours(bench):
    """START lies at 22:13:20 UTC: the first settlement is at midnight, at 0.01 % of the mid."""
    b = bench()
    b.place(SELL, None, "0.050")
    b.to(2 * HOURS_MS)
    mid = b.market.mid
    assert b.account.positions["BTCUSDT"].funding == money(D("0.050") * mid * D("0.0001"))
    assert b.market.next_funding_ns % (8 * 3600 * 10**9) == 0
    assert b.market.next_funding_ns > START_NS + 2 * HOURS_MS * 10**6


def test_liquidation_closes_what_margin_no_longer_carries(bench):
    """A fall of 9 % takes all of 1.1 USDT behind 0.13 BTC: orders go, the position is closed."""
    b = bench(deposits={"USDT": D("1.1")})
    b.exchange.set_leverage(b.account, "BTCUSDT", 100)
    b.place(BUY, None, "0.130")
    b.place(BUY, "90.0", "0.015")
    b.feed.add(book(10, bids=((910, 900),), asks=((911, 900),)))
    b.to(2000)
    assert b.account.positions["BTCUSDT"].qty == 0
    assert b.lines("cancel")[0]["why"] == "liquidation"


def test_deadman_fires_once_unless_refreshed(bench):
    """Refreshed at 4 s, a countdown of 5 s cancels at 9 s."""
    b = bench()
    order = b.place(BUY, "99.0", "0.1")
    b.exchange.arm_deadman(b.account, "BTCUSDT", 5000)
    b.to(4000)
    b.exchange.arm_deadman(b.account, "BTCUSDT", 5000)
    b.to(8999)
    assert order.is_open
    b.to(9000)
    assert order.why is CancelWhy.DEADMAN
    assert [(line["action"], line["window_ms"]) for line in b.lines("deadman")] == [
        ("arm", 5000),
        ("refresh", 5000),
        ("fire", 5000),
    ]
    b.exchange.arm_deadman(b.account, "BTCUSDT", 5000)
    b.exchange.arm_deadman(b.account, "BTCUSDT", 0)
    b.to(20_000)
    assert b.lines("deadman")[-1]["action"] == "disarm"


trades = st.lists(
    st.tuples(st.sampled_from((BUY, SELL)), st.integers(1, 5000), st.integers(500, 5000)), max_size=40
)


@given(trades)
def test_position_profit_equals_cash_flow(executions):
    """Whatever the order of executions, cash plus entry cost is the sum of realised profits."""
    position, cash, qty = Position("X"), D(0), D(0)
    for side, lots, ticks in executions:
        size, price = lots * D("0.001"), ticks * D("0.1")
        position.trade(side, size, price)
        cash -= side * size * price
        qty += side * size
        assert position.qty == qty
        assert cash + position.cost == position.realised
        assert position.unrealised(price) == qty * price - position.cost
        assert (position.qty == 0) <= (position.cost == 0)


requests = st.lists(
    st.one_of(
        st.tuples(
            st.just("place"),
            st.sampled_from((BUY, SELL)),
            st.integers(990, 1012),
            st.integers(60, 4000),
            st.sampled_from((Tif.GTC, Tif.IOC, Tif.FOK, Tif.PO)),
        ),
        st.tuples(st.just("market"), st.sampled_from((BUY, SELL)), st.integers(60, 4000)),
        st.tuples(st.just("amend"), st.integers(0, 9), st.integers(990, 1012), st.integers(60, 4000)),
        st.tuples(st.just("cancel"), st.integers(0, 9)),
        st.tuples(
            st.just("trade"), st.sampled_from((BUY, SELL)), st.integers(995, 1006), st.integers(1, 3000)
        ),
        st.tuples(st.just("book"), st.integers(995, 1005)),
    ),
    max_size=40,
)


def carry_out(b, step, t_ms):
    kind, *values = step
    if kind == "place":
        side, ticks, lots, tif = values
        b.place(side, ticks * D("0.1"), lots * D("0.001"), tif)
    elif kind == "market":
        b.place(values[0], None, values[1] * D("0.001"))
    elif kind == "trade":
        b.feed.add(trade(t_ms, *values))
    elif kind == "book":
        best = values[0]
        b.feed.add(book(t_ms, ((best, 900), (best - 1, 900)), ((best + 1, 900), (best + 2, 900))))
    else:
        orders = b.exchange.open_orders(b.account)
        if not orders:
            return
        order = orders[values[0] % len(orders)]
        if kind == "cancel":
            b.exchange.cancel(b.account, order)
        else:
            b.exchange.amend(b.account, order, price=values[1] * D("0.1"), qty=values[2] * D("0.001"))


@pytest.mark.parametrize("product", ["binance", "bybit-spot", "binanceusdm", "bybit-linear"])
@settings(max_examples=150, deadline=None)
@given(steps=requests)
def test_accounts_add_up(product, steps):
    """After any requests: locks are what open orders hold, and balances are deposits plus all trades."""
    unit = instrument(product, maker=D("-0.0001"), taker=D("0.00055"))
    b = Bench(product, units=[unit], deposits={"USDT": D(600), "BTC": D(3)})
    for t_ms, step in enumerate(steps, 1):
        with contextlib.suppress(VenueReject):
            carry_out(b, step, t_ms)
        b.to(t_ms)
        check_books(b, unit)
    check_log(b)


def check_books(b, unit):
    flows = {"USDT": D(600), "BTC": D(3)}
    filled = D(0)
    for done in b.account.trades:
        flows[done.fee_asset] -= done.fee
        filled += done.side * done.qty
        if unit.is_spot:
            flows["BTC"] += done.side * done.qty
            flows["USDT"] -= done.side * done.quote
        else:
            flows["USDT"] += done.realised
    for asset, amount in flows.items():
        assert b.account.balance(asset).total == amount
        assert b.account.balance(asset).locked >= 0
    orders = b.exchange.open_orders(b.account)
    if unit.is_spot:
        assert b.account.balance("USDT").free >= 0
        assert b.account.balance("BTC").free >= 0
        locked = sum((o.price * unit.qty(o.left) for o in orders if o.side > 0), D(0))
        assert b.account.balance("USDT").locked == locked
        assert b.account.balance("BTC").locked == sum((unit.qty(o.left) for o in orders if o.side < 0), D(0))
    else:
        position = b.account.positions.get("BTCUSDT", Position("BTCUSDT"))
        assert position.qty == filled
        cash = -sum((t.side * t.quote for t in b.account.trades), D(0))
        assert cash + position.cost == position.realised
    for order in orders:
        assert unit.qty(order.left) == order.qty - order.filled
        assert b.market.model.left(order.oid) == order.left
    bids, asks = b.market.depth(50)
    for side, levels in ((BUY, bids), (SELL, asks)):
        for ticks, lots in levels:
            own = sum(o.left for o in orders if o.side == side and o.price_ticks == ticks)
            assert lots >= own


def check_log(b):
    """The log alone tells every order's life: accept, fills, one end."""
    left, filled = {}, {}
    lines = b.lines()
    for line in lines:
        oid = line.get("oid")
        if line["ev"] == "accept":
            assert oid not in left
            left[oid], filled[oid] = D(line["qty"]), D(0)
        elif line["ev"] == "amend":
            assert oid in left
            left[oid] = D(line["qty"]) - filled[oid]
        elif line["ev"] == "fill":
            filled[oid] += D(line["qty"])
            assert left[oid] == D(line["left"]) + D(line["qty"])
            left[oid] = D(line["left"])
        elif line["ev"] == "cancel":
            assert left.pop(oid) == D(line["left"])
    live = {oid for oid, amount in left.items() if amount > 0}
    assert live == {str(o.oid) for o in b.exchange.open_orders(b.account)}
    assert [line["seq"] for line in lines] == list(range(len(lines)))
