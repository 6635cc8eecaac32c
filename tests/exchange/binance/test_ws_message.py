"""Requests of the WebSocket API as text."""

import pytest

from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.ws_message import WsRequest, parse


@pytest.mark.parametrize(
    ("text", "request_id"),
    [
        ('{"id":"a","method":"ping"}', "a"),
        ('{"id":123456789012345678,"method":"ping"}', 123456789012345678),
        ('{"method":"ping","params":[]}', None),
    ],
)
def test_requests_are_read(text, request_id):
    """An id of either kind or none, no parameters or an empty list."""
    assert parse(text) == WsRequest(request_id, "ping", {})


def test_numbers_stay_as_they_were_written():
    """What was signed is the text of a number, not its value."""
    text = '{"id":1,"method":"m","params":{"price":58800.50,"qty":1e-3,"limit":007e0}}'
    with pytest.raises(ApiError):
        parse(text)
    read = parse(text.replace("007e0", "7"))
    assert read.params == {"price": "58800.50", "qty": "1e-3", "limit": "7"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"id":1}',
        '{"id":1,"method":"ping","params":"x"}',
        '{"id":1,"method":"ping","params":{"a":NaN}}',
        '{"id":1,"method":"\\ud800"}',
        '{"id":' + "9" * 30 + ',"method":"ping"}',
        "[" * 100_000,
        "[" * 1000 + "]" * 1000,
    ],
)
def test_what_is_no_request_is_refused(text):
    """Broken, foreign or bottomless JSON has one answer."""
    with pytest.raises(ApiError, match="Invalid JSON Request"):
        parse(text)
