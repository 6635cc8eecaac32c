"""The best policy of the model market by dynamic programming, and what any policy earns, exactly.

A policy's earnings are its gain: the average reward per step in the long run, which no starting point
and no discount colours. It is the stationary distribution times the expected rewards; every offset is
finite, so every inventory is reached from every other and the distribution is one. The learner discounts
(its horizon of 1/(1 − 0.99) = 100 steps is many times what the inventory takes to forget); `best_policy`
with a discount shows that this costs nothing to speak of.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.learn.model_market import ModelMarket, Offsets, Values

Policy = NDArray[np.int64]
"""The action at every inventory."""


@dataclass(frozen=True, slots=True)
class Chain:
    """The decision process: `move` (actions, from, to) probabilities, `reward` (actions, from) expected."""

    move: Values
    reward: Values

    @classmethod
    def of(cls, market: ModelMarket, offsets: Offsets) -> "Chain":
        """The model market with these actions."""
        states = market.inventories.size
        bid = market.fill_probability(offsets.bid)
        ask = market.fill_probability(offsets.ask)
        bid[:, -1] = 0.0
        ask[:, 0] = 0.0
        move = np.zeros((len(offsets), states, states))
        place = np.arange(states)
        move[:, place, place] = bid * ask + (1.0 - bid) * (1.0 - ask)
        move[:, place[:-1], place[1:]] = (bid * (1.0 - ask))[:, :-1]
        move[:, place[1:], place[:-1]] = (ask * (1.0 - bid))[:, 1:]
        held = market.penalty * market.dt_s * market.inventories**2
        return cls(move, bid * offsets.bid + ask * offsets.ask - held)

    def under(self, policy: Policy) -> tuple[Values, Values]:
        """Transitions (from, to) and rewards (from,) when this policy acts."""
        place = np.arange(policy.size)
        return self.move[policy, place], self.reward[policy, place]

    @property
    def at_random(self) -> tuple[Values, Values]:
        """The same when every action is as likely as any other."""
        return self.move.mean(axis=0), self.reward.mean(axis=0)


def stationary(move: Values) -> Values:
    """The share of time spent in every state."""
    states = len(move)
    balance: Values = np.vstack([(move.T - np.eye(states))[:-1], np.ones(states)])
    share: Values = np.linalg.solve(balance, np.eye(states)[-1])
    return share


def gain(move: Values, reward: Values) -> float:
    """Average reward per step."""
    return float(stationary(move) @ reward)


def discounted(move: Values, reward: Values, discount: float) -> Values:
    """Value of every state: the sum of discounted rewards from there."""
    system = np.eye(len(move)) - discount * move
    value: Values = np.asarray(np.linalg.solve(system, reward), np.float64)
    return value


def best_policy(chain: Chain, discount: float | None = None) -> Policy:
    """By policy iteration (Howard 1960): of the highest gain, or of the highest discounted value."""
    policy: Policy = np.zeros(chain.move.shape[1], np.int64)
    place = np.arange(policy.size)
    while True:
        move, reward = chain.under(policy)
        value = _relative(move, reward) if discount is None else discounted(move, reward, discount)
        ahead = chain.reward + (1.0 if discount is None else discount) * (chain.move @ value)
        better = ahead.max(axis=0) > ahead[policy, place] + 1e-10
        if not better.any():
            return policy
        policy = np.where(better, ahead.argmax(axis=0), policy)


def _relative(move: Values, reward: Values) -> Values:
    """Relative values: h − P·h + g = r with h = 0 in the middle state."""
    states = len(move)
    system = np.zeros((states + 1, states + 1))
    system[:states, :states] = np.eye(states) - move
    system[:states, states] = 1.0
    system[states, states // 2] = 1.0
    solved: Values = np.linalg.solve(system, np.append(reward, 0.0))
    return solved[:states]


def best_constant(chain: Chain) -> tuple[int, float]:
    """The best policy that never looks at its inventory: its action and gain."""
    gains = [gain(chain.move[action], chain.reward[action]) for action in range(len(chain.move))]
    best = int(np.argmax(gains))
    return best, gains[best]
