"""What a backtest hands to statistics, report and evaluation: one record a quote cycle, one a fill.

Prices and money are in quote currency, quantities in base currency, times in nanoseconds of the tape's
receive clock. Everything is counted from zero at the start of the run, which is flat: funding at the
midnight between two days' runs finds no position.
"""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.tape.columns import TapeInfo

HORIZONS_S = (1.0, 5.0, 30.0, 60.0)
"""Where mark-outs are read, in seconds after a fill."""

STEP = np.dtype(
    [
        ("t_ns", np.int64),  # end of the cycle that this record tells of
        ("mid", np.float64),  # the last valid mid; NaN before the first
        ("inventory", np.float64),
        ("target", np.float64),  # what equity is measured against holding: spot's inventory target, else 0
        (
            "equity",
            np.float64,
        ),  # cash + inventory × mid − fees + funding − what holding the target earned
        ("realised", np.float64),  # at average cost, before fees and funding
        ("fees", np.float64),  # paid so far; rebates make it negative
        ("funding", np.float64),  # received so far; negative: paid
        ("volume", np.float64),  # quote currency traded so far
        ("bid", np.float64),  # our best resting bid, NaN when none rests
        ("ask", np.float64),
        ("half_spread", np.float64),  # the decision's, NaN when it did not quote
        ("gamma", np.float64),
        ("skew", np.float64),
        ("sigma", np.float64),  # per √s
        ("kappa", np.float64),  # 1/quote currency
        ("action", np.int64),  # index in the model's grid, -1: from none
        ("healthy_s", np.float64),  # within this cycle: seconds with a known, uncrossed book
        ("near_bid_s", np.float64),  # ... of which a bid of ours rested near the mid
        ("near_ask_s", np.float64),
        ("near_both_s", np.float64),
        ("limit_s", np.float64),  # ... |inventory| beyond 90 % of the effective maximum
    ],
    align=True,
)
"""Near the mid: within max(5 bps, 2 ticks)."""

FILL = np.dtype(
    [
        ("t_ns", np.int64),  # venue time
        ("order", np.int64),  # number of the order, in the order of placing
        ("trade", np.int64),  # id of the tape's trade that caused it, -1: none did
        ("side", np.int8),  # +1 we bought
        ("maker", np.bool_),
        ("price", np.float64),
        ("qty", np.float64),
        ("fee", np.float64),
        ("mid", np.float64),  # the mid when it filled
        ("later", np.float64, (len(HORIZONS_S),)),  # the mid at each horizon after it, NaN: not known
    ],
    align=True,
)


@dataclass(frozen=True, slots=True)
class Result:
    """One run of one strategy over one tape.

    `counts` names what else was counted: orders, amends, cancels, post_only_rejects, messages, rows.
    """

    info: TapeInfo
    strategy: str
    capital: float
    cycle_s: float
    steps: NDArray[Any]
    fills: NDArray[Any]
    counts: dict[str, int] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def pnl(self) -> float:
        """Net result in quote currency at the end."""
        return float(self.steps["equity"][-1]) if self.steps.size else 0.0
