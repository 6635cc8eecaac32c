"""Purging, embargo and the three importances, on cases whose outcome is known."""

import math

import numpy as np
import pytest

from asmm_daemon.errors import ConfigError, TapeError

pytest.importorskip("sklearn")

from asmm_daemon.learn.selection import (
    Study,
    accuracy,
    combined,
    log_loss,
    plain_folds,
    purged_folds,
    select,
)


def told(n=600, seed=1):
    """Five candidates of which the third is the direction plus noise; labels do not overlap."""
    rng = np.random.default_rng(seed)
    up = (rng.random(n) < 0.5).astype(np.int8)
    x = rng.normal(size=(n, 5))
    x[:, 2] = up + 0.7 * x[:, 2]
    start = np.arange(n, dtype=np.int64) * 10
    return x, up, start, start + 5


def study_of(**knobs):
    return Study(**({"folds": 4, "trees": 20, "seed": 3} | knobs))


def ranked(**knobs):
    x, up, start, end = told()
    return select(("a", "b", "c", "d", "e"), x, up, start, end, study=study_of(**knobs), top=2)


def overlapping(seed, n=400, reach=60):
    """A random walk's way `reach` samples ahead, and as the only candidate the time: nothing to learn."""
    walk = np.cumsum(np.random.default_rng(seed).normal(size=n + reach))
    start = np.arange(n, dtype=np.int64)
    up = (walk[reach:] > walk[:n]).astype(np.int8)
    return start[:, None].astype(float), up, start, start + reach


def test_labels_that_touch_the_test_fold_are_purged():
    """Six samples at 0, 10, … 50 whose labels span 15, three folds: worked out by hand."""
    start = np.arange(6, dtype=np.int64) * 10
    folds = purged_folds(start, start + 15, 3)
    assert [list(fold.test) for fold in folds] == [[0, 1], [2, 3], [4, 5]]
    # test spans 0–25, 20–45, 40–65; the label of 1 ends at 25, that of 3 at 45, so they touch the next
    assert [list(fold.train) for fold in folds] == [[3, 4, 5], [0, 5], [0, 1, 2]]


def test_a_label_that_only_just_touches_is_purged():
    """A label that ends at the very moment of the fold's first sample has seen its price."""
    start = np.arange(6, dtype=np.int64) * 10
    folds = purged_folds(start, start + 10, 3)
    assert [list(fold.train) for fold in folds] == [[3, 4, 5], [0, 5], [0, 1, 2]]
    folds = purged_folds(start, start + 9, 3)
    assert [list(fold.train) for fold in folds] == [[2, 3, 4, 5], [0, 1, 4, 5], [0, 1, 2, 3]]


def test_the_embargo_comes_after_the_test_fold_alone():
    """Fifteen more after the fold's last label at 19, 39 and 59; nothing before it."""
    start = np.arange(6, dtype=np.int64) * 10
    folds = purged_folds(start, start + 9, 3, embargo_ns=15)
    assert [list(fold.train) for fold in folds] == [[4, 5], [0, 1], [0, 1, 2, 3]]


def test_plain_folds_leave_nothing_out():
    """Every sample is tested once and learned from in all other folds, in order or drawn."""
    for rng in (None, np.random.default_rng(1)):
        folds = plain_folds(10, 3, rng)
        assert sorted(np.concatenate([fold.test for fold in folds])) == list(range(10))
        assert all(sorted([*fold.train, *fold.test]) == list(range(10)) for fold in folds)
    assert list(plain_folds(10, 3)[0].test) == [0, 1, 2, 3]


def test_the_telling_candidate_is_first_in_all_three():
    """One candidate is the direction plus noise, four are noise."""
    found = ranked()
    for part in (found.mdi, found.mda, found.sfi):
        assert np.argmax(part.mean) == 2
        assert part.mean[2] - 2 * part.error[2] > np.delete(part.mean, 2).max()
    assert found.top[0] == "c"
    assert found.ranking[0] == 2
    assert found.score[2] == pytest.approx(1.0)
    assert found.mdi.mean.sum() == pytest.approx(1.0)
    assert min(found.purged, found.selected) > 0.65
    assert 0.4 < found.majority < 0.6


