"""Trading states: the table, the worse state wins, latches end only by a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmm_daemon.core.oversight import EFFECT, LATCHED, TRANSITIONS, Board, Machine, State, Switch
from asmm_daemon.errors import IllegalTransition


def test_every_switch_has_an_effect_that_is_not_active():
    """No cause leads to ACTIVE, and none is forgotten."""
    assert set(EFFECT) == set(Switch)
    assert State.ACTIVE not in EFFECT.values()


def test_halted_leads_only_to_paused():
    """Out of HALTED the daemon pauses first, so that it reconciles before it quotes."""
    assert TRANSITIONS[State.HALTED] == {State.PAUSED}
    machine = Machine()
    machine.follow(State.HALTED, 1)
    assert machine.follow(State.ACTIVE, 2) == (State.HALTED, State.PAUSED)
    assert machine.follow(State.ACTIVE, 3) == (State.PAUSED, State.ACTIVE)


@pytest.mark.parametrize("state", [State.ACTIVE, State.REDUCING])
def test_an_illegal_transition_raises(state):
    """HALTED to a quoting state in one step is no transition."""
    machine = Machine()
    machine.enter(State.HALTED)
    with pytest.raises(IllegalTransition):
        machine.enter(state)
    with pytest.raises(IllegalTransition):
        machine.enter(State.HALTED)


@pytest.mark.parametrize("switch", sorted(LATCHED))
def test_a_latch_is_not_cleared(switch):
    """A latched cause ignores everything but a resume."""
    board = Board()
    board.set(switch, "x")
    with pytest.raises(IllegalTransition):
        board.clear(switch)
    assert board.state is State.HALTED
    assert board.resume() == [switch]
    assert board.state is State.ACTIVE


@given(causes=st.sets(st.sampled_from(Switch)))
def test_the_worse_state_wins(causes):
    """Whatever the order of causes, the state is the worst one asked for."""
    board = Board()
    for switch in causes:
        board.set(switch, "x")
    assert board.state == max((EFFECT[s] for s in causes), default=State.ACTIVE)


@given(targets=st.lists(st.sampled_from(State), max_size=30))
def test_the_machine_follows_any_sequence_legally(targets):
    """Following targets never raises, and reaches each within two calls."""
    machine = Machine()
    for t, target in enumerate(targets):
        machine.follow(target, t)
        machine.follow(target, t)
        assert machine.state is target


def test_a_cause_keeps_its_first_reason():
    """What tripped first is what a person reads."""
    board = Board()
    assert board.set(Switch.STALE_BOOK, "first")
    assert not board.set(Switch.STALE_BOOK, "second")
    assert board.causes[Switch.STALE_BOOK] == "first"
