"""The 112 candidates for what an agent could be shown, sampled from a tape, and the direction to foretell.

`TABLE` defines each indicator; a column is `NAME_LAG`. Market indicators are those of `core/features.py`,
read every `step_s` seconds; their lags are such samples. Candle indicators describe the last six closed
minutes, lag 0 the newest. Private indicators come from a backtest of a strategy over the same stretch.
Families and names are those of Falces Marín et al. (PLOS ONE 2022), whose 22 are all among them. There
bid and ask stand against the mid of their own moment, which makes both half the spread; here they stand
against the mid a step earlier, as in the agent's features, and lags that fall into a gap show the last
known quote with imbalance 0.

| family | indicators | lags | columns |
|---|---|---|---|
| market | bid_price ask_price bid_qty ask_qty spread midprice imbalance microprice last_close_price last_close_qty | 0–6, 8 | 80 |
| candle | high low close | 0–5 | 18 |
| candle | ma std max min | none | 4 |
| private | inventory score | 0–4 | 10 |
"""  # noqa: E501  (a row of a table is one line)

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline, first_message, warm_up
from asmm_daemon.core.features import FEATURE_NAMES, N_STATE, features
from asmm_daemon.core.inventory import Inventory, new_inventory
from asmm_daemon.core.market import MarketState, message, new_market
from asmm_daemon.core.market_record import CANDLES, TRADES
from asmm_daemon.core.params import Params, to_record
from asmm_daemon.errors import ConfigError, TapeError
from asmm_daemon.kernels import flat_kernel
from asmm_daemon.tape.columns import TapeInfo
from asmm_daemon.units import NS_PER_S

Floats = NDArray[np.float64]

MARKET_LAGS = (0, 1, 2, 3, 4, 5, 6, 8)
CANDLE_LAGS = (0, 1, 2, 3, 4, 5)
PRIVATE_LAGS = (0, 1, 2, 3, 4)
ONCE = ()
"""The lags of an indicator that has none: its column carries its bare name."""


class Indicator(NamedTuple):
    """One row of the table of candidates: `lags` count samples, for candles closed minutes."""

    name: str
    definition: str
    unit: str
    lags: tuple[int, ...]


TABLE: tuple[Indicator, ...] = (
    Indicator("bid_price", "best bid − mid a step ago", "bps", MARKET_LAGS),
    Indicator("ask_price", "best ask − mid a step ago", "bps", MARKET_LAGS),
    Indicator("bid_qty", "quantity at the best bid", "log1p of typical trades", MARKET_LAGS),
    Indicator("ask_qty", "quantity at the best ask", "log1p of typical trades", MARKET_LAGS),
    Indicator("spread", "best ask − best bid", "bps", MARKET_LAGS),
    Indicator("midprice", "mid − mid a step ago", "bps", MARKET_LAGS),
    Indicator("imbalance", "(bids − asks)/(bids + asks), 5 levels", "1", MARKET_LAGS),
    Indicator("microprice", "microprice − mid", "bps", MARKET_LAGS),
    Indicator("last_close_price", "price of the last trade − mid", "bps", MARKET_LAGS),
    Indicator("last_close_qty", "quantity of the last trade", "log1p of typical trades", MARKET_LAGS),
    Indicator("high", "highest trade of the minute − its open", "bps", CANDLE_LAGS),
    Indicator("low", "lowest trade of the minute − its open", "bps", CANDLE_LAGS),
    Indicator("close", "last trade of the minute − its open", "bps", CANDLE_LAGS),
    Indicator("ma", "mean of the six closes, each against its open", "bps", ONCE),
    Indicator("std", "standard deviation of the same", "bps", ONCE),
    Indicator("max", "largest of the six highs, each against its open", "bps", ONCE),
    Indicator("min", "smallest of the six lows, each against its open", "bps", ONCE),
    Indicator("inventory", "inventory × mid", "bps of the capital", PRIVATE_LAGS),
    Indicator(
        "score", "change a step of realised − fees + min(unrealised, 0)", "bps of the capital", PRIVATE_LAGS
    ),
)
NAMES: tuple[str, ...] = tuple(
    name for row in TABLE for name in ([f"{row.name}_{lag}" for lag in row.lags] or [row.name])
)
"""The 112 columns in order."""
N_MARKET = 10
_MINUTES = len(CANDLE_LAGS)
N_CANDLE = 3 * _MINUTES + 4
SAMPLE = np.dtype(
    [
        ("t_ns", np.int64),
        ("valid", np.bool_),  # the book was valid then
        ("gaps", np.int64),  # gaps before it
        ("mid", np.float64),  # ticks
        ("ahead", np.float64),  # mid a horizon later − mid, ticks; NaN: not known
        ("market", np.float64, (N_MARKET,)),
        ("candle", np.float64, (N_CANDLE,)),
    ],
    align=True,
)
_BID, _ASK, _BID_QTY, _ASK_QTY, _SPREAD, _IMBALANCE, _MICRO = (
    FEATURE_NAMES.index(name)
    for name in ("best_bid", "best_ask", "bid_volume", "ask_volume", "spread_bps", "imbalance", "microprice")
)


