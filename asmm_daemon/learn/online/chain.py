"""From quote cycles to transitions: the same rule for the daemon's own and for replayed ones.

The reward is `tape_env.Reward`'s `dampened`: the change of realised + min(unrealised, 0), less fees, from
one action to the next, in the model's unit.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.moment import Moment
from asmm_daemon.units import NS_PER_S


class Transition(NamedTuple):
    """One action and what followed a cycle later; features in raw units."""

    t_ns: int
    obs: NDArray[np.float32]
    action: int
    reward: float
    after: NDArray[np.float32]


class Chain:
    """Links each moment to the one before. `unit`: quote currency that a reward of 1 stands for.

    A cycle without a moment, a pause between two of them, or a cycle that was left out interrupts the
    chain: what an action earned is known only if it held for one whole cycle.
    """

    def __init__(self, cycle_s: float, unit: float) -> None:
        self._cycle_ns, self._unit = cycle_s * NS_PER_S, unit
        self._before: Moment | None = None

    def link(self, moment: Moment | None) -> Transition | None:
        """The transition that ends with this moment, if one does."""
        if moment is not None and moment.index < 0:
            moment = None
        before, self._before = self._before, moment
        if moment is None or before is None or moment.pauses != before.pauses:
            return None
        if abs(moment.t_ns - before.t_ns - self._cycle_ns) > 0.5 * self._cycle_ns:
            return None
        reward = (moment.wealth - before.wealth) / self._unit
        return Transition(before.t_ns, before.features, before.index, reward, moment.features)
