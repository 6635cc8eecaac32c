"""The environment over a tape: copies of the simulated daemon, each starting somewhere else.

Observations are the features that the daemon's policy sees, raw, at quote cycles on the tape's own grid.
An action is one γ and one skew, held for a cycle; where nothing may be quoted (a gap, a pause) a step
lasts until the daemon asks again. An episode is cut off after `episode_s` or at the tape's end, and over
when the drawdown switch halts.
"""

from dataclasses import dataclass
from math import isfinite
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.engine import begin
from asmm_daemon.backtest.fast.follow import enter
from asmm_daemon.backtest.fast.records import Fast, new_desk
from asmm_daemon.backtest.fast.scout import Scout
from asmm_daemon.backtest.fast.vector import (
    DAMPENED,
    PENALISED,
    Terms,
    new_lanes,
    renew,
    stack,
    step_all,
    with_arrays,
)
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline
from asmm_daemon.core.book import set_window
from asmm_daemon.core.features import N_STATE
from asmm_daemon.core.market import new_market
from asmm_daemon.core.params import to_record
from asmm_daemon.errors import ConfigError
from asmm_daemon.kernels import bound
from asmm_daemon.learn.protocol import Observations, State, Step
from asmm_daemon.tape.checkpoints import Checkpoints
from asmm_daemon.units import NS_PER_S

GAMMAS = (0.01, 0.1, 0.2, 0.9)
SKEWS = (-1.0, -0.5, 0.0, 0.5, 1.0)
_FILLS = 2048
_BEGIN = -1


class Grid(NamedTuple):
    """An agent's choices; action i is (gammas[i // len(skews)], skews[i % len(skews)])."""

    gammas: tuple[float, ...] = GAMMAS
    skews: tuple[float, ...] = SKEWS


RewardKind = Literal["dampened", "penalised"]


@dataclass(frozen=True, slots=True)
class Reward:
    """What is learned from. `unit` is what rewards are divided by, in quote currency.

    `dampened`: Δ(realised + min(unrealised, 0)), the reference's asymmetric dampened PnL. `penalised`:
    ΔPnL − penalty·|q|, q in risk lots. Fees are in both. With `memory_s` the second leaves out what
    inventory older than that gained or lost: it tells of the market, hardly of the action.
    """

    unit: float
    kind: RewardKind = "dampened"
    penalty: float = 0.0
    memory_s: float = float("inf")


