"""Single public topics: a book, a ticker, a kline, a market's trades; paced, built only when wanted.

Sources: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook and the pages beside it.
"""

from collections.abc import Callable
from typing import Any

import orjson

from asmm_daemon.exchange.bybit.candles import Bar, bar_end
from asmm_daemon.exchange.bybit.depth_topic import HEARTBEAT_NS, PUSH_NS, DepthTopic, Stamp
from asmm_daemon.exchange.bybit.order_json import side_name
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import ms, plain
from asmm_daemon.exchange.bybit.tickers import TickerTopic
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import PublicTrade
from asmm_daemon.units import NS_PER_MS, NS_PER_S

TICKER_NS = {"linear": 100 * NS_PER_MS, "spot": 50 * NS_PER_MS}
KLINE_NS = NS_PER_S


class _Pace:
    """Lets a topic publish at most once per interval: at once when it may, else when it may again."""

    def __init__(self, state: State, interval_ns: int, publish: Callable[[int], None]) -> None:
        self._state = state
        self._interval_ns = interval_ns
        self._publish = publish
        self._last_ns = 0
        self._waiting = False

    def touch(self, t_ns: int) -> None:
        """Something changed at `t_ns`."""
        due = self._last_ns + self._interval_ns
        if self._waiting:
            return
        if t_ns >= due:
            self._fire(t_ns)
        else:
            self._waiting = True
            self._state.exchange.call_at(due, self._fire)

    def _fire(self, t_ns: int) -> None:
        self._waiting = False
        self._last_ns = t_ns
        self._publish(t_ns)


class BookFeed:
    """One order book topic: its published state, pace and, at level 1, heartbeat."""

    def __init__(self, state: State, market: Market, depth: int) -> None:
        self._state = state
        self._market = market
        self.topic = DepthTopic(market.instrument, depth, market.update_id)
        self._delay_ns = 0
        self._pace = _Pace(state, PUSH_NS[state.category][depth], self.flush)
        self._beats = False

    def touch(self, exch_ns: int, local_ns: int) -> None:
        """The book changed."""
        self._delay_ns = max(0, local_ns - exch_ns)
        if self._wanted():
            self._pace.touch(exch_ns)

    def flush(self, t_ns: int) -> None:
        """Publishes what changed since the last message, if anything did."""
        market, topic = self._market, self.topic
        message = topic.update(*market.depth(topic.depth), self._stamp(t_ns))
        if message is not None and self._wanted():
            self._publish(message, t_ns)

    def first(self, t_ns: int) -> dict[str, Any]:
        """The snapshot for a new subscriber: of now, with what earlier subscribers have been sent."""
        self.flush(t_ns)
        if self.topic.depth == 1 and not self._beats:
            self._beats = True
            self.topic.changed_ns = t_ns
            self._state.exchange.call_at(t_ns + HEARTBEAT_NS, self._beat)
        return self.topic.snapshot(self._stamp(t_ns))

    def _beat(self, t_ns: int) -> None:
        self._beats = self._wanted()
        if not self._beats:
            return
        if t_ns - self.topic.changed_ns >= HEARTBEAT_NS:
            self.topic.changed_ns = t_ns
            self._publish(self.topic.snapshot(self._stamp(t_ns)), t_ns)
        self._state.exchange.call_at(self.topic.changed_ns + HEARTBEAT_NS, self._beat)

    def _stamp(self, t_ns: int) -> Stamp:
        return Stamp(t_ns, self._market.update_ns, self._state.seq)

    def _wanted(self) -> bool:
        return self._state.server.hub.wanted(self.topic.name)

    def _publish(self, message: dict[str, Any], t_ns: int) -> None:
        u = self.topic.u
        self._state.server.hub.publish(
            self.topic.name,
            orjson.dumps(message),
            exch_ns=t_ns,
            local_ns=t_ns + self._delay_ns,
            first_id=u,
            last_id=u,
            sym=self._market.symbol,
        )


class TickerFeed:
    """One ticker topic."""

    def __init__(self, state: State, market: Market) -> None:
        self._state = state
        self._market = market
        self.topic = TickerTopic(state, market)
        self._pace = _Pace(state, TICKER_NS[state.category], self._flush)

    def touch(self, t_ns: int) -> None:
        """Price, best, mark or funding changed."""
        if self._state.server.hub.wanted(self.topic.name):
            self._pace.touch(t_ns)

    def first(self, t_ns: int) -> dict[str, Any]:
        """The snapshot for a new subscriber."""
        self._flush(t_ns)
        return self.topic.snapshot(t_ns)

    def _flush(self, t_ns: int) -> None:
        message = self.topic.update(t_ns)
        if message is not None and self._state.server.hub.wanted(self.topic.name):
            _send(self._state, self._market, self.topic.name, message, t_ns)


