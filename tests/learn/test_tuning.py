"""Tuning and folds: seeded, under the participation floor, never looking ahead."""

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest

from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.errors import ConfigError
from asmm_daemon.learn.agents import Plan
from asmm_daemon.learn.evaluation import baselines, folds, within_reach
from asmm_daemon.learn.tape_env import Grid
from asmm_daemon.learn.tuning import FAR_BELOW, in_turn, score_of, tune
from tests.backtest.markets import S, setup, synthetic


@dataclass
class Figures:
    """Only what a score reads."""

    quoted_both_share: float
    pnl_net: float


def test_quoting_little_is_worse_than_losing():
    """The floor comes before the figure."""
    idle, rich, poor = Figures(0.1, 1e6), Figures(0.79, 1e6), Figures(0.8, -1e6)
    scores = [score_of(each, "pnl") for each in (idle, rich, poor)]
    assert scores == sorted(scores)
    assert scores[1] < FAR_BELOW
    assert score_of(Figures(float("nan"), 0.0), "pnl") < FAR_BELOW


@pytest.mark.parametrize("batch", [1, 3])
def test_the_same_seed_finds_the_same_parameters(batch):
    """And the best is at least as good as the first trial, which is the default."""
    info, tape = synthetic(15)
    made = setup(info)
    judge = in_turn(lambda s: [run_fast(s, info, tape)])
    found = [tune(made, judge, trials=4, seed=3, batch=batch) for _ in range(2)]
    assert found[0].parameters == found[1].parameters
    assert found[0].trials == found[1].trials
    assert max(score for _, score in found[0].trials) >= found[0].trials[0][1]
    assert found[0].statistics.pnl_net == run_fast(found[0].setup, info, tape).pnl


@pytest.mark.parametrize("wrong", ["trials", "batch"])
def test_no_trial_is_an_error(wrong):
    """A budget of nothing is refused by name."""
    info, tape = synthetic(1)
    judge = in_turn(lambda s: [run_fast(s, info, tape)])
    with pytest.raises(ConfigError, match=f"{wrong} = 0"):
        tune(setup(info), judge, **({"trials": 1, "batch": 1} | {wrong: 0}))


def test_folds_walk_forward_and_keep_their_distance():
    """Training ends before validation, validation before the test, each a purge apart."""
    made = list(folds(0, 10 * 3600 * S, train_s=7200, validation_s=3600, test_s=3600, purge_s=600))
    assert len(made) == 6
    for fold in made:
        assert fold.validation.start_ns - fold.train.end_ns == 600 * S
        assert fold.test.start_ns - fold.validation.end_ns == 600 * S
        assert fold.test.end_ns <= 10 * 3600 * S
    tests = [(fold.test.start_ns, fold.test.end_ns) for fold in made]
    assert all(a[1] == b[0] for a, b in pairwise(tests))


def test_a_recording_too_short_for_a_fold_is_refused():
    """The message says how long one must be."""
    with pytest.raises(ConfigError, match="one needs"):
        list(folds(0, 3600 * S, train_s=7200, validation_s=3600, test_s=3600, purge_s=600))


def test_the_quiet_baseline_never_trades_and_the_others_do():
    """`no_quotes` is what every comparison starts from."""
    info, tape = synthetic(6)
    results = {name: run_fast(each, info, tape) for name, each in baselines(setup(info)).items()}
    quiet = results.pop("no_quotes")
    assert quiet.counts["orders"] == 0
    assert quiet.pnl == 0.0
    assert all(result.counts["orders"] > 0 for result in results.values())


@pytest.mark.parametrize(("maker", "expected"), [("0", 4.0), ("0.0001", 3.0), ("-0.00005", 4.5)])
def test_constant_spreads_keep_the_floor_with_their_fee(maker, expected):
    """The fee widens the quotes: what is left of the reach is the half-spread."""
    info, _ = synthetic(1)
    made = baselines(setup(info, maker=maker))["constant_spread"]
    assert made.spec.quote.constant_half_spread_bps == pytest.approx(expected)


def test_a_fixed_parameter_is_not_searched():
    """Every trial has it, the others differ."""
    info, tape = synthetic(15)
    judge = in_turn(lambda s: [run_fast(s, info, tape)])
    trials = tune(setup(info), judge, trials=4, fixed={"skew": 0.0}).trials
    assert {parameters["skew"] for parameters, _ in trials} == {0.0}
    assert len({parameters["gamma"] for parameters, _ in trials}) == 4


@pytest.mark.parametrize("budget", [2, 3, 20])
def test_an_agent_spends_what_the_baseline_may_spend(budget):
    """Trials for what it quotes on, and passes to learn from."""
    plan = Plan(budget=budget)
    assert plan.base_trials + plan.passes == budget


@pytest.mark.parametrize(
    ("widest", "mid", "least", "most"),
    [(1.0, 80_000.0, 2.5, 2.5), (0.25, 80_000.0, 4.0, 4.0), (1.0, 100.0, 4.0, 10.0)],
)
def test_what_an_agent_quotes_on_keeps_every_skew_near_the_market(widest, mid, least, most):
    """Half-spreads are brought in by as much as the widest skew asks for, where ticks are small."""
    made = setup(synthetic(15)[0])
    made = replace(made, spec=replace(made.spec, quote=replace(made.spec.quote, min_half_spread_bps=4.0)))
    quote = within_reach(made, Grid(skews=(-widest, 0.0, widest)), mid).spec.quote
    assert (quote.min_half_spread_bps, quote.max_half_spread_bps) == pytest.approx((least, most))
