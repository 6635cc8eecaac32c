"""The made-up market: reproducible, sound, and like the recordings."""

import itertools
from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon.core.book import apply, new_book
from asmm_daemon.errors import ConfigError
from asmm_daemon.events import FUNDING, TRADE
from asmm_daemon.exchange.feeds.synthetic import FUNDING_EVERY_NS, SyntheticSource, synthetic_stream
from asmm_daemon.kernels import kernel
from asmm_daemon.tape.columns import concat, validate
from asmm_daemon.tape.load import open_source
from asmm_daemon.tape.statistics import measure, table
from asmm_daemon.units import NS_PER_S

START = 1_800_000_000_000_000_000


def source_of(symbol, product, seed, seconds, start=START):
    return SyntheticSource(symbol, product, start, seed, start + int(seconds * NS_PER_S))


def rows_of(symbol, product, seed, seconds, start=START):
    return concat(list(source_of(symbol, product, seed, seconds, start))).rows


@kernel
def judge(book, rows, seen):
    """Counts messages with an unsound book and trades at better than the best price."""
    head = book.head[0]
    for row in rows:
        if row.kind == TRADE:
            seen[1] += row.side * (row.price - (head.ask if row.side > 0 else head.bid)) < 0
        apply(book, row.kind, row.side, row.price, row.qty)
        if row.last:
            seen[0] += head.bid < 0 or head.ask > 2**60 or head.bid >= head.ask


def test_a_seed_gives_the_same_market_whenever_it_starts():
    """Same seed: same rows, moved by the start; another seed or symbol: another market."""
    first = rows_of("BTCUSDT", "binanceusdm", 1, 60)
    later = rows_of("BTCUSDT", "binanceusdm", 1, 60, START + 12345)
    assert np.array_equal(first["exch_ns"] + 12345, later["exch_ns"])
    for name in ("kind", "side", "price", "qty", "id", "last"):
        assert np.array_equal(first[name], later[name])
    other = rows_of("BTCUSDT", "binanceusdm", 2, 60)
    assert not np.array_equal(first["price"][:200], other["price"][:200])


@pytest.mark.parametrize(
    ("symbol", "product"), [("BTCUSDT", "binanceusdm"), ("NEXOUSDT", "bybit-spot"), ("QQQUSDT", "binance")]
)
def test_rows_are_sound(symbol, product):
    """The format's rules hold, no book is ever crossed or empty, no trade is at better than the best."""
    rows = rows_of(symbol, product, 3, 1800)
    validate(rows, symbol)
    assert (np.diff(rows["exch_ns"]) >= 0).all()
    seen = np.zeros(2, np.int64)
    judge(new_book(), rows, seen)
    assert seen.tolist() == [0, 0]


def test_trades_take_what_they_take_out_of_the_book():
    """After the message that follows a trade the level holds what was there less what was traded."""
    rows = rows_of("ETHUSDT", "binance", 5, 600)
    book = new_book()
    checked = 0
    expected = {}
    for row in rows[:20000]:
        cells = book.asks if row["side"] > 0 else book.bids
        if row["kind"] == TRADE:
            key = (-int(row["side"]), int(row["price"]))
            before = expected.get(key, int(cells[row["price"] - book.head[0]["lo"]]))
            expected[key] = before - int(row["qty"])
            continue
        apply(book, row["kind"], row["side"], row["price"], row["qty"])
        key = (int(row["side"]), int(row["price"]))
        if key in expected:
            assert int(row["qty"]) == expected.pop(key)
            checked += 1
    assert checked > 100


def test_ids_of_trades_count_up():
    """Trade ids have no holes and no repetition."""
    rows = rows_of("BTCUSDT", "binance", 1, 300)
    ids = rows["id"][rows["kind"] == TRADE]
    assert ids.size > 50
    assert (np.diff(ids) == 1).all()


