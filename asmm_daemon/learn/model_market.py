"""The market that Avellaneda and Stoikov model, with the answer known: a check of the learner.

The mid is Brownian (σ per √s), an order δ from it fills as a Poisson process of λ(δ) = A·e^(−κδ). In a
step of dt each side fills at most once, with probability 1 − e^(−λ·dt). Reward: the change of the
account's worth less φ·q²·dt, q the inventory at the step's start, |q| ≤ 10; at a limit the side that
would pass it rests nothing. σ, A, κ and dt are those of their paper's simulations.

Inventory is the whole state, so `optimum.py` solves it exactly.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.avellaneda_stoikov import as_half_spread, as_shift
from asmm_daemon.learn.protocol import Observations, State, Step
from asmm_daemon.learn.rng import restore_rng, rng_state

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ModelMarket:
    """Parameters: prices in one unit, times in seconds."""

    sigma: float = 2.0
    intensity: float = 140.0
    kappa: float = 1.5
    dt_s: float = 0.005
    penalty: float = 1.0
    """φ: what holding one unit for a second costs, with the square of the inventory."""
    limit: int = 10

    @property
    def inventories(self) -> NDArray[np.int64]:
        """Every state."""
        return np.arange(-self.limit, self.limit + 1)

    def fill_probability(self, offset: Values) -> Values:
        """Chance that an order this far from the mid fills within a step."""
        return 1.0 - np.exp(-self.intensity * np.exp(-self.kappa * offset) * self.dt_s)


@dataclass(frozen=True, slots=True)
class Offsets:
    """What every action quotes at every inventory: distances of bid and ask from the mid, ≥ 0.

    `bid` and `ask` have the shape (actions, inventories).
    """

    bid: Values
    ask: Values

    def __len__(self) -> int:
        """How many actions there are."""
        return len(self.bid)


def offset_grid(market: ModelMarket, offsets: Sequence[float]) -> Offsets:
    """Every pair of a bid and an ask offset, the bid varying slowest."""
    pairs = np.array([(bid, ask) for bid in offsets for ask in offsets])
    count = market.inventories.size
    return Offsets(*(np.repeat(pairs[:, side, None], count, axis=1) for side in (0, 1)))


def gamma_skew_grid(
    market: ModelMarket, gammas: Sequence[float], skews: Sequence[float], tau_s: float
) -> Offsets:
    """The quotes of γ × skew, γ varying slowest: r ∓ h + skew·h, kept from crossing the mid.

    γ is dimensionless (γ̂ = γ·κ), skew counts in half-spreads h, one risk lot is one unit.
    """
    bids, asks = [], []
    for gamma in gammas:
        hat = gamma * market.kappa
        half = as_half_spread(hat, market.kappa, market.sigma, tau_s, True)
        below = market.inventories * as_shift(hat, market.sigma, tau_s)
        for skew in skews:
            bids.append(np.maximum(half + below - skew * half, 0.0))
            asks.append(np.maximum(half - below + skew * half, 0.0))
    return Offsets(np.array(bids), np.array(asks))


class ModelMarketEnv:
    """`n_envs` independent copies; the observation is the inventory alone.

    Episodes are cut off (never terminated) after `episode` steps and begin at a random inventory.
    """

    n_features = 1

    def __init__(self, market: ModelMarket, offsets: Offsets, n_envs: int, episode: int = 200) -> None:
        self.n_envs = n_envs
        self.n_actions = len(offsets)
        self._market, self._offsets, self._episode = market, offsets, episode
        self._chance = tuple(market.fill_probability(side) for side in (offsets.bid, offsets.ask))
        self._rng = np.random.default_rng(0)
        self._q: NDArray[np.int64] = np.zeros(n_envs, np.int64)
        self._age: NDArray[np.int64] = np.zeros(n_envs, np.int64)

    def reset(self, seed: int) -> Observations:
        """Every copy at a random inventory and age, so that they do not end together."""
        self._rng = np.random.default_rng(seed)
        self._q = self._fresh()
        self._age = self._rng.integers(0, self._episode, self.n_envs)
        return self._observed()

    def step(self, actions: NDArray[np.int64]) -> Step:
        """One step of dt."""
        market, place = self._market, self._q + self._market.limit
        luck = self._rng.random((2, self.n_envs))
        bought = (luck[0] < self._chance[0][actions, place]) & (self._q < market.limit)
        sold = (luck[1] < self._chance[1][actions, place]) & (self._q > -market.limit)
        move = market.sigma * np.sqrt(market.dt_s) * self._rng.standard_normal(self.n_envs)
        reward = bought * self._offsets.bid[actions, place] + sold * self._offsets.ask[actions, place]
        reward += self._q * move - market.penalty * market.dt_s * self._q**2
        self._q = self._q + bought - sold
        self._age += 1
        truncated = self._age >= self._episode
        final = self._observed()
        if truncated.any():
            self._q = np.where(truncated, self._fresh(), self._q)
            self._age[truncated] = 0
        terminated = np.zeros(self.n_envs, np.bool_)
        return Step(self._observed(), reward.astype(np.float32), terminated, truncated, final)

    def state(self) -> State:
        """Inventories, ages and the generator."""
        return {"q": self._q, "age": self._age, "rng": rng_state(self._rng)}

    def restore(self, state: State) -> None:
        """The reverse of `state`."""
        restore_rng(self._rng, state["rng"])
        self._q, self._age = (np.array(state[name], np.int64) for name in ("q", "age"))

    def _fresh(self) -> NDArray[np.int64]:
        limit = self._market.limit
        return self._rng.integers(-limit, limit + 1, self.n_envs)

    def _observed(self) -> Observations:
        return self._q[:, None].astype(np.float32)