class TapeEnv:
    """`n_envs` copies over one tape.

    Args:
        setup: the market, its limits and the latency; its policy is not asked.
        tape: what all copies see.
        checkpoints: where episodes may start.
        reward: what is learned from.
        n_envs: copies.
        episode_s: length of an episode.
        gammas: grid of γ.
        skews: grid of skews; action i is (gammas[i // len(skews)], skews[i % len(skews)]).
        start_ns: no episode starts before it.
        end_ns: no episode goes beyond it.
        width: ticks of each book, as in the checkpoints.

    Raises:
        ConfigError: no checkpoint leaves room for an episode.
    """

    n_features = N_STATE

    def __init__(
        self,
        setup: Setup,
        tape: Timeline,
        checkpoints: Checkpoints,
        reward: Reward,
        *,
        n_envs: int = 1,
        episode_s: float = 3600.0,
        gammas: tuple[float, ...] = GAMMAS,
        skews: tuple[float, ...] = SKEWS,
        start_ns: int | None = None,
        end_ns: int | None = None,
        width: int = 65536,
    ) -> None:
        self.n_envs = n_envs
        self.n_actions = len(gammas) * len(skews)
        self.reward = reward
        self._setup, self._tape, self._checkpoints = setup, tape, checkpoints
        self._episode_ns = round(episode_s * NS_PER_S)
        self._last_ns = int(tape.local_ns[-1]) if end_ns is None else end_ns
        self._starts = self._usable(start_ns)
        params = to_record(setup.spec.quote, setup.spec.instrument)
        scout = Scout(tape, params, width=width, cycle_s=setup.cycle_s)
        self._blank = _small(begin(setup, scout, asks=True))
        self._trail = scout.whole()
        self._moves = self._trail.moves["message"].copy()
        self._moments = self._trail.moments["message"].copy()
        self._silences = self._trail.silences["to_ns"].copy()
        self._start_state = new_market(1)
        self._many = stack(self._blank, n_envs)
        self._lanes = new_lanes(n_envs, N_STATE, int(episode_s / setup.cycle_s) + 2)
        self._begun = np.zeros(n_envs, np.int64)
        self._rng = np.random.default_rng(0)
        forgets = reward.kind == "penalised" and isfinite(reward.memory_s)
        self._terms = Terms(
            gammas=np.array(gammas),
            skews=np.array(skews),
            kind=DAMPENED if reward.kind == "dampened" else PENALISED,
            penalty=float(reward.penalty),
            memory=round(reward.memory_s / setup.cycle_s) if forgets else -1,
            unit=float(reward.unit),
        )
        begin_all = np.full(n_envs, _BEGIN, np.int64)
        self._step_all = bound(step_all, self._many, self._trail, self._lanes, self._terms, begin_all)

    def reset(self, seed: int) -> Observations:
        """Starts every copy anew at a random checkpoint."""
        self._rng = np.random.default_rng(seed)
        for i in range(self.n_envs):
            self._start(i)
        return self._lanes.obs

    def step(self, actions: NDArray[np.int64]) -> Step:
        """One step of every copy; those that ended start anew."""
        lanes = self._lanes
        taken = np.ascontiguousarray(actions, np.int64)
        self._step_all(self._many, self._trail, lanes, self._terms, taken)
        over = lanes.halted | lanes.cut
        if over.any():
            for i in np.flatnonzero(over):
                self._start(int(i))
        return Step(lanes.obs, lanes.rewards, lanes.halted, lanes.cut, lanes.final)

    def state(self) -> State:
        """Where every copy began and what it has done since: the rest follows from the tape."""
        random = self._rng.bit_generator.state["state"]
        words = [int(random[name]) >> shift & (2**64 - 1) for name in ("state", "inc") for shift in (0, 64)]
        return {
            "begun": self._begun.copy(),
            "taken": self._lanes.taken.copy(),
            "steps": self._lanes.steps.copy(),
            "random": np.array(words, np.uint64),
        }

    def restore(self, state: State) -> None:
        """Goes through the episodes under way once more."""
        words = [int(word) for word in state["random"]]
        fresh: dict[str, Any] = dict(self._rng.bit_generator.state)
        fresh["state"] = {"state": words[0] | words[1] << 64, "inc": words[2] | words[3] << 64}
        self._rng.bit_generator.state = fresh
        for i in range(self.n_envs):
            self._start_at(i, int(state["begun"][i]))
            for action in state["taken"][i, : int(state["steps"][i])]:
                self._step_one(i, int(action))

    def _usable(self, start_ns: int | None) -> NDArray[np.int64]:
        times = self._checkpoints.t_ns
        first = int(self._tape.local_ns[0]) if start_ns is None else start_ns
        usable = np.flatnonzero((times >= first) & (times + self._episode_ns <= self._last_ns))
        if not usable.size:
            raise ConfigError(
                f"an episode of {self._episode_ns / NS_PER_S:g} s does not fit into the tape's "
                f"{(self._last_ns - first) / NS_PER_S:.0f} s"
            )
        return usable

    def _start(self, i: int) -> None:
        """A random checkpoint, and the first observation after it."""
        for _ in range(16):
            self._start_at(i, int(self._rng.choice(self._starts)))
            if self._lanes.running[i]:
                return
        raise ConfigError(
            "the daemon quotes at none of 16 starts: is the market warm and the order size right?"
        )

    def _start_at(self, i: int, number: int) -> None:
        one = with_arrays(self._many, lambda array: array[i])
        renew(one, self._blank)
        state = self._start_state._replace(book=one.venue.matching.book)
        row = self._checkpoints.restore(number, state)
        message = int(np.searchsorted(self._tape.ends, row, side="right"))
        start_ns = int(self._tape.local_ns[message])
        one.desk[:] = new_desk(self._setup.spec, start_ns=start_ns, cycle_s=self._setup.cycle_s, asks=True)
        one.desk["cycle_ns"] = self._cycle_after(start_ns)
        one.desk["message"] = message
        venue_first = int(self._trail.head["venue_first"][0])
        one.venue.state["message"] = venue_message = max(message, venue_first)
        # a crossed book moves the daemon's window at other times than the venue's, in which items lie
        set_window(one.venue.matching.book, int(self._trail.bests[venue_message - venue_first, 2]))
        one.venue.state["t_ns"] = start_ns
        market = state.market[0]
        one.venue.state["mark"], one.venue.state["funded_ns"] = market["mark"], market["funding_ns"]
        enter(
            one,
            self._trail,
            int(np.searchsorted(self._moves, message, side="right")),
            max(int(np.searchsorted(self._moments, message)) - 1, 0),
            int(np.searchsorted(self._silences, start_ns)),
        )
        self._begun[i], self._lanes.steps[i] = number, 0
        self._lanes.end_ns[i] = min(start_ns + self._episode_ns, self._last_ns)
        self._step_one(i, _BEGIN)

    def _step_one(self, i: int, action: int) -> None:
        actions = np.full(1, action, np.int64)
        one, lane = (with_arrays(many, lambda array: array[i : i + 1]) for many in (self._many, self._lanes))
        self._step_all(one, self._trail, lane, self._terms, actions)

    def _cycle_after(self, t_ns: int) -> int:
        """The first quote cycle of the trail after a time."""
        head = self._trail.head[0]
        first_ns, step_ns = int(head["cycle_ns"]), int(head["cycle_step_ns"])
        return first_ns + max((t_ns - first_ns) // step_ns + 1, 0) * step_ns


def _small(f: Fast) -> Fast:
    """The same daemon with room for one step's records."""
    return f._replace(steps=f.steps[:1].copy(), fills=f.fills[:_FILLS].copy())
