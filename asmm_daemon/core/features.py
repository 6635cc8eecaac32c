"""What the agent sees: the 22 features of the guide in its order, then the private extras.

`FEATURES` lists each with definition, window, sign, unit and normalisation. Raw prices are not
stationary, so prices are given against the mid, volumes as log1p of the typical size of a trade; mean
and scale are the model's own. The rolling minute is the second now running and the 59 before it. All is
read with our own quantity taken out of the book, at the time of a quote cycle.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core import intensity as flow
from asmm_daemon.core import volatility as vol
from asmm_daemon.core.book import ASK, BID
from asmm_daemon.core.inventory import Inventory, effective_max, target
from asmm_daemon.core.market import MarketState, advance
from asmm_daemon.core.market_record import CANDLES, SECONDS, TRADES
from asmm_daemon.core.own import top_volume
from asmm_daemon.core.params import RISK_LOTS, Params
from asmm_daemon.kernels import flat_kernel
from asmm_daemon.units import NS_PER_S

FEATURES_ID = "guide22/1"
TOP_LEVELS = 5
LAST_TRADES = 10
FLOW_S = 30
RATE_S = 10
RETURNS = 15


class Feature(NamedTuple):
    """One row of the table of features."""

    name: str
    definition: str
    window: str
    sign: str
    unit: str
    normalisation: str


_BOUGHT = "positive: buying takers prevail"
_HIGHER = "positive: higher"
_LONG = "positive: long"
_SIZE = "log1p of multiples of the typical trade"
_OF_MID = "bps of the mid"

FEATURES: tuple[Feature, ...] = tuple(
    Feature(*row)
    for row in (
        ("inventory", "(inventory − target)/risk_lot", "now", _LONG, "risk lots", "none"),
        ("inventory_fraction", "inventory/effective maximum", "now", _LONG, "1", "none"),
        ("target_distance", "|inventory − target|/effective maximum", "now", "≥ 0", "1", "none"),
        ("inventory_rate", "change of inventory", "one cycle", "positive: bought", "risk lots/s", "none"),
        ("best_bid", "best bid − mid one cycle ago", "one cycle", _HIGHER, "bps", "bps of that mid"),
        ("best_ask", "best ask − mid one cycle ago", "one cycle", _HIGHER, "bps", "bps of that mid"),
        ("bid_volume", "quantity at the best bid", "now", "≥ 0", "log", _SIZE),
        ("ask_volume", "quantity at the best ask", "now", "≥ 0", "log", _SIZE),
        ("spread", "best ask − best bid", "now", "≥ 0", "ticks", "ticks"),
        ("spread_bps", "(best ask − best bid)/mid", "now", "≥ 0", "bps", _OF_MID),
        ("imbalance", "(bids − asks)/(bids + asks), 5 levels", "now", "positive: more bids", "1", "none"),
        ("microprice", "microprice − mid", "now", _HIGHER, "bps", _OF_MID),
        ("weighted_mid", "microprice of the 5 levels' mean prices − mid", "now", _HIGHER, "bps", _OF_MID),
        ("trade_direction", "(bought − sold)/(bought + sold)", "last 10 trades", _BOUGHT, "1", "none"),
        ("trade_flow", "(bought − sold)/(bought + sold)", "30 s", _BOUGHT, "1", "none"),
        ("quote_rate", "changes of the best quote per second", "10 s", "≥ 0", "log", "log1p of 1/s"),
        ("trade_age", "time since the last trade, at most an hour", "now", "≥ 0", "log", "log1p of s"),
        ("volatility_1m", "rms of the candles' log returns", "15 closed minutes", "≥ 0", "bps", "bps"),
        ("momentum_1m", "mid − mid a minute ago", "rolling minute", _HIGHER, "bps", _OF_MID),
        ("volume_1m", "traded quantity", "rolling minute", "≥ 0", "log", _SIZE),
        ("vwap_distance", "mid − mean traded price", "rolling minute", _HIGHER, "bps", _OF_MID),
        ("range_1m", "highest − lowest mid", "rolling minute", "≥ 0", "bps", _OF_MID),
        ("unrealised_pnl", "unrealised PnL/(order size × price)", "now", "positive: gain", "bps", "bps"),
        ("kappa_sigma_sqrt_tau", "κ·σ(τ)·√τ", "the estimators'", "≥ 0", "1", "none"),
    )
)
FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
N_FEATURES = 22
EXTRAS: tuple[str, ...] = FEATURE_NAMES[N_FEATURES:]
N_STATE = len(FEATURES)


@flat_kernel
def _balance(bought: float, sold: float) -> float:
    total = bought + sold
    return (bought - sold) / total if total > 0.0 else 0.0


@flat_kernel
def _trade_direction(market: NDArray[Any]) -> float:
    m = market[0]
    bought = 0.0
    sold = 0.0
    for k in range(max(m.trades - LAST_TRADES, 0), m.trades):
        qty = m.trade_qty[k % TRADES]
        if qty > 0:
            bought += qty
        else:
            sold -= qty
    return _balance(bought, sold)


@flat_kernel
def _candle_volatility(market: NDArray[Any]) -> float:
    m = market[0]
    n = min(m.candles - 2, RETURNS)
    total = 0.0
    for k in range(m.minute - n, m.minute):
        change = np.log(m.candle_close[k % CANDLES] / m.candle_close[(k - 1) % CANDLES])
        total += change * change
    return 1e4 * np.sqrt(total / n) if n > 0 else 0.0


@flat_kernel
def _rolling(market: NDArray[Any], out: NDArray[np.float64]) -> None:
    # features 15, 16, 19 to 22: from the one-second buckets
    m = market[0]
    mid = m.mid
    bought = sold = changes = volume = turnover = 0.0
    high = low = mid
    for k in range(60):
        i = (m.second - k) % SECONDS
        if k < RATE_S:
            changes += m.changes[i]
        if k < FLOW_S:
            bought += m.bought[i]
            sold += m.sold[i]
        volume += m.volume[i]
        turnover += m.turnover[i]
        high = max(high, m.mid_high[i])
        low = min(low, m.mid_low[i])
    bps = 1e4 / mid
    out[14] = _balance(bought, sold)
    out[15] = np.log1p(changes / RATE_S)
    out[18] = (mid - m.mid_last[(m.second - 60) % SECONDS]) * bps
    out[19] = np.log1p(volume / max(m.typical_qty, 1.0))
    out[20] = (mid - turnover / volume) * bps if volume > 0.0 else 0.0
    out[21] = (high - low) * bps


@flat_kernel
def market_features(state: MarketState, params: Params, t_ns: int, out: NDArray[np.float64]) -> None:
    """The market's part of `features`, 5 to 22, the same for every inventory; the rest are 0."""
    advance(state, params, t_ns)
    for i in range(N_STATE):
        out[i] = 0.0
    m = state.market[0]
    mid = m.mid
    if mid <= 0.0:
        return
    bps = 1e4 / mid
    then = m.cycle_mid if m.cycle_mid > 0.0 else mid
    out[4] = (m.bid - then) * 1e4 / then
    out[5] = (m.ask - then) * 1e4 / then
    typical = max(m.typical_qty, 1.0)
    out[6] = np.log1p(m.bid_qty / typical)
    out[7] = np.log1p(m.ask_qty / typical)
    out[8] = m.ask - m.bid
    out[9] = (m.ask - m.bid) * bps
    if m.valid:
        bid_lots, bid_mean = top_volume(state.book, state.market, BID, TOP_LEVELS)
        ask_lots, ask_mean = top_volume(state.book, state.market, ASK, TOP_LEVELS)
        out[10] = _balance(bid_lots, ask_lots)
        weighted = (bid_mean * ask_lots + ask_mean * bid_lots) / (bid_lots + ask_lots)
        out[12] = (weighted - mid) * bps
    out[11] = (m.micro - mid) * bps
    out[13] = _trade_direction(state.market)
    out[16] = np.log1p(min((m.now_ns - m.trade_ns) / NS_PER_S, 3600.0))
    out[17] = _candle_volatility(state.market)
    _rolling(state.market, out)
    m.cycle_mid = mid


