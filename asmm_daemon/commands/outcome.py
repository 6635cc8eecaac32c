"""An evaluation in words: the strategies' table, each against the tuned baseline, and the same as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median
from typing import Self

import orjson
from rich.console import Console

from asmm_daemon.backtest.bootstrap import Difference, paired
from asmm_daemon.backtest.compare import Comparison, compare
from asmm_daemon.backtest.standings import WIDTH, Verdict, agent_of, standings, table, verdict_table
from asmm_daemon.learn.evaluation import QUIET, TUNED, Evaluation, below_floor

BOOTSTRAP_SEED = 1
_PARAMETERS = {
    "gamma": "γ {:.3g}",
    "skew": "skew {:+.3g}",
    "tau_s": "τ {:.3g} s",
    "half_spread_factor": "half-spread ×{:.3g}",
    "min_half_spread_bps": "at least {:.3g} bps",
    "max_half_spread_bps": "at most {:.3g} bps",
}
_SHORT = {
    "cannot be compared with": "below the participation floor",
    "beats": "beats",
    "loses less than": "loses less",
}
"""Words of the terminal for those of the JSON; whatever else does not beat it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An evaluation, the strategies under the participation floor, and the differences from the baseline."""

    evaluation: Evaluation
    comparison: Comparison
    floor: tuple[str, ...]
    differences: dict[str, Difference]

    @classmethod
    def of(cls, found: Evaluation) -> Self:
        """Compares everything with the tuned baseline. Raises AsmmError when the hours differ."""
        comparison = compare(found.results)
        floor = tuple(name for name, runs in found.results.items() if name != QUIET and below_floor(runs))
        base = found.results[TUNED]
        others = {name: runs for name, runs in found.results.items() if name not in (TUNED, QUIET)}
        differences = {name: paired(runs, base, seed=BOOTSTRAP_SEED) for name, runs in others.items()}
        return cls(found, comparison, floor, differences)

    def lines(self) -> Iterator[str]:
        """Two tables of a hundred columns, and what tuning chose."""
        quote = self.evaluation.results[TUNED][0].info.quote
        rows = standings(self.evaluation.results)
        for made in (
            table(rows, self.comparison.periods, quote),
            verdict_table(tuple(self._verdicts()), TUNED, quote, self.comparison.scope),
        ):
            console = Console(width=WIDTH)
            with console.capture() as text:
                console.print(made)
            yield text.get().rstrip() + "\n"
        for who, found in ((TUNED, self.evaluation.chosen), ("agents on", self.evaluation.bases)):
            for number, chosen in enumerate(found, 1):
                words = (_PARAMETERS.get(name, name + " {:.3g}").format(v) for name, v in chosen.items())
                yield f"fold {number}, {who}: " + ", ".join(words)
        if TUNED in self.floor:
            yield f"{TUNED}: below the participation floor, its result does not count"

    def as_json(self) -> Iterator[str]:
        """The same for programs."""
        told = self.comparison.as_dict() | {
            "tuned": self.evaluation.chosen,
            "agents_on": self.evaluation.bases,
            "below_floor": list(self.floor),
            "verdicts": [self._sentence(name) for name in self.differences],
        }
        yield orjson.dumps(told, option=orjson.OPT_INDENT_2).decode()

    def _sentence(self, name: str) -> str:
        told, scope = self.differences[name], self.comparison.scope
        return (
            f"{name} {self._word(name)} {TUNED}: {told.per_hour:+.4g} an hour, {told.level:.0%} interval "
            f"[{told.low:+.4g}, {told.high:+.4g}], p {told.p:.3f}, {told.blocks} hours, {scope}"
        )

    def _word(self, name: str) -> str:
        told = self.differences[name]
        if name in self.floor:
            return "cannot be compared with"
        if not told.p <= 1 - told.level:
            return "shows no difference from"
        if told.per_hour <= 0:
            return "is worse than"
        net = sum(result.pnl for result in self.evaluation.results[name])
        return "beats" if net > 0 else "loses less than"

    def _verdicts(self) -> Iterator[Verdict]:
        """A row a strategy; an agent of several seeds first tells in how many of them it beats the base."""
        seeds: dict[str, list[str]] = {}
        for name in self.differences:
            seeds.setdefault(agent_of(name), []).append(name)
        for agent, names in seeds.items():
            words = {name: _SHORT.get(self._word(name), "does not beat") for name in names}
            if len(names) > 1:
                beating = sum(word == "beats" for word in words.values())
                middle = median(self.differences[name].per_hour for name in names)
                yield Verdict(agent, middle, None, f"beats in {beating} of {len(names)} seeds")
            for name in names:
                shown = name if len(names) > 1 else agent
                yield Verdict(shown, self.differences[name].per_hour, self.differences[name], words[name])
