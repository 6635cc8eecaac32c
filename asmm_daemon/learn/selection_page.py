"""The plot of a feature study: one HTML file, opens without a network, by day and by night."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from asmm_daemon import __version__

ROW, TOP, LABEL, PANEL, GAP = 17, 46, 190, 230, 24
"""Pixels: a row's height, the head's, the names' width, a panel's, and between panels."""
_STYLE = """
:root { --page: #f6f7f9; --card: #fff; --edge: #e1e5ea; --text: #1b2430; --dim: #5f6b7a;
  --blue: #2563c9; --grey: #a9b2be; --error: #1b2430; }
@media (prefers-color-scheme: dark) { :root { --page: #10141a; --card: #171d25; --edge: #28313d;
  --text: #e3e8ef; --dim: #93a0b0; --blue: #5b92f5; --grey: #4d5866; --error: #e3e8ef; } }
body { margin: 0 auto; max-width: 1240px; padding: 28px 24px 40px; background: var(--page);
  color: var(--text); font: 14px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, Arial, sans-serif; }
h1 { margin: 0; font-size: 26px; font-weight: 650; }
p { margin: 2px 0 14px; color: var(--dim); }
dl { display: flex; flex-wrap: wrap; gap: 6px 26px; margin: 0 0 14px; }
dt { color: var(--dim); font-size: 12px; }
dd { margin: 0; font-variant-numeric: tabular-nums; }
figure { margin: 0; padding: 12px 16px; overflow-x: auto; background: var(--card);
  border: 1px solid var(--edge); border-radius: 8px; }
text { fill: var(--text); font-size: 12px; }
.dim { fill: var(--dim); font-size: 11px; }
.head { font-weight: 650; }
.kept { fill: var(--blue); }
.left { fill: var(--grey); }
.base { stroke: var(--dim); stroke-width: 1; }
.cut { stroke: var(--dim); stroke-dasharray: 4 4; }
.error { stroke: var(--error); stroke-width: 1; }
g:hover text { font-weight: 650; }
footer { margin-top: 24px; color: var(--dim); font-size: 12px; }
"""


@dataclass(frozen=True, slots=True)
class _Panel:
    """One importance: where its bars start, what its smallest and largest values are, in its own unit."""

    title: str
    column: int
    x: float
    base: float
    low: float
    high: float
    error: bool = True

    def at(self, value: float) -> float:
        """Pixels from the left."""
        return self.x + (value - self.low) / ((self.high - self.low) or 1.0) * PANEL

    def bar(self, row: Sequence[Any], y: float, kind: str) -> str:
        """A bar from the base, with one standard error each way."""
        value = row[self.column]
        ends = sorted((self.at(self.base), self.at(value)))
        drawn = _rect(ends[0], y + 4, ends[1] - ends[0], ROW - 8, kind)
        if not self.error:
            return drawn
        spread = row[self.column + 1]
        ends = [self.at(value - spread), self.at(value + spread)]
        middle = y + ROW / 2
        return drawn + _line(ends[0], middle, ends[1], middle, "error")

    def head(self, bottom: float) -> str:
        """Title, the values at base and right edge, and the line of the base."""
        base = self.at(self.base)
        right = self.x + PANEL
        return (
            _text(self.x, 14, self.title, "head")
            + (_text(base, 34, f"{self.base:.3g}", "dim") if right - base > 80 else "")
            + _text(right, 34, f"{self.high:.3g}", "dim", "end")
            + _line(base, TOP - 6, base, bottom, "base")
        )


def render(
    rows: Sequence[Sequence[Any]],
    about: str,
    counts: Mapping[str, int],
    accuracies: Mapping[str, float],
    majority: float,
) -> str:
    """The page as text.

    Args:
        rows: candidates from the best to the worst: rank, name, kept, score, then mean and standard error
            of MDI, MDA and SFI.
        about: market, stretch and horizon.
        counts: samples, and those left out.
        accuracies: by their names in words.
        majority: where the bars of SFI start.
    """
    facts = {name: f"{value:,}" for name, value in counts.items()}
    facts |= {f"accuracy: {name}": f"{value:.4f}" for name, value in accuracies.items()}
    listed = "".join(f"<div><dt>{escape(k)}</dt><dd>{escape(v)}</dd></div>" for k, v in facts.items())
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'\">\n"
        '<link rel="icon" href="data:,">\n'
        f"<title>Feature importance, {escape(about)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>Feature importance</h1>\n<p>{escape(about)}. Blue is kept; a line is one standard error. "
        "Score: 25 % MDI, 25 % MDA, 50 % SFI, each scaled to 0–1.</p>\n"
        f"<dl>{listed}</dl>\n<figure>{_chart(rows, majority)}</figure>\n"
        f"<footer>{escape(f'asmm {__version__}')}. SFI starts at the accuracy of always naming the more "
        "frequent direction.</footer>\n</body>\n</html>\n"
    )


def _chart(rows: Sequence[Sequence[Any]], majority: float) -> str:
    bottom = TOP + ROW * len(rows)
    panels = _panels(rows, majority)
    width = LABEL + len(panels) * (PANEL + GAP)
    parts = [panel.head(bottom) for panel in panels]
    kept = sum(bool(row[2]) for row in rows)
    if kept < len(rows):
        y = TOP + ROW * kept
        parts.append(_line(0, y, width, y, "cut"))
    parts += [_row(row, TOP + ROW * i, panels) for i, row in enumerate(rows)]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{bottom + 8}" role="img" '
        f'aria-label="Importance of {len(rows)} candidates">{"".join(parts)}</svg>'
    )


def _panels(rows: Sequence[Sequence[Any]], majority: float) -> list[_Panel]:
    panels = []
    widths = (("Score", 3, 0.0), ("MDI, share", 4, 0.0), ("MDA, share of log loss", 6, 0.0))
    for i, (title, column, base) in enumerate((*widths, ("SFI, accuracy", 8, majority))):
        spread = [row[column + 1] if i else 0.0 for row in rows]
        low = min(base, *(row[column] - e for row, e in zip(rows, spread, strict=True)))
        high = max(base, *(row[column] + e for row, e in zip(rows, spread, strict=True)))
        panels.append(_Panel(title, column, LABEL + i * (PANEL + GAP), base, low, high, i > 0))
    return panels


def _row(row: Sequence[Any], y: float, panels: Sequence[_Panel]) -> str:
    rank, name, kept, score, mdi, _, mda, _, sfi, _ = row
    kind = "kept" if kept else "left"
    told = f"{name}: score {score:.3f}, MDI {mdi:.4f}, MDA {mda:.5f}, SFI {sfi:.4f}"
    bars = "".join(panel.bar(row, y, kind) for panel in panels)
    middle = y + ROW / 2 + 4
    number = _text(24, middle, str(rank), "dim", "end")
    return f"<g><title>{escape(told)}</title>{number}{_text(34, middle, name)}{bars}</g>"


def _rect(x: float, y: float, width: float, height: float, kind: str) -> str:
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"/>'


def _line(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, words: str, kind: str = "", anchor: str = "start") -> str:
    return f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'
