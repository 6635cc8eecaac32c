"""Tickers: `GET /v5/market/tickers` and the `tickers.{symbol}` topic.

Sources: https://bybit-exchange.github.io/docs/v5/market/tickers and .../websocket/public/ticker
"""

from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.bybit.instruments import FUNDING_MINUTES
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import ms, plain
from asmm_daemon.exchange.market import Market

_HOUR_MS = 3_600_000
_RATIO = Decimal("1e-6")


def _day(state: State, market: Market) -> dict[str, str]:
    """Figures of the last 24 hours (of what the exchange has seen of them)."""
    now_ms = ms(state.exchange.now_ns)
    bar = state.candles[market.symbol].day(now_ms)
    price, last = state.prices[market.symbol], market.last_price
    if bar is None:
        prices = dict.fromkeys(("prevPrice24h", "highPrice24h", "lowPrice24h"), price.text(last))
        return prices | {"price24hPcnt": "0", "turnover24h": "0", "volume24h": "0"}
    instrument = market.instrument
    change = Decimal(last - bar.open) / bar.open if bar.open else Decimal(0)
    return {
        "prevPrice24h": price.text(bar.open),
        "price24hPcnt": plain(change.quantize(_RATIO)),
        "highPrice24h": price.text(bar.high),
        "lowPrice24h": price.text(bar.low),
        "turnover24h": plain(bar.turnover * instrument.tick * instrument.lot),
        "volume24h": plain(instrument.qty(bar.volume)),
    }


def _top(state: State, market: Market) -> dict[str, str]:
    price, qty, best = state.prices[market.symbol], state.qtys[market.symbol], market.best
    return {
        "bid1Price": price.text(best.bid) if best.bid >= 0 else "",
        "bid1Size": qty.text(best.bid_qty) if best.bid >= 0 else "",
        "ask1Price": price.text(best.ask) if best.ask >= 0 else "",
        "ask1Size": qty.text(best.ask_qty) if best.ask >= 0 else "",
    }


def _contract(state: State, market: Market) -> dict[str, str]:
    price = state.prices[market.symbol]
    hour_ago = state.candles[market.symbol].price_at(ms(state.exchange.now_ns) - _HOUR_MS)
    mark = state.mark(market)
    return {
        "prevPrice1h": price.text(market.last_price if hour_ago is None else hour_ago),
        "markPrice": mark,
        "indexPrice": mark,
        "openInterest": "0",
        "openInterestValue": "0",
        "fundingRate": plain(market.funding_rate),
        "fundingIntervalHour": str(FUNDING_MINUTES // 60),
        "fundingCap": "0.00375",
        "nextFundingTime": str(ms(market.next_funding_ns)),
    }


def rest_ticker(state: State, market: Market) -> dict[str, str]:
    """One entry of `result.list`."""
    body = {"symbol": market.symbol, "lastPrice": state.last_price(market)}
    body |= _day(state, market) | _top(state, market)
    if state.category == "spot":
        return body | {"usdIndexPrice": ""}
    return (
        body
        | _contract(state, market)
        | {
            "predictedDeliveryPrice": "",
            "basisRate": "",
            "basis": "",
            "deliveryFeeRate": "",
            "deliveryTime": "0",
            "curPreListingPhase": "",
            "preOpenPrice": "",
            "preQty": "",
        }
    )


class TickerTopic:
    """`tickers.{symbol}`: contracts push a snapshot and then what changed, spot always the whole."""

    def __init__(self, state: State, market: Market) -> None:
        self.name = f"tickers.{market.symbol}"
        self._state = state
        self._market = market
        self._last: dict[str, str] = {}
        self._last_price = market.last_price
        self._direction = "ZeroPlusTick"

    def _fields(self) -> dict[str, str]:
        state, market = self._state, self._market
        body = {"symbol": market.symbol, "lastPrice": state.last_price(market)} | _day(state, market)
        if state.category == "spot":
            return body | {"usdIndexPrice": ""}
        if market.last_price != self._last_price:
            self._direction = "PlusTick" if market.last_price > self._last_price else "MinusTick"
            self._last_price = market.last_price
        return body | {"tickDirection": self._direction} | _contract(state, market) | _top(state, market)

    def snapshot(self, t_ns: int) -> dict[str, Any]:
        """The whole ticker as last published, or as it is when nothing was."""
        if not self._last:
            self._last = self._fields()
        return self._message("snapshot", self._last, t_ns)

    def update(self, t_ns: int) -> dict[str, Any] | None:
        """What changed since the last message, None where nothing did."""
        now = self._fields()
        changed = {key: value for key, value in now.items() if self._last.get(key) != value}
        if not changed:
            return None
        self._last = now
        if self._state.category == "spot":
            return self._message("snapshot", now, t_ns)
        return self._message("delta", {"symbol": self._market.symbol} | changed, t_ns)

    def _message(self, kind: str, data: dict[str, str], t_ns: int) -> dict[str, Any]:
        return {"topic": self.name, "type": kind, "data": data, "cs": self._state.seq, "ts": ms(t_ns)}
