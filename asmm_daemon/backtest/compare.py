"""Several strategies over the same tape, side by side: the paper's four indicators first."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from asmm_daemon.backtest.bootstrap import scope
from asmm_daemon.backtest.chain import merge
from asmm_daemon.backtest.labels import INDICATORS, Label, written
from asmm_daemon.backtest.periods import HOUR_S, periods
from asmm_daemon.backtest.result import HORIZONS_S, Result
from asmm_daemon.backtest.statistics import Statistics, measure
from asmm_daemon.errors import AsmmError

FURTHER = (
    Label("fills_per_day", "Fills per day", "number"),
    Label("quoted_both_share", "Quoted both sides", "share"),
    Label("pnl_net", "PnL net", "money"),
    Label("fees", "Fees paid", "money"),
    Label("funding", "Funding received", "money"),
    Label("sharpe_daily", "Sharpe daily", "ratio"),
    Label("sortino_daily", "Sortino daily", "ratio"),
    Label("sharpe_annual", "Sharpe annualised", "ratio"),
    Label("sortino_annual", "Sortino annualised", "ratio"),
    Label("turnover_per_day", "Turnover per day", "number"),
    Label("spread_captured_bps", "Spread captured", "bps"),
    Label("win_rate", "Win rate", "share"),
    Label("limit_share", "Time at limits", "share"),
)
BETTER = {"sharpe_step": 1, "sortino_step": 1, "drawdown_max": -1, "pnl_to_map": 1, "pnl_net": 1}
"""Which way is better, where there is one; the best of a row is set in bold."""


@dataclass(frozen=True, slots=True)
class Column:
    """One strategy: its figures, and in how many periods nobody earned as much."""

    name: str
    statistics: Statistics
    best: int


@dataclass(frozen=True, slots=True)
class Comparison:
    """Strategies over the same stretch. `periods`: how many of `period_s` seconds it had."""

    columns: tuple[Column, ...]
    periods: int
    period_s: int

    @property
    def scope(self) -> str:
        """How far the comparison reaches."""
        return scope(self.columns[0].statistics.days)

    def as_dict(self) -> dict[str, Any]:
        """For JSON, None for NaN."""
        return {
            "scope": self.scope,
            "periods": self.periods,
            "period_s": self.period_s,
            "strategies": {
                column.name: column.statistics.as_dict() | {"best_in_periods": column.best}
                for column in self.columns
            },
        }

    def table(self) -> Table:
        """A column a strategy, for the terminal."""
        table = Table(
            box=None, pad_edge=False, header_style="bold", caption=self.scope, caption_justify="left"
        )
        table.add_column("", style="dim", no_wrap=True)
        for column in self.columns:
            table.add_column(Text(column.name), justify="right")
        for label in (*INDICATORS, *FURTHER):
            values = [float(getattr(column.statistics, label.field)) for column in self.columns]
            table.add_row(label.words, *_cells(values, label))
        for horizon_s in HORIZONS_S:
            marks = [column.statistics.markout_bps(horizon_s) for column in self.columns]
            table.add_row(f"Mark-out {horizon_s:.0f} s", *(written(mark, "bps") for mark in marks))
        unit = "hours" if self.period_s == HOUR_S else f"periods of {self.period_s} s"
        table.add_row(
            f"Best of {self.periods} {unit}", *_cells([c.best for c in self.columns], Label("", "", "count"))
        )
        return table


def _cells(values: Sequence[float], label: Label) -> list[Text]:
    way = BETTER.get(label.field, 0)
    known = [way * value for value in values if isfinite(value)]
    best = max(known) if way and len(known) > 1 and max(known) > min(known) else None
    return [Text(written(v, label.kind), style="bold" if way * v == best else "") for v in values]


def compare(results_by_name: Mapping[str, Sequence[Result]], period_s: int = HOUR_S) -> Comparison:
    """The comparison of strategies, each with its consecutive runs.

    A period's best is the one with the most net PnL; a tie has none. Raises AsmmError when there is no
    strategy or they did not run over the same periods.
    """
    if not results_by_name:
        raise AsmmError("nothing to compare: give at least one strategy")
    rows = {name: periods(merge(results), period_s) for name, results in results_by_name.items()}
    (first, base), *others = rows.items()
    for name, other in others:
        if not np.array_equal(base["start_ns"], other["start_ns"]):
            raise AsmmError(
                f"{first} and {name} did not run over the same periods ({base.size} and {other.size})"
            )
    best = best_in_periods(np.stack([row["pnl_net"] for row in rows.values()]))
    columns = tuple(
        Column(name, measure(*results), int(count))
        for (name, results), count in zip(results_by_name.items(), best, strict=True)
    )
    return Comparison(columns, base.size, period_s)


def best_in_periods(pnl: NDArray[Any]) -> NDArray[np.int64]:
    """In how many columns of pnl (s, p) each row alone holds the largest value: (s,)."""
    largest = pnl == pnl.max(axis=0, initial=-np.inf)
    return np.asarray((largest & (largest.sum(axis=0) == 1)).sum(axis=1), np.int64)
