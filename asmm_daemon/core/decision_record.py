"""The DECISION record: the desired quotes of one market and every number that led to them."""

from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.params import MAX_LEVELS


class Missing(IntFlag):
    """What a decision lacked. BOOK, SIGMA and PRICE mean no quotes; the others say what stood in."""

    BOOK = 1
    """No valid book."""
    SIGMA = 2
    """Fewer than 30 s of samples of the mid (the constant-spread models do without)."""
    KAPPA = 4
    """κ is still mostly its prior."""
    ACTION = 8
    """The action was not finite or out of range: the configured γ and skew stood in."""
    PRICE = 16
    """A number came out not finite."""


class Clamp(IntFlag):
    """What moved a quote away from the model's own number."""

    MIN_HALF_SPREAD = 1
    MAX_HALF_SPREAD = 2
    VOL_HIGH = 4
    VOL_EXTREME = 8
    TAU = 16
    """τ at a bound."""
    KAPPA = 32
    """κ at a bound."""
    BID_TOUCH = 64
    """Held one tick behind the other side's best, so as not to cross."""
    ASK_TOUCH = 128
    BID_COLLAR = 256
    """Pulled: farther from the microprice than the collar."""
    ASK_COLLAR = 512
    BID_ROOM = 1024
    """Smaller or left out: inventory, exposure, balance or venue minimum."""
    ASK_ROOM = 2048
    BID_OFF = 4096
    """Switched off from outside, or by the mode."""
    ASK_OFF = 8192
    FUNDING = 16384
    """The reference price is shifted by a near funding."""


DECISION = np.dtype(
    [
        ("t_ns", np.int64),
        ("missing", np.int64),  # Missing bits
        ("clamps", np.int64),  # Clamp bits
        ("model", np.int64),
        ("mode", np.int64),
        ("micro", np.float64),  # quote currency: the microprice that the quotes refer to
        ("m", np.float64),  # micro with the funding shift
        ("mid", np.float64),
        ("sigma", np.float64),  # quote currency per √s, at horizon τ
        ("sigma_normal", np.float64),  # the same at normal volatility
        ("vol_ratio", np.float64),  # current σ over normal σ
        ("kappa", np.float64),  # 1/quote currency
        ("kappa_bid", np.float64),  # what our bids meet
        ("kappa_ask", np.float64),
        ("intensity_a", np.float64),  # A, 1/s
        ("gamma", np.float64),  # dimensionless
        ("gamma_hat", np.float64),  # γ·κ, 1/quote currency
        ("skew", np.float64),  # half-spreads
        ("tau", np.float64),  # s
        ("q", np.float64),  # risk lots
        ("risk_lot", np.float64),  # base currency
        ("max_inventory", np.float64),  # base currency, effective
        ("target", np.float64),  # base currency
        ("shift", np.float64),  # quote currency by which one risk lot lowers the quotes
        ("fee", np.float64),  # quote currency per unit: c·m, 0 when left out
        ("half_spread", np.float64),  # quote currency, after clamps
        ("half_spread_model", np.float64),  # before clamps, fee and edge included
        ("half_spread_normal", np.float64),  # at normal volatility, after its own clamps
        ("reservation", np.float64),  # quote currency
        ("levels", np.int64),
        ("bid_price", np.int64, (MAX_LEVELS,)),  # ticks
        ("bid_qty", np.int64, (MAX_LEVELS,)),  # lots; 0: no quote at that level
        ("ask_price", np.int64, (MAX_LEVELS,)),
        ("ask_qty", np.int64, (MAX_LEVELS,)),
    ],
    align=True,
)
Decision = NDArray[Any]
"""One-element array of dtype DECISION."""


def new_decision() -> Decision:
    """An empty decision: no quotes."""
    return np.zeros(1, DECISION)