def test_perpetuals_pay_funding_at_the_eighth_hours():
    """One FUNDING message at each multiple of eight hours of venue time; spot has none."""
    start = START // FUNDING_EVERY_NS * FUNDING_EVERY_NS - 5 * NS_PER_S
    rows = rows_of("BTCUSDT", "bybit-linear", 1, 20, start)
    paid = rows[rows["kind"] == FUNDING]
    assert paid["exch_ns"].tolist() == [START // FUNDING_EVERY_NS * FUNDING_EVERY_NS]
    spot = rows_of("BTCUSDT", "bybit-spot", 1, 20, start)
    assert not (spot["kind"] == FUNDING).any()


def test_a_stream_hands_out_the_same_messages_without_end():
    """The feed's stream is the source, message by message, far past a block's end."""
    rows = rows_of("BTCUSDT", "binanceusdm", 1, 900)
    stream = synthetic_stream("BTCUSDT", "binanceusdm", START, 1)
    taken = []
    while stream.next_ns() < START + 900 * NS_PER_S:
        taken.append(stream.pop())
    assert np.array_equal(np.concatenate(taken), rows)
    assert all(message["last"].sum() == 1 for message in taken)


def test_products_list_their_own_grid():
    """BTCUSDT has a tick of 0.1 as a perpetual and 0.01 on spot."""
    assert SyntheticSource("BTCUSDT", "binanceusdm", START, 0).instrument.tick == Decimal("0.1")
    assert SyntheticSource("BTCUSDT", "binance", START, 0).instrument.tick == Decimal("0.01")


@pytest.mark.parametrize("symbol", ["", "btc/usdt", "USDT", "BTC-USDT"])
def test_a_symbol_that_is_none_is_refused(symbol):
    """The error shows what a symbol looks like."""
    with pytest.raises(ConfigError, match="BTCUSDT"):
        SyntheticSource(symbol, "binance", START, 0)


LIKE = {
    # measure: how far outside the recordings' range the made-up markets may lie
    "spread_ticks": 1.5,
    "messages_per_s": 2.0,
    "orders_per_s": 1.5,
    "order_tail": 1.5,
    "sign_autocorrelation_1": 2.0,
    "arrival_dispersion": 3.0,
    "sigma_1s": 2.0,
    "sigma_60s": 2.0,
    "kurtosis_5s": 2.0,
    "markout_60s": 2.0,
}


def test_statistics_lie_among_those_of_the_recordings(shared_data):
    """Spread, rates, sizes, clustering, volatility and mark-outs are within the recordings' range."""
    recorded = {
        "standx": measure(itertools.islice(open_source(shared_data / "standx-btc"), 8, 11)),
        "usdm": measure(open_source(shared_data / "binance-raw/btcusdt-usdm")),
        "nexo": measure(open_source(shared_data / "binance-raw/nexousdt-spot")),
    }
    made = {
        "BTCUSDT*": measure(source_of("BTCUSDT", "binanceusdm", 1, 2 * 3600)),
        "NEXOUSDT*": measure(source_of("NEXOUSDT", "binance", 1, 5 * 3600)),
    }
    shown = table(recorded | made)
    for name, slack in LIKE.items():
        values = [getattr(item, name) for item in recorded.values()]
        for item in made.values():
            value = getattr(item, name)
            assert min(values) / slack <= value <= max(values) * slack, f"{name} = {value}\n{shown}"


def test_the_flow_is_clustered_informed_and_worth_learning():
    """Signs repeat, orders and volatility cluster, a taker is right on average, drift shows at a minute."""
    seen = measure(source_of("BTCUSDT", "binanceusdm", 4, 3 * 3600))
    assert seen.sign_autocorrelation_1 > 0.15
    assert seen.sign_autocorrelation_10 > 0.02
    assert seen.arrival_dispersion > 3
    assert seen.clustering_5s > 0.05
    assert seen.kurtosis_5s > 4
    assert seen.markout_60s > seen.markout_1s > 0
    assert seen.sigma_60s > 1.05 * seen.sigma_1s
