"""The quotes of Guéant, Lehalle and Fernandez-Tapia, "Dealing with the inventory risk" (2013).

The stationary quotes for λ(δ) = A·e^(−κδ) with inventory bounded by ±Q (no bid at Q, no ask at −Q),
in their closed-form approximation (section 4; with an order size Δ as in Guéant 2017, ch. 3):

    half-spread = c₁ + ½·Δ·σ·c₂        shift of the middle per lot = σ·c₂
    c₁ = ln(1 + γ̂·Δ/κ)/(γ̂·Δ)           c₂ = √(γ̂/(2·A·Δ·κ) · (1 + γ̂·Δ/κ)^(κ/(γ̂·Δ) + 1))

There is no horizon: A says how fast inventory can be worked off. Units as in `avellaneda_stoikov`, A in
1/s, Δ and q in risk lots.
"""

import numpy as np

from asmm_daemon.kernels import flat_kernel


@flat_kernel
def glft_shift(gamma_hat: float, kappa: float, a: float, sigma: float, delta: float) -> float:
    """σ·c₂: by how much one risk lot lowers the middle of the quotes."""
    x = gamma_hat * delta / kappa
    power = np.exp((1.0 / x + 1.0) * np.log1p(x))
    return sigma * np.sqrt(gamma_hat / (2.0 * a * delta * kappa) * power)


@flat_kernel
def glft_half_spread(
    gamma_hat: float,
    kappa: float,
    a: float,
    sigma: float,
    delta: float,
    inventory_term: bool,  # noqa: FBT001
) -> float:
    """c₁, and with `inventory_term` ½·Δ·σ·c₂ on top."""
    half = np.log1p(gamma_hat * delta / kappa) / (gamma_hat * delta)
    if inventory_term:
        half += 0.5 * delta * glft_shift(gamma_hat, kappa, a, sigma, delta)
    return half
