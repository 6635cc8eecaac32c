"""All public topics of a product: their names, their first messages, what reaches which of them.

Source: https://bybit-exchange.github.io/docs/v5/ws/connect
"""

from typing import Any

from asmm_daemon.exchange.bybit.candles import INTERVALS
from asmm_daemon.exchange.bybit.depth_topic import PUSH_NS
from asmm_daemon.exchange.bybit.public_feeds import BookFeed, KlineFeed, TickerFeed, TradeFeed
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import ms
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import PublicTrade


class PublicTopics:
    """All public topics of the product's markets."""

    def __init__(self, state: State) -> None:
        self._state = state
        markets = state.exchange.markets.values()
        depths = PUSH_NS[state.category]
        self._books = {f"orderbook.{d}.{m.symbol}": BookFeed(state, m, d) for m in markets for d in depths}
        self._tickers = {f"tickers.{m.symbol}": TickerFeed(state, m) for m in markets}
        self._trades = {f"publicTrade.{m.symbol}": TradeFeed(state, m) for m in markets}
        self._klines: dict[str, KlineFeed] = {}

    def problem(self, name: str) -> str | None:
        """What is wrong with a topic's name, in the venue's words; None for a good one."""
        if name in self._books or name in self._tickers or name in self._trades:
            return None
        parts = name.split(".")
        depths = [str(depth) for depth in PUSH_NS[self._state.category]]
        is_known = (
            (parts[0] == "orderbook" and len(parts) == 3 and parts[1] in depths)
            or (parts[0] == "kline" and len(parts) == 3 and parts[1] in INTERVALS)
            or (parts[0] in ("tickers", "publicTrade") and len(parts) == 2)
        )
        if not is_known:
            return f"error:handler not found,topic:{name}"
        return None if parts[-1] in self._state.exchange.markets else f"Invalid symbol :[{name}]"

    def first(self, name: str, t_ns: int) -> dict[str, Any] | None:
        """The snapshot with which a subscription to a topic begins; None where there is none."""
        if name in self._books:
            return self._books[name].first(t_ns)
        if name in self._tickers:
            return self._tickers[name].first(t_ns)
        return None

    def started(self, name: str, t_ns: int) -> None:
        """A subscription to a topic is in place."""
        if name.startswith("kline."):
            _, interval, symbol = name.split(".")
            if name not in self._klines:
                self._klines[name] = KlineFeed(self._state, self._state.exchange.markets[symbol], interval)
            self._klines[name].start(t_ns)

    def on_depth(self, market: Market, exch_ns: int, local_ns: int) -> None:
        """The public book changed."""
        self._state.next_seq()
        for depth in PUSH_NS[self._state.category]:
            self._books[f"orderbook.{depth}.{market.symbol}"].touch(exch_ns, local_ns)

    def on_ticker(self, market: Market, t_ns: int) -> None:
        """Something that the ticker shows changed."""
        self._tickers[f"tickers.{market.symbol}"].touch(t_ns)

    def on_trade(self, market: Market, trade: PublicTrade, local_ns: int) -> None:
        """A public trade happened."""
        self._state.candles[market.symbol].trade(ms(trade.t_ns), trade.price, trade.qty)
        self._trades[f"publicTrade.{market.symbol}"].trade(trade, local_ns)
        self.on_ticker(market, trade.t_ns)
