"""Tickers over REST and the WebSocket API: last price, best prices, 24-hour statistics."""

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.candles import DAY_MS, MINUTE_MS, Candle
from asmm_daemon.exchange.binance.decimals import fixed
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.ids import snapshot_id
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.units import NS_PER_MS

_WINDOW = re.compile(r"^(?P<count>\d{1,2})(?P<unit>[mhd])$")
_WINDOW_UNITS = {"m": (MINUTE_MS, 59), "h": (60 * MINUTE_MS, 23), "d": (DAY_MS, 7)}


class Tickers:
    """The ticker functions of one product."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def ticker_24h(self, call: Call) -> Any:
        """Rolling 24-hour statistics."""
        mini = call.params.optional("type") == "MINI"
        return self._each(
            call, lambda board: self._ticker_body(board, call.now_ms, board.day(call.now_ms), mini=mini)
        )

    def rolling(self, call: Call) -> Any:
        """Statistics of a rolling window (default one day), or of the trading day so far."""
        window_ms = _window_ms(call.params.optional("windowSize") or "1d")
        return self._each(call, lambda board: self._window_body(board, call.now_ms, window_ms))

    def trading_day(self, call: Call) -> Any:
        """Statistics since midnight UTC."""
        window_ms = call.now_ms % DAY_MS + 1
        return self._each(call, lambda board: self._window_body(board, call.now_ms, window_ms))

    def _window_body(self, board: Board, now_ms: int, window_ms: int) -> dict[str, Any]:
        window = board.window(now_ms, window_ms)
        body = self._ticker_body(board, now_ms, window, mini=False)
        for name in ("prevClosePrice", "lastQty", "bidPrice", "bidQty", "askPrice", "askQty"):
            del body[name]
        return body

    def ticker_price(self, call: Call) -> Any:
        """Last price."""

        def body(board: Board) -> dict[str, Any]:
            out: dict[str, Any] = {
                "symbol": board.symbol,
                "price": board.scales.price.text(board.market.last_price),
            }
            if not self.desk.is_spot:
                out["time"] = call.now_ms
            return out

        return self._each(call, body)

    def book_ticker(self, call: Call) -> Any:
        """Best prices and quantities."""

        def body(board: Board) -> dict[str, Any]:
            out: dict[str, Any] = {"symbol": board.symbol, **best_fields(board)}
            if not self.desk.is_spot:
                out["lastUpdateId"] = snapshot_id(board.market.update_id, spot=False)
                out["time"] = board.market.update_ns // NS_PER_MS
            return out

        return self._each(call, body)

    def average_price(self, call: Call) -> dict[str, Any]:
        """Volume-weighted price of the last five minutes."""
        board = self.desk.board(call.params)
        return {
            "mins": 5,
            "price": average_text(board, board.window(call.now_ms, 5 * MINUTE_MS)),
            "closeTime": board.last_trade_ms or call.now_ms,
        }

    def _each(self, call: Call, body: Callable[[Board], dict[str, Any]]) -> Any:
        board = self.desk.optional_board(call.params)
        if board is not None:
            return body(board)
        return [body(board) for board in self._named(call.params)]

    def _named(self, params: Params) -> list[Board]:
        if not params.has("symbols"):
            return list(self.desk.boards.values())
        names = [name.strip(' "') for name in params.text("symbols").strip("[]").split(",")]
        return [self.desk.board_of(name) for name in names if name]

    def _ticker_body(self, board: Board, now_ms: int, day: Candle, *, mini: bool) -> dict[str, Any]:
        price, qty = board.scales.price.text, board.scales.qty.text
        body: dict[str, Any] = {"symbol": board.symbol}
        if not mini:
            body["priceChange"] = price(day.close - day.open)
            body["priceChangePercent"] = change_text(day)
            body["weightedAvgPrice"] = average_text(board, day)
            if self.desk.is_spot:
                body["prevClosePrice"] = price(day.open)
            body["lastPrice"] = price(day.close)
            body["lastQty"] = qty(board.last_qty)
            if self.desk.is_spot:
                best = best_fields(board)
                body |= {name: best[name] for name in ("bidPrice", "bidQty", "askPrice", "askQty")}
        else:
            body["lastPrice"] = price(day.close)
        body |= {
            "openPrice": price(day.open),
            "highPrice": price(day.high),
            "lowPrice": price(day.low),
            "volume": qty(day.volume),
            "quoteVolume": quote_text(board, day.quote),
            "openTime": day.open_ms,
            "closeTime": now_ms,
            "firstId": day.first_id,
            "lastId": day.last_id,
            "count": day.trades,
        }
        return body


def _window_ms(text: str) -> int:
    """A `windowSize`: 1m to 59m, 1h to 23h, 1d to 7d."""
    size = _WINDOW.match(text)
    unit_ms, most = _WINDOW_UNITS[size["unit"]] if size else (0, 0)
    if size is None or not 1 <= int(size["count"]) <= most:
        raise ApiError(-1130, "Data sent for parameter 'windowSize' is not valid.")
    return int(size["count"]) * unit_ms


def best_fields(board: Board) -> dict[str, str]:
    """The best bid and ask, zeros where a side is empty."""
    best = board.market.best
    price, qty = board.scales.price.text, board.scales.qty.text
    return {
        "bidPrice": price(max(best.bid, 0)),
        "bidQty": qty(best.bid_qty if best.bid >= 0 else 0),
        "askPrice": price(max(best.ask, 0)),
        "askQty": qty(best.ask_qty if best.ask >= 0 else 0),
    }


def quote_text(board: Board, ticks_lots: int) -> str:
    """A sum of ticks times lots in quote currency."""
    instrument = board.market.instrument
    return board.scales.amount(ticks_lots * instrument.tick * instrument.lot)


def average_text(board: Board, candle: Candle) -> str:
    """A candle's volume-weighted price, its close where nothing traded."""
    instrument = board.market.instrument
    if candle.volume == 0:
        return board.scales.price.text(candle.close or board.market.last_price)
    average = Decimal(candle.quote) / candle.volume * instrument.tick
    return fixed(average, board.scales.price.digits)


def change_text(day: Candle) -> str:
    """A day's change in percent, three decimals."""
    return fixed(Decimal(day.close - day.open) * 100 / day.open, 3) if day.open else "0.000"
