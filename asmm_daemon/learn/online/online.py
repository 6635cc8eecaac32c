"""Online learning beside a running engine: the event loop tells what happens, one thread learns from it.

The thread owns shadows, files and trials; the loop owns reels and chains; between them lie queues whose
ends are atomic. Whatever fails here ends the learning, never the trading: `failed` is told once, and from
then on `observe` does nothing.
"""

import threading
from collections.abc import Callable, Sequence

import structlog

from asmm_daemon import log
from asmm_daemon.core.engine import Engine
from asmm_daemon.core.view import LearningView
from asmm_daemon.events import CycleTick, Event, MarketData
from asmm_daemon.learn.ddqn import reproducible
from asmm_daemon.learn.online.budget import Budget
from asmm_daemon.learn.online.student import Student, Takeover

IDLE_S = 0.2
"""How long the thread rests when there is nothing to do."""
Guard = Callable[[Callable[[], None], Callable[[BaseException], None]], Callable[[], None]]
_logger: structlog.stdlib.BoundLogger = log.get("learning")


class Online:
    """Students of one daemon.

    Args:
        students: one per market that learns.
        cpu_share: of one core that the thread may use.
        cycle_s: real seconds between quote cycles.
        guard: makes the thread's work hand every exception to a second function; the composition root's.
    """

    def __init__(
        self, students: Sequence[Student], *, cpu_share: float, cycle_s: float, guard: Guard
    ) -> None:
        self._students = {student.m: student for student in students}
        self._stop = threading.Event()
        self.budget = Budget(cpu_share, self._stop)
        self._cycle_s = cycle_s
        self._failure = ""
        self._thread = threading.Thread(target=guard(self._run, self.failed), name="learning", daemon=True)

    def start(self) -> None:
        """Begins to learn."""
        self._thread.start()

    def observe(self, engine: Engine, event: Event) -> None:
        """An event that the engine has just taken in, its commands on their way."""
        if self._failure:
            return
        if isinstance(event, MarketData):
            student = self._students.get(event.m)
            if student is not None and len(event.rows):
                student.reel.add(engine.market(event.m), event.rows)
        elif isinstance(event, CycleTick):
            for student in self._students.values():
                student.add(engine.moment(student.m))
            self.budget.cycle(self._cycle_s)

    def takeover(self, engine: Engine) -> Takeover | None:
        """A shadow to put in force now: only right after a cycle in which its market was quoted."""
        for student in () if self._failure else self._students.values():
            if student.takeover is not None and engine.moment(student.m) is not None:
                return student.takeover
        return None

    def put_in_force(self, takeover: Takeover) -> None:
        """Says that it was done."""
        self._students[takeover.m].put_in_force(takeover)

    def failed(self, error: BaseException) -> None:
        """Ends the learning; quoting goes on with the running model."""
        if not self._failure:
            self._failure = log.redact(f"{type(error).__name__}: {error}")
            self._stop.set()
            _logger.error("learning stopped, quoting goes on", reason=self._failure)

    def view(self) -> LearningView:
        """For status and metrics."""
        lessons = tuple(student.view() for student in self._students.values())
        return LearningView(self.budget.used_share(), self._failure, lessons)

    def ask_to_stop(self) -> None:
        """Begins the end; the thread notices within a piece of work."""
        self._stop.set()

    def join(self, timeout_s: float) -> None:
        """Waits for the thread's end; one that is late is left to end with the process."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
            if self._thread.is_alive():
                _logger.warning("the learning thread did not end in time")

    def _run(self) -> None:
        try:
            with reproducible():
                self.budget.begin()
                while self.budget.spend():
                    if not self._work():
                        self._stop.wait(IDLE_S)
        finally:
            for student in self._students.values():
                student.end()

    def _work(self) -> bool:
        """A piece of work of every student; False when none had any."""
        worked = False
        for student in self._students.values():
            worked = student.work(self.budget.spend) or worked
            if not self.budget.spend():
                break
        return worked
