import numpy as np
import pytest

from asmm_daemon.core.market import (
    advance,
    copy_market,
    new_market,
    on_message,
    on_rows,
    set_own,
)
from asmm_daemon.events import BBO, CLEAR, DEPTH, FUNDING, GAP, MARK, ROW, TRADE


def same(a, b) -> bool:
    """Whether two states are equal to the bit."""
    return all(x.tobytes() == y.tobytes() for x, y in zip((*a.book, *a[1:]), (*b.book, *b[1:]), strict=True))


def random_rows(n: int, seed: int):
    """A lively tape of whole messages, gaps and all."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(n, ROW)
    rows["kind"] = rng.choice([DEPTH, BBO, TRADE, GAP, CLEAR, MARK], n, p=[0.5, 0.2, 0.26, 0.01, 0.02, 0.01])
    rows["side"] = rng.choice([-1, 1], n)
    rows["price"] = 10_000 - rows["side"] * rng.integers(1, 30, n)
    rows["price"][rows["kind"] == CLEAR] = 0
    rows["qty"] = rng.integers(0, 50, n) * (rows["kind"] != CLEAR)
    rows["qty"][rows["kind"] == TRADE] += 1
    rows["last"] = rng.random(n) < 0.4
    rows["last"][-1] = True
    rows["exch_ns"] = 10**18 + np.cumsum(rng.exponential(3e8, n)).astype(np.int64)
    rows["local_ns"] = rows["exch_ns"] + 2_000_000
    return rows


def test_microprice_weighs_each_side_by_the_other(scene) -> None:
    """Three times the bids pull the microprice to the ask."""
    s = scene()
    s.book(1000, 1010, 300, 100)
    assert s.m["valid"]
    assert s.m["mid"] == 1005
    assert s.m["micro"] == pytest.approx((1000 * 100 + 1010 * 300) / 400)


def test_own_quantity_is_taken_out(scene) -> None:
    """Our lots lower the level's, and a level that is ours alone is not there."""
    s = scene()
    s.book(1000, 1010, 100, 100)
    s.send((DEPTH, 1, 998, 40))
    set_own(s.state, s.params, 1, 1000, 30)
    assert (s.m["bid"], s.m["bid_qty"]) == (1000, 70)
    set_own(s.state, s.params, 1, 1000, 150)
    assert (s.m["bid"], s.m["bid_qty"]) == (998, 40)
    assert s.m["mid"] == 1004
    set_own(s.state, s.params, 1, 1000, 0)
    assert (s.m["bid"], s.m["bid_qty"]) == (1000, 100)
    set_own(s.state, s.params, -1, 1010, 60)
    assert s.m["ask_qty"] == 40
    set_own(s.state, s.params, -1, 1010, 0)
    assert (s.m["ask_qty"], s.m["owns"]) == (100, 0)


def test_a_book_of_ours_alone_is_not_valid(scene) -> None:
    """Nobody quotes off himself."""
    s = scene()
    s.book(1000, 1010, 100, 100)
    set_own(s.state, s.params, -1, 1010, 100)
    assert not s.m["valid"]


@pytest.mark.parametrize(
    ("bid", "ask", "valid"), [(1000, 1001, True), (1000, 1000, True), (1001, 1000, False)]
)
def test_locked_is_valid_and_crossed_is_not(scene, bid: int, ask: int, valid: bool) -> None:
    """A locked book can be quoted on, a crossed one cannot."""
    s = scene()
    s.book(bid, ask)
    assert s.m["valid"] == valid


def test_a_gap_makes_the_book_unknown_until_it_is_cleared(scene) -> None:
    """After GAP only CLEAR makes the book known again, and the time between is no exposure."""
    s = scene()
    s.book(1000, 1010)
    s.wait(2.0)
    s.send((GAP, 0, 0, 0))
    s.send((BBO, 1, 1001, 5))
    assert not s.m["valid"]
    s.wait(1.0)
    s.book(1000, 1010)
    assert s.m["valid"]
    assert s.m["gaps"] == 1
    s.wait(1.0)
    assert s.m["exposed_ns"] == 3 * 10**9


def test_one_message_or_many_at_once_are_the_same(scene) -> None:
    """A loop over a tape leaves the bits that message by message leaves."""
    rows = random_rows(4000, 1)
    live, looped = new_market(4096), new_market(4096)
    params = scene().params
    ends = np.flatnonzero(rows["last"]) + 1
    for start, stop in zip(np.r_[0, ends[:-1]], ends, strict=True):
        on_message(live, params, rows[start:stop].copy())
    on_rows(looped, params, rows)
    assert live.market["messages"] == len(ends)
    assert same(live, looped)


