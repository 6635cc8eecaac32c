"""Market streams on a hand-written feed: what is pushed, when, and with which ids."""

import orjson
import pytest

from asmm_daemon.events import DEPTH
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.market_streams import MarketStreams
from asmm_daemon.units import NS_PER_MS
from tests.exchange.conftest import START_NS, book, rows, trade

DAY_START_MS = START_NS // NS_PER_MS // 60_000 * 60_000


class FakeHub:
    """Takes every stream as wanted and keeps what is published."""

    def __init__(self):
        self.sent = []

    def wanted(self, name):
        """Someone always listens."""
        return True

    def publish(self, name, payload, *, exch_ns, local_ns, **more):
        """Keeps the message with its delivery time in ms after the start."""
        self.sent.append((name, orjson.loads(payload), (local_ns - START_NS) // NS_PER_MS))

    def of(self, name):
        """Messages of a stream."""
        return [event for sent, event, _ in self.sent if sent == name]


@pytest.fixture
def streams(bench):
    """Builds streams over a bench with some messages, and opens those named."""

    def build(product, messages, *names):
        stage = bench(product, messages=[book(), *messages])
        hub = FakeHub()
        made = MarketStreams(Desk(stage.exchange, lambda: 0), hub)
        stage.exchange.listen(made)
        for name in names:
            assert made.open(name)
        return stage, hub

    return build


def change(t_ms, side, price, qty):
    """One changed level."""
    return rows(t_ms, (DEPTH, side, price, qty))


def test_diffs_are_gathered_for_100_ms(streams):
    """The first change leaves at once, those within the next 100 ms leave together, ids unbroken."""
    messages = [change(t, 1, 999, 80 + t) for t in (10, 20, 30, 150, 400)]
    stage, hub = streams("binance", messages, "btcusdt@depth@100ms")
    first = stage.market.update_id + 1
    stage.to(1000)
    events = hub.of("btcusdt@depth@100ms")
    assert [(e["U"] - first, e["u"] - first) for e in events] == [(0, 0), (1, 2), (3, 3), (4, 4)]
    assert events[1]["b"] == [["99.90000000", "0.11000000"]]
    assert [at for _, _, at in hub.sent] == [11, 111, 211, 401]


def test_usdm_events_name_the_one_before(streams):
    """`pu` is the `u` of the event before, and a change between two snapshots is spanned."""
    messages = [change(t, 1, 999, 80 + t) for t in (10, 20, 300)]
    stage, hub = streams("binanceusdm", messages, "btcusdt@depth@100ms")
    stage.to(1000)
    events = hub.of("btcusdt@depth@100ms")
    assert [e["pu"] for e in events[1:]] == [e["u"] for e in events[:-1]]
    assert all(e["pu"] < e["U"] <= e["u"] for e in events)


def test_a_removed_level_has_zero_quantity(streams):
    """Quantity zero, with the wire's decimals, removes a level."""
    stage, hub = streams("binance", [change(10, -1, 1002, 0)], "btcusdt@depth")
    stage.to(1000)
    assert hub.of("btcusdt@depth")[0]["a"] == [["100.20000000", "0.00000000"]]


def test_partial_books(streams):
    """Spot sends the best levels as a snapshot, USD-M as a depthUpdate."""
    stage, hub = streams("binance", [change(10, 1, 999, 5)], "btcusdt@depth5@100ms")
    stage.to(200)
    assert list(hub.of("btcusdt@depth5@100ms")[0]) == ["lastUpdateId", "bids", "asks"]
    stage, hub = streams("binanceusdm", [change(10, 1, 999, 5)], "btcusdt@depth5@100ms")
    stage.to(200)
    event = hub.of("btcusdt@depth5@100ms")[0]
    assert (event["e"], len(event["b"]), len(event["a"])) == ("depthUpdate", 2, 2)


def test_trades_and_aggregate_trades(streams):
    """USD-M trades of one side and price within 100 ms are one aggregate trade."""
    messages = [trade(t, 1, 1001, 5) for t in (10, 50, 90)] + [
        trade(100, 1, 1002, 5),
        trade(400, -1, 1000, 5),
    ]
    stage, hub = streams("binanceusdm", messages, "btcusdt@trade", "btcusdt@aggTrade")
    stage.to(1000)
    trades, aggs = hub.of("btcusdt@trade"), hub.of("btcusdt@aggTrade")
    assert [t["m"] for t in trades] == [False] * 4 + [True]
    assert [t["t"] for t in trades] == list(range(trades[0]["t"], trades[0]["t"] + 5))
    assert [(a["q"], a["l"] - a["f"]) for a in aggs] == [("0.015", 2), ("0.005", 0), ("0.005", 0)]
    assert [a["a"] for a in aggs] == [1, 2, 3]


def test_spot_aggregates_only_one_takers_trades(streams):
    """Spot trades of different milliseconds stay apart."""
    messages = [trade(10, 1, 1001, 5), trade(12, 1, 1001, 5)]
    stage, hub = streams("binance", messages, "btcusdt@aggTrade")
    stage.to(100)
    assert [a["q"] for a in hub.of("btcusdt@aggTrade")] == ["0.00500000", "0.00500000"]


def test_klines_close_on_the_minute(streams):
    """The open candle is pushed while it trades; at the minute's end it comes closed."""
    stage, hub = streams("binanceusdm", [trade(10, 1, 1001, 5)], "btcusdt@kline_1m")
    stage.to(60_000)
    bars = [e["k"] for e in hub.of("btcusdt@kline_1m")]
    assert [b["x"] for b in bars] == [False, True]
    assert (bars[1]["t"] % 60_000, bars[1]["T"] - bars[1]["t"]) == (0, 59_999)
    assert (bars[1]["o"], bars[1]["v"], bars[1]["n"]) == ("100.10", "0.005", 1)


def test_mark_prices_and_tickers_beat(streams):
    """Mark prices come every second or three, tickers every second."""
    names = ["btcusdt@markPrice@1s", "btcusdt@markPrice", "btcusdt@ticker", "!miniTicker@arr"]
    stage, hub = streams("binanceusdm", [trade(10, 1, 1001, 5)], *names)
    stage.to(6_000)
    assert [len(hub.of(name)) for name in names] == [6, 2, 6, 6]
    assert hub.of("btcusdt@markPrice@1s")[0]["p"] == "100.05000000"
    assert hub.of("!miniTicker@arr")[0][0]["c"] == "100.10"


def test_unknown_streams(streams):
    """An unknown kind is no stream; an unknown symbol is one that stays silent."""
    stage, hub = streams("binance", [])
    made = MarketStreams(Desk(stage.exchange, lambda: 0), hub)
    assert not made.open("btcusdt@nothing")
    assert made.open("xyzusdt@trade")