@dataclass(frozen=True, slots=True)
class Candidates:
    """Samples whose direction is known, in order of time.

    `x` (n, 112) holds the columns `NAMES`; `up` (n,) is 1 where the mid is higher at `end_ns` than at
    `start_ns` and 0 where it is lower. Left out, and counted: samples without a valid book or a full
    history (`unready`), whose label spans a gap or the tape's end (`unknown`), and whose mid ends where
    it was (`unchanged`).
    """

    x: Floats
    up: NDArray[np.int8]
    start_ns: NDArray[np.int64]
    end_ns: NDArray[np.int64]
    unready: int
    unknown: int
    unchanged: int


@flat_kernel
def _read_market(state: MarketState, seen: Floats, out: Floats) -> None:
    m = state.market[0]
    out[0], out[1] = seen[_BID], seen[_ASK]
    out[2], out[3] = seen[_BID_QTY], seen[_ASK_QTY]
    out[4] = seen[_SPREAD]
    out[5] = 0.5 * (seen[_BID] + seen[_ASK])
    out[6], out[7] = seen[_IMBALANCE], seen[_MICRO]
    last = (m.trades - 1) % TRADES
    out[8] = (m.trade_price[last] - m.mid) * 1e4 / m.mid
    out[9] = np.log1p(abs(m.trade_qty[last]) / max(m.typical_qty, 1.0))


@flat_kernel
def _read_candles(state: MarketState, out: Floats) -> None:
    m = state.market[0]
    total = squares = 0.0
    highest = -np.inf
    lowest = np.inf
    for k in range(_MINUTES):
        i = (m.minute - 1 - k) % CANDLES
        bps = 1e4 / m.candle_open[i]
        high = (m.candle_high[i] - m.candle_open[i]) * bps
        low = (m.candle_low[i] - m.candle_open[i]) * bps
        close = (m.candle_close[i] - m.candle_open[i]) * bps
        out[k], out[_MINUTES + k], out[2 * _MINUTES + k] = high, low, close
        total += close
        squares += close * close
        highest = max(highest, high)
        lowest = min(lowest, low)
    mean = total / _MINUTES
    at = 3 * _MINUTES
    out[at] = mean
    out[at + 1] = np.sqrt(max(squares / _MINUTES - mean * mean, 0.0))
    out[at + 2] = highest
    out[at + 3] = lowest


@flat_kernel
def _take(state: MarketState, params: Params, inventory: Inventory, seen: Floats, sample: Any) -> None:
    m = state.market[0]
    sample.valid = features(state, params, inventory, sample.t_ns, seen)
    sample.mid = m.mid
    sample.gaps = m.gaps
    if m.trades > 0 and m.mid > 0.0:
        _read_market(state, seen, sample.market)
    if m.candles > _MINUTES + 1:
        _read_candles(state, sample.candle)


@flat_kernel
def _follow(
    state: MarketState,
    params: Params,
    inventory: Inventory,
    tape: Timeline,
    first: int,
    row: int,
    horizon_ns: int,
    seen: Floats,
    samples: NDArray[Any],
) -> None:
    """Goes through the messages from `first` on and fills every sample that is due before their end."""
    m = state.market[0]
    taken = told = 0
    for i in range(first, tape.ends.size + 1):
        now = tape.local_ns[i] if i < tape.ends.size else tape.local_ns[-1] + 1
        while told < samples.size:
            later = samples[told].t_ns + horizon_ns
            if taken < samples.size and samples[taken].t_ns <= later:
                if samples[taken].t_ns >= now:
                    break
                _take(state, params, inventory, seen, samples[taken])
                taken += 1
            else:
                if later >= now:
                    break
                if m.valid and samples[told].valid and samples[told].gaps == m.gaps:
                    samples[told].ahead = m.mid - samples[told].mid
                told += 1
        if i < tape.ends.size:
            message(state, params, tape.rows, row, tape.ends[i])
            row = tape.ends[i]


