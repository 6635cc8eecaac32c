"""Which candidates foretell the direction: random-forest importances on purged, embargoed folds.

Definitions of López de Prado, Advances in Financial Machine Learning (2018): chapter 7 for purging and
embargo, chapter 8 for MDI, MDA and SFI. The score weighs them 25, 25 and 50 % as Falces Marín et al.
(PLOS ONE 2022), each first scaled to 0–1 over the candidates since they have no common unit.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import ConfigError, TapeError

Floats = NDArray[np.float64]
Times = NDArray[np.int64]
Index = NDArray[np.int64]

WEIGHTS = (0.25, 0.25, 0.5)
"""Of MDI, MDA and SFI in the score."""
LEAF = 0.01
"""Smallest leaf of a tree, as a share of the samples it learns from: a direction is mostly noise."""
LEAST = 25
"""Samples that a fold needs."""


class Importance(NamedTuple):
    """Mean (k,) and standard error (k,) of one importance, over trees or folds."""

    mean: Floats
    error: Floats


@dataclass(frozen=True, slots=True)
class Selection:
    """The outcome; arrays have one entry per candidate in the order of `names`.

    Accuracies are means over test folds: `purged` of all candidates on purged folds, `unpurged` on the
    same folds with nothing taken out, `shuffled` on folds drawn at random, `selected` of the best alone on
    purged folds, `majority` of always naming the direction that is more frequent in training. What
    `shuffled` and `unpurged` have beyond `purged` is leakage. `selected` was chosen on the same data, so it
    is no estimate for new data.
    """

    names: tuple[str, ...]
    mdi: Importance
    mda: Importance
    sfi: Importance
    score: Floats
    top: tuple[str, ...]
    purged: float
    unpurged: float
    shuffled: float
    selected: float
    majority: float

    @property
    def ranking(self) -> Index:
        """Candidates from the best to the worst."""
        return np.argsort(-self.score, kind="stable")


@dataclass(frozen=True, slots=True)
class Study:
    """How importances are measured: folds, embargo after a test fold, trees a forest, seed, threads."""

    folds: int = 4
    embargo_ns: int = 0
    trees: int = 100
    seed: int = 1
    jobs: int = 1


class Fold(NamedTuple):
    """Samples to learn from and samples to test on."""

    train: Index
    test: Index


def purged_folds(start_ns: Times, end_ns: Times, folds: int, embargo_ns: int = 0) -> list[Fold]:
    """Test folds that are stretches of time, and for each the samples that share no information with it.

    Sample i is known at `start_ns[i]` and its label spans from there to `end_ns[i]`. Taken out of training
    are samples whose span touches that of the test fold (purging), and those that start within
    `embargo_ns` after the last label of the test fold ends (embargo).

    Args:
        start_ns: (n,), not decreasing.
        end_ns: (n,).
        folds: how many; sizes differ by one at most.
        embargo_ns: how far the candidates of a sample look back.
    """
    every = np.arange(start_ns.size)
    found = []
    for test in np.array_split(every, folds):
        begins, ends = start_ns[test].min(), end_ns[test].max()
        before = end_ns < begins
        after = start_ns > ends + embargo_ns
        found.append(Fold(every[before | after], test))
    return found


def plain_folds(n: int, folds: int, rng: np.random.Generator | None = None) -> list[Fold]:
    """The same folds with all other samples to learn from; drawn at random where `rng` is given."""
    every = np.arange(n) if rng is None else rng.permutation(n)
    return [Fold(np.setdiff1d(every, test), np.sort(test)) for test in np.array_split(every, folds)]


def grow(
    x: Floats, y: NDArray[np.int8], study: Study, *, max_features: int | str = "sqrt", jobs: int | None = None
) -> Any:
    """A fitted forest, the same for the same seed; it foretells in one thread.

    Several threads would add up their trees' chances in the order in which they end.
    """
    from sklearn.ensemble import RandomForestClassifier  # noqa: PLC0415  (slow, and only studies need it)

    model = RandomForestClassifier(
        n_estimators=study.trees,
        criterion="entropy",
        max_features=max_features,
        min_samples_leaf=LEAF,
        n_jobs=study.jobs if jobs is None else jobs,
        random_state=study.seed,
    )
    return model.fit(x, y).set_params(n_jobs=1)


def _spread(study: Study) -> tuple[Any, Any]:
    """What runs calls in threads, results in order, and what wraps a function for it."""
    from sklearn.utils.parallel import Parallel, delayed  # noqa: PLC0415  (as above)

    return Parallel(n_jobs=study.jobs, prefer="threads", return_as="generator"), delayed


def mdi(x: Floats, y: NDArray[np.int8], study: Study) -> Importance:
    """Mean decrease of impurity, in sample, as shares that sum to 1.

    Every split sees one random candidate, so that none hides another, and a tree that never used a
    candidate says nothing about it: zeros count as unknown (snippet 8.2).
    """
    fitted = grow(x, y, study, max_features=1)
    each = np.array([tree.feature_importances_ for tree in fitted.estimators_])
    each[each == 0.0] = np.nan
    counted = np.count_nonzero(np.isfinite(each), axis=0)
    total = np.nansum(each, axis=0)
    mean = total / np.maximum(counted, 1)
    spread = np.nansum((each - mean) ** 2, axis=0) / np.maximum(counted - 1, 1)
    error = np.sqrt(spread / study.trees)
    whole = mean.sum() or 1.0
    return Importance(mean / whole, error / whole)


class Held(NamedTuple):
    """MDA and the accuracy of all candidates, from the same forests."""

    mda: Importance
    accuracy: float


def log_loss(up: NDArray[np.int8], chance: Floats) -> float:
    """Mean negative log likelihood of the directions under (n, 2) chances of down and up."""
    named = chance[np.arange(up.size), up.astype(np.int64)]
    return float(-np.log(np.maximum(named, 1e-15)).mean())


def mda(
    x: Floats,
    y: NDArray[np.int8],
    folds: list[Fold],
    study: Study,
    told: Callable[[], object] = lambda: None,
) -> Held:
    """Mean decrease of accuracy: how much of the log loss on held-out data comes from permuting a candidate.

    Per fold (loss permuted − loss)/loss permuted, of one forest that is not fitted again (snippet 8.3).
    `told` is called after each fold.
    """
    work, delayed = _spread(study)
    falls, accuracies = [], []
    for number, fold in enumerate(folds):
        fitted = grow(x[fold.train], y[fold.train], study)
        test, truth = x[fold.test], y[fold.test]
        chance = fitted.predict_proba(test)
        accuracies.append(np.mean((chance[:, 1] > 0.5) == truth))
        loss = log_loss(truth, chance)
        seeds = [(study.seed, number, j) for j in range(x.shape[1])]
        permuted = np.array(list(work(delayed(_permuted)(fitted, test, truth, seed) for seed in seeds)))
        falls.append((permuted - loss) / permuted)
        told()
    return Held(_over_folds(np.array(falls)), float(np.mean(accuracies)))


def _permuted(fitted: Any, test: Floats, truth: NDArray[np.int8], seed: tuple[int, int, int]) -> float:
    """The log loss with one candidate permuted, the last number of the seed."""
    mixed = test.copy()
    np.random.default_rng(seed).shuffle(mixed[:, seed[-1]])
    return log_loss(truth, fitted.predict_proba(mixed))


def sfi(
    x: Floats,
    y: NDArray[np.int8],
    folds: list[Fold],
    study: Study,
    told: Callable[[], object] = lambda: None,
) -> Importance:
    """Single feature importance: the accuracy on held-out data of each candidate alone (snippet 8.4).

    Candidates are spread over the threads. `told` is called after each.
    """
    work, delayed = _spread(study)
    found = []
    for each in work(delayed(_accuracies)(x[:, [j]], y, folds, study, 1) for j in range(x.shape[1])):
        found.append(each)
        told()
    return _over_folds(np.array(found).T)


def accuracy(x: Floats, y: NDArray[np.int8], folds: list[Fold], study: Study) -> float:
    """Mean share of held-out directions that a forest names right."""
    return float(np.mean(_accuracies(x, y, folds, study, study.jobs)))


def _accuracies(x: Floats, y: NDArray[np.int8], folds: list[Fold], study: Study, jobs: int) -> Floats:
    shares = []
    for fold in folds:
        fitted = grow(x[fold.train], y[fold.train], study, jobs=jobs)
        shares.append(fitted.score(x[fold.test], y[fold.test]))
    return np.array(shares)


def _over_folds(values: Floats) -> Importance:
    # (folds, k)
    return Importance(values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values)))


def combined(parts: tuple[Floats, Floats, Floats]) -> Floats:
    """The score (k,) from 0 to 1: each importance between its smallest and its largest, weighed."""
    score = np.zeros_like(parts[0])
    for weight, part in zip(WEIGHTS, parts, strict=True):
        low, span = part.min(), np.ptp(part)
        score += weight * ((part - low) / span if span > 0.0 else np.zeros_like(part))
    return score


def _majority(y: NDArray[np.int8], folds: list[Fold]) -> float:
    return float(np.mean([np.mean(y[f.test] == (y[f.train].mean() > 0.5)) for f in folds]))


def _check(y: NDArray[np.int8], folds: list[Fold]) -> None:
    for number, fold in enumerate(folds, 1):
        if min(fold.train.size, fold.test.size) < LEAST:
            raise TapeError(
                f"fold {number} has {fold.train.size} samples to learn from and {fold.test.size} to test on, "
                f"at least {LEAST} each are needed: give a longer stretch of tape or fewer folds"
            )
        if np.unique(y[fold.train]).size < 2:
            raise TapeError(f"fold {number}: the price only goes one way in what is learned from")


def select(
    names: tuple[str, ...],
    x: Floats,
    y: NDArray[np.int8],
    start_ns: Times,
    end_ns: Times,
    *,
    study: Study,
    top: int = 22,
    progress: Callable[[int, int], object] = lambda *_: None,
) -> Selection:
    """Ranks candidates.

    Args:
        names: (k,) of the columns.
        x: (n, k), finite, in order of time.
        y: (n,) direction, 0 or 1.
        start_ns: (n,) when each sample was taken.
        end_ns: (n,) when its label was known.
        study: folds, trees, seed.
        top: how many to keep.
        progress: told steps done and steps in all.

    Raises:
        ConfigError: fewer than two folds, or `top` beyond the candidates.
        TapeError: too few samples, or one direction only.
    """
    if study.folds < 2:
        raise ConfigError(f"folds = {study.folds}: at least 2")
    if study.folds > y.size:
        raise TapeError(f"{y.size} samples do not fill {study.folds} folds")
    if not 1 <= top <= len(names):
        raise ConfigError(f"top = {top}: between 1 and the {len(names)} candidates")
    purged = purged_folds(start_ns, end_ns, study.folds, study.embargo_ns)
    _check(y, purged)
    done, steps = count(1), len(names) + study.folds + 4

    def tell() -> None:
        progress(next(done), steps)

    decrease = mdi(x, y, study)
    tell()
    held = mda(x, y, purged, study, tell)
    single = sfi(x, y, purged, study, tell)
    score = combined((decrease.mean, held.mda.mean, single.mean))
    kept = np.argsort(-score, kind="stable")[:top]
    selected = accuracy(x[:, kept], y, purged, study)
    tell()
    unpurged = accuracy(x, y, plain_folds(y.size, study.folds), study)
    tell()
    rng = np.random.default_rng(study.seed)
    shuffled = accuracy(x, y, plain_folds(y.size, study.folds, rng), study)
    tell()
    return Selection(
        names=names,
        mdi=decrease,
        mda=held.mda,
        sfi=single,
        score=score,
        top=tuple(names[j] for j in kept),
        purged=held.accuracy,
        unpurged=unpurged,
        shuffled=shuffled,
        selected=selected,
        majority=_majority(y, purged),
    )
