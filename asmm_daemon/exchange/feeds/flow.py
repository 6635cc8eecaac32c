"""The order flow of a made-up market, as one compiled generator.

A hidden value moves by regimes of volatility, a mean-reverting drift (trends) and jumps. Dealers
quote around a centre that follows the value only when it has run away from them; takers arrive as a
Hawkes process with a fast and a slow memory per side, more often on the side on which the value
already lies: that is the informed flow, and why a passive fill tends to lose afterwards. A taker
walks the book; what he removed is refilled around the centre, what he knew stays in the price.

Distances are in basis points of the price, times in seconds since the start, prices in ticks.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.events import CLEAR, DEPTH, ROW, TRADE
from asmm_daemon.kernels import kernel

LEVELS = 48
"""Levels that a side may hold."""
MAX_MESSAGE_ROWS = 4 * LEVELS
_MAX_TAKEN = 24

MARKET = np.dtype(
    [
        ("depth", np.float64),  # lots of a typical level
        ("sigma", np.float64),  # bps per square root second in the middle regime
        ("half_spread", np.float64),  # bps
        ("tolerance", np.float64),  # bps that the value may run before dealers follow
        ("gap", np.float64),  # bps between levels near the touch
        ("book_s", np.float64),  # mean seconds between book messages
        ("rate", np.float64),  # taker orders per second
        ("size", np.float64),  # lots of the median taker order
        ("memory", np.float64),  # factor on how long takers remember takers
        ("drift", np.float64),  # bps per second, standard deviation of the trend
        ("jump", np.float64),  # bps, scale of a jump
        ("informed", np.float64),  # how strongly takers lean to the side on which the value lies
        ("following", np.float64),  # how strongly they lean with the trend
        ("impact", np.float64),  # share of the tolerance by which a median order moves the value
        ("wanders", np.bool_),  # whether the regime of volatility changes by itself
    ],
    align=True,
)

STATE = np.dtype(
    [
        ("seed", np.uint64),
        ("t", np.float64),
        ("book_t", np.float64),
        ("value", np.float64),  # ticks
        ("centre", np.float64),  # ticks
        ("drift", np.float64),
        ("regime", np.int64),
        ("regime_t", np.float64),
        ("until", np.float64),  # `generate` stops at the first message from here on
        ("fast", np.float64, 2),  # excitation of buys and sells
        ("slow", np.float64, 2),
        ("count", np.int64, 2),  # levels of bids and asks
        ("trades", np.int64),
        ("updates", np.int64),
    ],
    align=True,
)

_FAST_S, _SLOW_S = 0.25, 20.0
_FAST_SHARE, _SLOW_SHARE = 0.58, 0.30
_CROSS = 0.03
_TREND_S = 90.0
_JUMP_EVERY_S = 1800.0


@kernel
def _uniform(state: NDArray[Any]) -> float:
    """A number in (0, 1): splitmix64."""
    s = state[0]
    s.seed += np.uint64(0x9E3779B97F4A7C15)
    z = s.seed
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z = z ^ (z >> np.uint64(31))
    return (float(z >> np.uint64(11)) + 0.5) / 9007199254740992.0


@kernel
def _exponential(state: NDArray[Any]) -> float:
    return float(-np.log(_uniform(state)))


@kernel
def _normal(state: NDArray[Any]) -> float:
    return float(np.sqrt(-2.0 * np.log(_uniform(state))) * np.cos(2.0 * np.pi * _uniform(state)))


@kernel
def _lots(state: NDArray[Any], market: NDArray[Any], away_bps: float) -> int:
    """A level's quantity: lognormal about a typical size that grows a little behind the touch."""
    typical = market[0].depth * (0.5 + 1.5 * (1.0 - np.exp(-away_bps / 2.0)))
    return max(1, int(typical * np.exp(0.9 * _normal(state))))