@flat_kernel
def own_features(
    state: MarketState, params: Params, inventory: Inventory, t_ns: int, out: NDArray[np.float64]
) -> None:
    """The rest of `features` (1 to 4 and the extras), beside what `market_features` wrote into `out`.

    `state` need not be the one that the market's part was read from: mid, times and estimators suffice.
    """
    m = state.market[0]
    if m.mid <= 0.0:
        return
    p = params[0]
    price = m.mid * p.tick
    lots = inventory[0].lots
    most = effective_max(params, price) / p.lot
    goal = target(params, price) / p.lot
    risk_lot = most / RISK_LOTS
    out[0] = (lots - goal) / risk_lot
    out[1] = lots / most
    out[2] = abs(lots - goal) / most
    if m.cycle_ns != 0 and t_ns > m.cycle_ns:
        out[3] = (lots - m.cycle_lots) / risk_lot / ((t_ns - m.cycle_ns) / NS_PER_S)
    size = p.order_size if p.size_in_quote else p.order_size * price
    out[22] = inventory[0].unrealised / size * 1e4
    kappa, _, _, slow = flow.kappas(state.intensity, params, m.mid)
    tau = vol.horizon(state.volatility, params, slow, m.now_ns - m.first_ns)
    sigma = vol.at_horizon(vol.current(state.volatility), vol.growth(state.volatility, tau))
    out[23] = kappa * sigma * np.sqrt(tau)
    m.cycle_ns = t_ns
    m.cycle_lots = lots


@flat_kernel
def features(
    state: MarketState, params: Params, inventory: Inventory, t_ns: int, out: NDArray[np.float64]
) -> bool:
    """Fills `out` (N_STATE,) at a quote cycle; call it once a cycle, since lags refer to the last call.

    Returns whether the book is valid and all are finite; without a valid book the last mid stands in,
    and before the first one all are 0.
    """
    market_features(state, params, t_ns, out)
    own_features(state, params, inventory, t_ns, out)
    finite = state.market[0].valid
    for i in range(N_STATE):
        finite = finite and np.isfinite(out[i])
    return bool(finite)
