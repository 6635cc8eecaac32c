from decimal import Decimal

from asmm_daemon.events import DEPTH, MARK, TRADE


def test_trades_come_as_they_happen(desk, rows):
    """Each trade carries side, size, price, direction (contracts) and the id that REST lists."""
    room = desk()
    room.watch("publicTrade.BTCUSDT")
    room.bench.feed.add(
        rows(10, (TRADE, 1, 1001, 5)), rows(20, (TRADE, 1, 1001, 6)), rows(30, (TRADE, -1, 1000, 7))
    )
    room.bench.to(50)
    sent = [message["data"][0] for message in room.hub.take("publicTrade.BTCUSDT")]
    assert [(row["S"], row["p"], row["v"], row["L"]) for row in sent] == [
        ("Buy", "100.1", "0.005", "PlusTick"),
        ("Buy", "100.1", "0.006", "ZeroPlusTick"),
        ("Sell", "100.0", "0.007", "MinusTick"),
    ]
    listed = room.state.exchange.markets["BTCUSDT"].trades
    assert [row["i"] for row in sent] == [room.state.id_text(trade.tid, "trade") for trade in listed]


def test_spot_trades_have_no_direction(desk, rows):
    """`L` is a contract's field."""
    room = desk("spot")
    room.watch("publicTrade.BTCUSDT")
    room.bench.feed.add(rows(10, (TRADE, 1, 1001, 5)))
    room.bench.to(50)
    assert "L" not in room.hub.take("publicTrade.BTCUSDT")[0]["data"][0]


def test_a_contracts_ticker_sends_what_changed(desk, rows):
    """A snapshot first, then deltas of the changed fields, at most ten a second."""
    room = desk()
    first = room.watch("tickers.BTCUSDT")["tickers.BTCUSDT"]
    assert first["type"] == "snapshot"
    assert (first["data"]["bid1Price"], first["data"]["ask1Price"]) == ("100.0", "100.1")
    room.bench.feed.add(*(rows(10 + i, (DEPTH, 1, 1000, 60 + i)) for i in range(50)))
    room.bench.to(150)
    messages = room.hub.take("tickers.BTCUSDT")
    assert [message["type"] for message in messages] == ["delta"] * len(messages)
    assert len(messages) <= 2
    assert messages[-1]["data"]["bid1Size"] == "0.109"
    assert "ask1Price" not in messages[-1]["data"]


def test_marks_reach_the_ticker(desk, rows):
    """A mark price of the feed is the ticker's."""
    room = desk()
    room.watch("tickers.BTCUSDT")
    room.bench.feed.add(rows(200, (MARK, 0, 1013, 0)))
    room.bench.to(2_000)
    fields = {}
    for message in room.hub.take("tickers.BTCUSDT"):
        fields |= message["data"]
    assert Decimal(fields["markPrice"]) == Decimal("101.3")


def test_spot_tickers_are_whole(desk, rows):
    """Spot pushes snapshots only."""
    room = desk("spot")
    room.watch("tickers.BTCUSDT")
    room.bench.feed.add(rows(10, (TRADE, 1, 1001, 5)), rows(200, (TRADE, 1, 1002, 5)))
    room.bench.to(300)
    messages = room.hub.take("tickers.BTCUSDT")
    assert [message["type"] for message in messages] == ["snapshot"] * 2
    assert [message["data"]["lastPrice"] for message in messages] == ["100.1", "100.2"]


def test_a_bar_is_confirmed_once_it_has_ended(desk, rows):
    """The open bar is pushed as it grows; its last state comes with confirm, then the next bar."""
    room = desk()
    room.watch("kline.1.BTCUSDT")
    room.bench.feed.add(rows(500, (TRADE, 1, 1001, 5)), rows(1_500, (TRADE, 1, 1003, 5)))
    room.bench.to(61_000)
    rows_sent = [row for message in room.hub.take("kline.1.BTCUSDT") for row in message["data"]]
    confirmed = [row for row in rows_sent if row["confirm"]]
    assert [(row["open"], row["high"], row["close"], row["volume"]) for row in confirmed] == [
        ("100.1", "100.3", "100.3", "0.01")
    ]
    assert rows_sent[-1]["start"] == confirmed[0]["start"] + 60_000
    assert confirmed[0]["end"] == confirmed[0]["start"] + 59_999
    assert not rows_sent[-1]["confirm"]
