"""The ledger is exact, books each trade once, and never depends on the order of arrival."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmm_daemon.core import ledger as ledger_module
from asmm_daemon.core import position as position_module
from asmm_daemon.core.account import Money
from asmm_daemon.core.ledger import Ledger
from asmm_daemon.events import FillEvent
from asmm_daemon.units import Instrument

D = Decimal


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
        max_qty=1_000_000,
        maker=D("0.0002"),
        taker=D("0.0005"),
    )


def fill(tid, side, qty, price, fee="0", asset="USDT", *, maker=True, venue_ns=10):
    return FillEvent(
        t_ns=venue_ns,
        m=0,
        cid="c",
        oid="o",
        tid=tid,
        side=side,
        price=D(price),
        qty=D(qty),
        fee=D(fee),
        fee_asset=asset,
        maker=maker,
        venue_ns=venue_ns,
        source="stream",
    )


def test_average_cost_and_realised_by_hand():
    """Two buys average, a partial sale realises its share, the flip opens at its own price."""
    book = Ledger(instrument())
    book.book(fill("1", 1, "1", "100"))
    book.book(fill("2", 1, "1", "110"))
    assert book.average == D(105)
    book.book(fill("3", -1, "0.5", "115"))
    assert (book.realised, book.average) == (D(5), D(105))
    book.book(fill("4", -1, "2", "95"))
    assert book.qty == D("-0.5")
    assert book.average == D(95)
    assert book.realised == D(5) + D("1.5") * (D(95) - D(105))
    assert book.unrealised(D(90)) == D("2.5")


def test_a_trade_id_is_booked_once():
    """The second delivery of an execution changes nothing."""
    book = Ledger(instrument())
    assert book.book(fill("1", 1, "1", "100", "0.02"))
    before = (book.qty, book.cash, book.fee_cost, book.volume_base)
    assert not book.book(fill("1", 1, "1", "100", "0.02"))
    assert (book.qty, book.cash, book.fee_cost, book.volume_base) == before


def test_without_deduplication_a_replayed_fill_breaks_the_account(monkeypatch):
    """Switched off, the safeguard's absence shows: a replayed execution doubles the position."""
    monkeypatch.setattr(Ledger, "knows", lambda self, tid, venue_ns: False)
    book = Ledger(instrument())
    book.book(fill("1", 1, "1", "100"))
    book.book(fill("1", 1, "1", "100"))
    assert book.qty == D(2)


def test_fee_in_base_leaves_the_inventory_short_by_it():
    """A spot buy with its fee in base delivers less, and costs the fee at the fill's price."""
    book = Ledger(instrument("binance"))
    book.book(fill("1", 1, "1", "100", "0.001", "BTC"))
    assert book.qty == D("0.999")
    assert book.fees == {"BTC": D("0.001")}
    assert book.net(D(100)) == D("-0.1")


def test_fee_in_a_third_asset_uses_its_price_or_the_quoted_rate():
    """A BNB fee counts at its configured price; without one at the account's fee rate, labelled by sign."""
    priced = Ledger(instrument(), {"BNB": D(500)})
    priced.book(fill("1", 1, "1", "100", "0.0001", "BNB"))
    assert priced.fee_cost == D("0.05")
    guessed = Ledger(instrument())
    guessed.book(fill("1", 1, "1", "100", "-0.0001", "BNB"))
    assert guessed.fee_cost == D("-0.02")


def test_funding_is_equity_and_booked_once():
    """A payment enters net once and never touches realised trading profit."""
    book = Ledger(instrument())
    assert book.book_funding("f1", D("-1.5"), 1)
    assert not book.book_funding("f1", D("-1.5"), 1)
    assert (book.net(D(100)), book.realised) == (D("-1.5"), D(0))


def test_opening_and_transfers_are_no_profit():
    """Adopted and transferred inventory is worth what it costs at that moment."""
    book = Ledger(instrument("binance"))
    book.open(D(2), D(100), 5)
    assert book.net(D(100)) == 0
    book.transfer(D(-1), D(120))
    assert book.net(D(120)) == D(40)


def test_hold_follows_the_target_and_survives_its_change():
    """Holding earns target times the move, counted from the price where the target changed."""
    book = Ledger(instrument("binance"))
    book.open(D(1), D(100), 5)
    assert book.hold(D(1), D(100)) == 0
    assert book.hold(D(1), D(90)) == D(-10)
    assert book.hold(D(2), D(90)) == D(-10)
    assert book.hold(D(2), D(95)) == D(0)


def test_forgotten_ids_stay_known_by_their_time(monkeypatch):
    """Memory for ids is bounded: what was dropped counts as known because it is older."""
    monkeypatch.setattr(ledger_module, "MAX_IDS", 3)
    book = Ledger(instrument())
    for k in range(6):
        book.book(fill(str(k), 1, "1", "100", venue_ns=10 + k))
    assert not book.book(fill("0", 1, "1", "100", venue_ns=10))
    assert book.qty == D(6)


