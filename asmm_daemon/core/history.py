"""Starts a market's state from what the venue still knows: one-minute candles and recent trades.

The state is then ready as soon as the book is, and its estimates are replaced by live ones with their
half-lives. History has no book, so the mid stands for the middle of the last price bought and the last
price sold, and half their distance for half a spread.
"""

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core import intensity as flow
from asmm_daemon.core import volatility as vol
from asmm_daemon.core.market import MINUTE_NS, TYPICAL_TRADES, MarketState, advance
from asmm_daemon.core.market_record import CANDLES, TRADES
from asmm_daemon.core.params import Params
from asmm_daemon.core.volatility import SAMPLE_NS
from asmm_daemon.events import Rows
from asmm_daemon.kernels import flat_kernel
from asmm_daemon.units import NS_PER_S


@flat_kernel
def _warm_candles(state: MarketState, candles: NDArray[np.int64]) -> None:
    m = state.market[0]
    n = candles.shape[0]
    minute = -1
    for k in range(n):
        at = candles[k, 0] // MINUTE_NS
        if at > m.minute or at <= m.minute - CANDLES:
            continue
        # a minute that the venue left out had no trade
        for gap in range(minute + 1 if minute >= 0 else at, at + 1):
            i = gap % CANDLES
            flat = gap < at
            before = m.candle_close[(gap - 1) % CANDLES]
            m.candle_open[i] = before if flat else candles[k, 1]
            m.candle_high[i] = before if flat else candles[k, 2]
            m.candle_low[i] = before if flat else candles[k, 3]
            m.candle_close[i] = before if flat else candles[k, 4]
            m.candle_volume[i] = 0 if flat else candles[k, 5]
            m.candles += 1
        minute = at
    for gap in range(minute + 1 if minute >= 0 else m.minute + 1, m.minute + 1):
        i = gap % CANDLES
        m.candle_open[i] = m.candle_high[i] = m.candle_low[i] = m.candle_close[(gap - 1) % CANDLES]
        m.candle_close[i] = m.candle_open[i]
        m.candle_volume[i] = 0.0
        m.candles += 1


@flat_kernel
def _warm_trades(state: MarketState, params: Params, trades: Rows) -> None:
    m = state.market[0]
    bought = sold = 0
    reference = np.nan
    cycle = 0
    for k in range(trades.size):
        row = trades[k]
        if bought > 0 and sold > 0 and row.side != 0:
            mid = 0.5 * (bought + sold)
            if np.isnan(reference) or row.exch_ns // SAMPLE_NS != cycle:
                reference = mid
                cycle = row.exch_ns // SAMPLE_NS
            half_spread = max(0.5 * (bought - sold), 0.5)
            flow.set_prior_once(state.intensity, params, 2.0 * half_spread)
            flow.add_trade(
                state.intensity, params, row.side, row.price, row.exch_ns, row.exch_ns, reference, half_spread
            )
        if row.side > 0:
            bought = row.price
        elif row.side < 0:
            sold = row.price
        i = m.trades % TRADES
        m.trades += 1
        m.trade_price[i] = row.price
        m.trade_qty[i] = row.side * row.qty
        m.trade_ns = min(row.exch_ns, m.now_ns)
        m.typical_qty += (row.qty - m.typical_qty) / min(m.trades, TYPICAL_TRADES)
    flow.close_order(state.intensity, params)
    if trades.size > 1:
        state.intensity[0].seconds += (trades[trades.size - 1].exch_ns - trades[0].exch_ns) / NS_PER_S


def warm_market(state: MarketState, params: Params, candles: NDArray[np.int64], trades: Rows) -> None:
    """Starts a fresh state from history; what live data has touched already stays as it is.

    Args:
        state: of the market, before or soon after its first messages.
        params: of the market.
        candles: (n, 6), oldest first: open time in ns; open, high, low, close in ticks; volume in lots.
        trades: TRADE rows, oldest first.
    """
    if len(candles):
        advance(state, params, int(candles[-1, 0]))
    if len(trades):
        advance(state, params, int(trades["local_ns"][-1]))
    if state.volatility["changes"][0] == 0 and state.market["candles"][0] == 0:
        closed = candles[candles[:, 0] // MINUTE_NS < state.market["minute"][0]]
        vol.warm_candles(state.volatility, params, closed[:, 4].astype(np.float64))
        _warm_candles(state, candles)
    if state.market["trades"][0] == 0:
        _warm_trades(state, params, trades)
