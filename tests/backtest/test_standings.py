"""The table of an evaluation: a strategy a row, within a hundred columns."""

from math import nan

import numpy as np
import pytest
from rich.console import Console

from asmm_daemon.backtest.bootstrap import Difference
from asmm_daemon.backtest.standings import WIDTH, Verdict, short, standings, table, verdict_table
from tests.backtest.made_results import made_result, market_result

HOURLY = {"cycle_s": 3600.0}


def printed(made):
    """The lines of a table as a terminal of any width gets them."""
    console = Console(width=300, force_terminal=False)
    with console.capture() as text:
        console.print(made)
    return [line.rstrip() for line in text.get().splitlines()]


def made(*equity):
    """One run by hand, an hour a step."""
    return [made_result(np.array(equity), **HOURLY)]


def test_an_agent_is_the_median_of_its_seeds():
    """Figures by themselves, and in each hour; a seed is counted in its agent's place."""
    rows = standings(
        {
            "as": made(2.0, 4.0, 6.0),
            "agent/1": made(3.0, 4.0, 5.0),
            "agent/2": made(1.0, 2.0, 9.0),
            "agent/3": made(5.0, 8.0, 13.0),
        }
    )
    assert [row.name for row in rows] == ["as", "agent"]
    assert [seed.name for seed in rows[1].seeds] == ["agent/1", "agent/2", "agent/3"]
    net = [name for name in range(7) if rows[0].figures[name] == 6.0]
    assert [rows[1].figures[i] for i in net] == [9.0]
    assert (rows[0].best, rows[1].best) == (1, 2)  # medians by hour: 3, 1, 5
    assert [seed.best for seed in rows[1].seeds] == [1, 1, 3]


def test_one_seed_needs_no_row_of_its_own():
    """Then the agent's row is that seed's."""
    (row,) = standings({"agent/1": made(1.0, 2.0)})
    assert (row.name, row.seeds) == ("agent", ())


def test_ten_seeds_fit_a_hundred_columns():
    """The longest names, large and small figures; the paper's four come first."""
    runs = [market_result(seed=seed, hours=3) for seed in range(1, 6)]
    results = {"linear_constant_spread": [runs[0]], "avellaneda_stoikov": [runs[1]]}
    results |= {f"{agent}/{n}": [run] for agent in ("alpha_as", "alpha_as_rnn") for n, run in enumerate(runs)}
    lines = printed(table(standings(results), 3, "USDT"))
    assert max(len(line) for line in lines) <= WIDTH
    head = lines[0].split()
    assert head[:7] == ["Sharpe", "Sortino", "Max", "DD", "PnL/MAP", "PnL", "net"]
    assert [line.split()[:2] for line in lines].count(["seed", "3"]) == 2
    assert all("…" not in line for line in lines)


def test_verdicts_fit_too():
    """Interval, p, word and how far it reaches."""
    told = Difference(-123456.789, -987654.321, 123456.789, 0.123, 0.95, 24)
    lines = printed(
        verdict_table(
            [
                Verdict("alpha_as_rnn", -1.0, None, "beats in 10 of 10 seeds"),
                Verdict("alpha_as_rnn/10", -123456.789, told, "below the participation floor"),
                Verdict("linear_constant_spread", -123456.789, told, "does not beat"),
                Verdict("glft", 0.0, Difference(0.0, nan, nan, nan, 0.95, 1), "does not beat"),
            ],
            "tuned_as",
            "USDT",
            "within these days",
        )
    )
    assert max(len(line) for line in lines) <= WIDTH
    assert all("…" not in line for line in lines)
    assert "within these days" in lines[-1]
    assert "95% [-9.88e+05, +1.23e+05]" in lines[2]
    assert "nan" not in lines[4]


@pytest.mark.parametrize("kind", ["ratio", "money", "count", "share"])
def test_a_figure_has_eight_characters_at_most(kind):
    """Whatever its size; a dash where there is none."""
    assert short(nan, kind) == "–"
    for size in 10.0 ** np.arange(-9, 15 if kind in ("money", "ratio") else 7):
        for value in (size, -size, 0.99999 * size):
            if kind != "share" or abs(value) <= 1:
                assert len(short(value, kind)) <= 8, value
