"""Candles from trades."""

from asmm_daemon.exchange.binance.candles import INTERVALS_MS, Candles, open_ms

MINUTE = 60_000


def candles(*trades):
    """Candles of (minute, price, qty) trades by buying takers."""
    made = Candles()
    for number, (minute, price, qty) in enumerate(trades):
        made.trade(minute * MINUTE, price, qty, buyer_is_taker=True, trade_id=number)
    return made


def test_one_minute():
    """Open, high, low, close, volume and trade ids of a minute."""
    [bar] = candles((0, 10, 1), (0, 14, 2), (0, 9, 3), (0, 11, 4)).klines("1m")
    assert (bar.open, bar.high, bar.low, bar.close) == (10, 14, 9, 11)
    assert (bar.volume, bar.quote, bar.trades) == (10, 10 + 28 + 27 + 44, 4)
    assert (bar.first_id, bar.last_id) == (0, 3)


def test_silent_minutes_keep_the_last_price():
    """A minute without trades exists, with the last close and no volume."""
    bars = list(candles((0, 10, 1), (3, 12, 1)).klines("1m"))
    assert [(b.open_ms // MINUTE, b.open, b.close, b.volume) for b in bars] == [
        (0, 10, 10, 1),
        (1, 10, 10, 0),
        (2, 10, 10, 0),
        (3, 12, 12, 1),
    ]


def test_longer_intervals_fold_minutes():
    """Three-minute candles are their minutes together; the open one is the current one."""
    made = candles((0, 10, 1), (1, 15, 1), (2, 8, 1), (4, 9, 1))
    first, second = made.klines("3m")
    assert (first.open, first.high, first.low, first.close, first.trades) == (10, 15, 8, 8, 3)
    assert (second.open, second.close) == (9, 9)
    assert made.current("3m").trades == 1
    assert made.at("3m", 0).trades == 3
    assert made.at("3m", 30 * MINUTE) is None


def test_weeks_open_on_monday():
    """1970-01-05 was a Monday."""
    day = INTERVALS_MS["1d"]
    assert open_ms("1w", 4 * day) == 4 * day
    assert open_ms("1w", 11 * day - 1) == 4 * day
