"""Our stream messages beside lines that the real venue sent: the same fields in the same shape."""

import gzip
import re
from dataclasses import replace
from decimal import Decimal

import orjson
import pytest

from asmm_daemon.exchange.binance import messages
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.orders import PublicTrade

FILES = {
    "binance": (
        "nexousdt-spot/nexousdt_20240723.dat.gz",
        {"symbol": "NEXOUSDT", "tick": "0.001", "lot": "0.01"},
    ),
    "binanceusdm": (
        "btcusdt-usdm/usdm_btcusdt_20240719.gz",
        {"symbol": "BTCUSDT", "tick": "0.1", "lot": "0.001"},
    ),
}


def shape(value):
    """A value's type, decimals by their number of places."""
    if isinstance(value, str) and re.fullmatch(r"\d+\.\d+", value):
        return f"decimal {len(value.partition('.')[2])}"
    return type(value).__name__


def recorded(path):
    """The first line of each kind of stream."""
    found = {}
    with gzip.open(path) as lines:
        for line in lines:
            data = orjson.loads(line.partition(b" ")[2])
            kind = data.get("stream", "@snapshot").split("@")[1]
            usable = kind != "depth" or (data["data"]["b"] and data["data"]["a"])
            if usable:
                found.setdefault(kind, data.get("data", data))
            if {"depth", "bookTicker", "trade"} <= set(found):
                return found
    return found


@pytest.mark.parametrize("product", FILES)
def test_same_fields_as_the_venue(product, shared_data, bench):
    """Trade, book ticker and depth messages have the recorded fields, types and decimals."""
    path, terms = FILES[product]
    unit = replace(
        bench(product).market.instrument,
        symbol=terms["symbol"],
        tick=Decimal(terms["tick"]),
        lot=Decimal(terms["lot"]),
    )
    market = bench(product, units=[unit]).market
    board = Board(market)
    ours = {
        "trade": messages.trade(board, PublicTrade(7, 10**18, 1000, 5, -1), 10**12),
        "bookTicker": messages.book_ticker(board, 10**12),
        "depth": messages.depth(board, (1, 2, 0), [(1000, 1)], [(1001, 0)], 10**12),
    }
    for kind, real in recorded(shared_data / "binance-raw" / path).items():
        if kind in ours:
            assert list(ours[kind]) == list(real) or set(ours[kind]) == set(real), kind
            assert {k: shape(v) for k, v in ours[kind].items()} == {k: shape(v) for k, v in real.items()}
    depth = ours["depth"]
    real = recorded(shared_data / "binance-raw" / path)["depth"]
    assert [shape(text) for text in depth["b"][0]] == [shape(text) for text in real["b"][0]]
