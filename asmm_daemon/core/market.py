"""The state of one market: book, trades, candles and estimators, updated once per venue message.

Live and in replay the same calls make it: `on_message` for each message in order, `advance` to the
time of each cycle. All state lies in flat records, so a checkpoint is a copy of the arrays. Times are
`local_ns` (when the daemon saw a row), made monotone; taker orders and candles go by `exch_ns`.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import Book, new_book
from asmm_daemon.core.intensity import INTENSITY, Intensity
from asmm_daemon.core.params import Params
from asmm_daemon.core.volatility import VOLATILITY, Volatility
from asmm_daemon.events import Rows
from asmm_daemon.kernels import kernel

TRADES = 64
"""Trades remembered."""
CANDLES = 64
"""One-minute candles remembered."""
OWN = 32
"""Own resting prices remembered."""
RATE = 16
"""Whole seconds over which changes of the best quote are counted."""

MARKET = np.dtype(
    [
        ("now_ns", np.int64),  # latest time seen
        ("first_ns", np.int64),  # time of the first message
        ("book_ns", np.int64),  # time of the last book row
        ("trade_ns", np.int64),  # time of the last trade
        ("valid", np.bool_),  # known, two-sided, not crossed, own quantity taken out
        ("bid", np.int64),  # best prices in ticks and their lots, own quantity taken out
        ("ask", np.int64),
        ("bid_qty", np.int64),
        ("ask_qty", np.int64),
        ("mid", np.float64),  # ticks; the last valid one
        ("micro", np.float64),  # ticks; each side weighted by the other side's volume
        ("reference", np.float64),  # ticks; microprice that quotes between decisions refer to
        ("reference_before", np.float64),  # the one it replaced
        ("reference_ns", np.int64),  # venue time of the replacement
        ("funding_rate", np.float64),  # fraction, NaN unknown
        ("funding_ns", np.int64),  # when it is applied
        ("mark", np.int64),  # mark price in ticks, 0 unknown
        ("messages", np.int64),
        ("gaps", np.int64),
        ("quote_changes", np.int64),  # changes of the best quote since the start
        ("rate_second", np.int64),  # the second now being counted
        ("rate", np.int64, (RATE,)),  # ring: changes of the best quote per second
        ("trades", np.int64),  # trades since the start
        ("trade_time", np.int64, (TRADES,)),  # rings of trades: local ns, ticks, signed lots
        ("trade_price", np.int64, (TRADES,)),
        ("trade_qty", np.int64, (TRADES,)),
        ("minute", np.int64),  # the minute (of the venue's clock) of the newest candle; 0: none
        ("candles", np.int64),  # candles since the start, the newest one included
        ("open", np.float64, (CANDLES,)),  # rings of candles, ticks
        ("high", np.float64, (CANDLES,)),
        ("low", np.float64, (CANDLES,)),
        ("close", np.float64, (CANDLES,)),
        ("volume", np.float64, (CANDLES,)),  # lots
        ("turnover", np.float64, (CANDLES,)),  # ticks × lots
        ("owns", np.int64),
        ("own_side", np.int64, (OWN,)),
        ("own_price", np.int64, (OWN,)),
        ("own_qty", np.int64, (OWN,)),
        ("cycle_ns", np.int64),  # time of the last cycle's features; 0: none
        ("cycle_mid", np.float64),  # mid and inventory then
        ("cycle_lots", np.float64),
        ("lot_size", np.float64),  # slow mean of the lots of a trade, what volumes are typical of
    ],
    align=True,
)


class MarketState(NamedTuple):
    """All that a market's quotes are made from; a checkpoint copies every array."""

    book: Book
    market: NDArray[Any]
    volatility: Volatility
    intensity: Intensity


def new_market(width: int = 65536) -> MarketState:
    """The state of a market of which nothing is known yet; the book spans `width` ticks."""
    market = np.zeros(1, MARKET)
    market["funding_rate"] = np.nan
    return MarketState(new_book(width), market, np.zeros(1, VOLATILITY), np.zeros(1, INTENSITY))


def copy_market(state: MarketState) -> MarketState:
    """A checkpoint: an independent copy."""
    book = Book(*(array.copy() for array in state.book))
    return MarketState(book, state.market.copy(), state.volatility.copy(), state.intensity.copy())


@kernel
def on_message(state: MarketState, params: Params, rows: Rows) -> None:
    """Takes in one venue message: its rows, the last of which carries `last`."""


@kernel
def on_rows(state: MarketState, params: Params, rows: Rows) -> None:
    """Takes in many messages, one after another, as `on_message` would."""


@kernel
def advance(state: MarketState, params: Params, t_ns: int) -> None:
    """Moves time on without a message: samples, candles and merged orders that are due by then."""


@kernel
def set_own(state: MarketState, side: int, price: int, qty: int) -> None:
    """Says that `qty` lots of ours rest at a price (0: none), to be taken out of the book."""


@kernel
def clear_own(state: MarketState) -> None:
    """Says that nothing of ours rests."""
