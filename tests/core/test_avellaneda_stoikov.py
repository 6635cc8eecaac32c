import numpy as np
import pytest

from asmm_daemon.core.avellaneda_stoikov import as_half_spread, as_shift
from asmm_daemon.kernels import numba

PATHS, STEPS, DT = 1000, 200, 0.005
S0, SIGMA, KAPPA, A, GAMMA = 100.0, 2.0, 1.5, 140.0, 0.1


def simulate(*, inventory: bool) -> tuple[float, np.ndarray, np.ndarray]:
    """Section 3.3 of the paper: mean spread, final profits and inventories of PATHS paths."""
    rng = np.random.default_rng(7)
    cash, q, s = np.zeros(PATHS), np.zeros(PATHS), np.full(PATHS, S0)
    spreads = []
    for k in range(STEPS):
        tau = 1.0 - k * DT
        half = as_half_spread(GAMMA, KAPPA, SIGMA, tau, True)
        shift = as_shift(GAMMA, SIGMA, tau) if inventory else 0.0
        bid, ask = s - q * shift - half, s - q * shift + half
        spreads.append(2 * half)
        bought = rng.random(PATHS) < A * np.exp(-KAPPA * (s - bid)) * DT
        sold = rng.random(PATHS) < A * np.exp(-KAPPA * (ask - s)) * DT
        q = q + bought - sold
        cash = cash - bid * bought + ask * sold
        s = s + SIGMA * np.sqrt(DT) * rng.choice([-1.0, 1.0], PATHS)
    return float(np.mean(spreads)), cash + q * s, q


def test_reproduces_the_papers_simulation() -> None:
    """Mean spread 1.49; the inventory strategy's profit varies about half as much as the symmetric one's."""
    spread, profit, q = simulate(inventory=True)
    spread_symmetric, profit_symmetric, q_symmetric = simulate(inventory=False)
    assert spread == pytest.approx(1.49, abs=0.005)
    assert spread_symmetric == spread
    assert profit.mean() == pytest.approx(65.0, abs=2.0)
    assert profit_symmetric.mean() == pytest.approx(69.0, abs=2.5)
    assert 0.4 < profit.std() / profit_symmetric.std() < 0.6
    assert q.std() == pytest.approx(3.0, abs=0.4)
    assert q_symmetric.std() == pytest.approx(8.3, abs=0.8)


@pytest.mark.parametrize(
    ("gamma", "half_spread", "crossing"),
    [(0.01, 1.00, 50), (0.1, 1.05, 5.3), (0.2, 1.11, 2.8), (0.9, 1.61, 0.9)],
)
def test_gamma_is_dimensionless(gamma: float, half_spread: float, crossing: float) -> None:
    """At τ = 2/(κσ)² a γ means the same multiple of 1/κ on any market."""
    for kappa, sigma in ((1 / 12, 4.0), (900.0, 0.00016)):
        tau = 2 / (kappa * sigma) ** 2
        half = as_half_spread(gamma * kappa, kappa, sigma, tau, True)
        assert half * kappa == pytest.approx(half_spread, abs=0.006)
        assert half / as_shift(gamma * kappa, sigma, tau) == pytest.approx(crossing, rel=0.02)


def test_risk_neutral_half_spread_is_one_over_kappa() -> None:
    """As γ̂ → 0 the half-spread tends to 1/κ, and at 0 it is that."""
    assert as_half_spread(0.0, 4.0, 1.0, 10.0, True) == pytest.approx(0.25)
    assert as_half_spread(1e-9, 4.0, 1.0, 10.0, True) == pytest.approx(0.25)


def test_inventory_term_can_be_left_out() -> None:
    """Without ½·γ̂·σ²·τ the half-spread is the guide's δ* = (1/γ)·ln(1 + γ/κ)."""
    assert as_half_spread(0.1, 1.5, 2.0, 1.0, False) == pytest.approx(np.log(1 + 0.1 / 1.5) / 0.1)
    assert as_half_spread(0.1, 1.5, 2.0, 1.0, True) == pytest.approx(np.log(1 + 0.1 / 1.5) / 0.1 + 0.2)


def test_kernels_are_compiled_without_fastmath() -> None:
    """A replay must give the same bits, so no kernel may reorder sums."""
    assert isinstance(as_half_spread, numba.core.dispatcher.Dispatcher)
    assert not as_half_spread.targetoptions.get("fastmath")
