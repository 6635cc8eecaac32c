"""Klines from trades: one-minute candles kept, longer intervals folded from them on request."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

MINUTE_MS = 60_000
DAY_MS = 86_400_000
_MONDAY_MS = 4 * DAY_MS  # 1970-01-05 was a Monday; weekly klines open on Mondays

INTERVALS_MS = {
    "1m": MINUTE_MS,
    "3m": 3 * MINUTE_MS,
    "5m": 5 * MINUTE_MS,
    "15m": 15 * MINUTE_MS,
    "30m": 30 * MINUTE_MS,
    "1h": 60 * MINUTE_MS,
    "2h": 120 * MINUTE_MS,
    "4h": 240 * MINUTE_MS,
    "6h": 360 * MINUTE_MS,
    "8h": 480 * MINUTE_MS,
    "12h": 720 * MINUTE_MS,
    "1d": DAY_MS,
    "3d": 3 * DAY_MS,
    "1w": 7 * DAY_MS,
    "1M": 31 * DAY_MS,
}
"""Length of each interval; a month's is its longest."""


def open_ms(interval: str, t_ms: int) -> int:
    """Opening time of the kline that holds `t_ms`."""
    if interval == "1M":
        day = datetime.fromtimestamp(t_ms / 1000, UTC)
        return int(datetime(day.year, day.month, 1, tzinfo=UTC).timestamp() * 1000)
    width = INTERVALS_MS[interval]
    offset = _MONDAY_MS if interval == "1w" else 0
    return (t_ms - offset) // width * width + offset


def close_ms(interval: str, start_ms: int) -> int:
    """Last millisecond of the kline that opened at `start_ms`."""
    if interval == "1M":
        return open_ms("1M", start_ms + INTERVALS_MS["1M"]) - 1
    return start_ms + INTERVALS_MS[interval] - 1


@dataclass(slots=True)
class Candle:
    """One kline in ticks and lots; `quote` sums ticks times lots, `taker_*` the buying takers' part."""

    open_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    quote: int = 0
    trades: int = 0
    taker_volume: int = 0
    taker_quote: int = 0
    first_id: int = -1
    last_id: int = -1

    def add(self, price: int, qty: int, *, buyer_is_taker: bool, trade_id: int) -> None:
        """Counts one trade."""
        if self.trades == 0:
            self.first_id = trade_id
        self.high = max(self.high, price)
        self.low = min(self.low, price)
        self.close = price
        self.volume += qty
        self.quote += price * qty
        self.trades += 1
        self.last_id = trade_id
        if buyer_is_taker:
            self.taker_volume += qty
            self.taker_quote += price * qty

    def merge(self, later: "Candle") -> None:
        """Folds a later candle into this one."""
        if later.trades == 0:
            return
        if self.trades == 0:
            self.open, self.high, self.low, self.first_id = later.open, later.high, later.low, later.first_id
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close, self.last_id = later.close, later.last_id
        self.volume += later.volume
        self.quote += later.quote
        self.trades += later.trades
        self.taker_volume += later.taker_volume
        self.taker_quote += later.taker_quote


def empty_candle(at_ms: int, price: int) -> Candle:
    """A minute in which nothing traded keeps the last price."""
    return Candle(at_ms, price, price, price, price)


class Candles:
    """The one-minute candles of one symbol, oldest dropped beyond `keep`."""

    def __init__(self, keep: int = 20_160) -> None:
        self._minutes: deque[Candle] = deque(maxlen=keep)

    def trade(self, t_ms: int, price: int, qty: int, *, buyer_is_taker: bool, trade_id: int) -> None:
        """Counts one trade at venue time `t_ms`."""
        minute = self._open(t_ms, price)
        if minute.trades == 0:
            minute.open = minute.high = minute.low = price
        minute.add(price, qty, buyer_is_taker=buyer_is_taker, trade_id=trade_id)

    def roll(self, t_ms: int) -> None:
        """Opens the minute of `t_ms`, so that silent minutes exist too."""
        if self._minutes:
            self._open(t_ms, self._minutes[-1].close)

    def _open(self, t_ms: int, price: int) -> Candle:
        at = t_ms // MINUTE_MS * MINUTE_MS
        if not self._minutes:
            self._minutes.append(empty_candle(at, price))
        last = self._minutes[-1]
        while last.open_ms < at:
            last = empty_candle(last.open_ms + MINUTE_MS, last.close)
            self._minutes.append(last)
        return last

    def since(self, start_ms: int) -> list[Candle]:
        """The minutes that had not ended by `start_ms`, oldest first."""
        part = []
        for minute in reversed(self._minutes):
            if minute.open_ms + MINUTE_MS <= start_ms:
                break
            part.append(minute)
        part.reverse()
        return part

    def klines(self, interval: str) -> Iterator[Candle]:
        """All klines of an interval, oldest first, the open one included."""
        current: Candle | None = None
        for minute in self._minutes:
            at = open_ms(interval, minute.open_ms)
            if current is None or current.open_ms != at:
                if current is not None:
                    yield current
                current = empty_candle(at, minute.open)
            current.merge(minute)
        if current is not None:
            yield current

    def current(self, interval: str) -> Candle | None:
        """The open kline of an interval; None before the first trade."""
        if not self._minutes:
            return None
        return self.at(interval, open_ms(interval, self._minutes[-1].open_ms))

    def at(self, interval: str, start_ms: int) -> Candle | None:
        """The kline that opened at `start_ms`; None where nothing is known of it."""
        part = []
        for minute in reversed(self._minutes):
            if minute.open_ms < start_ms:
                break
            if open_ms(interval, minute.open_ms) == start_ms:
                part.append(minute)
        if not part:
            return None
        candle = empty_candle(start_ms, part[-1].open)
        for minute in reversed(part):
            candle.merge(minute)
        return candle
