"""The price, σ and κ that a market is judged by while no daemon runs: the journal's last, or assumed ones."""

from dataclasses import dataclass
from math import isfinite

from asmm_daemon.config import Config
from asmm_daemon.service.journal import last_decision

ASSUMED_PRICE = {"BTC": 90_000.0, "ETH": 3_000.0}
ASSUMED_SIGMA, ASSUMED_REACH = 3.3e-5, 5e-5
"""σ per √s and 1/κ, as shares of the price, as measured on BTC perpetuals."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The market that quotes are worked out for."""

    price: float
    sigma: float
    kappa: float
    source: str


def sample_of(settings: Config, symbol: str) -> Sample:
    """What is known of a market."""
    return _journaled(settings, symbol) or _assumed(symbol)


def _journaled(settings: Config, symbol: str) -> Sample | None:
    decision = last_decision(settings.state_path, symbol)
    if decision is None:
        return None
    found = [decision.get(name) for name in ("m", "sigma", "kappa")]
    if not all(isinstance(value, (int, float)) and isfinite(value) and value > 0 for value in found):
        return None
    price, sigma, kappa = (float(str(value)) for value in found)
    return Sample(price, sigma, kappa, "the journal's last decision")


def _assumed(symbol: str) -> Sample:
    price = next((value for base, value in ASSUMED_PRICE.items() if symbol.startswith(base)), 1.0)
    return Sample(
        price, ASSUMED_SIGMA * price, 1 / (ASSUMED_REACH * price), "assumed; the journal has none yet"
    )
