import numpy as np
import pytest

from asmm_daemon.core.fills import BUY_AT_ANY, FULL, SELL_AT_ANY, FillModel
from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP, ROW, TRADE


def message(t_ns, *rows):
    """One venue message from (kind, side, price, qty) rows; a trade's id is 7."""
    out = np.zeros(len(rows), ROW)
    for i, (kind, side, price, qty) in enumerate(rows):
        out[i] = (t_ns, t_ns, kind, side, price, qty, 7 if kind == TRADE else -1, i == len(rows) - 1)
    return out


def market(**options):
    """Bids 100 x 5, 99 x 8; asks 101 x 4, 102 x 9."""
    model = FillModel(**options)
    levels = ((DEPTH, 1, 100, 5), (DEPTH, 1, 99, 8), (DEPTH, -1, 101, 4), (DEPTH, -1, 102, 9))
    model.on_rows(message(10, *levels))
    return model


def rest(model, order, side, price, qty):
    """Places a post-only order that rests."""
    assert model.place(order, side, price, qty, 20, post_only=True).rested


def short(fills):
    """(order, price, qty, left) of each fill."""
    return [tuple(f) for f in fills[["order", "price", "qty", "left"]].tolist()]


def test_an_order_waits_for_the_quantity_that_was_there_before_it():
    """5 lots ahead: trades of 3 and 2 consume the queue, the next lot is ours."""
    model = market()
    rest(model, 1, 1, 100, 3)
    assert short(model.on_rows(message(30, (TRADE, -1, 100, 3)))) == []
    assert short(model.on_rows(message(31, (TRADE, -1, 100, 2)))) == []
    fills = model.on_rows(message(32, (TRADE, -1, 100, 1)))
    assert short(fills) == [(1, 100, 1, 2)]
    fill = fills[0]
    assert (fill["t_ns"], fill["trade"], fill["side"], fill["maker"]) == (32, 7, 1, True)


def test_a_trade_that_reaches_past_the_queue_fills_what_it_has_left():
    """A trade of 7 with 5 ahead fills 2 of our 3 lots, and the next one the third."""
    model = market()
    rest(model, 1, 1, 100, 3)
    assert short(model.on_rows(message(30, (TRADE, -1, 100, 7)))) == [(1, 100, 2, 1)]
    assert short(model.on_rows(message(31, (TRADE, -1, 100, 7)))) == [(1, 100, 1, 0)]
    assert model.left(1) == 0


def test_a_trade_on_our_own_side_or_of_unknown_side_does_not_fill():
    """A buying aggressor never hits a bid."""
    model = market()
    rest(model, 1, 1, 100, 3)
    assert short(model.on_rows(message(30, (TRADE, 1, 100, 50), (TRADE, 0, 100, 50)))) == []


def test_a_trade_through_fills_without_a_queue_but_only_what_it_carries():
    """A sell printed at 99 would have met our 3 lots at 100 first; it carried 2."""
    model = market()
    rest(model, 1, 1, 100, 3)
    assert short(model.on_rows(message(30, (TRADE, -1, 99, 2)))) == [(1, 100, 2, 1)]


def test_one_trade_is_shared_by_price_then_arrival():
    """6 lots through 100: the better price first, then at 100 the earlier order, then what is left."""
    model = market()
    rest(model, 1, -1, 102, 2)
    rest(model, 2, -1, 101, 3)
    rest(model, 3, -1, 101, 4)
    model.on_rows(message(21, (DEPTH, -1, 101, 0), (DEPTH, -1, 102, 0), (DEPTH, -1, 103, 5)))
    assert short(model.on_rows(message(30, (TRADE, 1, 103, 8)))) == [
        (2, 101, 3, 0),
        (3, 101, 4, 0),
        (1, 102, 1, 1),
    ]


