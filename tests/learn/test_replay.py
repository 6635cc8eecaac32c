"""What is remembered and how it is drawn, by numbers worked out by hand."""

import numpy as np
import pytest

from asmm_daemon.learn.protocol import Step
from asmm_daemon.learn.replay import SMALLEST_PRIORITY, Transitions
from asmm_daemon.learn.sequences import Sequences
from asmm_daemon.learn.sum_tree import SumTree


def step_of(obs, reward, *, terminated=False, truncated=False, final=None):
    row = np.array([[obs]], np.float32)
    last = row if final is None else np.array([[final]], np.float32)
    return Step(row, np.array([reward], np.float32), np.array([terminated]), np.array([truncated]), last)


def fed(replay, steps, cell=None):
    """One environment's stream: states 0, 1, 2, …, the action equal to the state."""
    for n, step in enumerate(steps):
        obs = np.array([[n]], np.float32)
        replay.add(obs, np.array([n]), step, *(() if cell is None else (cell(n),)))
    return replay


def rows(replay):
    names = ("obs", "action", "gain", "next", "discount")
    return [tuple(float(replay.fields[name][i].squeeze()) for name in names) for i in range(replay.size)]


def test_one_step_transitions_are_what_happened():
    """State, action, reward, next state, γ."""
    replay = fed(Transitions(8, 1, 1, discount=0.5, n_step=1), [step_of(1, 10), step_of(2, 20)])
    assert rows(replay) == [(0, 0, 10, 1, 0.5), (1, 1, 20, 2, 0.5)]


def test_three_step_returns_up_to_a_termination():
    """8 + 4/2 + 2/4 = 10.5 is valued further by γ³; what the end cuts short is not valued further."""
    steps = [
        step_of(1, 8),
        step_of(2, 4),
        step_of(3, 2),
        step_of(0, 16, terminated=True, final=4),
        step_of(5, 1),
    ]
    replay = fed(Transitions(8, 1, 1, discount=0.5, n_step=3), steps)
    assert rows(replay) == [(0, 0, 10.5, 3, 0.125), (1, 1, 9, 4, 0), (2, 2, 10, 4, 0), (3, 3, 16, 4, 0)]


def test_a_truncated_episode_is_valued_from_its_own_last_state():
    """Not from the first state of the next episode, by as many γ as there were rewards."""
    steps = [step_of(1, 8), step_of(0, 4, truncated=True, final=9)]
    replay = fed(Transitions(8, 1, 1, discount=0.5, n_step=3), steps)
    assert rows(replay) == [(0, 0, 10, 9, 0.25), (1, 1, 4, 9, 0.5)]


def test_the_ring_overwrites_the_oldest():
    """Of five transitions a ring of three keeps the last three."""
    replay = fed(Transitions(3, 1, 1, discount=0.5, n_step=1), [step_of(n + 1, n) for n in range(5)])
    assert sorted(row[0] for row in rows(replay)) == [2, 3, 4]


def test_sum_tree_draws_in_proportion():
    """Weights 1, 2, 0, 5: stratified draws hit them in exactly these shares."""
    tree = SumTree(4)
    tree.put(np.arange(4), np.array([1.0, 2.0, 0.0, 5.0]))
    index = tree.draw(np.full(800, 0.5))
    assert tree.total == 8.0
    assert np.bincount(index, minlength=4).tolist() == [100, 200, 0, 500]


def test_prioritised_draws_and_their_weights():
    """P ∝ |error|^α, and importance (N·P)^−β over the largest of the batch."""
    replay = fed(
        Transitions(4, 1, 1, discount=0.5, n_step=1, power=0.5), [step_of(n + 1, n) for n in range(4)]
    )
    errors = np.array([1.0, 4.0, -9.0, 16.0], np.float32)
    replay.prioritise(np.arange(4), errors)
    drawn = replay.draw(np.random.default_rng(1), 20_000, 1.0)
    shares = np.bincount(drawn.index, minlength=4) / 20_000
    expected = np.sqrt(np.abs(errors) + SMALLEST_PRIORITY)
    assert shares == pytest.approx(expected / expected.sum(), abs=0.001)
    assert drawn.weights[drawn.index == 3][0] == pytest.approx(expected[0] / expected[3], rel=1e-5)
    assert drawn.weights.max() == 1.0


def test_new_rows_are_drawn_at_the_highest_priority():
    """Each is tried before its error is known."""
    replay = fed(Transitions(4, 1, 1, discount=0.5, n_step=1, power=1.0), [step_of(1, 0)] * 2)
    replay.prioritise(np.array([0, 1]), np.array([7.0, 1.0], np.float32))
    fed(replay, [step_of(1, 0)])
    shares = np.bincount(replay.draw(np.random.default_rng(1), 15_000, 0.0).index, minlength=3) / 15_000
    assert shares == pytest.approx([7 / 15, 1 / 15, 7 / 15], abs=0.002)


def cell_of(n):
    return np.full((1, 2), n, np.float32), np.full((1, 2), 10 + n, np.float32)


def stretches(steps, **changes):
    settings = {"cells": 2, "burn_in": 1, "length": 3, "discount": 0.5, "n_step": 2} | changes
    return fed(Sequences(4, 1, 1, **settings), steps, cell_of)


def test_stretches_overlap_by_their_warm_up_and_carry_the_state():
    """Steps 0–3 and 3–6, each with the state that the network had before its first step."""
    replay = stretches([step_of(n + 1, n) for n in range(7)])
    assert replay.size == 2
    assert replay.fields["obs"][:2, :, 0].tolist() == [[0, 1, 2, 3, 4], [3, 4, 5, 6, 7]]
    assert replay.fields["hidden"][:2, 0].tolist() == [0, 3]
    assert replay.fields["memory"][:2, 0].tolist() == [10, 13]
    assert replay.fields["action"][:2].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert replay.fields["gain"][0].tolist() == [1 + 2 / 2, 2 + 3 / 2, 3]
    assert replay.fields["boot"][0].tolist() == [2, 3, 3]
    assert replay.fields["discount"][0].tolist() == [0.25, 0.25, 0.5]


def test_a_termination_within_a_stretch_ends_its_returns():
    """Nothing is valued beyond it, and the next step begins an episode."""
    replay = stretches([step_of(1, 0), step_of(2, 1), step_of(0, 2, terminated=True), step_of(4, 3)])
    assert replay.fields["gain"][0].tolist() == [2, 2, 3]
    assert replay.fields["discount"][0].tolist() == [0, 0, 0.5]
    assert replay.fields["valid"][0].tolist() == [1, 1, 1]
    assert replay.fields["first"][0].tolist() == [1, 0, 0, 1, 0]


def test_a_truncation_within_a_stretch_is_not_learned_from():
    """Its next observation is another episode's; the step before is valued from the truncated one."""
    replay = stretches([step_of(1, 0), step_of(2, 1), step_of(0, 2, truncated=True), step_of(4, 3)])
    assert replay.fields["valid"][0].tolist() == [1, 0, 1]
    assert replay.fields["gain"][0, 0] == 1
    assert replay.fields["boot"][0, 0] == 1
    assert replay.fields["discount"][0, 0] == 0.5
