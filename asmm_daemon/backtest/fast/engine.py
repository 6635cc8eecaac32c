"""Runs the fast engine over a tape: the compiled loop, and the policy's word at every cycle."""

import numpy as np

from asmm_daemon.backtest.fast.loop import ASKS, FULL, act, run, write_step
from asmm_daemon.backtest.fast.records import Fast, new_fast
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.timeline import Timeline, first_message, warm_up
from asmm_daemon.core.params import to_record
from asmm_daemon.core.quoter import choose
from asmm_daemon.tape.columns import TapeInfo


def begin(setup: Setup, tape: Timeline, *, begin_ns: int = 0, width: int = 65536) -> Fast:
    """A daemon at the first message at or after `begin_ns`, its market warm from those before.

    Raises TapeError when there is none.
    """
    first = first_message(tape, begin_ns)
    start_ns = int(tape.local_ns[first])
    span_s = (int(tape.local_ns[-1]) - start_ns) / 1e9
    f = new_fast(
        setup.spec,
        setup.account,
        start_ns=start_ns,
        steps=int(span_s / setup.cycle_s) + 3,
        cycle_s=setup.cycle_s,
        entry_ns=setup.latency.entry_ns,
        response_ns=setup.latency.response_ns,
        asks=setup.asks,
        spreads_alone=setup.spreads_alone,
        width=width,
    )
    row = warm_up(f.market, f.params, tape, first)
    f.desk["message"], f.desk["row"] = first, row
    return f


def more_fills(f: Fast) -> Fast:
    """The same run with twice the room for fills."""
    return f._replace(fills=np.concatenate([f.fills, np.zeros_like(f.fills)]))


class Course:
    """A set-up's way through a tape, in as many stretches as one likes: they change nothing."""

    def __init__(self, setup: Setup, tape: Timeline, *, begin_ns: int = 0) -> None:
        self._setup, self._tape = setup, tape
        self._f = begin(setup, tape, begin_ns=begin_ns)
        self._fallbacks = 0
        setup.spec.policy.reset()

    def go_on(self, end_ns: int) -> None:
        """Up to a receive time, or to the end of the tape."""
        policy, quote = self._setup.spec.policy, self._setup.spec.quote
        desk = self._f.desk[0]
        while (stopped := run(self._f, self._tape, end_ns)) in (ASKS, FULL):
            if stopped == FULL:
                self._f = more_fills(self._f)
                continue
            if desk["reset"]:
                policy.reset()
                desk["reset"] = False
            action, fallback = choose(policy, quote, self._f.features, int(desk["now_ns"]))
            self._fallbacks += bool(fallback)
            desk["gamma"], desk["skew"], desk["action"] = action.gamma, action.skew, action.index
            act(self._f)

    def switch(self, setup: Setup) -> None:
        """Goes on with the knobs and the policy of another set-up of the same market, from its next quotes.

        Whether the policy is asked at all stays as it began.
        """
        quote = setup.spec.quote
        self._setup = setup
        self._f.params[:] = to_record(quote, setup.spec.instrument)
        self._f.desk["gamma"], self._f.desk["skew"] = quote.gamma, quote.skew
        setup.spec.policy.reset()

    def result(self, info: TapeInfo) -> Result:
        """What it has come to; nothing may follow."""
        write_step(self._f)
        return result_of(self._f, self._setup, info, self._fallbacks)


def run_fast(
    setup: Setup, info: TapeInfo, tape: Timeline, *, begin_ns: int = 0, end_ns: int = 2**62
) -> Result:
    """The whole tape, or between two times of its receive clock; what lies before warms up."""
    course = Course(setup, tape, begin_ns=begin_ns)
    course.go_on(end_ns)
    return course.result(info)


def result_of(f: Fast, setup: Setup, info: TapeInfo, fallbacks: int = 0) -> Result:
    """What a run has come to."""
    desk = f.desk[0]
    fills = f.fills[: desk["fills"]].copy()
    for horizon, done in enumerate(desk["later"]):
        fills["later"][done:, horizon] = np.nan
    return Result(
        info=info,
        strategy=setup.name,
        capital=float(setup.account.capital),
        cycle_s=setup.cycle_s,
        steps=f.steps[: desk["steps"]].copy(),
        fills=fills,
        counts={
            "orders": int(desk["placed"]),
            "amends": int(desk["amended"]),
            "cancels": int(desk["cancelled"]),
            "post_only_rejects": int(desk["crossed"]),
            "fallbacks": fallbacks,
            "messages": int(desk["message"]),
            "rows": int(desk["row"]),
        },
        settings=setup.settings(),
    )