def test_orders_at_one_price_share_its_queue():
    """5 visible ahead of both: a trade of 9 gives the first its 3 lots and the second 1."""
    model = market()
    rest(model, 1, 1, 100, 3)
    rest(model, 2, 1, 100, 3)
    assert short(model.on_rows(message(30, (TRADE, -1, 100, 9)))) == [(1, 100, 3, 0), (2, 100, 1, 2)]


def test_visible_quantity_that_came_between_stands_between():
    """A second order joins after 4 more visible lots: they trade before it does."""
    model = market()
    rest(model, 1, 1, 100, 1)
    model.on_rows(message(21, (DEPTH, 1, 100, 9)))
    rest(model, 2, 1, 100, 1)
    assert short(model.on_rows(message(30, (TRADE, -1, 100, 6)))) == [(1, 100, 1, 0)]
    assert short(model.on_rows(message(31, (TRADE, -1, 100, 4)))) == []
    assert short(model.on_rows(message(32, (TRADE, -1, 100, 1)))) == [(2, 100, 1, 0)]


def test_a_shrinking_level_moves_the_queue_by_the_power_model():
    """Front 5, then 15 join behind; 4 of 20 leave: front falls by 4 f(5)/(f(5)+f(15)), f(x) = x^2."""
    model = market(power=2.0)
    rest(model, 1, 1, 100, 3)
    model.on_rows(message(21, (DEPTH, 1, 100, 20)))
    assert model.resting(1)[0]["ahead"] == 5
    model.on_rows(message(22, (DEPTH, 1, 100, 16)))
    assert model.resting(1)[0]["ahead"] == pytest.approx(5 - 4 * 25 / (25 + 225))


def test_what_trades_took_is_not_taken_twice():
    """A trade of 2 and the level's fall from 5 to 3 are the same event."""
    model = market()
    rest(model, 1, 1, 100, 3)
    model.on_rows(message(21, (TRADE, -1, 100, 2)))
    model.on_rows(message(22, (DEPTH, 1, 100, 3)))
    assert model.resting(1)[0]["ahead"] == 3


def test_the_queue_is_never_longer_than_the_visible_level():
    """A level that falls to 1 leaves at most 1 ahead; one that disappears leaves none."""
    model = market()
    rest(model, 1, 1, 100, 3)
    model.on_rows(message(21, (DEPTH, 1, 100, 1)))
    assert model.resting(1)[0]["ahead"] == 1
    model.on_rows(message(22, (BBO, 1, 99, 8)))
    assert model.resting(1)[0]["ahead"] == 0


def test_the_opposite_side_coming_to_our_price_fills_what_it_offers():
    """An ask of 2 lots at our bid fills 2 of 3 at our price and is used up by it; 4 more fill the rest."""
    model = market()
    rest(model, 1, 1, 100, 3)
    assert short(model.on_rows(message(30, (DEPTH, 1, 100, 0), (DEPTH, -1, 100, 2)))) == [(1, 100, 2, 1)]
    assert model.book.head[0]["ask"] == 101
    fills = model.on_rows(message(31, (BBO, -1, 99, 4)))
    assert short(fills) == [(1, 100, 1, 0)]
    assert fills[0]["trade"] == -1
    assert model.available(1, 99) == 3


def test_a_post_only_order_that_would_cross_changes_nothing():
    """Neither the visible best nor another simulated order may be met."""
    model = market()
    rest(model, 1, 1, 100, 3)
    result = model.place(2, 1, 101, 5, 30, post_only=True)
    assert (result.would_cross, result.rested, result.left, result.fills.size) == (True, False, 5, 0)
    model.on_rows(message(31, (DEPTH, 1, 100, 0)))
    assert model.place(3, -1, 100, 1, 32, post_only=True).would_cross
    assert model.own_levels(1) == [(100, 3)]


