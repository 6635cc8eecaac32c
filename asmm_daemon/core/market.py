"""The state of one market: book, trades, candles and estimators, updated once per venue message.

Live and in replay the same calls make it: `on_message` for each message in order, `advance` to the
time of each cycle. All state lies in flat records, so a checkpoint is a copy of the arrays. Times are
`local_ns` (when the daemon saw a row), made monotone; trades are merged to taker orders by `exch_ns`.
Samples, seconds and minutes lie on fixed grids of that time, so more or fewer calls of `advance`
change nothing.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core import intensity as flow
from asmm_daemon.core import volatility as vol
from asmm_daemon.core.book import ASK, BID, Book, apply, int64, is_valid, new_book
from asmm_daemon.core.intensity import INTENSITY, Intensity
from asmm_daemon.core.market_record import CANDLES, MARKET, SECONDS, TRADES
from asmm_daemon.core.own import OWN, net_best
from asmm_daemon.core.params import Params
from asmm_daemon.core.volatility import SAMPLE_NS, VOLATILITY, Volatility
from asmm_daemon.events import FUNDING, GAP, MARK, TRADE, Rows
from asmm_daemon.kernels import flat_kernel, hot_kernel
from asmm_daemon.units import NS_PER_S

MINUTE_NS = 60 * NS_PER_S
FIRST = int64(0)
MERGE_NS = 100_000_000
"""A taker order is closed this long after its first trade was seen."""
TYPICAL_TRADES = 500
"""Trades over which the typical size of a trade is averaged."""


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
    """A checkpoint: an independent copy, equal to the byte (padding of the records included)."""
    book = Book(*(_copy(array) for array in state.book))
    return MarketState(book, _copy(state.market), _copy(state.volatility), _copy(state.intensity))


def _copy(array: NDArray[Any]) -> NDArray[Any]:
    return array.view(np.uint8).copy().view(array.dtype)


@flat_kernel
def _new_seconds(state: MarketState, second: int) -> None:
    m = state.market[0]
    last = m.mid_last[m.second % SECONDS]
    for s in range(max(m.second + 1, second - SECONDS + 1), second + 1):
        i = s % SECONDS
        m.changes[i] = 0
        m.bought[i] = m.sold[i] = m.volume[i] = m.turnover[i] = 0.0
        m.mid_high[i] = m.mid_low[i] = m.mid_last[i] = last
    m.second = second


@flat_kernel
def _new_candles(state: MarketState, minute: int) -> None:
    m = state.market[0]
    if m.candles > 0:
        close = m.candle_close[m.minute % CANDLES]
        for k in range(max(m.minute + 1, minute - CANDLES + 1), minute + 1):
            i = k % CANDLES
            m.candle_open[i] = m.candle_high[i] = m.candle_low[i] = m.candle_close[i] = close
            m.candle_volume[i] = 0.0
        m.candles += minute - m.minute
    m.minute = minute


@hot_kernel
def _close_due(state: MarketState, params: Params, t_ns: int) -> None:
    # counts the taker order whose trades are all seen by then
    e = state.intensity[0]
    if e.side != 0 and t_ns > e.local_ns + MERGE_NS:
        flow.close_order(state.intensity, params)


@hot_kernel
def advance(state: MarketState, params: Params, t_ns: int) -> None:
    """Moves time on without a message: samples, buckets and merged orders that are due by then."""
    m = state.market[0]
    if t_ns <= m.now_ns:
        return
    if m.now_ns == 0:
        m.now_ns = m.first_ns = t_ns
        m.second = t_ns // NS_PER_S
        m.minute = t_ns // MINUTE_NS
        m.sample_ns = (t_ns // SAMPLE_NS + 1) * SAMPLE_NS
        return
    while m.sample_ns <= t_ns:
        _close_due(state, params, m.sample_ns)
        if m.valid:
            m.exposed_ns += m.sample_ns - m.now_ns
        flow.decay(state.intensity, params, m.exposed_ns)
        m.exposed_ns = 0
        vol.add_sample(state.volatility, params, m.mid if m.valid else np.nan)
        m.reference = m.mid
        m.now_ns = m.sample_ns
        m.sample_ns += SAMPLE_NS
    _close_due(state, params, t_ns)
    if m.valid:
        m.exposed_ns += t_ns - m.now_ns
    m.now_ns = t_ns
    if t_ns // NS_PER_S != m.second:
        _new_seconds(state, t_ns // NS_PER_S)
        if t_ns // MINUTE_NS != m.minute:
            _new_candles(state, t_ns // MINUTE_NS)


@hot_kernel
def _trade(state: MarketState, params: Params, side: int, price: int, qty: int, exch_ns: int) -> None:
    m = state.market[0]
    i = m.trades % TRADES
    m.trades += 1
    m.trade_ns = m.now_ns
    m.trade_price[i] = price
    m.trade_qty[i] = side * qty
    m.typical_qty += (qty - m.typical_qty) / min(m.trades, TYPICAL_TRADES)
    j = m.second % SECONDS
    if side > 0:
        m.bought[j] += qty
    elif side < 0:
        m.sold[j] += qty
    m.volume[j] += qty
    m.turnover[j] += float(price) * qty
    k = m.minute % CANDLES
    if m.candles == 0:
        m.candles = 1
        m.candle_open[k] = m.candle_high[k] = m.candle_low[k] = price
        m.candle_volume[k] = 0.0
    m.candle_high[k] = max(m.candle_high[k], price)
    m.candle_low[k] = min(m.candle_low[k], price)
    m.candle_close[k] = price
    m.candle_volume[k] += qty
    if m.valid and side != 0:
        half_spread = 0.5 * (m.ask - m.bid)
        flow.add_trade(state.intensity, params, side, price, exch_ns, m.now_ns, m.reference, half_spread)


@hot_kernel
def _refresh(state: MarketState, params: Params) -> None:
    # reads the top of the book anew, own quantity taken out
    m = state.market[0]
    was_valid = m.valid
    m.valid = is_valid(state.book)
    if not m.valid:
        return
    bid, bid_qty = net_best(state.book, state.market, BID)
    ask, ask_qty = net_best(state.book, state.market, ASK)
    if bid_qty <= 0 or ask_qty <= 0:
        m.valid = False
        return
    if not was_valid:
        m.reference = 0.5 * (bid + ask)
        flow.set_prior_once(state.intensity, params, float(ask - bid))
    if bid == m.bid and ask == m.ask and bid_qty == m.bid_qty and ask_qty == m.ask_qty:
        return
    m.bid, m.bid_qty, m.ask, m.ask_qty = bid, bid_qty, ask, ask_qty
    m.mid = 0.5 * (bid + ask)
    m.micro = bid + (ask - bid) * (bid_qty / (bid_qty + ask_qty))
    i = m.second % SECONDS
    m.changes[i] += 1
    if m.mid_last[i] == 0.0:
        for k in range(SECONDS):
            m.mid_high[k] = m.mid_low[k] = m.mid_last[k] = m.mid
    m.mid_last[i] = m.mid
    m.mid_high[i] = max(m.mid_high[i], m.mid)
    m.mid_low[i] = min(m.mid_low[i], m.mid)


@hot_kernel
def message(state: MarketState, params: Params, rows: Rows, start: int, stop: int) -> None:
    """Takes in the venue message that lies in `rows[start:stop]`."""
    m = state.market[0]
    advance(state, params, rows[stop - 1].local_ns)
    booked = False
    for i in range(start, stop):
        row = rows[i]
        kind = row.kind
        if kind == TRADE:
            _trade(state, params, row.side, row.price, row.qty, row.exch_ns)
        elif kind == FUNDING:
            m.funding_rate = row.price * 1e-8
            m.funding_ns = row.exch_ns
        elif kind == MARK:
            m.mark = row.price
        else:
            apply(state.book, kind, row.side, row.price, row.qty)
            booked = True
            if kind == GAP:
                m.gaps += 1
    if booked:
        m.book_ns = m.now_ns
        _refresh(state, params)
    m.messages += 1


@flat_kernel
def on_message(state: MarketState, params: Params, rows: Rows) -> None:
    """Takes in one venue message: its rows, in order, all of them."""
    if rows.size > 0:
        message(state, params, rows, FIRST, rows.size)


@flat_kernel
def on_rows(state: MarketState, params: Params, rows: Rows) -> None:
    """Takes in many messages, each ending with a row that carries `last`, as `on_message` would."""
    start = FIRST
    for i in range(rows.size):
        if rows[i].last:
            message(state, params, rows, start, i + 1)
            start = i + 1


@flat_kernel
def set_own(state: MarketState, params: Params, side: int, price: int, qty: int) -> None:
    """Says that `qty` lots of ours rest at a price (0: none), to be taken out of the book.

    Beyond OWN prices the excess is left in. The top of the book is read anew.
    """
    m = state.market[0]
    at = m.owns
    for i in range(m.owns):
        if m.own_side[i] == side and m.own_price[i] == price:
            at = i
            break
    if qty > 0 and at < OWN:
        m.own_side[at], m.own_price[at], m.own_qty[at] = side, price, qty
        m.owns = max(m.owns, at + 1)
    elif qty <= 0 and at < m.owns:
        m.owns -= 1
        last = m.owns
        m.own_side[at], m.own_price[at] = m.own_side[last], m.own_price[last]
        m.own_qty[at] = m.own_qty[last]
    _refresh(state, params)
