import numpy as np
import pytest

from asmm_daemon.core.glft import glft_half_spread, glft_shift


def exact(gamma: float, kappa: float, a: float, sigma: float, bound: int) -> tuple[np.ndarray, np.ndarray]:
    """Exact stationary bid and ask distances for q = −bound … bound and Δ = 1 (their Theorem 2).

    v is the eigenvector of the smallest eigenvalue of the tridiagonal M with α·q² on the diagonal,
    α = ½·κ·γ·σ², and −η beside it, η = A·(1 + γ/κ)^(−(1 + κ/γ)).
    """
    q = np.arange(-bound, bound + 1)
    eta = a * (1 + gamma / kappa) ** (-(1 + kappa / gamma))
    matrix = np.diag(0.5 * kappa * gamma * sigma**2 * q**2.0)
    matrix -= eta * (np.eye(2 * bound + 1, k=1) + np.eye(2 * bound + 1, k=-1))
    v = np.abs(np.linalg.eigh(matrix)[1][:, 0])
    c1 = np.log1p(gamma / kappa) / gamma
    step = np.log(v[:-1] / v[1:]) / kappa
    bids = np.append(c1 + step, np.inf)  # no bid at the upper bound
    asks = np.append(np.inf, c1 - step)
    return bids, asks


def test_closed_form_is_near_the_exact_quotes() -> None:
    """Away from the bounds, the paper's approximation is close to the exact solution (its figure 5)."""
    gamma, kappa, a, sigma = 0.01, 0.3, 0.9, 0.3
    bids, asks = exact(gamma, kappa, a, sigma, 30)
    half = glft_half_spread(gamma, kappa, a, sigma, 1.0, True)
    shift = glft_shift(gamma, kappa, a, sigma, 1.0)
    for q in range(-10, 11):
        assert half + q * shift == pytest.approx(bids[q + 30], rel=0.02, abs=0.02)
        assert half - q * shift == pytest.approx(asks[q + 30], rel=0.02, abs=0.02)


def test_more_arrivals_shift_less() -> None:
    """A says how quickly inventory can be worked off: four times A halves the shift."""
    slow, fast = (glft_shift(0.01, 0.3, a, 0.3, 1.0) for a in (0.9, 3.6))
    assert slow == pytest.approx(2 * fast)


def test_order_size_scales_risk_aversion() -> None:
    """In units of the order itself, an order of Δ risk lots is one lot at risk aversion γ̂·Δ."""
    assert glft_half_spread(0.02, 0.3, 0.9, 0.3, 0.5, False) == pytest.approx(
        glft_half_spread(0.01, 0.3, 0.9, 0.3, 1.0, False)
    )
    assert 0.5 * glft_shift(0.02, 0.3, 0.9, 0.3, 0.5) == pytest.approx(glft_shift(0.01, 0.3, 0.9, 0.3, 1.0))