@kernel
def _put(
    prices: NDArray[np.int64], lots: NDArray[np.int64], count: int, side: int, price: int, qty: int
) -> int:
    """Sets a level in the sorted side, best first; returns the new count."""
    i = 0
    while i < count and side * prices[i] > side * price:
        i += 1
    if i < count and prices[i] == price:
        if qty > 0:
            lots[i] = qty
            return count
        for k in range(i, count - 1):
            prices[k] = prices[k + 1]
            lots[k] = lots[k + 1]
        return count - 1
    if qty <= 0 or i >= LEVELS:
        return count
    count = min(count + 1, LEVELS)
    for k in range(count - 1, i, -1):
        prices[k] = prices[k - 1]
        lots[k] = lots[k - 1]
    prices[i] = price
    lots[i] = qty
    return count


@kernel
def _emit(rows: NDArray[Any], at: int, t: float, kind: int, side: int, price: int, qty: int, uid: int) -> int:
    row = rows[at]
    row.exch_ns = np.int64(t * 1e9)
    row.kind = kind
    row.side = side
    row.price = price
    row.qty = qty
    row.id = uid
    row.last = False
    return at + 1


@kernel
def _set(
    state: NDArray[Any], prices: NDArray[np.int64], lots: NDArray[np.int64], rows: NDArray[Any], at: int,
    side: int, price: int, qty: int,
) -> int:  # fmt: skip
    """Changes a level and writes its row."""
    s = state[0]
    k = 0 if side > 0 else 1
    full = s.count[k] == LEVELS
    worst = prices[k, LEVELS - 1]
    if full and qty > 0 and side * price <= side * worst and price != worst:
        return at
    before = s.count[k]
    s.count[k] = _put(prices[k], lots[k], before, side, price, qty)
    at = _emit(rows, at, s.t, DEPTH, side, price, qty, s.updates)
    if full and qty > 0 and s.count[k] == LEVELS and prices[k, LEVELS - 1] != worst:
        at = _emit(rows, at, s.t, DEPTH, side, worst, 0, s.updates)
    return at


@kernel
def _advance_value(state: NDArray[Any], market: NDArray[Any], dt: float) -> None:
    """Moves regime, trend and hidden value over `dt` seconds."""
    s = state[0]
    m = market[0]
    if m.wanders and s.t >= s.regime_t:
        draw = _uniform(state)
        s.regime = 0 if draw < 0.45 else (1 if draw < 0.85 else 2)
        s.regime_t = s.t + _exponential(state) * (240.0 if s.regime < 2 else 60.0)
    scale = 0.55 if s.regime == 0 else (1.0 if s.regime == 1 else 2.1)
    keep = np.exp(-dt / _TREND_S)
    s.drift = s.drift * keep + m.drift * np.sqrt(1.0 - keep * keep) * _normal(state)
    move = s.drift * scale * dt + m.sigma * scale * np.sqrt(dt) * _normal(state)
    if _uniform(state) < dt / _JUMP_EVERY_S:
        move += m.jump * _exponential(state) * (1.0 if _uniform(state) < 0.5 else -1.0)
        if m.wanders:
            s.regime = 2
            s.regime_t = s.t + _exponential(state) * 60.0
    s.value *= np.exp(move * 1e-4)


@kernel
def _quote(
    state: NDArray[Any], market: NDArray[Any], prices: NDArray[np.int64], lots: NDArray[np.int64],
    rows: NDArray[Any], at: int,
) -> int:  # fmt: skip
    """Dealers follow the value and refill the touch: stale levels go, better ones appear."""
    s = state[0]
    m = market[0]
    bps = s.centre * 1e-4
    if abs(s.value - s.centre) > m.tolerance * bps * (0.5 + _exponential(state)):
        s.centre = s.value + 0.25 * m.tolerance * bps * _normal(state)
    wide = m.half_spread * (1.0 if s.regime < 2 else 1.4) * bps
    bid = int(np.floor(s.centre - wide))
    ask = max(int(np.ceil(s.centre + wide)), bid + 1)
    for side in (1, -1):
        k = 0 if side > 0 else 1
        goal = bid if side > 0 else ask
        limit = ask if side > 0 else bid
        while s.count[k] > 0 and side * prices[k, 0] > side * goal:
            if side * prices[k, 0] < side * limit and _uniform(state) < 0.15:
                break
            at = _set(state, prices, lots, rows, at, side, prices[k, 0], 0)
        if s.count[k] == 0 or side * prices[k, 0] < side * goal:
            at = _set(state, prices, lots, rows, at, side, goal, _lots(state, market, 0.0))
        elif _uniform(state) < 0.5:
            at = _set(state, prices, lots, rows, at, side, prices[k, 0], _lots(state, market, 0.0))
    while s.count[0] > 0 and s.count[1] > 0 and prices[0, 0] >= prices[1, 0]:
        side = 1 if prices[0, 0] > bid else -1
        at = _set(state, prices, lots, rows, at, side, prices[0 if side > 0 else 1, 0], 0)
    return at


