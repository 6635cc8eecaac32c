"""The quotes of Avellaneda and Stoikov, "High-frequency trading in a limit order book" (2008).

Reservation price r = m − q·γ̂·σ²·τ (their eq. 3.12) and half-spread (1/γ̂)·ln(1 + γ̂/κ) + ½·γ̂·σ²·τ
(half of eq. 3.18). γ̂ = γ·κ in 1/price, so that γ is dimensionless; κ in 1/price, σ in price/√s, τ in s,
q in risk lots. Any unit of price serves, as long as it is the same throughout.
"""

import numpy as np

from asmm_daemon.kernels import flat_kernel


@flat_kernel
def as_half_spread(gamma_hat: float, kappa: float, sigma: float, tau: float, inventory_term: bool) -> float:  # noqa: FBT001
    """The half-spread; `inventory_term` adds ½·γ̂·σ²·τ. As γ̂ → 0 it tends to 1/κ."""
    half = np.log1p(gamma_hat / kappa) / gamma_hat if gamma_hat > 0.0 else 1.0 / kappa
    if inventory_term:
        half += 0.5 * gamma_hat * sigma * sigma * tau
    return half


@flat_kernel
def as_shift(gamma_hat: float, sigma: float, tau: float) -> float:
    """By how much one risk lot lowers the reservation price: γ̂·σ²·τ."""
    return gamma_hat * sigma * sigma * tau