def test_idle_beats_change_nothing(scene) -> None:
    """More or fewer calls of advance between two messages leave the same state."""
    rows = random_rows(1500, 2)
    params = scene().params
    plain, beaten = new_market(4096), new_market(4096)
    on_rows(plain, params, rows)
    ends = np.flatnonzero(rows["last"]) + 1
    for start, stop in zip(np.r_[0, ends[:-1]], ends, strict=True):
        for share in (0.3, 0.5, 0.9):
            before = int(beaten.market["now_ns"][0])
            if before:
                advance(beaten, params, int(before + share * (rows["local_ns"][stop - 1] - before)))
        on_message(beaten, params, rows[start:stop].copy())
    assert same(plain, beaten)


def test_a_taker_order_is_counted_in_the_order_of_time(scene) -> None:
    """One seen just before a 5 s sample is counted after it, whether or not time stops in between."""
    stopping, jumping = scene(), scene()
    for s, waits in ((stopping, (0.03, 0.5)), (jumping, (0.53,))):
        s.book(1000, 1010)
        s.wait(4.98 - s.t_s % 5.0)
        s.trade(1, 1050)
        for seconds in waits:
            s.wait(seconds)
    assert stopping.state.intensity["beyond"][0, 0] == 1.0
    assert same(stopping.state, jumping.state)


def test_a_checkpoint_goes_on_as_the_original(scene) -> None:
    """A copy of the records is all of the state."""
    rows = random_rows(2000, 3)
    params = scene().params
    whole, first = new_market(4096), new_market(4096)
    cut = int(np.flatnonzero(rows["last"])[400]) + 1
    on_rows(whole, params, rows)
    on_rows(first, params, rows[:cut].copy())
    checkpoint = copy_market(first)
    on_rows(first, params, rows[cut:].copy())
    on_rows(checkpoint, params, rows[cut:].copy())
    assert same(whole, first)
    assert same(whole, checkpoint)


def test_time_never_runs_back(scene) -> None:
    """A row that is older than what was seen does not turn the clock."""
    s = scene()
    s.book(1000, 1010)
    s.wait(10.0)
    now = int(s.m["now_ns"])
    s.t_s -= 3.0
    s.trade(1, 1010)
    assert s.m["now_ns"] == now
    assert s.m["trade_ns"] == now


def test_candles_follow_trades_and_fill_quiet_minutes(scene) -> None:
    """A minute without a trade is flat at the close before it."""
    s = scene()
    s.book(1000, 1010)
    for price in (1005, 1009, 1001, 1003):
        s.trade(1, price, 2)
        s.wait(1.0)
    s.wait(180.0)
    s.trade(-1, 1007, 5)
    minute = int(s.m["minute"])
    first, quiet, last = ((minute - k) % 64 for k in (3, 1, 0))
    candle = [float(s.m[f"candle_{x}"][first]) for x in ("open", "high", "low", "close", "volume")]
    assert candle == [1005, 1009, 1001, 1003, 8]
    candle = [float(s.m[f"candle_{x}"][quiet]) for x in ("open", "high", "low", "close", "volume")]
    assert candle == [1003, 1003, 1003, 1003, 0]
    candle = [float(s.m[f"candle_{x}"][last]) for x in ("open", "high", "low", "close", "volume")]
    assert candle == [1003, 1007, 1003, 1007, 5]
    assert s.m["candles"] == 4


def test_funding_and_mark_are_kept(scene) -> None:
    """The rate is a fraction, and it is applied at the row's venue time."""
    s = scene()
    s.book(1000, 1010)
    rows = s.rows((FUNDING, 0, 10_000, 0), (MARK, 0, 1006, 0))
    rows["exch_ns"][0] += 3600 * 10**9
    on_message(s.state, s.params, rows)
    assert s.m["funding_rate"] == pytest.approx(1e-4)
    assert s.m["funding_ns"] == s.now_ns + 3600 * 10**9
    assert s.m["mark"] == 1006


def test_typical_size_is_the_mean_of_the_first_trades(scene) -> None:
    """Volumes are told in multiples of the typical trade."""
    s = scene()
    s.book(1000, 1010)
    for qty in (10, 20, 60):
        s.trade(1, 1010, qty)
    assert s.m["typical_qty"] == pytest.approx(30)
