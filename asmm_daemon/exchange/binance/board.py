"""The public past of one market: trades, aggregate trades, candles, 24-hour statistics."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from asmm_daemon.exchange.binance.candles import DAY_MS, Candle, Candles, empty_candle
from asmm_daemon.exchange.binance.decimals import Scales
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import PublicTrade
from asmm_daemon.units import NS_PER_MS, NS_PER_S

AGG_KEEP = 10_000


class AggTrade(NamedTuple):
    """Trades of one taker side at one price within the venue's window, added up."""

    aid: int
    price: int
    qty: int
    first_id: int
    last_id: int
    t_ms: int
    side: int


@dataclass(slots=True)
class _Pending:
    price: int
    qty: int
    first_id: int
    last_id: int
    t_ns: int
    side: int


class Board:
    """One market's public history. `window_ns`: how long trades may join one aggregate trade."""

    def __init__(self, market: Market) -> None:
        self.market = market
        self.symbol = market.instrument.symbol
        self.scales = Scales(market.instrument)
        self.window_ns = NS_PER_MS if market.instrument.is_spot else 100 * NS_PER_MS
        self.candles = Candles()
        self.aggs: deque[AggTrade] = deque(maxlen=AGG_KEEP)
        self.last_qty = 0
        self._pending: _Pending | None = None
        self._next_agg = 1

    def trade(self, trade: PublicTrade) -> tuple[AggTrade | None, bool]:
        """Counts a public trade: the aggregate trade that it closed, and whether it opened another."""
        buying = trade.side >= 0
        self.last_qty = trade.qty
        self.candles.trade(
            trade.t_ns // NS_PER_MS, trade.price, trade.qty, buyer_is_taker=buying, trade_id=trade.tid
        )
        pending = self._pending
        joins = (
            pending is not None
            and pending.price == trade.price
            and (pending.side >= 0) == buying
            and trade.t_ns - pending.t_ns < self.window_ns
        )
        if joins and pending is not None:
            pending.qty += trade.qty
            pending.last_id = trade.tid
            return None, False
        closed = self.close_agg()
        self._pending = _Pending(trade.price, trade.qty, trade.tid, trade.tid, trade.t_ns, trade.side)
        return closed, True

    def agg_due_ns(self) -> int | None:
        """When the open aggregate trade closes; None without one."""
        return None if self._pending is None else self._pending.t_ns + self.window_ns

    def close_agg(self) -> AggTrade | None:
        """Closes the open aggregate trade and returns it."""
        pending = self._pending
        if pending is None:
            return None
        self._pending = None
        agg = AggTrade(
            self._next_agg,
            pending.price,
            pending.qty,
            pending.first_id,
            pending.last_id,
            pending.t_ns // NS_PER_MS,
            pending.side,
        )
        self._next_agg += 1
        self.aggs.append(agg)
        return agg

    def day(self, now_ms: int) -> Candle:
        """The last 24 hours as one candle, opened at the first minute within them."""
        return self.window(now_ms, DAY_MS)

    def window(self, now_ms: int, width_ms: int) -> Candle:
        """The time until now as one candle, opened at the first minute within it."""
        minutes = self.candles.since(now_ms - width_ms)
        if not minutes:
            return empty_candle(now_ms, self.market.last_price)
        total = empty_candle(minutes[0].open_ms, minutes[0].open)
        for minute in minutes:
            total.merge(minute)
        return total

    @property
    def last_trade_ms(self) -> int | None:
        """When the last trade was; None before the first."""
        trades = self.market.trades
        return trades[-1].t_ns // NS_PER_MS if trades else None

    def seconds(self) -> list[Candle]:
        """One-second candles of the trades that are remembered, silent seconds left out."""
        bars: list[Candle] = []
        for trade in self.market.trades:
            at = trade.t_ns // NS_PER_S * 1000
            if not bars or bars[-1].open_ms != at:
                bars.append(empty_candle(at, trade.price))
            bars[-1].add(trade.price, trade.qty, buyer_is_taker=trade.side >= 0, trade_id=trade.tid)
        return bars

    def recent(self, limit: int) -> Sequence[PublicTrade]:
        """The latest public trades, oldest first."""
        trades = self.market.trades
        start = max(0, len(trades) - limit)
        return [trades[i] for i in range(start, len(trades))] if start < len(trades) else []
