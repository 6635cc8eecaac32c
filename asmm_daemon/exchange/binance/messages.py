"""Market stream messages as both products push them."""

from collections.abc import Iterable
from typing import Any

from asmm_daemon.exchange.binance.board import AggTrade, Board
from asmm_daemon.exchange.binance.candles import MINUTE_MS, Candle, close_ms
from asmm_daemon.exchange.binance.decimals import fixed
from asmm_daemon.exchange.binance.ids import last_id, snapshot_id
from asmm_daemon.exchange.binance.market_data import levels
from asmm_daemon.exchange.binance.tickers import average_text, best_fields, change_text, quote_text
from asmm_daemon.exchange.orders import PublicTrade
from asmm_daemon.units import NS_PER_MS


def trade(board: Board, item: PublicTrade, now_ms: int) -> dict[str, Any]:
    """One trade."""
    event: dict[str, Any] = {
        "e": "trade",
        "E": now_ms,
        "s": board.symbol,
        "t": item.tid,
        "p": board.scales.price.text(item.price),
        "q": board.scales.qty.text(item.qty),
        "T": item.t_ns // NS_PER_MS,
        "m": item.side < 0,
    }
    event |= {"M": True} if board.market.instrument.is_spot else {"X": "MARKET"}
    return event


def agg_trade(board: Board, agg: AggTrade, now_ms: int) -> dict[str, Any]:
    """One aggregate trade."""
    event: dict[str, Any] = {
        "e": "aggTrade",
        "E": now_ms,
        "s": board.symbol,
        "a": agg.aid,
        "p": board.scales.price.text(agg.price),
        "q": board.scales.qty.text(agg.qty),
        "f": agg.first_id,
        "l": agg.last_id,
        "T": agg.t_ms,
        "m": agg.side < 0,
    }
    event |= {"M": True} if board.market.instrument.is_spot else {"nq": event["q"]}
    return event


def book_ticker(board: Board, now_ms: int) -> dict[str, Any]:
    """The best bid and ask."""
    spot = board.market.instrument.is_spot
    best = best_fields(board)
    event: dict[str, Any] = {} if spot else {"e": "bookTicker"}
    event |= {
        "u": last_id(board.market.update_id, spot=spot),
        "s": board.symbol,
        "b": best["bidPrice"],
        "B": best["bidQty"],
        "a": best["askPrice"],
        "A": best["askQty"],
    }
    if not spot:
        event |= {"T": board.market.update_ns // NS_PER_MS, "E": now_ms}
    return event


def depth(
    board: Board,
    ids: tuple[int, int, int],
    bids: Iterable[tuple[int, int]],
    asks: Iterable[tuple[int, int]],
    now_ms: int,
) -> dict[str, Any]:
    """Changed levels; `ids` are the event's U, u and pu."""
    event: dict[str, Any] = {"e": "depthUpdate", "E": now_ms}
    spot = board.market.instrument.is_spot
    if not spot:
        event["T"] = board.market.update_ns // NS_PER_MS
    event |= {"s": board.symbol, "U": ids[0], "u": ids[1]}
    if not spot:
        event["pu"] = ids[2]
    event |= {"b": levels(board, bids), "a": levels(board, asks)}
    return event


def partial_spot(board: Board, count: int) -> dict[str, Any]:
    """The best levels of a spot book."""
    bids, asks = board.market.depth(count)
    return {
        "lastUpdateId": snapshot_id(board.market.update_id, spot=True),
        "bids": levels(board, bids),
        "asks": levels(board, asks),
    }


def mark_price(board: Board, now_ms: int) -> dict[str, Any]:
    """Mark price and funding rate."""
    market = board.market
    mark = fixed(market.mark, 8)
    return {
        "e": "markPriceUpdate",
        "E": now_ms,
        "s": board.symbol,
        "p": mark,
        "ap": mark,
        "P": mark,
        "i": mark,
        "r": fixed(market.funding_rate, 8),
        "T": market.next_funding_ns // NS_PER_MS,
    }


def kline(
    board: Board, interval: str, candle: Candle, now_ms: int, *, closed: bool, continuous: bool
) -> dict[str, Any]:
    """The current candle of an interval."""
    price, qty = board.scales.price.text, board.scales.qty.text
    bar: dict[str, Any] = {
        "t": candle.open_ms,
        "T": close_ms(interval, candle.open_ms),
        "s": board.symbol,
        "i": interval,
        "f": candle.first_id,
        "L": candle.last_id,
        "o": price(candle.open),
        "c": price(candle.close),
        "h": price(candle.high),
        "l": price(candle.low),
        "v": qty(candle.volume),
        "n": candle.trades,
        "x": closed,
        "q": quote_text(board, candle.quote),
        "V": qty(candle.taker_volume),
        "Q": quote_text(board, candle.taker_quote),
        "B": "0",
    }
    if continuous:
        del bar["s"]
        return {
            "e": "continuous_kline",
            "E": now_ms,
            "ps": board.symbol,
            "ct": "PERPETUAL",
            "k": bar,
        }
    return {"e": "kline", "E": now_ms, "s": board.symbol, "k": bar}


def mini_ticker(board: Board, now_ms: int) -> dict[str, Any]:
    """24-hour statistics, in short."""
    day = board.day(now_ms)
    price, qty = board.scales.price.text, board.scales.qty.text
    return {
        "e": "24hrMiniTicker",
        "E": now_ms,
        "s": board.symbol,
        "c": price(day.close),
        "o": price(day.open),
        "h": price(day.high),
        "l": price(day.low),
        "v": qty(day.volume),
        "q": quote_text(board, day.quote),
    }


def ticker(board: Board, now_ms: int) -> dict[str, Any]:
    """24-hour statistics."""
    day = board.day(now_ms)
    price, qty = board.scales.price.text, board.scales.qty.text
    event: dict[str, Any] = {
        "e": "24hrTicker",
        "E": now_ms,
        "s": board.symbol,
        "p": price(day.close - day.open),
        "P": change_text(day),
        "w": average_text(board, day),
    }
    if board.market.instrument.is_spot:
        best = best_fields(board)
        event |= {
            "x": price(day.open),
            "c": price(day.close),
            "Q": qty(board.last_qty),
            "b": best["bidPrice"],
            "B": best["bidQty"],
            "a": best["askPrice"],
            "A": best["askQty"],
        }
    else:
        event |= {"c": price(day.close), "Q": qty(board.last_qty)}
    return event | {
        "o": price(day.open),
        "h": price(day.high),
        "l": price(day.low),
        "v": qty(day.volume),
        "q": quote_text(board, day.quote),
        "O": day.open_ms,
        "C": now_ms,
        "F": day.first_id,
        "L": day.last_id,
        "n": day.trades,
    }


def average(board: Board, now_ms: int) -> dict[str, Any]:
    """The five-minute average price (spot)."""
    total = board.window(now_ms, 5 * MINUTE_MS)
    return {
        "e": "avgPrice",
        "E": now_ms,
        "s": board.symbol,
        "i": "5m",
        "w": average_text(board, total),
        "T": board.last_trade_ms or now_ms,
    }
