"""One measured number beside its named baseline, and the table that all of them make."""

import argparse
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
_HEAD = ("part", "what", "ours", "baseline", "", "ratio", "goal", "")


@dataclass(frozen=True, slots=True)
class Line:
    """`ours` against `base`, both in `unit`.

    `bounds` says what the goal bounds: the ratio, the value, or how far ours lies above the baseline.
    """

    part: str
    what: str
    ours: float
    baseline: str
    base: float
    unit: str
    goal: float | None = None
    at_least: bool = False
    bounds: str = "ratio"
    note: str = ""

    @property
    def ratio(self) -> float:
        """Ours over the baseline."""
        return self.ours / self.base if self.base else float("nan")

    @property
    def judged(self) -> float:
        """The number that the goal bounds: the ratio, ours, or how far ours lies above the baseline."""
        return {"ratio": self.ratio, "value": self.ours, "above": self.ours - self.base}[self.bounds]

    @property
    def holds(self) -> bool | None:
        """Whether the goal is met; None where there is none."""
        if self.goal is None:
            return None
        return self.judged >= self.goal if self.at_least else self.judged <= self.goal

    def cells(self) -> tuple[str, ...]:
        """The line as the table shows it."""
        goal = ""
        if self.goal is not None:
            sign = ">=" if self.at_least else "<="
            unit = "x" if self.bounds == "ratio" else f" {self.unit}"
            above = f"+{self.judged:.1f} " if self.bounds == "above" else ""
            goal = f"{above}{sign} {self.goal:g}{unit}"
        verdict = {True: "holds", False: "MISSED", None: ""}[self.holds]
        base = f"{_short(self.base)} {self.unit}" if self.baseline else ""
        ratio = f"{self.ratio:.2f}" if self.baseline else ""
        ours = f"{_short(self.ours)} {self.unit}"
        return (self.part, self.what, ours, self.baseline, base, ratio, goal, verdict)

    def as_json(self) -> dict[str, object]:
        """Every field, and what follows from them."""
        names = ("part", "what", "ours", "baseline", "base", "unit", "goal", "at_least", "bounds", "note")
        derived = {"ratio": self.ratio if self.baseline else None, "holds": self.holds}
        return {name: getattr(self, name) for name in names} | derived


@dataclass(frozen=True, slots=True)
class Effort:
    """How much a part may take."""

    quick: bool
    data: Path

    def of(self, full: int, quick: int) -> int:
        """A count that depends on the effort."""
        return quick if self.quick else full


def effort(arguments: argparse.Namespace) -> Effort:
    """From the command line."""
    return Effort(arguments.quick, arguments.data)


def render(lines: Iterable[Line]) -> str:
    """The table, with each line's note under it."""
    lines = list(lines)
    rows = [_HEAD, *(line.cells() for line in lines)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEAD))]
    right = (2, 4, 5)
    text = []
    for row, note in zip(rows, ["", *(line.note for line in lines)], strict=True):
        cells = [
            cell.rjust(w) if i in right else cell.ljust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ]
        text.append("  ".join(cells).rstrip())
        if note:
            text.append(f"{'':{widths[0]}}    {note}")
    return "\n".join(text)


def alternate(runs: int, ways: Sequence[Callable[[], float]]) -> list[list[float]]:
    """Each way's results, the order turned round in every second run."""
    found: list[list[float]] = [[] for _ in ways]
    for run in range(runs):
        order = range(len(ways)) if run % 2 == 0 else reversed(range(len(ways)))
        for i in order:
            found[i].append(ways[i]())
    return found


def quantile(values: Sequence[float], share: float) -> float:
    """The value that this share of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(len(ordered) * share), len(ordered) - 1)]


def median(values: Iterable[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.1f}" if abs(value) >= 100 else f"{value:.2f}"
