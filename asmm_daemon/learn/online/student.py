"""One market's learning: what the event loop hands over, and what the thread makes of it.

A shadow is judged on market that it has not learned from. So the transitions of the stretch under way are
held back until it has been tried on that stretch; then they join what it learns from, and so do those of a
simulated daemon that plays the same stretch with a share of random actions: the running model alone, which
always does what it thinks best, would never show what else could be done.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from asmm_daemon import log
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline
from asmm_daemon.core.market import MarketState
from asmm_daemon.core.moment import Moment
from asmm_daemon.core.view import LessonView
from asmm_daemon.learn.inference import ModelPolicy
from asmm_daemon.learn.model_file import ModelSpec, Tensors, load_model, load_policy
from asmm_daemon.learn.online.chain import Chain, Transition
from asmm_daemon.learn.online.exploring import Exploring
from asmm_daemon.learn.online.reel import Reel, Stretch
from asmm_daemon.learn.online.rules import Options
from asmm_daemon.learn.online.shadow import Shadow
from asmm_daemon.learn.online.store import CAPACITY, Store
from asmm_daemon.learn.online.trial import NOTHING, Pause, Play, Rule, Verdict, judge

SIMULATED_EPSILON = 0.25
"""Share of random actions of the simulated daemon."""
_logger: structlog.stdlib.BoundLogger = log.get("learning")


@dataclass(frozen=True, slots=True)
class Takeover:
    """A shadow that beat the running model, written and read back, to be put in force."""

    m: int
    symbol: str
    path: Path
    policy: ModelPolicy
    tensors: Tensors
    words: str


def transitions_key(spec: ModelSpec) -> dict[str, object]:
    """What stored transitions belong to."""
    return {
        "features_id": spec.features_id,
        "gammas": spec.gammas,
        "skews": spec.skews,
        "reward": spec.reward,
        "reward_unit": spec.reward_unit,
        "cycle_s": spec.cycle_s,
    }


class Student:
    """`add` and the reel are the event loop's, `begin`, `work` and `end` the thread's.

    Args:
        m: the market's index.
        symbol: its name.
        model: the running model's file.
        folder: where transitions and models are kept.
        options: asked for anew at every step, since a reload may change them.
        setup: a market, by its index, as it is quoted now.

    Raises:
        ModelError: the model cannot be read.
        StateError: the stored transitions cannot be used.
    """

    def __init__(
        self,
        m: int,
        symbol: str,
        model: Path,
        folder: Path,
        options: Callable[[], Options],
        setup: Callable[[int], Setup],
    ) -> None:
        self.m, self.symbol = m, symbol
        self._spec, tensors = load_model(model)
        self._tensors: Tensors = tensors
        self._running = load_policy(model)
        self._folder, self._options, self._setup = folder, options, setup
        self.reel = Reel(options().window_s)
        self.takeover: Takeover | None = None
        self._chain = Chain(self._spec.cycle_s, self._spec.reward_unit)
        self._inbox: deque[Transition] = deque()
        self._held: list[Transition] = []
        names = len(self._spec.feature_names)
        self._store = Store(folder / f"{symbol}.transitions", names, transitions_key(self._spec))
        if self._store.note:
            _logger.warning(self._store.note)
        self._shadow: Shadow | None = None
        self._verdict = NOTHING
        self._words = "no trial yet"
        self._trials = self.swaps = 0

    def add(self, moment: Moment | None) -> None:
        """A quote cycle is over; None interrupts the chain."""
        transition = self._chain.link(moment)
        if transition is not None:
            self._inbox.append(transition)

    def begin(self) -> None:
        """Makes the shadow, and lets it learn from what was stored before."""
        options = self._options()
        self._shadow = Shadow(
            self._spec,
            self._tensors,
            learning_rate=options.learning_rate,
            seed=options.seed,
            capacity=CAPACITY,
        )
        old = self._store.take_loaded()
        self._shadow.take(old["obs"], old["action"], old["reward"], old["after"])
        _logger.info("learning", symbol=self.symbol, model=self._running.name, stored_transitions=len(old))

    def work(self, pause: Pause) -> bool:
        """A piece of work; False when there is none."""
        if self._shadow is None:
            self.begin()
            return True
        if self._inbox:
            fresh = [self._inbox.popleft() for _ in range(len(self._inbox))]
            self._keep(fresh)
            self._held += fresh
            return True
        stretch = self.reel.take()
        if stretch is not None:
            self._try(self._shadow, stretch, pause)
            return True
        enough = self._shadow.transitions >= self._options().min_transitions
        return enough and self._shadow.update()

    def end(self) -> None:
        """Closes what is open."""
        self._store.close()

    def view(self) -> LessonView:
        """For status and metrics; from any thread."""
        shadow = self._shadow
        return LessonView(
            symbol=self.symbol,
            updates=shadow.updates if shadow else 0,
            transitions=shadow.transitions if shadow else 0,
            trials=self._trials,
            swaps=self.swaps,
            running_per_hour=self._verdict.running_per_hour,
            shadow_per_hour=self._verdict.shadow_per_hour,
            verdict=self._words,
        )

    def put_in_force(self, takeover: Takeover) -> None:
        """The event loop has made it the running model."""
        self._running, self._tensors, self.takeover = takeover.policy, takeover.tensors, None
        self.swaps += 1

    def _keep(self, transitions: list[Transition]) -> None:
        names = len(self._spec.feature_names)
        self._store.append([t._replace(obs=t.obs[:names], after=t.after[:names]) for t in transitions])

    def _try(self, shadow: Shadow, stretch: Stretch, pause: Pause) -> None:
        setup, options = self._setup(self.m), self._options()
        tape = stretch.tape()
        if shadow.updates and self.takeover is None:
            rule = Rule(options.margin, options.confidence, options.seed)
            verdict = judge(setup, stretch.start, tape, self._running, shadow.policy(), rule, pause)
            if verdict is None:
                return
            self._conclude(shadow, verdict, setup.spec.instrument.quote)
        over = [each for each in self._held if each.t_ns < stretch.end_ns]
        self._held = [each for each in self._held if each.t_ns >= stretch.end_ns]
        simulated = self._explore(shadow, stretch.start, tape, setup, pause)
        self._keep(simulated)
        self._learn_from(shadow, over + simulated)

    def _conclude(self, shadow: Shadow, verdict: Verdict, quote: str) -> None:
        self._trials += 1
        self._verdict, self._words = verdict, verdict.words(quote)
        if verdict.better:
            path, policy = shadow.save(self._folder, self.symbol)
            self.takeover = Takeover(self.m, self.symbol, path, policy, shadow.tensors(), self._words)
        elif verdict.worse:
            _logger.info("shadow model lost and starts over", symbol=self.symbol, trial=self._words)
            shadow.start_from(self._tensors)
        else:
            _logger.info("shadow model not better, running one kept", symbol=self.symbol, trial=self._words)

    def _explore(
        self, shadow: Shadow, market: MarketState, tape: Timeline, setup: Setup, pause: Pause
    ) -> list[Transition]:
        policy = Exploring(shadow.policy(), SIMULATED_EPSILON, self._options().seed)
        chain = Chain(self._spec.cycle_s, self._spec.reward_unit)
        found: list[Transition] = []
        for moment in Play(setup, market, tape, policy) if tape.ends.size else ():
            linked = chain.link(moment)
            found += [linked] if linked is not None else []
            if not pause():
                break
        return found

    def _learn_from(self, shadow: Shadow, transitions: list[Transition]) -> None:
        if transitions:
            obs, after = (np.array([getattr(t, name) for t in transitions]) for name in ("obs", "after"))
            actions = np.array([each.action for each in transitions], np.int64)
            shadow.take(obs, actions, np.array([each.reward for each in transitions], np.float32), after)
