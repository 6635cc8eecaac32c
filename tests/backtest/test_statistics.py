"""The figures of a run, by hand and against the market generator's own accounts."""

from math import isnan, nan, sqrt

import empyrical
import numpy as np
import orjson
import pytest

from asmm_daemon.backtest.labels import INDICATORS, PRESENCE, RESULT, TRADING, figure, units, written
from asmm_daemon.backtest.statistics import Statistics, measure
from tests.backtest.made_results import DAY, T0, made_fills, made_result, market_result

DAY_S = 86_400.0


def test_by_hand():
    """Four cycles of six hours: every figure from the sums on paper."""
    fills = made_fills((1, 99.0, 2.0), (-1, 101.0, 1.0), (-1, 98.0, 1.0), later=100.5)
    fills["maker"] = [True, True, False]
    figures = measure(
        made_result(
            [4.0, 2.0, 6.0, 3.0],
            fills,
            cycle_s=21_600.0,
            inventory=[2.0, 1.0, 0.0, -1.0],
            fees=[0.1, 0.2, 0.3, 0.5],
            volume=[198.0, 299.0, 397.0, 397.0],
            half_spread=[nan, 1.0, 2.0, 3.0],
            healthy_s=10_000.0,
            near_bid_s=8_000.0,
            near_ask_s=6_000.0,
            near_both_s=5_000.0,
            limit_s=[1_000.0, 0.0, 0.0, 0.0],
        )
    )
    assert (figures.days, figures.steps, figures.fills, figures.fills_per_day) == (1.0, 4, 3, 3.0)
    assert (figures.pnl_net, figures.pnl_gross, figures.fees) == (3.0, 3.5, 0.5)
    assert figures.sharpe_step == pytest.approx(0.75 / np.std([4, -2, 4, -3], ddof=1))
    assert figures.sortino_step == pytest.approx(0.75 / sqrt(13 / 4))
    assert figures.drawdown_max == 3.0
    assert figures.drawdown_max_ratio == pytest.approx(3 / 1006)
    assert figures.pnl_to_map == 3.0
    assert (figures.inventory_mean_abs, figures.inventory_max_abs) == (1.0, 2.0)
    assert figures.turnover_per_day == 2.0
    assert (figures.win_rate, figures.closing_fills) == (0.5, 2)
    assert figures.maker_share == pytest.approx(299 / 397)
    assert figures.half_spread_bps == pytest.approx(200.0)
    assert (figures.quoted_both_share, figures.quoted_bid_share, figures.quoted_ask_share) == (0.5, 0.8, 0.6)
    assert figures.limit_share == 0.025
    assert figures.return_on_capital == 0.003
    assert isnan(figures.sharpe_daily)
    assert figures.days_counted == 1


def test_days_against_empyrical():
    """Daily and annualised ratios of five whole days are those of empyrical on the days' returns."""
    daily = np.array([30.0, -10.0, 25.0, -5.0, 12.0])
    figures = measure(made_result(np.cumsum(np.repeat(daily / 4, 4)), cycle_s=DAY_S / 4))
    returns = daily / 1000.0
    assert figures.days_counted == 5
    for ours, theirs in (("sharpe", empyrical.sharpe_ratio), ("sortino", empyrical.sortino_ratio)):
        assert getattr(figures, f"{ours}_daily") == pytest.approx(theirs(returns, annualization=1))
        assert getattr(figures, f"{ours}_annual") == pytest.approx(theirs(returns, annualization=365))


def test_tail_of_a_day_is_no_day():
    """Two whole days and an hour of a third: two changes, and the hour still in the PnL."""
    equity = np.cumsum([1.0] * 24 + [2.0] * 24 + [50.0])
    figures = measure(made_result(equity, cycle_s=3600.0))
    assert figures.days_counted == 2
    assert figures.pnl_net == 122.0
    assert figures.sharpe_daily == pytest.approx(36 / np.std([24, 48], ddof=1))


