"""Results without an engine: by hand, or from a seeded market that a plausible maker trades in."""

from decimal import Decimal

import numpy as np

from asmm_daemon.backtest.result import FILL, HORIZONS_S, STEP, Result
from asmm_daemon.tape.columns import TapeInfo

S = 1_000_000_000
DAY = 86_400 * S
T0 = 20_000 * DAY  # midnight UTC

INFO = TapeInfo(
    venue="binance",
    product="binanceusdm",
    symbol="BTCUSDT",
    base="BTC",
    quote="USDT",
    tick=Decimal("0.1"),
    lot=Decimal("0.001"),
    min_notional=Decimal(5),
)


def made_steps(equity, *, cycle_s=5.0, t0=T0, **columns):
    """Steps with an equity by hand; other columns are quiet unless given."""
    equity = np.asarray(equity, float)
    steps = np.zeros(equity.size, STEP)
    steps["t_ns"] = t0 + np.round((np.arange(equity.size) + 1) * cycle_s * S).astype(np.int64)
    steps["equity"], steps["mid"], steps["healthy_s"] = equity, 100.0, cycle_s
    for name in ("bid", "ask", "half_spread"):
        steps[name] = np.nan
    steps["action"] = -1
    for name, values in columns.items():
        steps[name] = values
    return steps


def made_fills(*rows, mid=100.0, later=np.nan, maker=True, t0=T0):
    """Fills (side, price, qty), a second apart."""
    fills = np.zeros(len(rows), FILL)
    for i, (side, price, qty) in enumerate(rows):
        fills[i] = (t0 + (i + 1) * S, i, -1, side, maker, price, qty, 0.0, mid, later)
    return fills


def made_result(equity, fills=(), *, cycle_s=5.0, capital=1000.0, strategy="by hand", t0=T0, **columns):
    """A result by hand. `fills`: see made_fills, or an array."""
    made = fills if isinstance(fills, np.ndarray) else made_fills(*fills, t0=t0)
    steps = made_steps(equity, cycle_s=cycle_s, t0=t0, **columns)
    return Result(INFO, strategy, capital, cycle_s, steps, made)


def market_result(seed=1, hours=24.0, *, cycle_s=5.0, half_spread=6.0, fee=-0.00005, **changes):
    """A random-walk mid, quotes around it that lean against inventory, fills where the mid came near.

    Accounts are kept at average cost step by step, so that a test may hold other sums against them.
    """
    rng = np.random.default_rng(seed)
    n = int(hours * 3600 / cycle_s)
    t0 = changes.pop("t0", T0)
    mid = 60_000.0 + np.cumsum(rng.normal(0, 3.0 * np.sqrt(cycle_s), n))
    steps = made_steps(np.zeros(n), cycle_s=cycle_s, t0=t0)
    steps["mid"] = mid
    steps["mid"][:3] = np.nan
    limit, size = 0.5, 0.02
    held = cost = cash = realised = fees = volume = 0.0
    fills = []
    for i in range(3, n):
        gamma = (0.01, 0.1, 0.2, 0.9)[int(4 * (0.5 + 0.49 * np.sin(i / 400 + seed)))]
        skew = -held / limit
        half = half_spread * (1 + gamma)
        bid = np.floor((mid[i] - half + skew * half) * 10) / 10 if held < limit - size else np.nan
        ask = np.ceil((mid[i] + half + skew * half) * 10) / 10 if held > size - limit else np.nan
        for side, price in ((1, bid), (-1, ask)):
            if not np.isfinite(price) or rng.random() > 0.05:
                continue
            signed = side * size
            if held * signed >= 0:
                cost += signed * price
            else:
                realised += -signed * (price - cost / held)
                cost += signed * cost / held
            held = round(held + signed, 9)
            cost = cost if held else 0.0
            cash -= signed * price
            fees += fee * size * price
            volume += size * price
            at = [min(i + int(h / cycle_s), n - 1) for h in HORIZONS_S]
            fills.append(
                (
                    t0 + int((i + 0.5) * cycle_s * S),
                    len(fills),
                    i,
                    side,
                    True,
                    price,
                    size,
                    fee * size * price,
                    mid[i],
                    mid[at],
                )
            )
        step = steps[i]
        step["inventory"], step["equity"] = held, cash + held * mid[i] - fees
        step["realised"], step["fees"], step["volume"] = realised, fees, volume
        step["bid"], step["ask"], step["half_spread"] = bid, ask, half
        step["gamma"], step["skew"], step["sigma"], step["kappa"] = gamma, skew, 3.0, 0.2
        step["near_bid_s"] = cycle_s * np.isfinite(bid)
        step["near_ask_s"] = cycle_s * np.isfinite(ask)
        step["near_both_s"] = min(step["near_bid_s"], step["near_ask_s"])
        step["limit_s"] = cycle_s * (abs(held) > 0.9 * limit)
    settings = {
        "max_inventory": limit,
        "maker_fee_bps": fee * 1e4,
        "latency_ms": 20.0,
        "order_size": size,
        "seed": seed,
    } | changes.pop("settings", {})
    made = np.array(fills, FILL) if fills else np.zeros(0, FILL)
    counts = {"orders": 2 * n, "amends": n, "cancels": 0, "rows": 40 * n}
    return Result(
        INFO, changes.pop("strategy", "avellaneda_stoikov"), 10_000.0, cycle_s, steps, made, counts, settings
    )
