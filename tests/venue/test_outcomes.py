"""What failures mean."""

import aiohttp
import ccxt
import pytest

from asmm_daemon.events import Cause
from asmm_daemon.venue.outcomes import HttpFault, judge, read_code

BINANCE = [
    (400, "-2010", "Order would immediately match and take.", ccxt.OrderImmediatelyFillable, Cause.POST_ONLY),
    (
        400,
        "-2010",
        "Account has insufficient balance for requested action.",
        ccxt.InsufficientFunds,
        Cause.BALANCE,
    ),
    (400, "-5022", "Due to the order could not be executed as maker", ccxt.InvalidOrder, Cause.POST_ONLY),
    (400, "-2011", "Unknown order sent.", ccxt.OrderNotFound, Cause.NOT_FOUND),
    (400, "-2013", "Order does not exist.", ccxt.OrderNotFound, Cause.NOT_FOUND),
    (400, "-2022", "ReduceOnly Order is rejected.", ccxt.InvalidOrder, Cause.REDUCE_ONLY),
    (400, "-4116", "ClientOrderId is duplicated.", ccxt.ExchangeError, Cause.DUPLICATE_ID),
    (
        400,
        "-1021",
        "Timestamp for this request is outside of the recvWindow.",
        ccxt.InvalidNonce,
        Cause.CLOCK,
    ),
    (401, "-2015", "Invalid API-key, IP, or permissions for action.", ccxt.DDoSProtection, Cause.AUTH),
    (400, "-1013", "Filter failure: NOTIONAL", ccxt.InvalidOrder, Cause.FILTER),
    (429, "-1015", "Too many new orders", ccxt.DDoSProtection, Cause.RATE_LIMIT),
]
BYBIT = [
    (200, "110001", "order not exists or too late to cancel", ccxt.OrderNotFound, Cause.NOT_FOUND),
    (200, "110017", "current position is zero", ccxt.InvalidOrder, Cause.REDUCE_ONLY),
    (200, "110072", "OrderLinkedID is duplicate", ccxt.InvalidOrder, Cause.DUPLICATE_ID),
    (200, "10002", "invalid request, please check your server timestamp", ccxt.InvalidNonce, Cause.CLOCK),
    (200, "10006", "Too many visits!", ccxt.RateLimitExceeded, Cause.RATE_LIMIT),
    (200, "110007", "CheckMarginRatio fail! InsufficientAB", ccxt.InsufficientFunds, Cause.BALANCE),
    (200, "170131", "Insufficient balance.", ccxt.InsufficientFunds, Cause.BALANCE),
]


@pytest.mark.parametrize(("status", "code", "words", "kind", "cause"), BINANCE)
def test_binance_refusals(status, code, words, kind, cause):
    """Each documented code is a certain refusal with its own cause."""
    failure = judge(HttpFault(status, code, words, kind), "binance")
    assert (failure.certain, failure.cause, failure.code) == (True, cause, code)


@pytest.mark.parametrize(("status", "code", "words", "kind", "cause"), BYBIT)
def test_bybit_refusals(status, code, words, kind, cause):
    """Bybit refuses with status 200 and a code in the body."""
    failure = judge(HttpFault(status, code, words, kind), "bybit-linear")
    assert (failure.certain, failure.cause, failure.code) == (True, cause, code)


@pytest.mark.parametrize(
    "error",
    [
        HttpFault(503, "-1007", "Timeout waiting for response from backend server.", ccxt.RequestTimeout),
        HttpFault(400, "-1006", "An unexpected response was received", ccxt.OperationFailed),
        HttpFault(502, "", "<html>bad gateway</html>", ccxt.ExchangeNotAvailable),
        HttpFault(200, "10016", "Server error.", ccxt.ExchangeNotAvailable),
        ccxt.RequestTimeout("binance POST"),
        ccxt.ExchangeNotAvailable("reset"),
    ],
)
def test_what_nobody_knows_is_never_a_refusal(error):
    """Time-outs, 5xx and lost connections may hide an order that rests."""
    assert not judge(error, "binance").certain


def test_a_connection_never_made_sent_nothing():
    """When even the dial failed the venue cannot have acted."""
    error = ccxt.ExchangeNotAvailable("binance POST")
    error.__cause__ = aiohttp.ClientConnectorError(
        aiohttp.client_reqrep.ConnectionKey("h", 1, False, True, None, None, None), OSError(111, "refused")
    )
    assert judge(error, "binance").certain


@pytest.mark.parametrize("status", [418, 403])
def test_a_ban_is_a_ban(status):
    """418 and 403 ask for silence."""
    failure = judge(HttpFault(status, "", "banned", ccxt.DDoSProtection), "binance")
    assert failure.banned
    assert failure.cause is Cause.RATE_LIMIT


def test_codes_are_read_from_both_dialects():
    """Binance says code and msg, Bybit retCode and retMsg; a list says nothing."""
    assert read_code({"code": -2011, "msg": "x"}) == ("-2011", "x")
    assert read_code({"retCode": 10006, "retMsg": "y"}) == ("10006", "y")
    assert read_code([1]) == ("", "")
