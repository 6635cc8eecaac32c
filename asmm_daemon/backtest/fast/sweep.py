"""Many set-ups over one tape in one pass: each stretch is looked at once, then every daemon goes through it.

Each result is what `run_fast` gives for that set-up alone.
"""

from collections.abc import Sequence

from asmm_daemon.backtest.fast.engine import run_together
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline
from asmm_daemon.core.params import to_record
from asmm_daemon.tape.checkpoints import STATE_PARAMS
from asmm_daemon.tape.columns import TapeInfo


def run_sweep(
    setups: Sequence[Setup], info: TapeInfo, tape: Timeline, *, begin_ns: int = 0, end_ns: int = 2**62
) -> list[Result]:
    """A result for each set-up, in their order, as `run_fast` with the same arguments.

    Each set-up needs a policy of its own: one that remembers would be asked in turns. Those whose market
    states differ, by a half-life or a prior, or whose quote cycles do, go in passes of their own. Raises
    TapeError when the tape holds no message at or after `begin_ns`.
    """
    passes: dict[tuple[float, ...], list[int]] = {}
    for number, setup in enumerate(setups):
        params = to_record(setup.spec.quote, setup.spec.instrument)
        state = tuple(float(params[name][0]) for name in STATE_PARAMS)
        passes.setdefault((setup.cycle_s, *state), []).append(number)
    found: dict[int, Result] = {}
    for numbers in passes.values():
        together = [setups[number] for number in numbers]
        results = run_together(together, info, tape, begin_ns=begin_ns, end_ns=end_ns)
        found |= zip(numbers, results, strict=True)
    return [found[number] for number in range(len(setups))]
