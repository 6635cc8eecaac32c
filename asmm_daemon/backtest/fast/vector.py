"""Many simulated daemons over one tape, stepped together: every array of `Fast` with one more axis.

Between two actions lies as much time as it takes until the policy is asked again: one quote cycle, or
more where nothing may be quoted.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.gate import mid_price
from asmm_daemon.backtest.fast.loop import ASKS, act, run
from asmm_daemon.backtest.fast.money import holding, net
from asmm_daemon.backtest.fast.records import Fast
from asmm_daemon.backtest.fast.trail import Trail
from asmm_daemon.backtest.venue import Venue
from asmm_daemon.core.book import Book
from asmm_daemon.core.market import MarketState
from asmm_daemon.core.resting import Matching
from asmm_daemon.kernels import flat_kernel, inlined_kernel

REWARDS = ("dampened", "penalised")
"""Reward kinds: Δ(realised + min(unrealised, 0)), or ΔPnL − penalty·|q|; fees always in."""
DAMPENED, PENALISED = 0, 1


def stack(f: Fast, count: int) -> Fast:
    """`count` copies of a daemon, every array with a first axis of that length."""
    return Fast(*(_stacked(part, count) for part in f))


def _stacked(part: Any, count: int) -> Any:
    if isinstance(part, np.ndarray):
        return np.repeat(part[None], count, axis=0)
    return type(part)(*(_stacked(each, count) for each in part))


def put(many: Fast, i: int, one: Fast) -> None:
    """Copies a daemon into place `i`."""
    for into, part in zip(many, one, strict=True):
        _put(into, i, part)


def _put(into: Any, i: int, part: Any) -> None:
    if isinstance(part, np.ndarray):
        into[i] = part
    else:
        for each, its in zip(into, part, strict=True):
            _put(each, i, its)


def view(many: Fast, i: int) -> Fast:
    """The daemon in place `i`, its arrays being views."""
    return Fast(*(_viewed(part, i) for part in many))


def _viewed(part: Any, i: int) -> Any:
    if isinstance(part, np.ndarray):
        return part[i]
    return type(part)(*(_viewed(each, i) for each in part))


@inlined_kernel
def _pick_market(s: MarketState, i: int) -> MarketState:
    book = Book(s.book.head[i], s.book.bids[i], s.book.asks[i])
    return MarketState(book, s.market[i], s.volatility[i], s.intensity[i])


@inlined_kernel
def pick(many: Fast, i: int) -> Fast:
    """`view` for kernels."""
    v = many.venue
    m = v.matching
    matching = Matching(
        m.params[i],
        m.state[i],
        Book(m.book.head[i], m.book.bids[i], m.book.asks[i]),
        m.bids[i],
        m.asks[i],
        m.fills[i],
    )
    return Fast(
        Venue(matching, v.state[i], v.requests[i], v.replies[i], v.filled[i]),
        _pick_market(many.market, i),
        _pick_market(many.sight, i),
        many.params[i],
        many.limits[i],
        many.inventory[i],
        many.decision[i],
        many.features[i],
        many.desk[i],
        many.orders[i],
        many.levels[i],
        many.backoffs[i],
        many.sent[i],
        many.executed[i],
        many.seconds[i],
        many.desired[i],
        many.working[i],
        many.changes[i],
        many.steps[i],
        many.fills[i],
    )


@inlined_kernel
def wealth_of(f: Fast, kind: int) -> float:
    """What a reward is the change of, quote currency, fees and funding in; on spot beyond holding."""
    if kind == PENALISED:
        return net(f) - holding(f)
    d = f.desk[0]
    unrealised = d.lots * f.params[0].lot * mid_price(f) - holding(f) - d.cost
    return d.cash + d.cost + min(unrealised, 0.0) - d.fees + d.funding


@flat_kernel
def step_all(
    many: Fast,
    trail: Trail,
    end_ns: NDArray[np.int64],
    gammas: NDArray[np.float64],
    skews: NDArray[np.float64],
    actions: NDArray[np.int64],
    kind: int,
    penalty: float,
    obs: NDArray[np.float32],
    rewards: NDArray[np.float64],
    running: NDArray[np.bool_],
) -> None:
    """One step of every daemon.

    Args:
        many: stacked daemons, each asked for an action.
        trail: of the tape that all of them see.
        end_ns: (n,) where each one's episode ends.
        gammas: the grid of risk aversions; an action is i_gamma·len(skews) + i_skew.
        skews: the grid of skews.
        actions: (n,) indices; −1: the action in force is kept, as at the start of an episode.
        kind: DAMPENED or PENALISED.
        penalty: quote currency per risk lot and step (PENALISED).
        obs: (n, features) out.
        rewards: (n,) out, quote currency.
        running: (n,) out, whether each one asks for another action.
    """
    for i in range(actions.size):
        f = pick(many, i)
        d = f.desk[0]
        d.steps = d.fills = 0
        d.later[:] = 0
        before = wealth_of(f, kind)
        if actions[i] >= 0:
            d.action = actions[i]
            d.gamma = gammas[actions[i] // skews.size]
            d.skew = skews[actions[i] % skews.size]
            act(f)
        running[i] = run(f, trail, end_ns[i]) == ASKS
        reward = wealth_of(f, kind) - before
        if kind == PENALISED:
            reward -= penalty * abs(f.decision[0].q)
        rewards[i] = reward
        for k in range(obs.shape[1]):
            obs[i, k] = f.features[k]
