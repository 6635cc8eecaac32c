"""`explain`: for each decision, one record of why each quote is where it is."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class QuoteLine:
    """One desired quote and what became of it."""

    side: int
    level: int
    price: int
    lots: int
    action: str
    """keep, place, amend, replace, cancel, wait (a request is under way), or the reason of a refusal."""


@dataclass(frozen=True, slots=True)
class Explain:
    """Everything that a decision was made of. Money in quote currency, times in seconds."""

    t_ns: int
    symbol: str
    trigger: str
    """cycle, move (microprice), fill, order (a slot became free), retry (after a refusal) or state."""
    state: str
    causes: tuple[str, ...]
    policy: str
    index: int
    """The action's index in the policy's grid, -1 when not from a grid."""
    fallback: str
    """Why the policy's action was not used; empty when it was."""
    model: Mapping[str, float]
    """Every number of the compiled decision: m, sigma, kappa, A, gamma, q, tau, skew, fee, half_spread…"""
    clamps: tuple[str, ...]
    quotes: tuple[QuoteLine, ...]
    book_age_s: float
    data_latency_s: float
    """The book's last message: venue time to the daemon's receipt."""
