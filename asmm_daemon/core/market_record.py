"""The MARKET record: what is kept of one market beside its book and its estimators."""

import numpy as np

from asmm_daemon.core.own import OWN

TRADES = 64
"""Trades remembered."""
SECONDS = 64
"""One-second buckets remembered: enough for a rolling minute."""
CANDLES = 64
"""One-minute candles remembered."""

MARKET = np.dtype(
    [
        ("now_ns", np.int64),  # latest time seen; 0: nothing yet
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
        ("reference", np.float64),  # ticks; mid at the last 5 s sample, the start of a cycle
        ("sample_ns", np.int64),  # when the next 5 s sample is due
        ("exposed_ns", np.int64),  # time with a valid book since the last sample
        ("funding_rate", np.float64),  # fraction; NaN unknown
        ("funding_ns", np.int64),  # when it is applied
        ("mark", np.int64),  # mark price in ticks; 0 unknown
        ("messages", np.int64),
        ("gaps", np.int64),
        ("trades", np.int64),  # trades since the start
        ("trade_price", np.int64, (TRADES,)),  # rings of trades: ticks, signed lots
        ("trade_qty", np.int64, (TRADES,)),
        ("typical_qty", np.float64),  # slow mean of a trade's lots
        ("second", np.int64),  # the second being counted
        ("changes", np.int64, (SECONDS,)),  # rings of seconds: changes of the best quote
        ("bought", np.float64, (SECONDS,)),  # lots bought by takers
        ("sold", np.float64, (SECONDS,)),  # lots sold by takers
        ("volume", np.float64, (SECONDS,)),  # lots traded
        ("turnover", np.float64, (SECONDS,)),  # ticks × lots
        ("mid_high", np.float64, (SECONDS,)),  # ticks
        ("mid_low", np.float64, (SECONDS,)),
        ("mid_last", np.float64, (SECONDS,)),
        ("minute", np.int64),  # the minute of the newest candle
        ("candles", np.int64),  # candles since the start, the newest one included
        ("candle_open", np.float64, (CANDLES,)),  # rings of candles of trades, ticks
        ("candle_high", np.float64, (CANDLES,)),
        ("candle_low", np.float64, (CANDLES,)),
        ("candle_close", np.float64, (CANDLES,)),
        ("candle_volume", np.float64, (CANDLES,)),  # lots
        ("owns", np.int64),  # what of ours rests
        ("own_side", np.int64, (OWN,)),
        ("own_price", np.int64, (OWN,)),
        ("own_qty", np.int64, (OWN,)),
        ("cycle_ns", np.int64),  # time of the last cycle's features; 0: none
        ("cycle_mid", np.float64),  # mid in ticks and inventory in lots then
        ("cycle_lots", np.float64),
    ],
    align=True,
)
