"""Strategies one below the other, a hundred columns wide: for many of them, and for agents in several seeds.

A result named `agent/3` is the third seed of an agent. The agent's own row holds the median of each figure
over its seeds; the seeds stand below it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

from asmm_daemon.backtest.bootstrap import Difference
from asmm_daemon.backtest.chain import merge
from asmm_daemon.backtest.compare import BETTER, best_in_periods
from asmm_daemon.backtest.labels import Kind
from asmm_daemon.backtest.periods import HOUR_S, periods
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.statistics import measure

Floats = NDArray[np.float64]

WIDTH = 100
COLUMNS: tuple[tuple[str, str, Kind], ...] = (
    ("sharpe_step", "Sharpe", "ratio"),
    ("sortino_step", "Sortino", "ratio"),
    ("drawdown_max", "Max DD", "money"),
    ("pnl_to_map", "PnL/MAP", "money"),
    ("pnl_net", "PnL net", "money"),
    ("fills_per_day", "Fills/d", "count"),
    ("quoted_both_share", "Quoted", "share"),
)
"""The paper's four indicators first."""


@dataclass(frozen=True, slots=True)
class Row:
    """A strategy's figures in the order of COLUMNS, and in how many hours it alone earned the most."""

    name: str
    figures: tuple[float, ...]
    best: int
    seeds: tuple["Row", ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """One strategy against the base: what it earned more an hour, how sure that is, and the word for it.

    An agent's own row tells of its seeds together and has no interval.
    """

    name: str
    per_hour: float
    difference: Difference | None
    word: str


def agent_of(name: str) -> str:
    """The strategy that a result belongs to: `alpha_as` for `alpha_as/3`."""
    return name.partition("/")[0]


def standings(results: Mapping[str, Sequence[Result]]) -> tuple[Row, ...]:
    """A row a strategy, in the order of the results.

    In an hour an agent has earned the median of its seeds; a seed is counted in its agent's place. All must
    have run over the same hours, as `compare` makes sure.
    """
    groups: dict[str, list[str]] = {}
    for name in results:
        groups.setdefault(agent_of(name), []).append(name)
    earned = {name: periods(merge(runs), HOUR_S)["pnl_net"] for name, runs in results.items()}
    measured = {name: measure(*runs) for name, runs in results.items()}
    figures = {
        name: np.array([float(getattr(measured[name], field)) for field, _, _ in COLUMNS]) for name in results
    }
    medians = {group: np.median([earned[name] for name in names], axis=0) for group, names in groups.items()}

    def row(name: str, values: Floats, pnl: Floats, seeds: tuple[Row, ...] = ()) -> Row:
        field = medians | {agent_of(name): pnl}
        best = best_in_periods(np.stack(list(field.values())))[list(field).index(agent_of(name))]
        return Row(name, tuple(values.tolist()), int(best), seeds)

    rows = []
    for group, names in groups.items():
        seeds = tuple(row(name, figures[name], earned[name]) for name in names) if len(names) > 1 else ()
        middle = np.median([figures[name] for name in names], axis=0)
        rows.append(row(group, middle, medians[group], seeds))
    return tuple(rows)


def table(rows: Sequence[Row], hours: int, quote: str) -> Table:
    """The rows for a terminal; the best strategy of a column in bold."""
    made = _table(f"Sharpe, Sortino per step; Max DD, PnL in {quote}; an agent: the median of its seeds")
    for _, words, _ in COLUMNS:
        made.add_column(words, justify="right", no_wrap=True)
    made.add_column(f"Best/{hours} h", justify="right", no_wrap=True)
    leaders = [_leader([row.figures[i] for row in rows], field) for i, (field, _, _) in enumerate(COLUMNS)]
    for row in rows:
        made.add_row(Text(row.name), *_cells(row, leaders), f"{row.best}")
        for seed in row.seeds:
            made.add_row(Text(_indented(seed.name)), *_cells(seed, ()), f"{seed.best}", style="dim")
    return made


def verdict_table(verdicts: Sequence[Verdict], base: str, quote: str, scope: str) -> Table:
    """Each strategy against the base, with the interval of the paired difference."""
    made = _table(f"{quote} an hour more than {base}, paired hours, {scope}")
    for words in ("An hour", "Interval", "p"):
        made.add_column(words, justify="right", no_wrap=True)
    made.add_column(f"Against {base}", no_wrap=True)
    for verdict in verdicts:
        interval, p = _certainty(verdict.difference)
        style = "dim" if "/" in verdict.name else ""
        made.add_row(
            Text(_indented(verdict.name)), f"{verdict.per_hour:+.3g}", interval, p, verdict.word, style=style
        )
    return made


def short(value: float, kind: Kind) -> str:
    """A figure within eight characters; a dash for NaN."""
    if not isfinite(value):
        return "–"
    if kind == "share":
        return f"{value:.1%}"
    size = abs(value)
    if size >= 999e6:
        return f"{value:.1e}"
    if size >= 999e3:
        return f"{value / 1e6:.1f}M"
    if size >= 9_999 or (kind == "count" and size >= 100):
        return f"{value:,.0f}"
    return f"{value:.1f}" if kind == "count" else f"{value:.2f}" if size >= 10 else f"{value:.4f}"


def _table(caption: str) -> Table:
    made = Table(
        box=None,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        header_style="bold",
        caption=caption,
        caption_justify="left",
        width=WIDTH,
    )
    made.add_column("", no_wrap=True, ratio=1)
    return made


def _leader(values: Sequence[float], field: str) -> float | None:
    """The best of several figures; None where they say nothing of better or worse."""
    way = BETTER.get(field, 0)
    known = [way * value for value in values if isfinite(value)]
    return way * max(known) if way and len(known) > 1 and max(known) > min(known) else None


def _cells(row: Row, leaders: Sequence[float | None]) -> list[Text]:
    bold = [value == leader for value, leader in zip(row.figures, leaders, strict=False)]
    bold += [False] * (len(row.figures) - len(bold))
    return [
        Text(short(value, kind), style="bold" if best else "")
        for value, best, (_, _, kind) in zip(row.figures, bold, COLUMNS, strict=True)
    ]


def _certainty(told: Difference | None) -> tuple[str, str]:
    if told is None:
        return "", ""
    if not isfinite(told.p):
        return "–", "–"
    return f"{told.level:.0%} [{told.low:+.3g}, {told.high:+.3g}]", f"{told.p:.3f}"


def _indented(name: str) -> str:
    agent, _, seed = name.partition("/")
    return f"  seed {seed}" if seed else agent
