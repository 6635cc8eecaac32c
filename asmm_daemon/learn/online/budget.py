"""How much of a core a background thread takes, and when it stays away.

A thread that computes in Python delays the event loop whenever both want the interpreter: every kernel
of a quote cycle gives the interpreter up and has to get it back. So work is done in pieces of a
millisecond, sleeps between them keep the share, and no piece begins shortly before a quote cycle. The
thread's priority is not lowered: one that is preempted while it holds the interpreter stops the loop.
"""

import threading
from collections.abc import Callable

from asmm_daemon.clock import mono_ns, thread_cpu_ns
from asmm_daemon.units import NS_PER_MS, NS_PER_S

QUIET_NS = 50 * NS_PER_MS
"""Nothing begins this shortly before a quote cycle: a piece takes 1 ms, on a busy machine many times that."""
LATE_NS = NS_PER_S
"""A cycle that is later than this is not waited for."""
MOST_SAVED_NS = 20 * NS_PER_MS
"""CPU time that an idle thread may save up: else an hour of idleness would be spent at once."""


class Budget:
    """Keeps the thread that calls `spend` within `share` of one core.

    Args:
        share: of one core; may be changed at any time.
        stop: set when the thread is to end.
        mono: the monotonic clock, ns.
        cpu: the CPU clock of the calling thread, ns.
    """

    def __init__(
        self,
        share: float,
        stop: threading.Event,
        *,
        mono: Callable[[], int] = mono_ns,
        cpu: Callable[[], int] = thread_cpu_ns,
    ) -> None:
        self.share = share
        self._stop, self._mono, self._cpu = stop, mono, cpu
        self._due_ns, self._quiet_ns = -(2**62), QUIET_NS
        self._begun_ns = self._used_ns = self._saved_ns = 0
        self._seen = (0, 0)

    def begin(self) -> None:
        """Starts counting; called by the thread itself, whose CPU time it is."""
        self._seen = (self._mono(), self._cpu())
        self._begun_ns = self._seen[0]

    def cycle(self, period_s: float) -> None:
        """A quote cycle is over, one comes every `period_s` real seconds. Called by the event loop.

        Cycles lie on a grid and some are late: the next is expected by the early ones.
        """
        now, period = self._mono(), int(period_s * NS_PER_S)
        late = now - self._due_ns
        on_time = self._due_ns + late // 10 if 0 < late < period // 2 else now
        self._due_ns, self._quiet_ns = on_time + period, min(QUIET_NS, period // 4)

    def spend(self) -> bool:
        """Accounts for the work since the last call and waits until more may be done; False: end."""
        now, used = self._mono(), self._cpu()
        earned = int((now - self._seen[0]) * self.share)
        spent = used - self._seen[1]
        self._seen = (now, used)
        self._used_ns += spent
        self._saved_ns = min(self._saved_ns + earned - spent, MOST_SAVED_NS)
        if self._saved_ns < 0:
            self._stop.wait(-self._saved_ns / self.share / NS_PER_S)
        self._keep_quiet()
        return not self._stop.is_set()

    def used_share(self) -> float:
        """Share of one core used since the beginning."""
        return self._used_ns / max(self._mono() - self._begun_ns, 1)

    def _keep_quiet(self) -> None:
        while not self._stop.is_set():
            left = self._due_ns - self._mono()
            if not -LATE_NS < left < self._quiet_ns:
                return
            self._stop.wait(max(left, NS_PER_MS) / NS_PER_S)
