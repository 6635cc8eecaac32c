"""Many simulated daemons over one tape, stepped together: every array of `Fast` with one more axis.

Between two actions lies as much time as it takes until the policy is asked again: one quote cycle, or
more where nothing may be quoted.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.gate import mid_price
from asmm_daemon.backtest.fast.loop import ASKS, act, run
from asmm_daemon.backtest.fast.money import holding, net
from asmm_daemon.backtest.fast.records import HALTED, Fast
from asmm_daemon.backtest.fast.trail import Trail
from asmm_daemon.backtest.venue import Venue
from asmm_daemon.core.book import Book
from asmm_daemon.core.market import MarketState
from asmm_daemon.core.resting import Matching
from asmm_daemon.kernels import flat_kernel, inlined_kernel

DAMPENED, PENALISED = 0, 1
"""Reward kinds: Δ(realised + min(unrealised, 0)), or ΔPnL − penalty·|q|; fees always in."""


def stack(f: Fast, count: int) -> Fast:
    """`count` copies of a daemon, every array with a first axis of that length."""
    return with_arrays(f, lambda array: np.repeat(array[None], count, axis=0))


def with_arrays(bundle: Any, change: Callable[[NDArray[Any]], NDArray[Any]]) -> Any:
    """A bundle of arrays and bundles, such as Fast, with every array changed."""
    if isinstance(bundle, np.ndarray):
        return change(bundle)
    return type(bundle)(*(with_arrays(part, change) for part in bundle))


def renew(one: Fast, blank: Fast) -> None:
    """Makes a daemon that has run equal to a new one, but for the venue's book.

    Queues, rings and tables keep what their counters no longer reach.
    """
    venue, fresh = one.venue, blank.venue
    for into, its in (
        (venue.matching.state, fresh.matching.state),
        (venue.state, fresh.state),
        (one.market.market, blank.market.market),
        (one.inventory, blank.inventory),
        (one.decision, blank.decision),
        (one.desk, blank.desk),
        (one.backoffs, blank.backoffs),
    ):
        into[:] = its


@inlined_kernel
def pick(many: Fast, i: int) -> Fast:
    """The daemon in place `i`, its arrays being views."""
    v = many.venue
    m = v.matching
    s = many.market
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
        MarketState(
            Book(s.book.head[i], s.book.bids[i], s.book.asks[i]),
            s.market[i],
            s.volatility[i],
            s.intensity[i],
        ),
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


class Terms(NamedTuple):
    """What all daemons of an environment have in common.

    `gammas`, `skews`: the grid; action a is (gammas[a // len(skews)], skews[a % len(skews)]). `kind`:
    DAMPENED or PENALISED. `penalty`: quote currency per risk lot and step (PENALISED). `memory`: steps after
    which what inventory gains or loses is forgotten, −1: never. `unit`: what rewards are divided by.
    """

    gammas: NDArray[np.float64]
    skews: NDArray[np.float64]
    kind: int
    penalty: float
    memory: int
    unit: float


class Lanes(NamedTuple):
    """Where the episode of each of n daemons stands, and what its latest step gave.

    `end_ns`, `steps` (n,): its end, the steps done; `taken`, `held` (n, most steps): the actions, and the
    inventory before each in base currency, beyond what the results are measured against holding. `running`
    (n,): whether it asks for another action; `obs`, `final` (n, features), `rewards`, `halted`, `cut` (n,) as
    in `learn.protocol.Step`.
    """

    end_ns: NDArray[np.int64]
    steps: NDArray[np.int64]
    taken: NDArray[np.int16]
    held: NDArray[np.float64]
    running: NDArray[np.bool_]
    obs: NDArray[np.float32]
    final: NDArray[np.float32]
    rewards: NDArray[np.float32]
    halted: NDArray[np.bool_]
    cut: NDArray[np.bool_]


def new_lanes(count: int, features: int, most: int) -> Lanes:
    """Lanes of episodes of at most so many steps."""
    return Lanes(
        end_ns=np.zeros(count, np.int64),
        steps=np.zeros(count, np.int64),
        taken=np.zeros((count, most), np.int16),
        held=np.zeros((count, most)),
        running=np.zeros(count, np.bool_),
        obs=np.zeros((count, features), np.float32),
        final=np.zeros((count, features), np.float32),
        rewards=np.zeros(count, np.float32),
        halted=np.zeros(count, np.bool_),
        cut=np.zeros(count, np.bool_),
    )


@inlined_kernel
def _note_action(f: Fast, lanes: Lanes, terms: Terms, i: int, action: int) -> float:
    """Quotes by an action; the inventory held so long ago that it is forgotten."""
    d = f.desk[0]
    at = lanes.steps[i]
    lanes.taken[i, at] = action
    lanes.held[i, at] = d.lots * f.params[0].lot - d.hold_target
    lanes.steps[i] = at + 1
    d.action = action
    d.gamma = terms.gammas[action // terms.skews.size]
    d.skew = terms.skews[action % terms.skews.size]
    act(f)
    return lanes.held[i, at - terms.memory] if 0 <= terms.memory <= at else 0.0


@flat_kernel
def step_all(many: Fast, trail: Trail, lanes: Lanes, terms: Terms, actions: NDArray[np.int64]) -> None:
    """One step of every daemon, each of which was asked; action −1 begins an episode: it observes alone."""
    for i in range(actions.size):
        f = pick(many, i)
        d = f.desk[0]
        d.steps = d.fills = 0
        d.later[:] = 0
        before, mid, old = wealth_of(f, terms.kind), mid_price(f), 0.0
        begins = actions[i] < 0
        if not begins:
            old = _note_action(f, lanes, terms, i, actions[i])
        lanes.running[i] = run(f, trail, lanes.end_ns[i]) == ASKS
        for k in range(f.features.size):
            lanes.obs[i, k] = f.features[k]
        if begins:
            continue
        for k in range(f.features.size):
            lanes.final[i, k] = f.features[k]
        reward = wealth_of(f, terms.kind) - before
        if terms.kind == PENALISED:
            reward -= terms.penalty * abs(f.decision[0].q)
        lanes.rewards[i] = (reward - old * (mid_price(f) - mid)) / terms.unit
        lanes.halted[i] = d.state == HALTED
        ended = not lanes.running[i] or lanes.steps[i] >= lanes.taken.shape[1]
        lanes.cut[i] = ended and not lanes.halted[i]
