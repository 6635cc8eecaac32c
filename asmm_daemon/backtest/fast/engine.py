"""Runs the fast engine over a tape: the compiled loop, and the policy's word at every cycle."""

from collections.abc import Iterator, Sequence

import numpy as np

from asmm_daemon.backtest.fast.follow import enter, wake
from asmm_daemon.backtest.fast.loop import ASKS, FULL, act, run, write_step
from asmm_daemon.backtest.fast.records import Fast, new_fast
from asmm_daemon.backtest.fast.scout import Scout
from asmm_daemon.backtest.fast.trail import Trail
from asmm_daemon.backtest.result import Result
from asmm_daemon.backtest.setup import Setup
from asmm_daemon.backtest.spool import let_go
from asmm_daemon.backtest.timeline import Timeline
from asmm_daemon.core.params import to_record
from asmm_daemon.core.quoter import choose
from asmm_daemon.kernels import bound
from asmm_daemon.tape.columns import TapeInfo


def begin(setup: Setup, scout: Scout, *, asks: bool) -> Fast:
    """A daemon where the scout stands, with what that has seen of the market.

    `asks`: whether a policy outside is asked at every cycle; the scout's trail has features then.
    """
    span_s = (int(scout.tape.local_ns[-1]) - scout.start_ns) / 1e9
    f = new_fast(
        setup.spec,
        setup.account,
        start_ns=scout.start_ns,
        steps=int(span_s / setup.cycle_s) + 3,
        cycle_s=setup.cycle_s,
        entry_ns=setup.latency.entry_ns,
        response_ns=setup.latency.response_ns,
        asks=asks,
        spreads_alone=setup.spreads_alone,
        width=scout.feed.book.bids.size,
    )
    f.desk["message"] = scout.message
    f.venue.state["message"] = scout.venue_message
    for into, its in zip(f.venue.matching.book, scout.feed.book, strict=True):
        into[:] = its
    f.venue.matching.state["gap"] = scout.feed.gap
    f.venue.state["mark"], f.venue.state["funded_ns"] = scout.feed.marked
    return f


def more_fills(f: Fast) -> Fast:
    """The same run with twice the room for fills."""
    return f._replace(fills=np.concatenate([f.fills, np.zeros_like(f.fills)]))


class Course:
    """A set-up's way through a tape, stretch by stretch: how long they are changes nothing.

    `daemon` is where it stands. `asks`: whether the policy is asked at every cycle; one that only names
    fixed numbers need not be.
    """

    def __init__(self, setup: Setup, scout: Scout, *, asks: bool) -> None:
        self._setup = setup
        self.daemon = begin(setup, scout, asks=asks)
        self._fallbacks = 0
        self._enter = bound(enter, self.daemon, scout.trail, 0, 0, 0)
        self._run = bound(run, self.daemon, scout.trail, 0)
        self._act = bound(act, self.daemon) if asks else act
        setup.spec.policy.reset()

    def go_on(self, trail: Trail) -> None:
        """To the end of a stretch, which begins where the one before it ended."""
        for _ in self.cycles(trail):
            pass

    def cycles(self, trail: Trail) -> Iterator[str]:
        """The same, with a stop after each time that the policy was asked; why its word did not count."""
        stop_ns = int(trail.head[0]["stop_ns"])
        self._enter(self.daemon, trail, 0, 0, 0)
        while (stopped := self._run(self.daemon, trail, stop_ns)) in (ASKS, FULL):
            if stopped == FULL:
                self.daemon = more_fills(self.daemon)
            else:
                yield self._ask()

    def _ask(self) -> str:
        policy, desk = self._setup.spec.policy, self.daemon.desk[0]
        if desk["reset"]:
            policy.reset()
            desk["reset"] = False
        quote = self._setup.spec.quote
        action, fallback = choose(policy, quote, self.daemon.features, int(desk["now_ns"]))
        self._fallbacks += bool(fallback)
        desk["gamma"], desk["skew"], desk["action"] = action.gamma, action.skew, action.index
        self._act(self.daemon)
        return fallback

    def switch(self, setup: Setup) -> None:
        """Goes on with the knobs and the policy of another set-up of the same market, from its next quotes.

        Their market states must be alike, as in `run_together`. Whether the policy is asked at all stays as
        it began.
        """
        quote = setup.spec.quote
        self._setup = setup
        self.daemon.params[:] = to_record(quote, setup.spec.instrument)
        self.daemon.desk["gamma"], self.daemon.desk["skew"] = quote.gamma, quote.skew
        wake(self.daemon)
        setup.spec.policy.reset()

    def result(self, info: TapeInfo, tape: Timeline) -> Result:
        """What it has come to; nothing may follow."""
        write_step(self.daemon)
        return result_of(self.daemon, self._setup, info, tape, self._fallbacks)


def run_fast(
    setup: Setup, info: TapeInfo, tape: Timeline, *, begin_ns: int = 0, end_ns: int = 2**62
) -> Result:
    """The whole tape, or between two times of its receive clock; what lies before warms up."""
    return run_together([setup], info, tape, begin_ns=begin_ns, end_ns=end_ns)[0]


def run_together(
    setups: Sequence[Setup], info: TapeInfo, tape: Timeline, *, begin_ns: int = 0, end_ns: int = 2**62
) -> list[Result]:
    """Set-ups of one quote cycle whose market states are alike, over one trail; a result for each."""
    scout = scout_for(setups, tape, begin_ns)
    courses = [Course(setup, scout, asks=setup.asks) for setup in setups]
    for trail in scout.stretches(end_ns):
        for course in courses:
            course.go_on(trail)
        let_go(tape.rows, int(trail.head[0]["venue_row"]))
    return [course.result(info, tape) for course in courses]


def scout_for(setups: Sequence[Setup], tape: Timeline, begin_ns: int) -> Scout:
    """One for daemons with these set-ups, which see features where any of their policies is asked."""
    spec = setups[0].spec
    cycle_s = max(setup.cycle_s if setup.asks else 0.0 for setup in setups)
    return Scout(tape, to_record(spec.quote, spec.instrument), begin_ns=begin_ns, cycle_s=cycle_s)


def result_of(f: Fast, setup: Setup, info: TapeInfo, tape: Timeline, fallbacks: int = 0) -> Result:
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
        steps=f.steps[: desk["steps"]],
        fills=fills,
        counts={
            "orders": int(desk["placed"]),
            "amends": int(desk["amended"]),
            "cancels": int(desk["cancelled"]),
            "post_only_rejects": int(desk["crossed"]),
            "fallbacks": fallbacks,
            "messages": int(desk["message"]),
            "rows": int(tape.ends[desk["message"] - 1]) if desk["message"] else 0,
        },
        settings=setup.settings(),
    )
