"""Klines and 24-hour figures from public trades: one-minute bars, folded on request."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

MINUTE_MS = 60_000
DAY_MS = 86_400_000
_MONDAY_MS = 4 * DAY_MS
INTERVALS = ("1", "3", "5", "15", "30", "60", "120", "240", "360", "720", "D", "W", "M")
"""Minutes, then day, week (from Monday) and calendar month."""


def bar_start(interval: str, t_ms: int) -> int:
    """Start of the bar that holds `t_ms`, in UTC."""
    if interval == "M":
        first = datetime.fromtimestamp(t_ms / 1000, UTC).replace(
            day=1, hour=0, minute=0, second=0, microsecond=0
        )
        return int(first.timestamp()) * 1000
    if interval == "W":
        return (t_ms - _MONDAY_MS) // (7 * DAY_MS) * (7 * DAY_MS) + _MONDAY_MS
    width = DAY_MS if interval == "D" else int(interval) * MINUTE_MS
    return t_ms // width * width


def bar_end(interval: str, start_ms: int) -> int:
    """Last millisecond of the bar that starts at `start_ms`."""
    if interval == "M":
        return bar_start("M", start_ms + 32 * DAY_MS) - 1
    if interval == "W":
        return start_ms + 7 * DAY_MS - 1
    return start_ms + (DAY_MS if interval == "D" else int(interval) * MINUTE_MS) - 1


@dataclass(slots=True)
class Bar:
    """One bar: prices in ticks, `volume` in lots, `turnover` in ticks times lots."""

    start_ms: int
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    turnover: int = 0
    trade_ms: int = 0

    def fold(self, later: "Bar") -> None:
        """Takes a later bar in."""
        self.high = max(self.high, later.high)
        self.low = min(self.low, later.low)
        self.close = later.close
        self.volume += later.volume
        self.turnover += later.turnover
        self.trade_ms = max(self.trade_ms, later.trade_ms)


_KEEP_MINUTES = 20_160


class Candles:
    """One market's bars of the last fortnight; a minute without a trade keeps the last close."""

    def __init__(self) -> None:
        self._minutes: list[Bar] = []
        self._day: Bar | None = None

    def trade(self, t_ms: int, price: int, qty: int) -> None:
        """Counts a trade; times never fall."""
        self.roll(t_ms)
        start = bar_start("1", t_ms)
        if not self._minutes:
            self._minutes.append(Bar(start, price, price, price, price))
        self._minutes[-1].fold(Bar(start, price, price, price, price, qty, price * qty, t_ms))

    def roll(self, t_ms: int) -> None:
        """Brings the bars up to `t_ms` through silent minutes."""
        start = bar_start("1", t_ms)
        while self._minutes and self._minutes[-1].start_ms < start:
            last = self._minutes[-1]
            self._minutes.append(
                Bar(last.start_ms + MINUTE_MS, last.close, last.close, last.close, last.close)
            )
            self._day = None
        if len(self._minutes) > 2 * _KEEP_MINUTES:
            del self._minutes[:-_KEEP_MINUTES]

    def _since(self, t_ms: int) -> list[Bar]:
        """The minutes that start at or after `t_ms`."""
        if not self._minutes:
            return []
        return self._minutes[max(0, -(-(t_ms - self._minutes[0].start_ms) // MINUTE_MS)) :]

    def bars(self, interval: str, start_ms: int, end_ms: int) -> Iterator[Bar]:
        """Bars that start in [start_ms, end_ms], oldest first, the open one included."""
        bar: Bar | None = None
        for minute in self._since(start_ms):
            at = bar_start(interval, minute.start_ms)
            if at < start_ms:
                continue
            if at > end_ms:
                break
            if bar is not None and bar.start_ms == at:
                bar.fold(minute)
                continue
            if bar is not None:
                yield bar
            bar = replace(minute, start_ms=at)
        if bar is not None:
            yield bar

    def last(self, interval: str, t_ms: int) -> list[Bar]:
        """The bar before the open one and the open one, as far as they exist."""
        self.roll(t_ms)
        now = bar_start(interval, t_ms)
        return list(self.bars(interval, bar_start(interval, now - 1), now))

    def day(self, t_ms: int) -> Bar | None:
        """The last 24 hours as one bar, None before the first trade."""
        self.roll(t_ms)
        if not self._minutes:
            return None
        if self._day is None:
            closed = self._since(t_ms - DAY_MS + 1)[:-1]
            self._day = replace(closed[0]) if closed else None
            for minute in closed[1:]:
                assert self._day is not None
                self._day.fold(minute)
        if self._day is None:
            return replace(self._minutes[-1])
        total = replace(self._day)
        total.fold(self._minutes[-1])
        return total

    def price_at(self, t_ms: int) -> int | None:
        """The close of the minute before `t_ms`, or the first known price."""
        later = self._since(t_ms)
        if len(later) < len(self._minutes):
            return self._minutes[-len(later) - 1].close
        return later[0].open if later else None
