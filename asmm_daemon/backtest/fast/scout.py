"""Goes through a tape ahead of the daemons, stretch by stretch, and leaves the trail that they follow."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.fast.feed import new_feed, take_apart
from asmm_daemon.backtest.fast.trail import Trail, new_trail, see
from asmm_daemon.backtest.timeline import Timeline, first_message, warm_up
from asmm_daemon.core.market import MarketState, copy_market, new_market
from asmm_daemon.core.params import Params
from asmm_daemon.units import NS_PER_S

STRETCH = 16_384
"""Messages of a stretch: its trail stays in the processor's cache."""


class Scout:
    """A market and a venue's book at the first message at or after `begin_ns`, warm from those before.

    `trail` is that of the latest stretch.

    `cycle_s` is the quote cycle of the daemons whose policy sees features; 0: there are none. `market` is
    what was known before the tape began, in place of nothing: the venue's book was the one in it. Raises
    TapeError when there is no such message.
    """

    def __init__(
        self,
        tape: Timeline,
        params: Params,
        *,
        begin_ns: int = 0,
        cycle_s: float = 0.0,
        width: int = 65536,
        market: MarketState | None = None,
    ) -> None:
        self.tape, self.params = tape, params
        self.message = self.first = first_message(tape, begin_ns)
        self.start_ns = int(tape.local_ns[self.first])
        self.market = copy_market(market or new_market(width))
        self.feed = new_feed(self.market)
        warm_up(self.market, params, tape, self.first)
        self.venue_message = 0
        self.trail = new_trail(tape, messages=0, rows=0, cycles=0)
        self.trail.head["cycle_step_ns"] = step_ns = round(cycle_s * NS_PER_S)
        self.trail.head["next_cycle_ns"] = self.start_ns + step_ns
        while self.venue_message < self._seen(tape.venue_ns, self.start_ns - 1):
            self._venue_side(min(self.venue_message + STRETCH, self._seen(tape.venue_ns, self.start_ns - 1)))

    def stretches(self, end_ns: int) -> Iterator[Trail]:
        """The trail of one stretch after the other, up to a receive time or to the tape's end.

        Each lies in the arrays of the one before it.
        """
        end_ns = min(end_ns, int(self.tape.local_ns[-1]))
        stop_ns = self.start_ns - 1
        while stop_ns < end_ns:
            ahead = self.message + STRETCH
            stop_ns = min(int(self.tape.local_ns[ahead]), end_ns) if ahead < self.tape.ends.size else end_ns
            yield self.stretch(stop_ns)

    def stretch(self, stop_ns: int) -> Trail:
        """The trail from here to a receive time."""
        tape = self.tape
        end = self._seen(tape.local_ns, stop_ns)
        head = self.trail.head[0]
        step_ns = int(head["cycle_step_ns"])
        cycles = (stop_ns - int(head["next_cycle_ns"])) // step_ns + 1 if step_ns else 0
        self._make_room(self.message, end, cycles)
        head = self.trail.head
        head["stop_ns"], head["first"], head["end"] = stop_ns, self.message, end
        see(self.trail, self.market, self.params)
        self.message = end
        self._venue_side(self._seen(tape.venue_ns, stop_ns))
        return self.trail

    def whole(self) -> Trail:
        """The trail of all that is left of the tape, for those who begin anywhere in it."""
        parts = [_kept(trail) for trail in self.stretches(2**62)]
        head = parts[-1].head.copy()
        for name in ("first", "venue_first", "venue_row", "cycle_ns"):
            head[name] = parts[0].head[name]
        tops = items = 0
        for part in parts:
            part.top_at[:] += tops
            part.item_ends[:] += items
            part.items["row"] += int(part.head["venue_row"][0] - head["venue_row"][0])
            tops += part.tops.size - 1
            items += part.items.size
        for name in ("tops", "moves", "moments", "silences", "cycles", "items"):
            head[name] = sum(int(part.head[name][0]) for part in parts)
        head["tops"] -= len(parts) - 1
        head["moments"] -= len(parts) - 1
        joined = {
            name: np.concatenate(
                [getattr(part, name)[int(name in _CARRIED and i > 0) :] for i, part in enumerate(parts)]
            )
            for name in Trail._fields[2:]
        }
        return Trail(head, self.tape, **joined)

    def _venue_side(self, end: int) -> None:
        self._make_room(self.venue_message, end, 0)
        head = self.trail.head
        head["venue_first"], head["venue_end"] = self.venue_message, end
        head["venue_row"] = self._row(self.venue_message)
        take_apart(self.trail, self.feed)
        self.venue_message = end

    def _make_room(self, first: int, end: int, cycles: int) -> None:
        messages, rows = end - first, self._row(end) - self._row(first)
        trail = self.trail
        if (
            messages > trail.item_ends.size
            or 3 * rows + messages > trail.items.size
            or cycles > len(trail.features)
        ):
            larger = new_trail(self.tape, messages=2 * messages, rows=2 * rows, cycles=2 * cycles)
            larger.head[:] = trail.head
            self.trail = larger

    def _row(self, message: int) -> int:
        return int(self.tape.ends[message - 1]) if message else 0

    def _seen(self, times: NDArray[np.int64], t_ns: int) -> int:
        return int(np.searchsorted(times, t_ns, side="right"))


_CARRIED = {"tops", "moments", "volatility", "intensity", "top_at", "proof_ns", "heard_ns", "bests"}
"""Arrays whose entry 0 is the last one of the stretch before."""


def _kept(trail: Trail) -> Trail:
    """A copy of a stretch, without the room that it did not need."""
    head = trail.head[0]
    seen, venue = int(head["end"] - head["first"]), int(head["venue_end"] - head["venue_first"])
    sizes = {
        "tops": head["tops"], "moves": head["moves"], "top_at": seen + 1, "moments": head["moments"],
        "volatility": head["moments"], "intensity": head["moments"], "silences": head["silences"],
        "features": head["cycles"], "proof_ns": seen + 1, "heard_ns": seen + 1,
        "items": head["items"], "places": head["items"], "item_ends": venue, "bests": venue + 1,
    }  # fmt: skip
    parts = {name: getattr(trail, name)[: int(size)].copy() for name, size in sizes.items()}
    return Trail(trail.head.copy(), trail.tape, **parts)
