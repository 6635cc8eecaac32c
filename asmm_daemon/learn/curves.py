"""Learning curves: `curves.csv` and TensorBoard event files, both continued by a resumed training."""

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a training stands; what the progress callback gets and one row of the curves."""

    step: int
    steps: int
    updates: int
    loss: float
    """Mean Huber loss since the last report; nan before the first update."""
    reward: float
    """Mean reward per step of the exploring policy since the last report."""
    evaluation: float
    """What validation said of the greedy policy; nan between evaluations."""
    best: float
    """The highest evaluation so far; nan before the first."""
    epsilon: float
    learning_rate: float
    per_s: float
    """Steps per second since the last report."""


NAMES = tuple(field.name for field in fields(Progress))


class Curves:
    """Writes every Progress; rows after `step`, of a training that was killed, are dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        self._path = folder / "curves.csv"
        kept = [",".join(NAMES)]
        if step and self._path.exists():
            rows = self._path.read_text(encoding="utf-8").splitlines()[1:]
            kept += [row for row in rows if (first := row.split(",")[0]).isdigit() and int(first) <= step]
        self._path.write_text("".join(f"{row}\n" for row in kept), encoding="utf-8")
        self._events = SummaryWriter(str(folder / "events"), purge_step=step + 1 if step else None)

    def add(self, progress: Progress) -> None:
        """One row, one event per value that is known."""
        raw = asdict(progress)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(",".join(repr(raw[name]) for name in NAMES) + "\n")
        for name in NAMES[2:]:
            if not math.isnan(raw[name]):
                self._events.add_scalar(name, raw[name], progress.step)

    def close(self) -> None:
        """Flushes the event file."""
        self._events.close()
