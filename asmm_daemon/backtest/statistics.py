"""The figures of a backtest: the paper's four indicators, and what a market maker asks besides.

Sharpe, Sortino, maximum drawdown and PnL-to-MAP follow Falces Marín et al. (2022) and their code: per
step, from changes of net equity. All is linear in rows; a figure that has no meaning is NaN.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.chain import changes, known_equity, merge
from asmm_daemon.backtest.periods import DAY_S, day_changes
from asmm_daemon.backtest.ratios import annualised, drawdown_ratio, drawdowns, sharpe, sortino
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.trades import Markout, closing_gains, markouts, spread_captured_bps

NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Statistics:
    """Figures of one strategy; money in quote currency, shares from 0 to 1.

    Inventory is in base currency. On spot it counts from the target, and results are against holding that.
    """

    days: float  # observed: steps × cycle
    steps: int
    sharpe_step: float  # mean(Δ)/std(Δ) of net equity per step
    sortino_step: float  # mean(Δ)/√mean(min(Δ, 0)²) per step
    drawdown_max: float  # largest fall of net equity from its peak
    pnl_to_map: float  # net PnL / mean |inventory|: quote currency per unit of base
    drawdown_max_ratio: float  # largest share of capital + peak lost from a peak
    sharpe_daily: float  # of the changes of whole UTC days, NaN under two
    sortino_daily: float
    sharpe_annual: float  # daily × √365
    sortino_annual: float
    days_counted: int  # UTC days that the daily ratios rest on: see periods.day_changes
    pnl_net: float
    pnl_gross: float  # before fees and funding
    fees: float  # paid; a rebate is negative
    funding: float  # received by positions in perpetuals; negative: paid
    return_on_capital: float  # net PnL / capital
    volume: float  # quote currency traded
    fills: int
    fills_per_day: float
    maker_share: float  # of the volume
    turnover_per_day: float  # half the base volume a day / mean |inventory|: round trips of the mean position
    win_rate: float  # share of closing fills that realised a gain at average cost, before fees
    closing_fills: int
    spread_captured_bps: float  # against the mid at the fill, weighted by quantity: see trades
    half_spread_bps: float  # mean of what was decided, of the mid
    quoted_both_share: float  # of healthy time: a bid and an ask of ours near the mid
    quoted_bid_share: float
    quoted_ask_share: float
    limit_share: float  # of healthy time: |inventory| beyond 90 % of its effective maximum
    healthy_s: float  # with a known, uncrossed book
    inventory_mean_abs: float
    inventory_max_abs: float
    markouts: tuple[Markout, ...] = ()
    counts: dict[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the fields by name, None for NaN."""
        plain: dict[str, Any] = _plain(asdict(self))
        return plain

    def markout_bps(self, horizon_s: float) -> float:
        """The mark-out at a horizon in seconds; NaN for one that is not measured."""
        return next((m.bps for m in self.markouts if m.horizon_s == horizon_s), NAN)


def measure(*results: Result) -> Statistics:
    """The statistics of one run, or of consecutive runs as one. Raises AsmmError as `merge` does."""
    run = merge(results)
    steps, fills = run.steps, run.fills
    equity = known_equity(steps)
    per_step, per_day = changes(equity), day_changes(run)
    days = steps.size * run.cycle_s / DAY_S
    net, fees, funding, volume = (
        float(v[-1]) if v.size else 0.0 for v in (equity, *(steps[n] for n in ("fees", "funding", "volume")))
    )
    held = np.abs(steps["inventory"] - steps["target"])
    mean_held = float(held.mean()) if held.size else NAN
    gains = np.concatenate([closing_gains(result.fills) for result in results])
    healthy_s = float(steps["healthy_s"].sum())
    notional = fills["price"] * fills["qty"]
    return Statistics(
        days=days,
        steps=steps.size,
        sharpe_step=sharpe(per_step),
        sortino_step=sortino(per_step),
        drawdown_max=float(drawdowns(equity).max(initial=0.0)),
        pnl_to_map=_ratio(net, mean_held),
        drawdown_max_ratio=drawdown_ratio(equity, run.capital),
        sharpe_daily=sharpe(per_day),
        sortino_daily=sortino(per_day),
        sharpe_annual=annualised(sharpe(per_day)),
        sortino_annual=annualised(sortino(per_day)),
        days_counted=per_day.size,
        pnl_net=net,
        pnl_gross=net + fees - funding,
        fees=fees,
        funding=funding,
        return_on_capital=_ratio(net, run.capital),
        volume=volume,
        fills=fills.size,
        fills_per_day=_ratio(fills.size, days),
        maker_share=_ratio(float(notional[fills["maker"]].sum()), float(notional.sum())),
        turnover_per_day=_ratio(_ratio(float(fills["qty"].sum()) / 2, mean_held), days),
        win_rate=float(np.mean(gains > 0)) if gains.size else NAN,
        closing_fills=gains.size,
        spread_captured_bps=spread_captured_bps(fills),
        half_spread_bps=_mean_known(steps["half_spread"] / steps["mid"] * 1e4),
        quoted_both_share=_ratio(float(steps["near_both_s"].sum()), healthy_s),
        quoted_bid_share=_ratio(float(steps["near_bid_s"].sum()), healthy_s),
        quoted_ask_share=_ratio(float(steps["near_ask_s"].sum()), healthy_s),
        limit_share=_ratio(float(steps["limit_s"].sum()), healthy_s),
        healthy_s=healthy_s,
        inventory_mean_abs=mean_held,
        inventory_max_abs=float(held.max(initial=0.0)),
        markouts=markouts(fills),
        counts=run.counts,
    )


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole > 0 else NAN


def _mean_known(values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else NAN


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_plain(item) for item in value]
    return value if not isinstance(value, float) or isfinite(value) else None
