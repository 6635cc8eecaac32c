"""Strategies side by side."""

import orjson
import pytest
from rich.console import Console

from asmm_daemon.backtest.compare import compare
from asmm_daemon.errors import AsmmError
from tests.backtest.made_results import DAY, T0, made_result, market_result

HOURLY = {"cycle_s": 3600.0}


def _lines(comparison):
    console = Console(width=100, record=True, file=None, quiet=False, force_terminal=False)
    with console.capture() as captured:
        console.print(comparison.table())
    return captured.get().splitlines()


def test_best_counts_periods_that_one_alone_won():
    """Three hours: a wins one, b one, and the third is a tie that nobody wins."""
    a = made_result([1.0, 1.0, 3.0], strategy="a", **HOURLY)
    b = made_result([0.0, 2.0, 4.0], strategy="b", **HOURLY)
    found = compare({"a": [a], "b": [b]})
    assert found.periods == 3
    assert [(column.name, column.best) for column in found.columns] == [("a", 1), ("b", 1)]


def test_table_begins_with_the_papers_four():
    """Then fills, quoted share and money; a name is text, not markup."""
    first = market_result(seed=1, hours=3)
    second = market_result(seed=2, hours=3, half_spread=3.0)
    lines = _lines(compare({"[red]as[/red]": [first], "glft": [second]}))
    assert "[red]as[/red]" in lines[0]
    names = [line[:20].strip() for line in lines[1:5]]
    assert names == ["Sharpe per step", "Sortino per step", "Maximum drawdown", "P&L-to-MAP"]
    assert any(line.startswith("Best of 3 hours") for line in lines)
    for name in (
        *("Fills per day", "Quoted both sides", "PnL net", "Fees paid", "Funding received"),
        *("Sharpe daily", "Sortino daily", "Sharpe annualised", "Sortino annualised"),
        *("Turnover per day", "Spread captured", "Win rate", "Time at limits"),
        *("Mark-out 1 s", "Mark-out 5 s", "Mark-out 30 s", "Mark-out 60 s"),
    ):
        assert any(line.startswith(name) for line in lines), name
    assert lines[-1].strip() == "within these days"


def test_json():
    """Every strategy's figures by name, and how far they reach."""
    plain = compare({"a": [market_result(hours=1)], "b": [made_result([0.0] * 720)]}).as_dict()
    assert orjson.loads(orjson.dumps(plain)) == plain
    assert plain["scope"] == "within these days"
    assert set(plain["strategies"]) == {"a", "b"}
    assert plain["strategies"]["b"]["sharpe_step"] is None
    assert plain["strategies"]["a"]["best_in_periods"] + plain["strategies"]["b"]["best_in_periods"] == 1


def test_consecutive_days_and_other_periods():
    """Days are compared when asked for, over all runs of a strategy."""
    days = [made_result([1.0, 2.0], t0=T0 + i * DAY, cycle_s=43_200.0) for i in range(3)]
    found = compare({"a": days}, period_s=86_400)
    assert (found.periods, found.columns[0].best) == (3, 3)
    assert any(line.startswith("Best of 3 periods of 86400 s") for line in _lines(found))


def test_what_cannot_be_compared_says_why():
    """No strategy, or strategies over other hours."""
    with pytest.raises(AsmmError, match="nothing to compare"):
        compare({})
    with pytest.raises(AsmmError, match="a and b did not run over the same periods"):
        compare({"a": [made_result([1.0])], "b": [made_result([1.0], t0=T0 + DAY)]})