class KlineFeed:
    """One kline topic: the open bar each second that it changed, and each bar's end (`confirm`)."""

    def __init__(self, state: State, market: Market, interval: str) -> None:
        self.name = f"kline.{interval}.{market.symbol}"
        self._state = state
        self._market = market
        self._interval = interval
        self._sent: Bar | None = None
        self._runs = False

    def start(self, t_ns: int) -> None:
        """Begins to publish, when it does not already."""
        if not self._runs:
            self._runs = True
            self._state.exchange.call_at(t_ns, self._tick)

    def _tick(self, t_ns: int) -> None:
        self._runs = self._state.server.hub.wanted(self.name)
        if not self._runs:
            return
        bars = self._state.candles[self._market.symbol].last(self._interval, ms(t_ns))
        sent = self._sent
        if sent is not None and bars and bars[-1].start_ms > sent.start_ms:
            closed = [bar for bar in bars[:-1] if bar.start_ms >= sent.start_ms]
            self._send([self._row(bar, t_ns, confirm=True) for bar in closed], t_ns)
        if bars and bars[-1] != sent:
            self._send([self._row(bars[-1], t_ns, confirm=False)], t_ns)
            self._sent = bars[-1]
        self._state.exchange.call_at((t_ns // KLINE_NS + 1) * KLINE_NS, self._tick)

    def _row(self, bar: Bar, t_ns: int, *, confirm: bool) -> dict[str, Any]:
        price, instrument = self._state.prices[self._market.symbol], self._market.instrument
        return {
            "start": bar.start_ms,
            "end": bar_end(self._interval, bar.start_ms),
            "interval": self._interval,
            "open": price.text(bar.open),
            "close": price.text(bar.close),
            "high": price.text(bar.high),
            "low": price.text(bar.low),
            "volume": plain(instrument.qty(bar.volume)),
            "turnover": plain(bar.turnover * instrument.tick * instrument.lot),
            "confirm": confirm,
            "timestamp": bar.trade_ms or ms(t_ns),
        }

    def _send(self, rows: list[dict[str, Any]], t_ns: int) -> None:
        if rows:
            message = {"topic": self.name, "data": rows, "ts": ms(t_ns), "type": "snapshot"}
            _send(self._state, self._market, self.name, message, t_ns)


def _send(state: State, market: Market, name: str, message: dict[str, Any], t_ns: int) -> None:
    state.server.hub.publish(name, orjson.dumps(message), exch_ns=t_ns, local_ns=t_ns, sym=market.symbol)


class TradeFeed:
    """`publicTrade.{symbol}`; contracts also tell the direction of each price change."""

    def __init__(self, state: State, market: Market) -> None:
        self.name = f"publicTrade.{market.symbol}"
        self._state = state
        self._market = market
        self._last = 0
        self._direction = "ZeroPlusTick"

    def trade(self, trade: PublicTrade, local_ns: int) -> None:
        """Publishes one trade."""
        if trade.price != self._last:
            self._direction = "PlusTick" if trade.price > self._last else "MinusTick"
        else:
            self._direction = "Zero" + self._direction.removeprefix("Zero")
        self._last = trade.price
        state, symbol = self._state, self._market.symbol
        if not state.server.hub.wanted(self.name):
            return
        row: dict[str, Any] = {
            "T": ms(trade.t_ns),
            "s": symbol,
            "S": side_name(trade.side),
            "v": state.qtys[symbol].text(trade.qty),
            "p": state.prices[symbol].text(trade.price),
        }
        if state.category == "linear":
            row["L"] = self._direction
        row |= {"i": state.id_text(trade.tid, "trade"), "BT": False, "RPI": False, "seq": state.seq}
        message = {"topic": self.name, "type": "snapshot", "ts": ms(trade.t_ns), "data": [row]}
        state.server.hub.publish(
            self.name,
            orjson.dumps(message),
            exch_ns=trade.t_ns,
            local_ns=max(local_ns, trade.t_ns),
            first_id=trade.tid,
            last_id=trade.tid,
            sym=symbol,
        )