def test_several_runs_are_measured_as_one():
    """Two days apart and the two as consecutive runs: money adds up, closing fills stay per run."""
    first = market_result(seed=3, hours=3, cycle_s=10.0)
    second = market_result(seed=4, hours=3, cycle_s=10.0, t0=T0 + DAY, settings={"seed": 3})
    one, two, both = measure(first), measure(second), measure(first, second)
    for name in ("pnl_net", "pnl_gross", "fees", "volume", "fills", "closing_fills", "steps", "days"):
        assert getattr(both, name) == pytest.approx(getattr(one, name) + getattr(two, name))
    wins = one.win_rate * one.closing_fills + two.win_rate * two.closing_fills
    assert both.win_rate == pytest.approx(wins / both.closing_fills)
    assert both.days_counted == 2


def test_against_the_generators_accounts():
    """Fees, volume and realised PnL of the fills are those that the steps carry."""
    result = market_result(seed=5, hours=6)
    figures = measure(result)
    last = result.steps[-1]
    assert figures.fees == pytest.approx(result.fills["fee"].sum())
    assert figures.volume == pytest.approx((result.fills["price"] * result.fills["qty"]).sum())
    assert figures.pnl_gross == pytest.approx(last["equity"] + last["fees"])
    assert figures.maker_share == 1.0
    assert figures.spread_captured_bps > 0


def test_nothing_happened():
    """Without a fill, a step, a mid or a healthy second a figure is unknown, never wrong."""
    idle = measure(made_result(np.zeros(100)))
    assert (idle.pnl_net, idle.drawdown_max, idle.fills, idle.fills_per_day) == (0.0, 0.0, 0, 0.0)
    for name in ("sharpe_step", "sortino_step", "pnl_to_map", "win_rate", "maker_share", "turnover_per_day"):
        assert isnan(getattr(idle, name)), name
    empty = measure(made_result([]))
    assert (empty.steps, empty.days, empty.pnl_net, empty.drawdown_max_ratio) == (0, 0.0, 0.0, 0.0)
    assert isnan(empty.fills_per_day)
    single = measure(made_result([5.0], inventory=1.0))
    assert single.pnl_to_map == 5.0
    assert isnan(single.sharpe_step)
    blind = measure(made_result([0.0, 1.0], healthy_s=0.0))
    assert isnan(blind.quoted_both_share)


def test_equity_before_the_first_mid_is_zero():
    """A NaN at the start counts as no change, a later one as the last known equity."""
    known = measure(made_result([0.0, 0.0, 2.0, 2.0, 3.0]))
    partly = measure(made_result([nan, nan, 2.0, nan, 3.0], mid=[nan, nan, 100.0, nan, 100.0]))
    assert partly.sharpe_step == known.sharpe_step
    assert partly.pnl_net == 3.0


def test_json_has_plain_names_and_no_nan():
    """The dict survives JSON as it is; every labelled field is in it and has a unit."""
    figures = measure(market_result(hours=1))
    plain = figures.as_dict()
    assert orjson.loads(orjson.dumps(plain)) == plain
    assert plain["sharpe_daily"] is None
    assert plain["markouts"][3]["horizon_s"] == 60.0
    assert figures.markout_bps(60.0) == plain["markouts"][3]["bps"]
    assert isnan(figures.markout_bps(7.0))
    known = units("USDT", "BTC")
    for label in (*INDICATORS, *RESULT, *TRADING, *PRESENCE):
        assert label.field in plain
        assert label.field in known
        assert figure(figures, label)
    assert known["pnl_net"] == "USDT"


def test_figures_are_written_for_people():
    """A dash for what is not known, cents for money, percent for shares."""
    assert written(nan, "money") == "–"
    assert written(-1234.5, "money") == "-1,234.50"
    assert written(0.000123456, "money") == "0.0001235"
    assert written(0.98765, "share") == "98.77%"
    assert written(0.25, "bps") == "0.25 bps"
    assert written(1739.0, "count") == "1,739"
    assert written(123_456.7, "number") == "123,457"
    assert isinstance(measure(made_result([1.0])), Statistics)
