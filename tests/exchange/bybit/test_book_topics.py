from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from asmm_daemon.events import DEPTH
from asmm_daemon.exchange.bybit.depth_topic import DepthTopic, Stamp
from asmm_daemon.exchange.feeds.markets import make_instrument

UNIT = make_instrument("bybit-linear", "BTCUSDT", "BTC", "USDT", Decimal("0.1"), Decimal("0.001"))
NAME = "orderbook.50.BTCUSDT"


class Follower:
    """A client that keeps a book by the venue's documented rules, and refuses a gap in `u`."""

    def __init__(self, snapshot):
        assert snapshot["type"] == "snapshot"
        data = snapshot["data"]
        self.u, self.seq = data["u"], data["seq"]
        self.sides = {side: dict(map(tuple, data[side])) for side in "ba"}

    def follow(self, message):
        """Applies a delta."""
        assert message["type"] == "delta"
        data = message["data"]
        assert data["u"] == self.u + 1
        assert data["seq"] >= self.seq
        self.u, self.seq = data["u"], data["seq"]
        for side in "ba":
            for price, size in data[side]:
                if size == "0":
                    del self.sides[side][price]
                else:
                    self.sides[side][price] = size


def test_snapshot_then_deltas_keep_the_book(desk, rows):
    """A follower of snapshot and deltas holds the public book, with u rising by one."""
    room = desk()
    follower = Follower(room.watch(NAME)[NAME])
    assert follower.sides == {
        "b": {"100.0": "0.050", "99.9": "0.080"},
        "a": {"100.1": "0.050", "100.2": "0.080"},
    }
    room.bench.feed.add(rows(30, (DEPTH, 1, 999, 0), (DEPTH, -1, 1003, 7)), rows(60, (DEPTH, 1, 1000, 20)))
    room.bench.to(100)
    for message in room.hub.take(NAME):
        follower.follow(message)
    assert follower.sides == {
        "b": {"100.0": "0.020"},
        "a": {"100.1": "0.050", "100.2": "0.080", "100.3": "0.007"},
    }


def test_changes_within_an_interval_go_out_together(desk, rows):
    """At most one message leaves per 20 ms, at its end, with the newest sizes."""
    room = desk()
    room.watch(NAME)
    room.bench.feed.add(*(rows(30 + i, (DEPTH, 1, 1000, 60 + i)) for i in range(10)))
    room.bench.to(49)
    assert [m["data"]["b"] for m in room.hub.take(NAME)] == [[["100.0", "0.060"]]]
    room.bench.to(60)
    (late,) = room.hub.take(NAME)
    assert late["data"]["b"] == [["100.0", "0.069"]]
    assert late["ts"] - late["cts"] == 11


def test_own_orders_are_in_the_public_book(desk):
    """An order of ours adds to its level and takes it away again when cancelled."""
    room = desk()
    room.watch(NAME)
    placed = room.limit("Buy", "99.5")
    room.bench.to(50)
    room.order("cancel", orderId=placed["orderId"])
    room.bench.to(100)
    assert [m["data"]["b"] for m in room.hub.take(NAME)] == [[["99.5", "0.100"]], [["99.5", "0"]]]


def test_level_one_repeats_itself_after_three_seconds(desk, rows):
    """orderbook.1 sends snapshots only, and its last one again, u unchanged, after 3 s of silence."""
    room = desk()
    first = room.watch("orderbook.1.BTCUSDT")["orderbook.1.BTCUSDT"]
    room.bench.to(2_999)
    assert room.hub.take("orderbook.1.BTCUSDT") == []
    room.bench.to(3_000)
    (beat,) = room.hub.take("orderbook.1.BTCUSDT")
    assert beat["data"] == first["data"]
    room.bench.feed.add(rows(4_000, (DEPTH, 1, 1000, 9)))
    room.bench.to(6_999)
    (changed,) = room.hub.take("orderbook.1.BTCUSDT")
    assert changed["type"] == "snapshot"
    assert changed["data"]["u"] == first["data"]["u"] + 1
    assert changed["data"]["b"] == [["100.0", "0.009"]]
    room.bench.to(7_000)
    assert len(room.hub.take("orderbook.1.BTCUSDT")) == 1


def test_a_second_subscriber_joins_in_step(desk, rows):
    """A snapshot taken while others listen first brings them to the same u."""
    room = desk()
    early = Follower(room.watch(NAME)[NAME])
    room.bench.feed.add(rows(30, (DEPTH, 1, 1000, 60)), rows(35, (DEPTH, 1, 1000, 61)))
    room.bench.to(36)
    late = Follower(room.wire._public.first(NAME, room.bench.exchange.now_ns))
    for message in room.hub.take(NAME):
        early.follow(message)
    assert (late.u, late.sides) == (early.u, early.sides)
    room.bench.feed.add(rows(80, (DEPTH, 1, 1000, 62)))
    room.bench.to(100)
    for message in room.hub.take(NAME):
        late.follow(message)
    assert late.sides["b"]["100.0"] == "0.062"


LEVELS = st.dictionaries(st.integers(1, 12), st.integers(1, 9), max_size=8)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(LEVELS, LEVELS), min_size=1, max_size=12), st.integers(1, 4))
def test_any_sequence_of_books_can_be_followed(books, depth):
    """Whatever the books do, snapshot plus deltas equals the best levels of the last one."""
    topic = DepthTopic(UNIT, depth + 1, 7)

    def top(levels, *, rising):
        return sorted(levels.items(), reverse=not rising)[: depth + 1]

    follower = Follower(topic.snapshot(Stamp(0, 0, 1)))
    for n, (bids, asks) in enumerate(books):
        message = topic.update(top(bids, rising=False), top(asks, rising=True), Stamp(n, n, n + 1))
        if message is not None:
            follower.follow(message)
    bids, asks = books[-1]
    assert sorted(follower.sides["b"]) == sorted(f"{p / 10:.1f}" for p, _ in top(bids, rising=False))
    assert sorted(follower.sides["a"]) == sorted(f"{p / 10:.1f}" for p, _ in top(asks, rising=True))
