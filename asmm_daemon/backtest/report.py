"""One HTML file that tells of a backtest: opens without a network, by day and by night.

The plots are drawn by uPlot (MIT, in `assets/`); the page's policy forbids it to load anything.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon import __version__
from asmm_daemon.backtest.chain import merge
from asmm_daemon.backtest.labels import (
    INDICATORS,
    PRESENCE,
    RESULT,
    TRADING,
    Kind,
    Label,
    figure,
    written,
)
from asmm_daemon.backtest.periods import DAY_S, HOUR_S, periods
from asmm_daemon.backtest.plots import payload
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.statistics import Statistics, measure
from asmm_daemon.errors import AsmmError
from asmm_daemon.files import write_whole
from asmm_daemon.units import NS_PER_S

_SLOT = re.compile(r"\{\{(\w+)\}\}")
_MANY_ROWS = 48
_HEADLINE = (RESULT[0], *INDICATORS, TRADING[1])
_PERIOD_COLUMNS: tuple[tuple[str, str, Kind], ...] = (
    ("mid", "Mid", "money"),
    ("pnl_net", "PnL net", "money"),
    ("fees", "Fees", "money"),
    ("drawdown", "Drawdown", "money"),
    ("sharpe_step", "Sharpe per step", "ratio"),
    ("fills", "Fills", "count"),
    ("volume", "Volume", "money"),
    ("quoted_both_share", "Quoted both", "share"),
    ("inventory", "Inventory", "base"),
    ("inventory_max_abs", "Largest", "base"),
)


def write_report(path: Path, results: Sequence[Result]) -> None:
    """Writes the page of one strategy's consecutive runs, whole or not at all.

    Raises AsmmError when the runs cannot be joined or the file cannot be written.
    """
    page = render(results)
    try:
        write_whole(path, page.encode())
    except OSError as error:
        raise AsmmError(f"the report {path} cannot be written: {error.strerror or error}") from None


def render(results: Sequence[Result]) -> str:
    """The page as text."""
    run, statistics = merge(results), measure(*results)
    data = payload(run)
    span = _dates(run)
    slots = {
        "title": escape(f"{run.strategy} on {run.info.symbol}, {span}"),
        "strategy": escape(run.strategy),
        "market": escape(f"{run.info.symbol} on {run.info.venue} ({run.info.product}), {span}"),
        "facts": _facts(run, statistics),
        "headline": "".join(
            f"<div><span>{escape(label.words)}</span><b>{escape(figure(statistics, label))}</b></div>"
            for label in _HEADLINE
        ),
        "cards": "".join(
            _card(name, _figures(statistics, labels))
            for name, labels in (
                ("Result", RESULT),
                ("Trading", TRADING),
                ("Presence and inventory", PRESENCE),
            )
        ),
        "resolution": escape(_resolution(run, data["step_s"])),
        "markouts": _markout_table(statistics),
        "periods": _period_tables(run),
        "settings": _card("Settings", _pairs(run.settings)) + _card("Counted", _pairs(run.counts)),
        "footer": escape(f"asmm {__version__}. Money in {run.info.quote}, inventory in {run.info.base}."),
        "data": json.dumps(data, allow_nan=False).replace("<", "\\u003c"),
        "css": _asset("report.css"),
        "js": _asset("report.js"),
        "uplot_css": _asset("uPlot.min.css"),
        "uplot_licence": _asset("uPlot.LICENSE"),
        "uplot_js": _asset("uPlot.iife.min.js"),
    }
    return _SLOT.sub(lambda slot: slots[slot[1]], _asset("report.html"))


def _asset(name: str) -> str:
    return (files("asmm_daemon.backtest") / "assets" / name).read_text(encoding="utf-8")


def _facts(run: Result, statistics: Statistics) -> str:
    facts = {
        "Observed": f"{statistics.days * 24:.4g} h",
        "Cycle": f"{run.cycle_s:g} s",
        "Capital": f"{run.capital:,.0f} {run.info.quote}",
        "Tick": f"{run.info.tick:f} {run.info.quote}",
    }
    said = {k: v for k, v in run.settings.items() if "latency" in k or "fee" in k or k in {"data", "seed"}}
    return "".join(
        f"<div><dt>{escape(name)}</dt><dd>{escape(_plain(value))}</dd></div>"
        for name, value in (facts | said).items()
    )


def _figures(statistics: Statistics, labels: Iterable[Label]) -> str:
    return "".join(
        f"<tr><th>{escape(label.words)}"
        + (f"<small>{escape(label.meaning)}</small>" if label.meaning else "")
        + f"</th><td>{escape(figure(statistics, label))}</td></tr>"
        for label in labels
    )


def _pairs(pairs: dict[str, Any]) -> str:
    return "".join(
        f'<tr><th>{escape(name)}</th><td class="text">{escape(_plain(value))}</td></tr>'
        for name, value in pairs.items()
    )


def _plain(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    return f"{value:,}" if isinstance(value, int) else f"{value:.10g}"


def _card(title: str, rows: str) -> str:
    return f'<div class="card"><h3>{escape(title)}</h3><table>{rows}</table></div>' if rows else ""


def _markout_table(statistics: Statistics) -> str:
    rows = "".join(
        f"<tr><th>{m.horizon_s:g} s</th><td>{written(m.bps, 'bps')}</td>"
        f"<td>{written(m.adverse_bps, 'bps')}</td><td>{m.fills:,}</td></tr>"
        for m in statistics.markouts
    )
    head = "<th>After</th><th>Mark-out</th><th>Adverse selection</th><th>Fills measured</th>"
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>'


def _period_tables(run: Result) -> str:
    days, hours = periods(run, DAY_S), periods(run, HOUR_S)
    daily = _period_table(days, "Day") if days.size > 1 else ""
    hourly = _period_table(hours, "Hour") if hours.size else ""
    if hours.size > _MANY_ROWS:
        hourly = f"<details><summary>{hours.size} hours</summary>{hourly}</details>"
    return daily + hourly


def _period_table(rows: NDArray[Any], unit: str) -> str:
    form = "%Y-%m-%d" if unit == "Day" else "%Y-%m-%d %H:%M"
    head = "".join(f"<th>{escape(words)}</th>" for _, words, _ in _PERIOD_COLUMNS)
    body = "".join(
        f"<tr><th>{_time(int(row['start_ns']), form)}</th>"
        + "".join(_cell(float(row[name]), name, kind) for name, _, kind in _PERIOD_COLUMNS)
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="wide"><table><thead><tr><th>{unit}</th>{head}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _cell(value: float, name: str, kind: Kind) -> str:
    tint = f' class="{"gain" if value > 0 else "loss"}"' if name == "pnl_net" and value else ""
    return f"<td{tint}>{written(value, kind)}</td>"


def _resolution(run: Result, step_s: float) -> str:
    if not run.steps.size:
        return "There is nothing to plot: the run has no steps."
    if step_s <= run.cycle_s:
        points = f"One point a cycle of {run.cycle_s:g} s."
    else:
        points = f"Of each {step_s:g} s the smallest and the largest value are shown."
    return f"Drag to zoom, double-click to see all again. Times are UTC. {points}"


def _dates(run: Result) -> str:
    if not run.steps.size:
        return "no steps"
    began = int(run.steps["t_ns"][0]) - int(run.cycle_s * NS_PER_S)
    return f"{_time(began)} to {_time(int(run.steps['t_ns'][-1]))} UTC"


def _time(t_ns: int, form: str = "%Y-%m-%d %H:%M") -> str:
    return datetime.fromtimestamp(np.round(t_ns / NS_PER_S), UTC).strftime(form)