def test_a_taker_walks_the_visible_book_and_the_rest_rests():
    """10 lots bought up to 102 pay 101 and 102; the book is short of them until its next rows."""
    model = market()
    result = model.place(1, 1, 102, 15, 30, post_only=False)
    assert short(result.fills) == [(1, 101, 4, 11), (1, 102, 9, 2)]
    assert not result.fills["maker"].any()
    assert (result.rested, result.left) == (True, 2)
    assert model.own_qty(1, 102) == 2
    assert model.available(1, BUY_AT_ANY) == 0
    model.on_rows(message(31, (DEPTH, -1, 103, 6)))
    assert model.available(1, BUY_AT_ANY) == 6


def test_a_taken_level_returns_with_the_feeds_next_row_for_it():
    """The recorded market did not see our trade: its next absolute quantity counts."""
    model = market()
    model.place(1, 1, 101, 3, 30, post_only=False, rest=False)
    assert model.available(1, 101) == 1
    model.on_rows(message(31, (DEPTH, -1, 101, 4)))
    assert model.available(1, 101) == 4


def test_a_market_orders_remainder_is_left_to_the_caller():
    """Selling 20 into 13 visible lots leaves 7 that rest nowhere."""
    model = market()
    result = model.place(1, -1, SELL_AT_ANY, 20, 30, post_only=False, rest=False)
    assert short(result.fills) == [(1, 100, 5, 15), (1, 99, 8, 7)]
    assert (result.rested, result.left, model.left(1)) == (False, 7, 0)


def test_a_taker_meets_simulated_orders_by_price_and_queue():
    """A sell of 9: the better simulated bid first, then the 5 visible lots ahead, then the one behind."""
    model = market()
    rest(model, 1, 1, 100, 3)
    model.on_rows(message(21, (DEPTH, -1, 101, 0)))
    rest(model, 2, 1, 101, 2)
    assert model.crossing(-1, 100) == [2, 1]
    assert model.available(-1, 100) == 10
    result = model.place(3, -1, 100, 9, 30, post_only=False)
    assert short(result.fills[~result.fills["maker"]]) == [(3, 101, 2, 7), (3, 100, 2, 5), (3, 100, 5, 0)]
    assert short(result.fills[result.fills["maker"]]) == [(2, 101, 2, 0), (1, 100, 2, 1)]
    assert model.available(-1, 100) == 1


def test_less_quantity_keeps_the_place_and_more_or_another_price_loses_it():
    """After 4 of 5 ahead have traded: lowering keeps 1 ahead, raising and moving stand behind all visible."""
    model = market()
    rest(model, 1, 1, 100, 3)
    model.on_rows(message(21, (TRADE, -1, 100, 4)))
    assert model.amend(1, 100, 2, 22, post_only=True).rested
    assert model.resting(1)[["left", "ahead"]].tolist() == [(2, 1.0)]
    assert model.amend(1, 100, 4, 23, post_only=True).rested
    assert model.resting(1)[["left", "ahead"]].tolist() == [(4, 5.0)]
    assert model.amend(1, 99, 4, 24, post_only=True).rested
    assert model.resting(1)[["price", "ahead"]].tolist() == [(99, 8.0)]


def test_an_amendment_that_would_cross_is_refused_whole():
    """The order keeps price, quantity and place; without post-only it trades."""
    model = market()
    rest(model, 1, 1, 100, 3)
    before = model.resting(1).tolist()
    assert model.amend(1, 101, 3, 30, post_only=True).would_cross
    assert model.resting(1).tolist() == before
    result = model.amend(1, 101, 3, 31, post_only=False)
    assert short(result.fills) == [(1, 101, 3, 0)]
    assert model.left(1) == 0


def test_unknown_orders_are_told():
    """Amending raises, cancelling gives nothing back; a cancelled order never fills."""
    model = market()
    with pytest.raises(KeyError):
        model.amend(9, 100, 1, 20, post_only=True)
    rest(model, 1, 1, 100, 3)
    assert (model.cancel(1), model.cancel(1)) == (3, 0)
    assert short(model.on_rows(message(30, (TRADE, -1, 90, 99)))) == []


