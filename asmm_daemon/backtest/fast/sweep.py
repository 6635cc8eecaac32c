"""Many set-ups over one tape in one pass: a stretch of the tape for all of them, then the next.

The rows of a stretch stay in the processor's cache while every daemon goes through them. Each result is
what `run_fast` gives for that set-up alone.
"""

from collections.abc import Iterator, Sequence

from asmm_daemon.backtest.fast.engine import Course
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline, first_message
from asmm_daemon.tape.columns import TapeInfo

STRETCH = 2048
"""Messages that every daemon goes through before the first one goes on."""


def _stops(tape: Timeline, begin_ns: int, end_ns: int) -> Iterator[int]:
    """Receive times at which the daemons wait for each other, the last one being the end."""
    for message in range(first_message(tape, begin_ns) + STRETCH, tape.ends.size, STRETCH):
        if tape.local_ns[message] >= end_ns:
            break
        yield int(tape.local_ns[message])
    yield end_ns


def run_sweep(
    setups: Sequence[Setup], info: TapeInfo, tape: Timeline, *, begin_ns: int = 0, end_ns: int = 2**62
) -> list[Result]:
    """A result for each set-up, in their order, as `run_fast` with the same arguments.

    Each set-up needs a policy of its own: one that remembers would be asked in turns. Raises TapeError
    when the tape holds no message at or after `begin_ns`.
    """
    courses = [Course(setup, tape, begin_ns=begin_ns) for setup in setups]
    for stop_ns in _stops(tape, begin_ns, end_ns):
        for course in courses:
            course.go_on(stop_ns)
    return [course.result(info) for course in courses]
