"""Each check of reaction times: a log that breaks it, and the same log kept in time."""

import pytest

from asmm_daemon.service.audit_timing import Allowed, audit_timing

S = 10**9


def _line(t_s, ev, **keys):
    return {"t_ns": int(t_s * S), "ev": ev, **keys}


def _accept(t_s, oid="1"):
    return _line(t_s, "accept", sym="X", oid=oid, side="buy")


def _cancel(t_s, oid="1"):
    return _line(t_s, "cancel", sym="X", oid=oid)


def _best(t_s, bid):
    return _line(t_s, "book", sym="X", bid=bid, ask="110")


def _depth(t_s, *, delivered=True, delay_s=0.0):
    return _line(t_s, "stream", sym="X", name="x@depth@100ms", delivered=delivered, delay_ns=int(delay_s * S))


def _call(t_s, path, req, status=200, method="GET", delivered=True, code="0"):
    return [
        _line(t_s, "request", path=path, req=req, method=method),
        _line(t_s, "response", req=req, status=status, delivered=delivered, code=code),
    ]


def _reads(t_s):
    return [
        *_call(t_s, "/fapi/v1/openOrders", 1),
        *_call(t_s, "/fapi/v1/userTrades", 2),
        *_call(t_s, "/fapi/v3/balance", 3),
    ]


def _beats(start_s, end_s):
    """A response each second."""
    return [line for t in range(start_s, end_s) for line in _call(t, "/fapi/v1/time", 1000 + t)]


def _broken(*parts, **allowed):
    lines = [line for part in parts for line in (part if isinstance(part, list) else [part])]
    lines.sort(key=lambda line: line["t_ns"])
    return [v.invariant for v in audit_timing(lines, Allowed(**allowed))]


START = [*_reads(1), _best(1, "100"), _depth(1.1)]


def test_a_quiet_session_breaks_nothing():
    """Orders on a told book, after the account was read."""
    assert _broken(START, _accept(2), _best(3, "101"), _depth(3.1), _cancel(60), _beats(2, 60)) == []


def test_quotes_on_a_stale_book_are_found():
    """S11: a change of the best that is not told makes the book stale after two seconds."""
    silent = [_accept(2), _best(3, "101"), _depth(3.1, delivered=False)]
    assert _broken(START, silent, _cancel(5.5), _best(9, "102")) == []
    assert _broken(START, silent, _best(6.5, "102"), _cancel(7)) == ["S11"]
    assert _broken(START, silent[1:], _best(5, "102"), _accept(7)) == ["S11"]


def test_a_market_that_returns_to_what_was_told_is_not_stale():
    """S11: silence alone proves nothing; only a best that differs from what was told does."""
    assert _broken(START, _accept(2), _best(3, "101"), _best(4, "100"), _best(20, "100")) == []


def test_a_late_message_counts_when_it_arrives():
    """S11: what is delayed on the way has not been told yet."""
    late = [_accept(2), _best(3, "101"), _depth(3.1, delay_s=10)]
    assert _broken(START, late, _best(8, "102")) == ["S11"]


def test_quotes_on_a_book_with_a_gap_are_found():
    """S11: a message after one that never came is a gap until a snapshot or a new subscription."""
    gap = [_accept(2), _depth(3, delivered=False), _depth(3.1)]
    assert _broken(START, gap, _best(9, "100")) == ["S11"]
    assert _broken(START, gap, _call(3.5, "/fapi/v1/depth", 9), _best(9, "100")) == []
    sub = _line(3.5, "sub", name="orderbook.50.X", conn=2)
    assert _broken(START, gap, sub, _best(9, "100")) == []


def test_what_a_dead_client_left_is_not_judged_by_its_book():
    """S11: once its last connection is gone, an order that rests is nobody's quote; a new one is."""
    gone = [_line(1.2, "open", name="public", conn=7), _accept(2), _line(3, "close", conn=7), _best(4, "102")]
    assert _broken(START, gone, _best(20, "103")) == []
    assert _broken(START, gone, _accept(15, "2"), _best(20, "103")) == ["S11"]
    assert _broken(START, gone[:2], _best(4, "102"), _best(20, "103")) == ["S11"]


def test_orders_that_outlive_the_connection_are_found():
    """S5: with a dead-man's switch 31 s after the last response, else 2 s after the first that returns."""
    armed = [*START, _accept(2), _best(33.5, "100")]
    assert _broken(armed) == ["S5"]
    assert _broken([*START, _accept(2), _cancel(26), _best(33.5, "100")]) == []
    back = [*_call(45, "/fapi/v1/time", 9), _cancel(46), _best(60, "100")]
    late = [*_call(45, "/fapi/v1/time", 9), _cancel(48), _best(60, "100")]
    assert _broken([*START, _accept(2)], back, deadman=False) == []
    assert _broken([*START, _accept(2)], late, _best(47.5, "100"), deadman=False) == ["S5"]


def test_an_answer_that_a_fault_ate_is_no_contact():
    """S5: what was not delivered, and a server's failure, prove nothing."""
    lost = [
        line
        for t in range(2, 40)
        for line in _call(t, "/fapi/v1/time", 50 + t, status=503, delivered=bool(t % 2))
    ]
    assert _broken([*START, _accept(2)], lost) == ["S5"]


@pytest.mark.parametrize("missing", ["openOrders", "userTrades", "balance"])
def test_an_order_before_the_account_was_read_is_found(missing):
    """S8: after a start, and again after a lost private stream."""
    reads = [line for line in _reads(3) if missing not in line.get("path", "")]
    assert _broken(_best(1, "100"), _depth(1.1), reads, _accept(4)) == ["S8"]
    lost = [_line(1.5, "open", name="private", conn=7), _line(2, "close", conn=7)]
    assert _broken(START, lost, reads, _accept(4)) == ["S8"]
    assert _broken(START, lost, _reads(3), _accept(4)) == []


def test_an_order_on_its_way_when_the_stream_was_lost_is_no_breach():
    """S8: what the daemon could not know yet is not held against it."""
    lost = [_line(1.5, "open", name="private", conn=7), _line(2, "close", conn=7)]
    assert _broken(START, lost, _accept(2.2)) == []


def test_requests_during_a_silence_are_found():
    """S12: after a 429 (Bybit: code 10006) nothing is sent for as long as the venue asked."""
    limited = _call(5, "/fapi/v1/time", 20, status=429)
    assert _broken(START, limited, _call(8, "/fapi/v1/time", 21), retry_after_s=5.0) == ["S12"]
    assert _broken(START, limited, _call(11, "/fapi/v1/time", 21), retry_after_s=5.0) == []
    bybit = _call(5, "/v5/market/time", 20, code="10006")
    assert _broken(START, bybit, _call(8, "/v5/market/time", 21), retry_after_s=5.0) == ["S12"]


def test_a_ban_is_found():
    """S12: a 418 must never come."""
    assert _broken(START, _call(5, "/fapi/v1/time", 20, status=418)) == ["S12"]
