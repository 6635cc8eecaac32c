"""Each check of the limits: a log that breaks it, and the same log kept in time."""

from decimal import Decimal

from asmm_daemon.service.audit_limits import (
    AccountLimits,
    MarketLimits,
    audit_limits,
    compare_stop,
)

S = 10**9
D = Decimal
BOOK = {"ev": "book", "sym": "XUSDT", "t_ns": 0, "wall_ns": 0, "bid": "99", "ask": "101"}


def _line(t_s, ev, **keys):
    return {"t_ns": int(t_s * S), "wall_ns": int(t_s * S), "ev": ev, "sym": "XUSDT", **keys}


def _accept(t_s, oid, side):
    return _line(t_s, "accept", oid=oid, side=side)


def _cancel(t_s, oid):
    return _line(t_s, "cancel", oid=oid)


def _fill(t_s, oid, side, qty, px="100", left="0", **keys):
    keys = {"fee": "0", "fee_asset": "USDT", **keys}
    return _line(t_s, "fill", oid=oid, side=side, qty=qty, px=px, left=left, **keys)


def _best(t_s, mid):
    return _line(t_s, "book", bid=str(mid - 1), ask=str(mid + 1))


def _broken(*lines, capital="1000", **limits):
    market = MarketLimits(D(10), **limits)
    return [v.invariant for v in audit_limits([BOOK, *lines], AccountLimits(D(capital)), {"XUSDT": market})]


def test_an_order_that_increases_a_high_inventory_is_found():
    """S2: above 90 % none is accepted after a second, and none rests after five."""
    high = [_accept(1, "a", "buy"), _fill(2, "a", "buy", "9.5")]
    assert _broken(*high, _accept(2.5, "b", "buy"), _cancel(4, "b"), _best(9, 100)) == []
    assert _broken(*high, _accept(4, "b", "buy"), _cancel(4.5, "b")) == ["S2"]
    assert _broken(*high, _accept(2.5, "b", "buy"), _best(7.5, 100)) == ["S2"]
    assert _broken(*high, _accept(4, "b", "sell"), _best(20, 100)) == []


def test_a_spot_inventory_is_high_at_either_end_of_its_range():
    """S2: below 10 % of a spot range, selling is what takes it further off."""
    low = [_accept(1, "a", "sell"), _fill(2, "a", "sell", "4.5")]
    spot = {"spot": True, "opening": D(5), "held": D(5)}
    assert _broken(*low, _accept(4, "b", "sell"), **spot) == ["S2"]
    assert _broken(*low, _accept(4, "b", "buy"), **spot) == []


def test_orders_after_the_drawdown_limit_are_found():
    """S3: equity is rebuilt from the executions; then nothing new after one second, nothing after five."""
    lost = [_accept(1, "a", "buy"), _accept(1, "b", "sell"), _fill(2, "a", "buy", "8"), _best(3, 80)]
    assert _broken(*lost, _cancel(4, "b"), _best(20, 80)) == []
    assert _broken(*lost, _best(9, 80)) == ["S3"]
    assert _broken(*lost, _cancel(4, "b"), _accept(5, "c", "sell")) == ["S3"]
    assert _broken(*lost, _best(9, 80), capital="2000") == []


def test_holding_the_target_is_no_drawdown():
    """S3, spot: a falling market moves what is held for its own sake, which is no loss of ours."""
    spot = {"spot": True, "opening": D(5), "held": D(5)}
    assert _broken(_accept(1, "a", "buy"), _best(2, 50), _best(20, 50), **spot) == []
    assert _broken(_accept(1, "a", "buy"), _best(2, 50), _best(20, 50), spot=True, opening=D(5)) == ["S3"]


def test_fees_are_part_of_the_equity():
    """S3: fees in the quote asset and in the base asset both count."""
    paid = _fill(2, "a", "buy", "1", fee="200")
    assert _broken(_accept(1, "a", "buy"), _accept(1, "b", "sell"), paid, _best(9, 100)) == ["S3"]
    paid = _fill(2, "a", "buy", "3", fee="2", fee_asset="X")
    assert _broken(_accept(1, "a", "buy"), _accept(1, "b", "sell"), paid, _best(9, 100)) == ["S3"]


def test_two_live_orders_on_one_level_are_found():
    """S4: a side holds no more live orders than there are levels."""
    both = [_accept(1, "a", "buy"), _accept(2, "b", "buy")]
    assert _broken(*both) == ["S4"]
    assert _broken(*both, levels=2) == []
    assert _broken(both[0], _cancel(1.5, "a"), both[1]) == []


def test_orders_that_outlive_a_stop_are_found():
    """S16: by the machine's clock, ten seconds after the signal nothing rests."""
    resting = [_accept(1, "a", "buy"), _cancel(15, "a")]
    assert compare_stop(resting, 10 * S, 10.0) == []
    assert [v.invariant for v in compare_stop(resting, 2 * S, 10.0)] == ["S16"]
    assert [v.invariant for v in compare_stop(resting[:1], 2 * S, 10.0)] == ["S16"]
    filled = [_accept(1, "a", "buy"), _fill(3, "a", "buy", "1")]
    assert compare_stop(filled, 2 * S, 10.0) == []