def lagged(values: Floats, lags: tuple[int, ...]) -> Floats:
    """Each column (n, k) at each lag, (n, k·lags), a column's lags side by side; NaN before the first."""
    out = np.full((len(values), values.shape[1], len(lags)), np.nan)
    for j, lag in enumerate(lags):
        out[lag:, :, j] = values[: len(values) - lag]
    return out.reshape(len(values), -1)


def private(result: Result, times: NDArray[np.int64]) -> Floats:
    """Inventory and score (n, 2) as of `times`, from the last step at or before each; flat before all."""
    steps = result.steps
    realised = steps["realised"] - steps["fees"] + steps["funding"]
    unrealised = steps["equity"] - realised
    level = np.concatenate([[0.0], np.nan_to_num(realised + np.minimum(unrealised, 0.0))])
    held = np.concatenate([[0.0], np.nan_to_num(steps["inventory"] * steps["mid"])])
    at = np.searchsorted(steps["t_ns"], times, side="right")
    score = np.diff(level[at], prepend=0.0)
    return np.column_stack([held[at], score]) * (1e4 / result.capital)


def collect(
    setup: Setup,
    info: TapeInfo,
    tape: Timeline,
    *,
    begin_ns: int = 0,
    end_ns: int | None = None,
    step_s: float = 5.0,
    horizon_s: float = 10.0,
) -> Candidates:
    """Samples every candidate from `begin_ns` to `end_ns` (both ends of the tape by default).

    Args:
        setup: the strategy whose inventory and PnL are the private indicators.
        info: the market.
        tape: its messages; those before `begin_ns` warm up.
        begin_ns: receive time of the first sample at the earliest.
        end_ns: receive time up to which labels may reach.
        step_s: seconds between samples.
        horizon_s: seconds ahead at which the direction is read.

    Raises:
        ConfigError: a step or horizon that is not positive.
        TapeError: no message, or no sample with a known direction there.
    """
    for name, value in (("step", step_s), ("horizon", horizon_s)):
        if value <= 0.0:
            raise ConfigError(f"{name} = {value:g} s: more than 0 s")
    params = to_record(setup.spec.quote, setup.spec.instrument)
    market = new_market()
    first = first_message(tape, begin_ns)
    row = warm_up(market, params, tape, first)
    if end_ns is not None:
        stop = int(np.searchsorted(tape.local_ns, end_ns, side="right"))
        tape = Timeline(tape.rows, tape.ends[:stop], tape.venue_ns[:stop], tape.local_ns[:stop])
    if first >= tape.ends.size:
        raise TapeError("the tape holds no whole message in the time asked for")
    step_ns = round(step_s * NS_PER_S)
    start = -(-int(tape.local_ns[first]) // step_ns) * step_ns
    times = np.arange(start, int(tape.local_ns[-1]) + 1, step_ns, dtype=np.int64)
    samples = np.zeros(times.size, SAMPLE)
    samples["t_ns"] = times
    for name in ("market", "candle", "ahead"):
        samples[name] = np.nan
    horizon_ns = round(horizon_s * NS_PER_S)
    _follow(market, params, new_inventory(), tape, first, row, horizon_ns, np.zeros(N_STATE), samples)
    own = private(run_fast(setup, info, tape, begin_ns=begin_ns), times)
    x = np.hstack([lagged(samples["market"], MARKET_LAGS), samples["candle"], lagged(own, PRIVATE_LAGS)])
    return _known(x, samples, horizon_ns)


def _known(x: Floats, samples: NDArray[Any], horizon_ns: int) -> Candidates:
    ahead = samples["ahead"]
    ready = samples["valid"] & np.isfinite(x).all(axis=1)
    told = ready & np.isfinite(ahead)
    kept = told & (ahead != 0.0)
    if not kept.any():
        raise TapeError(
            f"of {len(samples)} samples none has a full history and a known direction "
            f"{horizon_ns / NS_PER_S:g} s ahead: give a longer stretch of tape"
        )
    return Candidates(
        x=x[kept],
        up=(ahead[kept] > 0.0).astype(np.int8),
        start_ns=samples["t_ns"][kept],
        end_ns=samples["t_ns"][kept] + horizon_ns,
        unready=int(np.count_nonzero(~ready)),
        unknown=int(np.count_nonzero(ready & ~told)),
        unchanged=int(np.count_nonzero(told & ~kept)),
    )
