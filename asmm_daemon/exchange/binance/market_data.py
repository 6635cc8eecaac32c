"""Market data over REST and the WebSocket API: books, trades, klines, tickers."""

from collections.abc import Iterable
from itertools import islice
from typing import Any

from asmm_daemon.exchange.binance.board import AggTrade, Board
from asmm_daemon.exchange.binance.candles import INTERVALS_MS, Candle, close_ms
from asmm_daemon.exchange.binance.decimals import fixed
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.ids import snapshot_id
from asmm_daemon.exchange.binance.tickers import quote_text
from asmm_daemon.exchange.orders import PublicTrade
from asmm_daemon.units import NS_PER_MS

DEPTH_LIMITS_USDM = (5, 10, 20, 50, 100, 500, 1000)
Levels = Iterable[tuple[int, int]]


def levels(board: Board, side: Levels) -> list[list[str]]:
    """Book levels as the wire writes them."""
    price, qty = board.scales.price.text, board.scales.qty.text
    return [[price(p), qty(q)] for p, q in side]


def ping(_: Call) -> dict[str, Any]:
    """Connectivity."""
    return {}


class MarketData:
    """The public functions of one product."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk

    def time(self, _: Call) -> dict[str, Any]:
        """Server time."""
        return {"serverTime": self.desk.time_ms()}

    def depth(self, call: Call) -> dict[str, Any]:
        """Order book snapshot."""
        board = self.desk.board(call.params)
        limit = call.params.limit(100 if self.desk.is_spot else 500, 5000)
        if not self.desk.is_spot and limit not in DEPTH_LIMITS_USDM:
            raise ApiError(-4021, f"'{limit}' is not valid depth limit.")
        market = board.market
        bids, asks = market.depth(limit)
        body: dict[str, Any] = {"lastUpdateId": snapshot_id(market.update_id, spot=self.desk.is_spot)}
        if not self.desk.is_spot:
            body["E"] = call.now_ms
            body["T"] = market.update_ns // NS_PER_MS
        body["bids"] = levels(board, bids)
        body["asks"] = levels(board, asks)
        return body

    def trades(self, call: Call) -> list[dict[str, Any]]:
        """The most recent trades."""
        board = self.desk.board(call.params)
        return [self._trade(board, t) for t in board.recent(call.params.limit(500, 1000))]

    def historical_trades(self, call: Call) -> list[dict[str, Any]]:
        """Older trades, from a trade id on."""
        board = self.desk.board(call.params)
        limit = call.params.limit(500, 1000)
        start = call.params.optional_integer("fromId")
        if start is None:
            return [self._trade(board, t) for t in board.recent(limit)]
        later = (t for t in board.market.trades if t.tid >= start)
        return [self._trade(board, t) for t in islice(later, limit)]

    def _trade(self, board: Board, trade: PublicTrade) -> dict[str, Any]:
        quote = board.market.instrument.price(trade.price) * board.market.instrument.qty(trade.qty)
        body: dict[str, Any] = {
            "id": trade.tid,
            "price": board.scales.price.text(trade.price),
            "qty": board.scales.qty.text(trade.qty),
            "quoteQty": board.scales.amount(quote) if self.desk.is_spot else fixed(quote, 2),
            "time": trade.t_ns // NS_PER_MS,
            "isBuyerMaker": trade.side < 0,
        }
        body |= {"isBestMatch": True} if self.desk.is_spot else {"isRPITrade": False}
        return body

    def agg_trades(self, call: Call) -> list[dict[str, Any]]:
        """Compressed trades."""
        board = self.desk.board(call.params)
        params = call.params
        limit = params.limit(500, 1000)
        start_id = params.optional_integer("fromId")
        start, end = params.optional_time_ms("startTime"), params.optional_time_ms("endTime")
        if start_id is None and start is None and end is None:
            first = max(0, len(board.aggs) - limit)
            return [agg_body(board, board.aggs[i]) for i in range(first, len(board.aggs))]
        chosen = (
            agg
            for agg in board.aggs
            if (start_id is None or agg.aid >= start_id)
            and (start is None or agg.t_ms >= start)
            and (end is None or agg.t_ms <= end)
        )
        return [agg_body(board, agg) for agg in islice(chosen, limit)]

    def price_klines(self, call: Call) -> list[list[Any]]:
        """Candlesticks of mark, index or premium prices: here those of trades, without volumes."""
        return [[*row[:5], "0", row[6], "0", row[8], "0", "0", "0"] for row in self.klines(call)]

    def klines(self, call: Call) -> list[list[Any]]:
        """Candlesticks."""
        name = "pair" if call.params.has("pair") else "symbol"
        board = self.desk.board_of(call.params.text(name))
        interval = call.params.text("interval")
        seconds = interval == "1s" and self.desk.is_spot
        if interval not in INTERVALS_MS and not seconds:
            raise ApiError(-1120, "Invalid interval.")
        board.candles.roll(call.now_ms)
        limit = call.params.limit(500, 1000 if self.desk.is_spot else 1500)
        start = call.params.optional_time_ms("startTime")
        end = call.params.optional_time_ms("endTime")
        candles = board.seconds() if seconds else board.candles.klines(interval)
        rows = [
            kline_row(board, interval, candle)
            for candle in candles
            if (start is None or candle.open_ms >= start) and (end is None or candle.open_ms <= end)
        ]
        return rows[-limit:] if start is None else rows[:limit]


def agg_body(board: Board, agg: AggTrade) -> dict[str, Any]:
    """An aggregate trade as REST lists it."""
    body: dict[str, Any] = {
        "a": agg.aid,
        "p": board.scales.price.text(agg.price),
        "q": board.scales.qty.text(agg.qty),
        "f": agg.first_id,
        "l": agg.last_id,
        "T": agg.t_ms,
        "m": agg.side < 0,
    }
    body |= {"M": True} if board.market.instrument.is_spot else {"nq": body["q"]}
    return body


def kline_row(board: Board, interval: str, candle: Candle) -> list[Any]:
    """A candle as REST lists it."""
    price, qty = board.scales.price.text, board.scales.qty.text
    return [
        candle.open_ms,
        price(candle.open),
        price(candle.high),
        price(candle.low),
        price(candle.close),
        qty(candle.volume),
        candle.open_ms + 999 if interval == "1s" else close_ms(interval, candle.open_ms),
        quote_text(board, candle.quote),
        candle.trades,
        qty(candle.taker_volume),
        quote_text(board, candle.taker_quote),
        "0",
    ]