def test_senseless_orders_are_refused():
    """Ids are not negative and quantities positive: -1 stands for nobody."""
    model = market()
    with pytest.raises(ValueError, match="-1"):
        model.place(-1, 1, 100, 1, 20, post_only=True)
    with pytest.raises(ValueError, match="quantity 0"):
        model.place(1, 1, 100, 0, 20, post_only=True)
    with pytest.raises(ValueError, match="not 0"):
        model.amend(1, 100, 0, 20, post_only=True)


def gap_and_first_book(model):
    """A gap, then a first book whose ask has come through our bid at 100: all that they fill."""
    fills = model.on_rows(message(30, (GAP, 0, 0, 0)))
    first = ((CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0), (DEPTH, 1, 98, 6), (DEPTH, -1, 99, 2))
    return [*fills, *model.on_rows(message(31, *first))]


def test_nothing_fills_on_the_first_book_after_a_gap():
    """The order behind a gap stands last in its queue; what the market went through fills a message later."""
    model = market()
    rest(model, 1, 1, 100, 3)
    rest(model, 2, 1, 98, 3)
    assert gap_and_first_book(model) == []
    assert model.resting(1)[["id", "ahead"]].tolist() == [(1, 0.0), (2, 6.0)]
    fills = model.on_rows(message(32, (DEPTH, -1, 103, 1)))
    assert short(fills) == [(1, 100, 3, 0)]


def test_trades_inside_a_gap_fill_nothing():
    """While the book is unknown no queue can be known either."""
    model = market()
    rest(model, 1, 1, 100, 3)
    assert short(model.on_rows(message(30, (GAP, 0, 0, 0), (TRADE, -1, 90, 99)))) == []


def test_in_the_backtest_a_gap_ends_the_orders_unfilled():
    """With end_on_gap nothing of ours is left after it."""
    model = market(end_on_gap=True)
    rest(model, 1, 1, 100, 3)
    assert gap_and_first_book(model) == []
    assert model.own_levels(1) == []
    assert short(model.on_rows(message(32, (DEPTH, -1, 90, 1)))) == []


def test_time_never_steps_back():
    """A row stamped before its predecessor counts as simultaneous; a fill bears that time."""
    model = market()
    rest(model, 1, 1, 100, 3)
    assert model.on_rows(message(5, (TRADE, -1, 99, 1)))[0]["t_ns"] == 20


def test_full_mode_fills_whole_or_not_at_all():
    """The rule of hftbacktest: any trade that gets past the queue, or through the price, fills everything."""
    model = market(mode=FULL)
    rest(model, 1, 1, 100, 30)
    rest(model, 2, 1, 99, 30)
    assert short(model.on_rows(message(30, (TRADE, -1, 100, 5)))) == []
    assert short(model.on_rows(message(31, (TRADE, -1, 100, 1)))) == [(1, 100, 30, 0)]
    assert short(model.on_rows(message(32, (DEPTH, -1, 99, 1)))) == [(2, 99, 30, 0)]
    taken = model.place(3, -1, 98, 50, 33, post_only=False)
    assert short(taken.fills) == []
    model.on_rows(message(34, (DEPTH, 1, 97, 1)))
    assert short(model.place(4, -1, 97, 50, 35, post_only=False).fills) == [(4, 97, 50, 0)]


def test_more_orders_and_fills_than_there_was_room_for():
    """The arrays grow: 2,000 orders at one price fill in order of arrival from one trade."""
    model = market()
    for order in range(2000):
        rest(model, order, 1, 100, 1)
    fills = model.on_rows(message(30, (TRADE, -1, 100, 5 + 1500)))
    assert fills["order"].tolist() == list(range(1500))
    assert model.own_qty(1, 100) == 500
    result = model.place(5000, -1, 100, 600, 31, post_only=False, rest=False)
    assert result.left == 100 - 5
    assert result.fills["maker"].sum() == 500
