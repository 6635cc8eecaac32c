"""What ends by itself on the venue clock: listen keys, good-till-date orders."""

import orjson
import pytest

from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.listen_api import ListenApi
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.binance.usdm_trade import UsdmTrade
from asmm_daemon.exchange.binance.user_stream import UserStream
from tests.exchange.conftest import START_NS

HOUR_MS = 3_600_000


class FakeHub:
    """Keeps what is published and who is taken off."""

    def __init__(self):
        self.sent, self.gone = [], []

    def publish(self, name, payload, **more):
        """Keeps the event."""
        self.sent.append((name, orjson.loads(payload)))

    def unsubscribe(self, connection, names):
        """Keeps who left."""
        self.gone.append((connection, names))


@pytest.fixture
def stage(bench):
    """A bench with a desk, a user stream and listen keys over a fake hub."""
    made = bench("binanceusdm")
    made.hub = FakeHub()
    made.desk = Desk(made.exchange, lambda: 0)
    made.users = UserStream(made.desk, made.hub)
    made.exchange.listen(made.users)
    made.listen = ListenApi(made.desk, made.users)
    made.call = lambda **params: Call(Params(params), made.exchange.now_ns, made.account)
    return made


def test_a_listen_key_lives_an_hour_from_its_last_renewal(stage):
    """The key's connections are told, then taken off."""
    key = stage.listen.start(stage.call())["listenKey"]
    stage.listen.attach("connection", key, ["main@ORDER_TRADE_UPDATE"])
    stage.to(HOUR_MS // 2)
    assert stage.listen.extend(stage.call()) == {"listenKey": key}
    stage.to(HOUR_MS)
    assert stage.hub.sent == []
    stage.to(HOUR_MS * 3 // 2)
    expiry_ms = START_NS // 1_000_000 + HOUR_MS * 3 // 2
    event = {"e": "listenKeyExpired", "E": expiry_ms, "listenKey": key}
    assert stage.hub.sent == [("main@listenKeyExpired", event)]
    stage.to(HOUR_MS * 3 // 2 + 1000)
    assert stage.hub.gone == [("connection", ["main@ORDER_TRADE_UPDATE"])]
    with pytest.raises(ApiError, match="does not exist"):
        stage.listen.extend(stage.call())


def test_a_good_till_date_order_expires(stage):
    """It rests until its date, to the second, and is then EXPIRED."""
    until_ms = START_NS // 1_000_000 + 700_000
    order = UsdmTrade(stage.desk).place(
        stage.call(
            symbol="BTCUSDT",
            side="BUY",
            type="LIMIT",
            timeInForce="GTD",
            goodTillDate=str(until_ms),
            quantity="1",
            price="99",
        )
    )
    assert (order["timeInForce"], order["goodTillDate"]) == ("GTD", until_ms // 1000 * 1000)
    stage.to(699_000)
    assert len(stage.exchange.open_orders(stage.account)) == 1
    stage.to(700_001)
    assert stage.exchange.open_orders(stage.account) == []
    last = stage.hub.sent[-1][1]["o"]
    assert (last["x"], last["X"]) == ("EXPIRED", "EXPIRED")