@kernel
def _shuffle(
    state: NDArray[Any], market: NDArray[Any], prices: NDArray[np.int64], lots: NDArray[np.int64],
    rows: NDArray[Any], at: int, changes: int,
) -> int:  # fmt: skip
    """Orders come, change and go behind the touch."""
    s = state[0]
    m = market[0]
    bps = s.centre * 1e-4
    for _ in range(changes):
        side = 1 if _uniform(state) < 0.5 else -1
        k = 0 if side > 0 else 1
        n = s.count[k]
        if n == 0:
            continue
        pick = min(1 + int(6.0 * _exponential(state)), n - 1)
        draw = _uniform(state)
        if n < LEVELS // 2 or draw < 0.30:
            away = (m.gap * (1.0 + 12.0 * _exponential(state) * _uniform(state))) * bps
            price = prices[k, 0] - side * max(1, int(away))
            at = _set(state, prices, lots, rows, at, side, price, _lots(state, market, away / bps))
        elif pick > 0 and draw < 0.55:
            at = _set(state, prices, lots, rows, at, side, prices[k, pick], 0)
        elif pick > 0:
            away = abs(prices[k, pick] - prices[k, 0]) / bps
            at = _set(state, prices, lots, rows, at, side, prices[k, pick], _lots(state, market, away))
    return at


@kernel
def _take(
    state: NDArray[Any], market: NDArray[Any], prices: NDArray[np.int64], lots: NDArray[np.int64],
    rows: NDArray[Any], at: int, side: int,
) -> int:  # fmt: skip
    """A taker order walks the opposite side: one message a trade, then one for the book."""
    s = state[0]
    m = market[0]
    k = 1 if side > 0 else 0
    left = max(1, int(m.size * np.exp(1.5 * _normal(state))))
    if _uniform(state) < 0.03:
        left *= 12
    taken = 0
    whole = left
    touched = np.empty(_MAX_TAKEN, np.int64)
    rest = np.empty(_MAX_TAKEN, np.int64)
    while left > 0 and s.count[k] > 2 and taken < _MAX_TAKEN:
        price = prices[k, 0]
        qty = min(left, lots[k, 0])
        s.trades += 1
        at = _emit(rows, at, s.t, TRADE, side, price, qty, s.trades)
        rows[at - 1].last = True
        touched[taken] = price
        rest[taken] = lots[k, 0] - qty
        s.count[k] = _put(prices[k], lots[k], s.count[k], -side, price, rest[taken])
        left -= qty
        taken += 1
    s.updates += 1
    for i in range(taken):
        at = _emit(rows, at, s.t, DEPTH, -side, touched[i], rest[i], s.updates)
    if taken > 0:
        rows[at - 1].last = True
    s.value *= 1.0 + side * 1e-4 * m.impact * min(whole / m.size, 30.0) * m.tolerance
    return at