FILLS = st.lists(
    st.tuples(
        st.sampled_from([1, -1]),
        st.integers(1, 10_000),
        st.integers(1, 10_000_000),
        st.integers(-1000, 1000),
    ),
    min_size=1,
    max_size=30,
)


def as_fills(rows):
    return [
        fill(
            str(k),
            side,
            D(lots) * D("0.001"),
            D(ticks) * D("0.1"),
            D(fee) * D("0.00001"),
            venue_ns=10 + k // 3,
        )
        for k, (side, lots, ticks, fee) in enumerate(rows)
    ]


@given(rows=FILLS, mid=st.integers(1, 10_000_000), data=st.data())
def test_any_order_of_arrival_gives_the_same_account(rows, mid, data):
    """Position, fees and net are sums over trades: permutation and duplication cannot change them."""
    fills = as_fills(rows)
    shuffled = data.draw(st.permutations(fills + fills[: len(fills) // 2]))
    one, two = Ledger(instrument()), Ledger(instrument())
    for f in fills:
        one.book(f)
    for f in shuffled:
        two.book(f)
    price = D(mid) * D("0.1")
    assert one.qty == two.qty == sum(f.side * f.qty for f in fills)
    exact = sum((f.side * f.qty * (price - f.price) - f.fee for f in fills), D(0))
    assert one.net(price) == two.net(price) == exact
    assert (one.realised, one.cost) == (two.realised, two.cost)


@given(rows=FILLS, mid=st.integers(1, 10_000_000))
def test_realised_and_unrealised_add_up_to_net(rows, mid):
    """Net = realised + unrealised − fees + funding to well below any wire's last digit."""
    book = Ledger(instrument())
    for f in as_fills(rows):
        book.book(f)
    price = D(mid) * D("0.1")
    parts = book.realised + book.unrealised(price) - book.fee_cost + book.funding
    assert parts == pytest.approx(book.net(price), abs=D("1e-15"))


@given(rows=FILLS)
def test_a_flat_position_has_no_cost_left(rows):
    """After closing everything the whole profit is realised, exactly."""
    book = Ledger(instrument())
    for f in as_fills(rows):
        book.book(f)
    if book.qty:
        side = -1 if book.qty > 0 else 1
        book.book(fill("999", side, abs(book.qty), "100", venue_ns=99))
    assert (book.qty, book.cost) == (0, 0)
    assert book.realised == book.cash


def test_flows_are_what_the_venues_balances_show():
    """Spot: money paid and fees by asset; linear: realised, fees and funding; adopted positions left out."""
    spot = Ledger(instrument("binance"))
    spot.open(D(1), D(100), 5)
    spot.book(fill("1", 1, "1", "100", "0.001", "BTC"))
    spot.book(fill("2", -1, "0.5", "110", "0.05", "USDT"))
    assert spot.flows() == {"USDT": D("-100") + D(55) - D("0.05")}
    linear = Ledger(instrument())
    linear.open(D(0), D(100), 5)
    linear.book(fill("1", 1, "1", "100", "0.01", "BNB"))
    linear.book(fill("2", -1, "1", "101", "0.05"))
    linear.book_funding("f", D("0.5"), 6)
    assert linear.flows() == {"USDT": D(1) - D("0.05") + D("0.5"), "BNB": D("-0.01")}
    adopted = Ledger(instrument())
    adopted.open(D(1), D(100), 5)
    assert "USDT" not in adopted.flows()


def test_folding_old_moves_changes_nothing(monkeypatch):
    """The moves kept for reordering are bounded; what is folded away counts as before."""
    rows = [(1 if k % 3 else -1, 10 + k, 1000 + 7 * k, 1) for k in range(60)]
    whole = Ledger(instrument())
    for f in as_fills(rows):
        whole.book(f)
    monkeypatch.setattr(position_module, "KEPT", 8)
    folded = Ledger(instrument())
    for f in as_fills(rows):
        folded.book(f)
    assert (folded.qty, folded.cash, folded.cost) == (whole.qty, whole.cash, whole.cost)


def test_a_balance_that_stays_different_is_a_transfer():
    """Funding is told late, a deposit never: only what stays for minutes moves the base of comparison."""
    money, minute = Money(), 60_000_000_000
    assert money.compare("USDT", D(100), D(0), 0) is None
    assert money.compare("USDT", D(103), D(2), minute) == D(1)
    assert money.compare("USDT", D(103), D(3), 2 * minute) is None
    assert money.compare("USDT", D(150), D(3), 3 * minute) == D(47)
    assert money.compare("USDT", D(150), D(3), 9 * minute) == D(47)
    assert money.compare("USDT", D(151), D(4), 10 * minute) is None
    assert not money.differences
