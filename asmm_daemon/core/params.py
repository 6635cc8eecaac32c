"""Every knob of the quoting model, with its unit and default, and the flat record that kernels read.

`QuoteParams` is what a configuration says about one market; `to_record` joins it with what the venue
says about the instrument into one PARAMS record. Prices inside kernels are in quote currency unless a
name ends in `_ticks`, quantities in base currency unless a name ends in `_lots`.
"""

from dataclasses import dataclass, fields
from enum import IntEnum
from math import isnan, nan
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.units import Instrument

MAX_LEVELS = 8
"""Quote levels a side that a DECISION record can hold."""
RISK_LOTS = 50.0
"""Risk lots in the effective maximum inventory: the unit in which q counts."""


class Model(IntEnum):
    """The quoting models, by the number that kernels branch on."""

    CONSTANT_SPREAD = 0
    LINEAR_CONSTANT_SPREAD = 1
    AVELLANEDA_STOIKOV = 2
    GLFT = 3


class TauMode(IntEnum):
    """How the risk horizon τ is found: from slow averages, or counting down a session."""

    ROLLING = 0
    SESSION = 1


@dataclass(frozen=True, slots=True)
class QuoteParams:
    """One market's quoting knobs; NaN for `inventory_target` means 0 (spot: half the maximum)."""

    model: Model = Model.AVELLANEDA_STOIKOV
    gamma: float = 0.1
    """Dimensionless risk aversion γ of plain quoting and of the fallback: γ̂ = γ·κ."""
    skew: float = 0.0
    """Shift of both quotes in half-spreads, in plain quoting and in the fallback."""
    gamma_min: float = 0.001
    gamma_max: float = 10.0
    """An action's γ outside [gamma_min, gamma_max] is refused."""
    skew_max: float = 2.0
    """An action's |skew| above this is refused."""
    inventory_term: bool = True
    """Whether the half-spread carries ½·γ̂·σ²·τ (off: the guide's formula)."""
    fee_in_spread: bool = True
    """Whether the half-spread carries the maker fee (a rebate narrows it)."""
    half_spread_factor: float = 1.0
    """Multiplies the model's half-spread, before fee and edge."""
    min_edge_bps: float = 0.0
    """Edge asked for on top of the model's half-spread."""
    min_half_spread_bps: float = 0.0
    max_half_spread_bps: float = 200.0
    constant_half_spread_bps: float = 5.0
    """Half-spread of the two constant-spread baselines, before fee and edge."""
    linear_skew: float = 1.0
    """linear_constant_spread: half-spreads by which full inventory shifts both quotes."""
    collar_bps: float = 200.0
    """A quote further than this from the reference price is pulled."""
    tau_mode: TauMode = TauMode.ROLLING
    tau_min_s: float = 5.0
    tau_max_s: float = 120.0
    session_s: float = 300.0
    """Length of the session that `session` mode counts down and starts over."""
    sigma_halflife_s: float = 60.0
    """Half-life of the current σ."""
    normal_halflife_s: float = 14_400.0
    """Half-life of the volatility that counts as normal."""
    kappa_halflife_s: float = 3_600.0
    """Half-life of the current κ and A."""
    slow_halflife_s: float = 86_400.0
    """Half-life of the averages σ̄ and κ̄ from which τ is found."""
    kappa_prior_orders: float = 5.0
    """Weight of κ's prior, in observed taker orders."""
    kappa_prior: float = 0.0
    """κ's prior in 1/quote currency (a journal's younger than 24 h); 0: from the spread."""
    vol_high_ratio: float = 3.0
    vol_high_factor: float = 2.0
    vol_extreme_ratio: float = 5.0
    vol_extreme_factor: float = 3.0
    """σ above ratio × normal: half-spread at least factor × its value at normal volatility."""
    funding_shift: bool = True
    """Whether the reference price shifts by −rate within τ of a funding time."""
    max_inventory: float = 1.0
    """Largest absolute inventory, base currency."""
    max_exposure: float = 50_000.0
    """Largest absolute inventory, quote currency."""
    inventory_target: float = nan
    """Base currency."""
    order_size: float = 0.01
    """Size of a full order, in base currency, or in quote currency when `size_in_quote`."""
    size_in_quote: bool = False
    max_order: float = 0.1
    """Largest single order, base currency."""
    levels: int = 1
    level_spacing_bps: float = 2.0
    """Distance between levels of one side, at least one tick."""
    level_size_factor: float = 1.0
    """Size of each level relative to the one before it."""
    requote_bps: float = 0.2
    """Between decisions, prices follow once the microprice moved more than this (at least a tick)."""
    tolerance_ticks: int = 0
    """A working order this close to its desired price is kept."""
    cycle_s: float = 5.0
    """The quote cycle: how long an action is held."""


_TYPES = {bool: np.bool_, int: np.int64, float: np.float64, Model: np.int64, TauMode: np.int64}

_INSTRUMENT_FIELDS: list[tuple[str, Any]] = [
    ("tick", np.float64),  # quote currency
    ("lot", np.float64),  # base currency
    ("min_notional", np.float64),  # quote currency
    ("min_qty_lots", np.int64),
    ("max_qty_lots", np.int64),
    ("maker_fee", np.float64),  # fraction; negative for a rebate
    ("taker_fee", np.float64),
    ("spot", np.bool_),
]

PARAMS = np.dtype(
    _INSTRUMENT_FIELDS + [(f.name, _TYPES[f.type]) for f in fields(QuoteParams)],  # type: ignore[index]
    align=True,
)
"""One record: what the venue says about the instrument, then every field of QuoteParams."""
Params = NDArray[Any]
"""One-element array of dtype PARAMS."""


def to_record(quote: QuoteParams, instrument: Instrument) -> Params:
    """The one-element PARAMS array of a market."""
    record = np.zeros(1, PARAMS)
    one = record[0]
    one["tick"] = float(instrument.tick)
    one["lot"] = float(instrument.lot)
    one["min_notional"] = float(instrument.min_notional)
    one["min_qty_lots"] = instrument.min_qty
    one["max_qty_lots"] = instrument.max_qty
    one["maker_fee"] = float(instrument.maker)
    one["taker_fee"] = float(instrument.taker)
    one["spot"] = instrument.is_spot
    for field in fields(QuoteParams):
        one[field.name] = getattr(quote, field.name)
    if isnan(quote.inventory_target):
        one["inventory_target"] = nan
    return record