@kernel
def start(
    state: NDArray[Any], market: NDArray[Any], prices: NDArray[np.int64], lots: NDArray[np.int64],
    rows: NDArray[Any],
) -> int:  # fmt: skip
    """The first message: both sides cleared, then every level. Returns rows written."""
    s = state[0]
    s.updates += 1
    at = _emit(rows, 0, s.t, CLEAR, 1, 0, 0, s.updates)
    at = _emit(rows, at, s.t, CLEAR, -1, 0, 0, s.updates)
    at = _quote(state, market, prices, lots, rows, at)
    at = _shuffle(state, market, prices, lots, rows, at, 2 * LEVELS)
    rows[at - 1].last = True
    return at


@kernel
def generate(
    state: NDArray[Any], market: NDArray[Any], prices: NDArray[np.int64], lots: NDArray[np.int64],
    rows: NDArray[Any],
) -> int:  # fmt: skip
    """Fills `rows` with further messages until it is nearly full or `until`. Returns rows written.

    `prices`, `lots`: (2, LEVELS), bids first, best level first. `rows` carry times relative to the
    start in `exch_ns`; `local_ns` adds the way to a client.
    """
    s = state[0]
    m = market[0]
    base = m.rate * 0.5 * (1.0 - _FAST_SHARE - _SLOW_SHARE)
    fast_s, slow_s = _FAST_S * m.memory, _SLOW_S * m.memory
    at = 0
    while at + MAX_MESSAGE_ROWS < rows.size and s.t < s.until:
        tilt = (s.value - s.centre) / (m.tolerance * s.centre * 1e-4)
        lean = m.informed * min(max(tilt, -4.0), 4.0) + m.following * s.drift / m.drift
        buys = 1.0 / (1.0 + np.exp(-lean))
        calm = 0.7 if s.regime == 0 else (1.0 if s.regime == 1 else 2.2)
        busy = 2.0 * base * calm * (1.0 + 0.5 * abs(tilt))
        bound = busy + s.fast.sum() + s.slow.sum()
        wait = _exponential(state) / bound
        is_book = s.t + wait >= s.book_t
        dt = s.book_t - s.t if is_book else wait
        s.t += dt
        _advance_value(state, market, dt)
        s.fast *= np.exp(-dt / fast_s)
        s.slow *= np.exp(-dt / slow_s)
        first = at
        if is_book:
            s.book_t = s.t + m.book_s * (0.3 + 0.7 * _exponential(state))
            s.updates += 1
            at = _quote(state, market, prices, lots, rows, at)
            at = _shuffle(state, market, prices, lots, rows, at, int(3.0 * _uniform(state) + 0.5))
            if at > first:
                rows[at - 1].last = True
        else:
            buy = busy * buys + s.fast[0] + s.slow[0]
            sell = busy * (1.0 - buys) + s.fast[1] + s.slow[1]
            if _uniform(state) * bound > buy + sell:
                continue
            side = 1 if _uniform(state) * (buy + sell) < buy else -1
            own = 0 if side > 0 else 1
            s.fast[own] += _FAST_SHARE / fast_s * (1.0 - _CROSS)
            s.fast[1 - own] += _FAST_SHARE / fast_s * _CROSS
            s.slow[own] += _SLOW_SHARE / slow_s * (1.0 - _CROSS)
            s.slow[1 - own] += _SLOW_SHARE / slow_s * _CROSS
            at = _take(state, market, prices, lots, rows, at, side)
        lag = np.int64(2e6 + 3e6 * _exponential(state))
        for i in range(first, at):
            rows[i].local_ns = rows[i].exch_ns + lag
    return at


def new_state(seed: int, price: float) -> tuple[NDArray[Any], NDArray[np.int64], NDArray[np.int64]]:
    """A market's state before its first message: record, level prices, level lots."""
    state = np.zeros(1, STATE)
    state["seed"] = np.uint64(seed & 0xFFFFFFFFFFFFFFFF)
    state["value"] = state["centre"] = price
    state["regime"] = 1
    state["regime_t"] = 120.0
    state["until"] = np.inf
    return state, np.zeros((2, LEVELS), np.int64), np.zeros((2, LEVELS), np.int64)


def new_rows(count: int) -> NDArray[Any]:
    """A buffer of rows."""
    return np.zeros(count, ROW)
