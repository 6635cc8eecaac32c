"""What is held and what may be: the INVENTORY record, effective maximum, target, room per side."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.params import Params
from asmm_daemon.kernels import flat_kernel

QUOTE = 0
"""INVENTORY.mode: quote both sides."""
REDUCE = 1
"""INVENTORY.mode: one post-only order at the touch, on the side that shrinks the inventory."""
PULL = 2
"""INVENTORY.mode: nothing may rest."""

INVENTORY = np.dtype(
    [
        ("lots", np.float64),  # signed inventory (spot: what is held), dust included
        (
            "avail_quote",
            np.float64,
        ),  # spot: quote currency for bids, own open bids' included; else inf
        ("avail_base", np.float64),  # spot: base currency for asks, own open asks' included; else inf
        ("exposure_left", np.float64),  # quote currency by which |inventory| may still grow; inf: no limit
        ("unrealised", np.float64),  # PnL, quote currency
        ("size_factor", np.float64),  # 1.0; 0.5 under a soft drawdown
        ("mode", np.int64),  # QUOTE, REDUCE or PULL
        ("bid_off", np.bool_),  # the side is switched off (repeated execution, balance, ...)
        ("ask_off", np.bool_),
    ],
    align=True,
)
Inventory = NDArray[Any]
"""One-element array of dtype INVENTORY."""


def new_inventory() -> Inventory:
    """A flat inventory without balance or account limits."""
    record = np.zeros(1, INVENTORY)
    record["avail_quote"] = record["avail_base"] = record["exposure_left"] = np.inf
    record["size_factor"] = 1.0
    return record


@flat_kernel
def effective_max(params: Params, m: float) -> float:
    """Largest absolute inventory in base currency at a price: min(max_inventory, max_exposure/m)."""
    return min(params[0].max_inventory, params[0].max_exposure / m)


@flat_kernel
def target(params: Params, m: float) -> float:
    """Inventory target in base currency, within the bounds; by default 0, spot: half the maximum."""
    p = params[0]
    most = effective_max(params, m)
    least = 0.0 if p.spot else -most
    goal = p.inventory_target
    if np.isnan(goal):
        goal = 0.5 * (least + most)
    return min(max(goal, least), most)


@flat_kernel
def bid_room(params: Params, inventory: Inventory, m: float, dearest: float) -> float:
    """Lots that may still be bought: inventory, exposure, and balance at the dearest possible bid."""
    v = inventory[0]
    lot = params[0].lot
    room = effective_max(params, m) / lot - v.lots
    room = min(room, v.exposure_left / (m * lot) + abs(v.lots) - v.lots)
    return max(np.floor(min(room, v.avail_quote / (dearest * lot)) + 1e-9), 0.0)


@flat_kernel
def ask_room(params: Params, inventory: Inventory, m: float) -> float:
    """Lots that may still be sold: inventory, exposure and balance."""
    v = inventory[0]
    lot = params[0].lot
    if params[0].spot:
        room = v.lots
    else:
        room = effective_max(params, m) / lot + v.lots
        room = min(room, v.exposure_left / (m * lot) + abs(v.lots) + v.lots)
    return max(np.floor(min(room, v.avail_base / lot) + 1e-9), 0.0)
