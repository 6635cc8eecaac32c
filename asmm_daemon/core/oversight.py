"""Trading states and what causes them: the worse state wins, and a latched cause ends only by a person.

A `Board` collects the causes that hold now, one board per market and one for the account; a `Machine`
walks the table of states. Both are told what is true; the watches of `switches.py` find it out.
"""

from collections.abc import Iterable
from enum import IntEnum, StrEnum

from asmm_daemon.errors import IllegalTransition


class State(IntEnum):
    """Trading states, the worse the higher."""

    ACTIVE = 0
    """Quotes both sides."""
    REDUCING = 1
    """Only orders that shrink the inventory."""
    PAUSED = 2
    """Nothing rests; resumes by itself when the causes end."""
    HALTED = 3
    """Nothing rests; latched until a person resumes."""


TRANSITIONS: dict[State, frozenset[State]] = {
    State.ACTIVE: frozenset({State.REDUCING, State.PAUSED, State.HALTED}),
    State.REDUCING: frozenset({State.ACTIVE, State.PAUSED, State.HALTED}),
    State.PAUSED: frozenset({State.ACTIVE, State.REDUCING, State.HALTED}),
    State.HALTED: frozenset({State.PAUSED}),
}


class Switch(StrEnum):
    """Causes of a state other than ACTIVE."""

    STARTUP = "startup"
    RECONCILE = "reconcile"
    WARMING = "warming"
    """σ has not been seen for long enough to quote."""
    STALE_BOOK = "stale_book"
    INVALID_BOOK = "invalid_book"
    CHANNEL_DOWN = "channel_down"
    DISCONNECT = "disconnect"
    FLASH_CRASH = "flash_crash"
    OPERATOR_PAUSE = "operator_pause"
    STOPPING = "stopping"
    OPERATOR_HALT = "operator_halt"
    DRAWDOWN = "drawdown"
    SOFT_DRAWDOWN = "soft_drawdown"
    INVENTORY = "inventory"
    STUCK = "stuck"


EFFECT: dict[Switch, State] = {
    Switch.STARTUP: State.PAUSED,
    Switch.RECONCILE: State.PAUSED,
    Switch.WARMING: State.PAUSED,
    Switch.STALE_BOOK: State.PAUSED,
    Switch.INVALID_BOOK: State.PAUSED,
    Switch.CHANNEL_DOWN: State.PAUSED,
    Switch.DISCONNECT: State.PAUSED,
    Switch.FLASH_CRASH: State.PAUSED,
    Switch.OPERATOR_PAUSE: State.PAUSED,
    Switch.STOPPING: State.PAUSED,
    Switch.OPERATOR_HALT: State.HALTED,
    Switch.DRAWDOWN: State.HALTED,
    Switch.SOFT_DRAWDOWN: State.REDUCING,
    Switch.INVENTORY: State.REDUCING,
    Switch.STUCK: State.REDUCING,
}
LATCHED = frozenset({Switch.OPERATOR_HALT, Switch.DRAWDOWN})
"""Causes that stay until a person resumes, over restarts too."""
NEED_RECONCILE = frozenset({Switch.DISCONNECT, Switch.CHANNEL_DOWN, Switch.OPERATOR_HALT, Switch.DRAWDOWN})
"""Causes after whose end the account is reconciled before anything is quoted (S8)."""
SWEEPING = frozenset(
    {Switch.DISCONNECT, Switch.FLASH_CRASH, Switch.STOPPING, Switch.OPERATOR_HALT, Switch.DRAWDOWN}
)
"""Causes that cancel over every path, not only the orders believed to be open."""


class Board:
    """The causes that hold now, with the reason of each."""

    def __init__(self) -> None:
        self.causes: dict[Switch, str] = {}

    def set(self, switch: Switch, reason: str) -> bool:
        """Raises a cause; True when it is new. A known cause keeps its first reason."""
        if switch in self.causes:
            return False
        self.causes[switch] = reason
        return True

    def clear(self, switch: Switch) -> bool:
        """Ends a cause that is not latched; True when it held."""
        if switch in LATCHED:
            raise IllegalTransition(f"{switch} is latched: only a resume ends it")
        return self.causes.pop(switch, None) is not None

    def resume(self) -> list[Switch]:
        """A person's word ends every latched cause; returns those that held."""
        ended = [s for s in self.causes if s in LATCHED]
        for switch in ended:
            del self.causes[switch]
        return ended

    @property
    def state(self) -> State:
        """The worst state that a cause asks for."""
        return worst(self.causes)


def worst(causes: Iterable[Switch]) -> State:
    """The worst state among causes; ACTIVE when there is none."""
    return max((EFFECT[s] for s in causes), default=State.ACTIVE)


class Machine:
    """One trading state, walked along TRANSITIONS."""

    def __init__(self) -> None:
        self.state = State.PAUSED
        self.since_ns = 0

    def follow(self, target: State, t_ns: int) -> tuple[State, State] | None:
        """Moves toward a state; returns (before, after) when it moved.

        Out of HALTED it moves to PAUSED whatever the target: the next call goes on from there.
        """
        before = self.state
        if target is before:
            return None
        after = target if target in TRANSITIONS[before] else State.PAUSED
        self.enter(after)
        self.since_ns = t_ns
        return before, after

    def enter(self, state: State) -> None:
        """Enters a state. Raises IllegalTransition when the table does not list it."""
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"trading state {self.state.name} cannot become {state.name}")
        self.state = state
