"""Stream names, the subscription protocol and its error bodies."""

import orjson
import pytest

from asmm_daemon.exchange.binance import session
from asmm_daemon.exchange.binance.session import Actions, Session
from asmm_daemon.exchange.binance.stream_names import StreamName, parse
from asmm_daemon.units import NS_PER_MS


@pytest.mark.parametrize(
    ("name", "spot", "kind", "milli", "levels"),
    [
        ("btcusdt@depth", True, "depth", 1000, 0),
        ("btcusdt@depth@100ms", True, "depth", 100, 0),
        ("btcusdt@depth", False, "depth", 250, 0),
        ("btcusdt@depth@0ms", False, "depth", 0, 0),
        ("btcusdt@depth20@100ms", True, "partial", 100, 20),
        ("btcusdt@depth5@500ms", False, "partial", 500, 5),
        ("btcusdt@trade", True, "trade", 0, 0),
        ("btcusdt@aggTrade", False, "aggTrade", 0, 0),
        ("btcusdt@markPrice@1s", False, "markPrice", 1000, 0),
        ("btcusdt@markPrice", False, "markPrice", 3000, 0),
        ("btcusdt@kline_1m", True, "kline", 2000, 0),
        ("!ticker@arr", True, "ticker", 1000, 0),
        ("!markPrice@arr@1s", False, "markPrice", 1000, 0),
    ],
)
def test_stream_names(name, spot, kind, milli, levels):
    """The documents' stream names and their speeds."""
    wanted = parse(name, spot=spot)
    assert isinstance(wanted, StreamName)
    assert (wanted.kind, wanted.interval_ns, wanted.levels) == (kind, milli * NS_PER_MS, levels)


@pytest.mark.parametrize(
    "name", ["btcusdt", "btcusdt@depth@7ms", "btcusdt@kline_7m", "BTCUSDT@trade", "@trade"]
)
def test_names_that_are_no_streams(name):
    """Unknown kinds, speeds and intervals are no streams; symbols are lower case."""
    assert parse(name, spot=True) is None


def talk(*texts, combined=False):
    """The replies of a session to some messages, and what it subscribed in the end."""
    state = Session(combined)
    done = []
    actions = Actions(
        subscribe=lambda name: parse(name, spot=True) is not None,
        unsubscribe=done.append,
        rewrap=lambda: done.append("rewrap"),
    )
    return [session.answer(state, text, actions) for text in texts], state, done


def test_subscribe_list_unsubscribe():
    """The documents' examples, request by request."""
    replies, _, done = talk(
        '{"method":"SUBSCRIBE","params":["btcusdt@aggTrade","btcusdt@depth"],"id":1}',
        '{"method":"UNSUBSCRIBE","params":["btcusdt@depth"],"id":312}',
        '{"method":"LIST_SUBSCRIPTIONS","id":3}',
    )
    assert replies == [
        {"result": None, "id": 1},
        {"result": None, "id": 312},
        {"result": ["btcusdt@aggTrade"], "id": 3},
    ]
    assert done == ["btcusdt@depth"]


def test_the_combined_property():
    """GET_PROPERTY and SET_PROPERTY of `combined`."""
    replies, state, done = talk(
        '{"method":"GET_PROPERTY","params":["combined"],"id":2}',
        '{"method":"SET_PROPERTY","params":["combined",true],"id":5}',
    )
    assert replies == [{"result": False, "id": 2}, {"result": None, "id": 5}]
    assert state.combined
    assert done == ["rewrap"]


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("{", 3, "Invalid JSON"),
        ('{"params":["combined"],"id":1}', 2, "missing field `method`"),
        ('{"method":"SUB","id":1}', 2, "unknown variant"),
        ('{"method":"GET_PROPERTY","params":["x"],"id":1}', 0, "Unknown property"),
        ('{"method":"SET_PROPERTY","params":["combined","yes"],"id":1}', 1, "expected Boolean"),
        ('{"method":"SET_PROPERTY","params":["combined",true,1],"id":1}', 2, "too many parameters"),
        ('{"method":"GET_PROPERTY","params":[1],"id":1}', 2, "property name must be a string"),
        ('{"method":"SUBSCRIBE","params":["btcusdt@nothing"],"id":1}', 2, "invalid stream"),
        ('{"method":"SUBSCRIBE","params":["btcusdt@trade"],"id":1.5}', 2, "request ID"),
    ],
)
def test_error_messages(text, code, words):
    """The documents' error messages, under their codes."""
    [reply], state, _ = talk(text)
    assert reply["code"] == reply["error"]["code"] == code
    assert words in reply["msg"]
    assert not state.names
    assert orjson.dumps(reply)
