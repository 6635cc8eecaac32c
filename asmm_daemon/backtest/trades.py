"""What fills say: spread captured, mark-outs, adverse selection, and which of them closed at a profit."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.result import HORIZONS_S
from asmm_daemon.kernels import kernel

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Markout:
    """Fills against the mid some time later, weighted by quantity, in bps of their price, before fees.

    `bps`: what a fill had earned by then, side·(later − price)/price. `adverse_bps`: how far the mid had
    moved against it, side·(mid at the fill − later)/price: the adverse selection. On the same fills
    spread captured = bps + adverse_bps. `fills`: how many had a known mid then; NaN when none had.
    """

    horizon_s: float
    bps: float
    adverse_bps: float
    fills: int


def spread_captured_bps(fills: NDArray[Any]) -> float:
    """How far from the mid the fills were, side·(mid − price)/price, in bps, weighted by quantity.

    Positive: better than the mid. It is half of the spread that a buy and a sell capture together.
    """
    return _weighted(fills, fills["mid"], fills["price"])


def markouts(fills: NDArray[Any]) -> tuple[Markout, ...]:
    """One for each of `HORIZONS_S`."""
    return tuple(
        Markout(
            horizon_s=horizon,
            bps=_weighted(fills, fills["later"][:, i], fills["price"]),
            adverse_bps=_weighted(fills, fills["mid"], fills["later"][:, i]),
            fills=int(np.count_nonzero(np.isfinite(fills["later"][:, i]))),
        )
        for i, horizon in enumerate(HORIZONS_S)
    )


def _weighted(fills: NDArray[Any], to: Floats, since: Floats) -> float:
    moved = fills["side"] * (to - since) / fills["price"] * 1e4
    known = np.isfinite(moved)
    weight = fills["qty"][known]
    return float(np.average(moved[known], weights=weight)) if weight.sum() > 0 else float("nan")


def closing_gains(fills: NDArray[Any]) -> Floats:
    """What each closing fill of one run realised, in quote currency, at average cost and before fees.

    A fill closes when it reduces the position; one that turns it closes all of the old one. Returns one
    gain a closing fill, in the order of the fills.
    """
    signed = fills["side"] * fills["qty"]
    gains = np.full(fills.size, np.nan)
    _realise(signed, np.ascontiguousarray(fills["price"]), gains)
    closed: Floats = gains[np.isfinite(gains)]
    return closed


@kernel
def _realise(signed: Floats, prices: Floats, gains: Floats) -> None:
    held = 0.0
    average = 0.0
    for i in range(signed.size):
        move, price = signed[i], prices[i]
        after = held + move
        if abs(after) <= 1e-9 * abs(move):  # a float's rest of what was closed in full
            after = 0.0
        if held * move >= 0.0:
            average = price if after == 0.0 else (average * held + price * move) / after
        else:
            closed = min(abs(move), abs(held))
            gains[i] = closed * (price - average) * (1.0 if held > 0.0 else -1.0)
            if after * held <= 0.0:
                average = price
        held = after
