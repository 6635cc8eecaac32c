"""What each γ and skew would quote at given σ and κ: the table that `asmm check` prints."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from math import inf

from asmm_daemon.core.decision_record import Decision, new_decision
from asmm_daemon.core.inventory import effective_max
from asmm_daemon.core.models import clamp_half_spread, model_half_spread, model_shift
from asmm_daemon.core.params import RISK_LOTS, Params, TauMode
from asmm_daemon.core.quotes import ask_ticks, bid_ticks

GAMMAS = (0.01, 0.1, 0.2, 0.9)
SKEWS = (-1.0, -0.5, 0.0, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class QuoteRow:
    """What one γ means. Money in quote currency per unit."""

    gamma: float
    half_spread: float
    """With fee and edge, after clamps."""
    over_kappa: float
    """The model's own part of the half-spread, in units of 1/κ."""
    skew_per_lot: float
    """By how much one risk lot shifts both quotes."""
    crossing_q: float
    """Risk lots at which the shift equals the half-spread: one quote then stands at the reference price."""
    half_spread_ticks: float
    skew_ticks: float


@dataclass(frozen=True, slots=True)
class QuoteTable:
    """Rows per γ at one σ and κ, and what is wrong with the grid of actions."""

    price: float
    kappa: float
    sigma: float
    tau: float
    risk_lot: float
    """Base currency."""
    rows: tuple[QuoteRow, ...]
    warnings: tuple[str, ...]


def rolling_tau(params: Params, kappa: float, sigma: float) -> float:
    """τ = 2/(κσ)² within its bounds; in `session` mode the session's length."""
    p = params[0]
    if int(p["tau_mode"]) == TauMode.SESSION:
        return float(p["session_s"])
    return float(min(max(2.0 / (kappa * sigma) ** 2, p["tau_min_s"]), p["tau_max_s"]))


def quote_table(
    params: Params,
    *,
    price: float,
    kappa: float,
    sigma: float,
    intensity_a: float = 0.1,
    gammas: Sequence[float] = GAMMAS,
    skews: Sequence[float] = SKEWS,
) -> QuoteTable:
    """The table for one market.

    Args:
        params: the market's parameters.
        price: reference price, quote currency.
        kappa: 1/quote currency.
        sigma: quote currency per √s.
        intensity_a: A, 1/s; `glft` alone uses it.
        gammas: the grid of γ.
        skews: the grid of skews, half-spreads.
    """
    tau = rolling_tau(params, kappa, sigma)
    made = {gamma: _decision(params, gamma, price, kappa, sigma, intensity_a, tau) for gamma in gammas}
    rows = tuple(_row(params, made[gamma]) for gamma in gammas)
    risk_lot = effective_max(params, price) / RISK_LOTS
    warnings = tuple(_same_quotes(params, made, skews, risk_lot))
    return QuoteTable(price, kappa, sigma, tau, risk_lot, rows, warnings)


def _decision(
    params: Params, gamma: float, price: float, kappa: float, sigma: float, intensity_a: float, tau: float
) -> Decision:
    out = new_decision()
    one, p = out[0], params[0]
    one["m"], one["kappa"], one["tau"], one["vol_ratio"] = price, kappa, tau, 1.0
    one["sigma"] = one["sigma_normal"] = sigma
    one["intensity_a"], one["gamma"], one["gamma_hat"] = intensity_a, gamma, gamma * kappa
    one["fee"] = p["maker_fee"] * price if p["fee_in_spread"] else 0.0
    one["half_spread_model"] = model_half_spread(params, out, sigma)
    clamp_half_spread(params, out)
    one["shift"] = model_shift(params, out, float(one["half_spread"]))
    return out


def _row(params: Params, decision: Decision) -> QuoteRow:
    d, p = decision[0], params[0]
    own = d["half_spread_model"] - d["fee"] - p["min_edge_bps"] * 1e-4 * d["m"]
    half, shift = float(d["half_spread"]), float(d["shift"])
    return QuoteRow(
        gamma=float(d["gamma"]),
        half_spread=half,
        over_kappa=float(own * d["kappa"]),
        skew_per_lot=shift,
        crossing_q=half / shift if shift > 0.0 else inf,
        half_spread_ticks=float(half / p["tick"]),
        skew_ticks=float(shift / p["tick"]),
    )


def _same_quotes(
    params: Params, made: dict[float, Decision], skews: Sequence[float], risk_lot: float
) -> Iterator[str]:
    """One warning per group of actions whose quotes are equal when flat and after one order."""
    p = params[0]
    groups: dict[tuple[int, ...], list[str]] = {}
    for (gamma, decision), skew in product(made.items(), skews):
        d = decision[0]
        size = p["order_size"] / d["m"] if p["size_in_quote"] else p["order_size"]
        prices: list[int] = []
        for q in (0.0, float(size) / risk_lot):
            middle = d["m"] - q * d["shift"] + skew * d["half_spread"]
            prices.append(bid_ticks(float((middle - d["half_spread"]) / p["tick"])))
            prices.append(ask_ticks(float((middle + d["half_spread"]) / p["tick"])))
        groups.setdefault(tuple(prices), []).append(f"γ {gamma:g} skew {skew:g}")
    for names in groups.values():
        if len(names) > 1:
            yield f"these actions round to the same quotes: {', '.join(names)}"
