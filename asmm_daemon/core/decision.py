"""The whole decision: state, parameters, inventory and action in, desired quotes and reasons out."""

from enum import IntFlag
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.market import MarketState
from asmm_daemon.core.params import MAX_LEVELS, Params
from asmm_daemon.kernels import kernel

QUOTE = 0
"""INVENTORY.mode: quote both sides."""
REDUCE = 1
"""INVENTORY.mode: one post-only order at the touch, on the side that shrinks the inventory."""
PULL = 2
"""INVENTORY.mode: nothing may rest."""

INVENTORY = np.dtype(
    [
        ("lots", np.float64),  # signed inventory (spot: what is held), dust included
        ("avail_quote", np.float64),  # spot: quote currency that bids may use, own open bids included; else inf
        ("avail_base", np.float64),  # spot: base currency that asks may use, own open asks included; else inf
        ("exposure_left", np.float64),  # quote currency by which |inventory| may still grow; inf: no account limit
        ("unrealised", np.float64),  # quote currency
        ("size_factor", np.float64),  # 1.0; 0.5 under a soft drawdown
        ("mode", np.int64),  # QUOTE, REDUCE or PULL
        ("bid_off", np.bool_),  # the side is switched off (repeated execution, balance, ...)
        ("ask_off", np.bool_),
    ],
    align=True,
)
Inventory = NDArray[Any]
"""One-element array of dtype INVENTORY."""


class Missing(IntFlag):
    """What a decision lacked. BOOK and SIGMA mean no quotes; the others only say what stood in."""

    BOOK = 1  # no valid book
    SIGMA = 2  # fewer than 30 s of samples of the mid
    KAPPA = 4  # κ is still its prior
    ACTION = 8  # the action was not finite or out of range: the configured γ and skew stood in
    PRICE = 16  # a price came out not finite: no quotes


class Clamp(IntFlag):
    """What moved a quote away from the model's own number."""

    MIN_HALF_SPREAD = 1
    MAX_HALF_SPREAD = 2
    VOL_HIGH = 4
    VOL_EXTREME = 8
    TAU = 16  # τ at a bound
    KAPPA = 32  # κ at a bound
    BID_TOUCH = 64  # not crossing: held one tick behind the other side's best
    ASK_TOUCH = 128
    BID_COLLAR = 256  # pulled: beyond the collar
    ASK_COLLAR = 512
    BID_ROOM = 1024  # smaller or pulled: inventory, exposure or balance
    ASK_ROOM = 2048
    BID_OFF = 4096  # side switched off or mode
    ASK_OFF = 8192
    FUNDING = 16384  # the reference price is shifted by a near funding


DECISION = np.dtype(
    [
        ("t_ns", np.int64),
        ("missing", np.int64),  # Missing bits; quotes exist only without BOOK, SIGMA and PRICE
        ("clamps", np.int64),  # Clamp bits
        ("model", np.int64),
        ("mode", np.int64),
        ("micro", np.float64),  # quote currency: the price the quotes refer to
        ("m", np.float64),  # micro with the funding shift
        ("mid", np.float64),
        ("sigma", np.float64),  # quote currency per √s, at horizon τ
        ("sigma_normal", np.float64),
        ("vol_ratio", np.float64),  # current σ over normal σ
        ("kappa", np.float64),  # 1/quote currency
        ("kappa_bid", np.float64),
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
        ("fee", np.float64),  # quote currency per unit: c·m
        ("half_spread", np.float64),  # quote currency, after clamps
        ("half_spread_model", np.float64),  # before clamps
        ("half_spread_normal", np.float64),  # the model's at normal volatility
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


def new_inventory() -> Inventory:
    """A flat inventory without balance or account limits."""
    record = np.zeros(1, INVENTORY)
    record["avail_quote"] = record["avail_base"] = record["exposure_left"] = np.inf
    record["size_factor"] = 1.0
    return record


def new_decision() -> Decision:
    """An empty decision: no quotes."""
    return np.zeros(1, DECISION)


@kernel
def decide(
    state: MarketState,
    params: Params,
    inventory: Inventory,
    gamma: float,
    skew: float,
    t_ns: int,
    out: Decision,
) -> bool:
    """Fills `out` with the desired quotes of both sides; returns whether there are any."""
    return False


@kernel
def requote_due(state: MarketState, params: Params, decision: Decision) -> bool:
    """Whether the microprice moved more than requote_bps (at least a tick) from the decision's."""
    return False
