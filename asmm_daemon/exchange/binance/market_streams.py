"""Publishes the market streams that someone asked for."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from asmm_daemon.exchange.binance import messages
from asmm_daemon.exchange.binance.board import AggTrade, Board
from asmm_daemon.exchange.binance.candles import MINUTE_MS, open_ms
from asmm_daemon.exchange.binance.depth_stream import DepthStream
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.outlet import Outlet
from asmm_daemon.exchange.binance.stream_names import StreamName, parse
from asmm_daemon.exchange.binance.throttle import Throttle
from asmm_daemon.exchange.hub import StreamHub
from asmm_daemon.exchange.listener import Level, NullListener
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import PublicTrade
from asmm_daemon.units import NS_PER_MS, NS_PER_S

_BEATS: dict[str, Callable[[Board, int], dict[str, Any]]] = {
    "miniTicker": messages.mini_ticker,
    "ticker": messages.ticker,
    "avgPrice": messages.average,
    "markPrice": messages.mark_price,
}


class _Kline(NamedTuple):
    name: str
    interval: str
    continuous: bool
    throttle: Throttle


class MarketStreams(NullListener):
    """Keeps the boards up to date and turns market events into stream messages.

    A stream costs nothing until `open` has named it.
    """

    def __init__(self, desk: Desk, hub: StreamHub) -> None:
        self.desk = desk
        self.out = Outlet(desk.exchange, hub)
        self._opened: set[str] = set()
        self._depth: dict[str, list[DepthStream]] = {symbol: [] for symbol in desk.boards}
        self._klines: dict[str, list[_Kline]] = {symbol: [] for symbol in desk.boards}
        self._beats: list[tuple[str, StreamName]] = []
        self._lag_ns: dict[str, int] = dict.fromkeys(desk.boards, 0)
        now_ns = desk.exchange.now_ns
        desk.exchange.call_at(now_ns + NS_PER_S, self._beat)
        self._next_minute(now_ns)

    def open(self, name: str) -> bool:
        """Prepares a stream; False when the product has none of that name."""
        wanted = parse(name, spot=self.desk.is_spot)
        if wanted is None:
            return False
        if name in self._opened or (wanted.symbol and wanted.symbol not in self.desk.boards):
            return True
        self._opened.add(name)
        if wanted.kind in _BEATS:
            self._beats.append((name, wanted))
        elif wanted.kind in ("depth", "partial"):
            board = self.desk.boards[wanted.symbol]
            self._depth[wanted.symbol].append(DepthStream(self.out, board, name, wanted))
        elif wanted.kind in ("kline", "continuousKline"):
            self._open_kline(name, wanted)
        return True

    def _open_kline(self, name: str, wanted: StreamName) -> None:
        board = self.desk.boards[wanted.symbol]
        continuous = wanted.kind == "continuousKline"

        def flush(t_ns: int, lag_ns: int) -> None:
            candle = board.candles.current(wanted.interval)
            if candle is None or not self.out.hub.wanted(name):
                return
            now_ms = t_ns // NS_PER_MS
            event = messages.kline(
                board, wanted.interval, candle, now_ms, closed=False, continuous=continuous
            )
            self.out.send(name, event, t_ns, t_ns + lag_ns, sym=board.symbol)

        throttle = Throttle(self.desk.exchange, wanted.interval_ns, flush)
        self._klines[wanted.symbol].append(_Kline(name, wanted.interval, continuous, throttle))

    def on_depth(self, market: Market, changes: Sequence[Level], exch_ns: int, local_ns: int) -> None:
        """Published levels changed."""
        for stream in self._depth[market.symbol]:
            stream.change(changes, exch_ns, local_ns)

    def on_best(self, market: Market, exch_ns: int, local_ns: int) -> None:
        """The public best changed."""
        for name in (f"{market.symbol.lower()}@bookTicker", "!bookTicker"):
            if self.out.hub.wanted(name):
                event = messages.book_ticker(self.desk.boards[market.symbol], exch_ns // NS_PER_MS)
                self.out.send(name, event, exch_ns, local_ns, sym=market.symbol, last_id=event["u"])

    def on_trade(self, market: Market, trade: PublicTrade, local_ns: int) -> None:
        """A public trade happened."""
        symbol = market.symbol
        board = self.desk.boards[symbol]
        lag_ns = local_ns - trade.t_ns
        self._lag_ns[symbol] = lag_ns
        closed, opened = board.trade(trade)
        if closed is not None:
            self._send_agg(board, closed, trade.t_ns)
        due_ns = board.agg_due_ns()
        if opened and due_ns is not None:
            self.desk.exchange.call_at(due_ns, lambda t_ns: self._close_agg(board, t_ns))
        name = f"{symbol.lower()}@trade"
        if self.out.hub.wanted(name):
            event = messages.trade(board, trade, trade.t_ns // NS_PER_MS)
            self.out.send(
                name, event, trade.t_ns, local_ns, sym=symbol, first_id=trade.tid, last_id=trade.tid
            )
        for kline in self._klines[symbol]:
            kline.throttle.touch(self.desk.exchange.now_ns, lag_ns)

    def _close_agg(self, board: Board, t_ns: int) -> None:
        due_ns = board.agg_due_ns()
        if due_ns is not None and due_ns <= t_ns:
            closed = board.close_agg()
            if closed is not None:
                self._send_agg(board, closed, t_ns)

    def _send_agg(self, board: Board, agg: AggTrade, t_ns: int) -> None:
        name = f"{board.symbol.lower()}@aggTrade"
        if self.out.hub.wanted(name):
            event = messages.agg_trade(board, agg, t_ns // NS_PER_MS)
            local_ns = t_ns + self._lag_ns[board.symbol]
            self.out.send(
                name, event, t_ns, local_ns, sym=board.symbol, first_id=agg.first_id, last_id=agg.last_id
            )

    def _beat(self, t_ns: int) -> None:
        self.desk.exchange.call_at(t_ns + NS_PER_S, self._beat)
        second = t_ns // NS_PER_S
        for name, wanted in self._beats:
            if second % max(1, wanted.interval_ns // NS_PER_S) or not self.out.hub.wanted(name):
                continue
            build = _BEATS[wanted.kind]
            now_ms = t_ns // NS_PER_MS
            if wanted.symbol:
                event: Any = build(self.desk.boards[wanted.symbol], now_ms)
            else:
                event = [build(board, now_ms) for board in self.desk.boards.values()]
            self.out.send(name, event, t_ns, t_ns, sym=wanted.symbol or None)

    def _next_minute(self, t_ns: int) -> None:
        minute_ns = MINUTE_MS * NS_PER_MS
        self.desk.exchange.call_at((t_ns // minute_ns + 1) * minute_ns, self._minute)

    def _minute(self, t_ns: int) -> None:
        self._next_minute(t_ns)
        now_ms = t_ns // NS_PER_MS
        for symbol, klines in self._klines.items():
            board = self.desk.boards[symbol]
            for name, interval, continuous, _ in klines:
                ends = open_ms(interval, now_ms) == now_ms
                candle = board.candles.at(interval, open_ms(interval, now_ms - 1)) if ends else None
                if candle is not None and self.out.hub.wanted(name):
                    event = messages.kline(
                        board, interval, candle, now_ms, closed=True, continuous=continuous
                    )
                    self.out.send(name, event, t_ns, t_ns, sym=symbol)
            board.candles.roll(now_ms)