def test_overlapping_labels_leak_unless_they_are_purged():
    """A label that reaches into the test fold tells of it: unpurged folds shine where nothing is known."""
    purged, unpurged, drawn = [], [], []
    for seed in range(12):
        x, up, start, end = overlapping(seed)
        study = study_of(trees=5, seed=seed)
        purged.append(accuracy(x, up, purged_folds(start, end, 10), study))
        unpurged.append(accuracy(x, up, plain_folds(up.size, 10), study))
        drawn.append(accuracy(x, up, plain_folds(up.size, 10, np.random.default_rng(seed)), study))
    assert np.mean(purged) < 0.58
    assert np.mean(unpurged) > 0.7
    assert np.mean(drawn) > 0.85


def test_the_seed_decides_and_the_threads_do_not():
    """The same seed gives the same figures with one thread or two, another seed gives others."""
    first, again, other = ranked(), ranked(jobs=2), ranked(seed=4)
    for name in ("mdi", "mda", "sfi"):
        for one, two in zip(getattr(first, name), getattr(again, name), strict=True):
            assert np.array_equal(one, two), name
    assert np.array_equal(first.score, again.score)
    assert (first.purged, first.unpurged, first.shuffled) == (again.purged, again.unpurged, again.shuffled)
    assert not np.array_equal(first.mdi.mean, other.mdi.mean)


def test_the_score_weighs_scaled_importances():
    """25, 25 and 50 %, each from its smallest to its largest; one without a spread says nothing."""
    score = combined((np.array([0.0, 1.0, 4.0]), np.array([-1.0, 1.0, 0.0]), np.array([0.5, 0.6, 0.5])))
    assert score == pytest.approx([0.0, 0.25 / 4 + 0.25 + 0.5, 0.25 + 0.125])
    flat = np.ones(2)
    assert combined((flat, flat, np.array([0.5, 0.6]))) == pytest.approx([0.0, 0.5])


def test_log_loss_by_hand():
    """−(ln 0.8 + ln 0.5)/2, and a certain miss is finite."""
    chance = np.array([[0.2, 0.8], [0.5, 0.5]])
    assert log_loss(np.array([1, 0], np.int8), chance) == pytest.approx(-(math.log(0.8) + math.log(0.5)) / 2)
    assert log_loss(np.array([1], np.int8), np.array([[1.0, 0.0]])) == pytest.approx(-math.log(1e-15))


def test_progress_reaches_its_end():
    """Told once a step, in order, up to all."""
    x, up, start, end = told(200)
    steps = []
    study = study_of(trees=2)
    select(
        tuple("abcde"),
        x,
        up,
        start,
        end,
        study=study,
        top=1,
        progress=lambda done, total: steps.append((done, total)),
    )
    assert steps == [(done, 5 + 4 + 4) for done in range(1, 14)]


@pytest.mark.parametrize(
    ("knobs", "error", "said"),
    [
        ({"study": study_of(folds=1)}, ConfigError, "folds = 1"),
        ({"top": 6}, ConfigError, "top = 6"),
        ({"study": study_of(folds=30)}, TapeError, "to test on"),
        ({"study": study_of(embargo_ns=10**9), "x": 60}, TapeError, "to learn from"),
        ({"up": 1}, TapeError, "only goes one way"),
    ],
)
def test_what_cannot_be_studied_is_refused(knobs, error, said):
    """One message with the value, before any forest grows."""
    x, up, start, end = told(knobs.pop("x", 600))
    up = np.ones_like(up) if knobs.pop("up", 0) else up
    with pytest.raises(error, match=said):
        select(tuple("abcde"), x, up, start, end, **({"study": study_of(), "top": 2} | knobs))
