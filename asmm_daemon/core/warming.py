"""History into estimators, so that quoting need not wait for a minute of messages."""

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.market import MarketState, on_rows
from asmm_daemon.core.params import Params
from asmm_daemon.core.volatility import warm_candles
from asmm_daemon.events import Rows


def warm_market(market: MarketState, params: Params, candles: NDArray[np.int64], trades: Rows) -> None:
    """Trades fill the windows of the features, one-minute closes σ; κ needs the book of each trade."""
    if len(trades):
        on_rows(market, params, trades)
    if len(candles) > 1:
        warm_candles(market.volatility, params, candles[:, 4].astype(np.float64))
