"""What a feature study found, for people, for programs and as a file."""

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asmm_daemon.errors import AsmmError
from asmm_daemon.files import write_whole
from asmm_daemon.learn.candidates import Candidates
from asmm_daemon.learn.selection import Selection
from asmm_daemon.learn.selection_page import render

COLUMNS = (
    "rank",
    "candidate",
    "kept",
    "score",
    "mdi",
    "mdi_error",
    "mda",
    "mda_error",
    "sfi",
    "sfi_error",
)


def rows(found: Selection) -> Iterator[tuple[Any, ...]]:
    """All candidates from the best to the worst, in `COLUMNS`."""
    for rank, j in enumerate(found.ranking, 1):
        name = found.names[j]
        parts = (float(side[j]) for each in (found.mdi, found.mda, found.sfi) for side in each)
        yield (rank, name, name in found.top, float(found.score[j]), *parts)


def accuracies(found: Selection) -> dict[str, float]:
    """Mean accuracies on held-out folds, by name in words."""
    return {
        "all candidates, purged": found.purged,
        "all candidates, not purged": found.unpurged,
        "all candidates, folds drawn at random": found.shuffled,
        f"best {len(found.top)}, purged, chosen on these very folds": found.selected,
        "the more frequent direction": found.majority,
    }


def counts(samples: Candidates) -> dict[str, int]:
    """How many samples there were, and how many were left out and why."""
    return {
        "samples": int(samples.up.size),
        "up": int(samples.up.sum()),
        "unready": samples.unready,
        "unknown": samples.unknown,
        "unchanged": samples.unchanged,
    }


def as_dict(found: Selection, samples: Candidates, about: str) -> dict[str, Any]:
    """For JSON."""
    names = ("purged", "unpurged", "shuffled", "selected", "majority")
    return {
        "about": about,
        **counts(samples),
        "accuracy": {name: getattr(found, name) for name in names},
        "top": list(found.top),
        "candidates": [dict(zip(COLUMNS, row, strict=True)) for row in rows(found)],
    }


def lines(found: Selection, samples: Candidates, about: str) -> Iterator[str]:
    """The candidates that are kept, and how well they foretell."""
    told = counts(samples)
    yield f"{about}: {told['samples']} samples, {told['up'] / told['samples']:.1%} up"
    yield f"left out: {told['unready']} without a valid book or full history, {told['unchanged']} unchanged,"
    yield f"          {told['unknown']} across a gap or the end of the tape"
    yield f"{'':>4}  {'candidate':<20} {'score':>6}  {'MDI':>8}  {'MDA':>9}  {'SFI':>7}"
    for rank, name, kept, score, mdi, _, mda, _, sfi, _ in rows(found):
        if kept:
            yield f"{rank:>4}  {name:<20} {score:6.3f}  {mdi:8.4f}  {mda:9.5f}  {sfi:7.4f}"
    yield "accuracy on held-out folds:"
    for words, value in accuracies(found).items():
        yield f"  {value:.4f}  {words}"


def write(path: Path, found: Selection, samples: Candidates, about: str) -> None:
    """All candidates as a page (.html) or CSV, whole or not at all. Raises AsmmError."""
    if path.suffix == ".csv":
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(rows(found))
        text = out.getvalue()
    else:
        text = render(list(rows(found)), about, counts(samples), accuracies(found), found.majority)
    try:
        write_whole(path, text.encode())
    except OSError as error:
        raise AsmmError(f"the plot {path} cannot be written: {error.strerror or error}") from None
