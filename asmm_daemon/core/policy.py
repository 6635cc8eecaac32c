"""Where an agent plugs in: features in, risk aversion and skew out, every quote cycle."""

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.features import FEATURES_ID


class Action(NamedTuple):
    """γ (dimensionless) and skew (half-spreads; positive raises both quotes); index -1: not from a grid."""

    gamma: float
    skew: float
    index: int  # type: ignore[assignment]  # the shared interface fixes this name


class Policy(Protocol):
    """Chooses γ and skew. Results that are not finite or out of range are the caller's to refuse."""

    name: str
    features_id: str

    def reset(self) -> None:
        """Forgets the past: at the start, and after a pause longer than 60 s."""

    def act(self, features: NDArray[np.float64], t_ns: int) -> Action:
        """The action for one cycle; `features` (22 + extras,) in raw units, not normalised."""

    def act_batch(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Action indices for features (n, 22 + extras): shape (n,)."""


class FixedPolicy:
    """Always the same γ and skew: plain quoting, and the fallback of a model that fails."""

    features_id = FEATURES_ID

    def __init__(self, gamma: float, skew: float = 0.0) -> None:
        self.name = "fixed"
        self._action = Action(gamma, skew, -1)

    def reset(self) -> None:
        """Has nothing to forget."""

    def act(self, features: NDArray[np.float64], t_ns: int) -> Action:  # noqa: ARG002 (the protocol's arguments)
        """The one action."""
        return self._action

    def act_batch(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Index -1 for every row: the action is from no grid."""
        return np.full(len(features), -1, np.int64)
