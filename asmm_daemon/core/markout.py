"""The mark-out of our fills: where the mid stands a minute later, against the price of the fill."""

from collections import deque
from dataclasses import dataclass, field
from math import isfinite

from asmm_daemon.events import FillEvent
from asmm_daemon.units import NS_PER_S

HORIZON_S = 60.0
TOLERANCE_S = 1.0
"""A mid that comes later than this after the horizon measures something else."""


@dataclass(slots=True)
class Markouts:
    """A mean over the session's fills, weighted by quantity; times are venue nanoseconds."""

    waiting: deque[FillEvent] = field(default_factory=deque)
    quantity: float = 0.0
    weighted_bps: float = 0.0

    def add(self, fill: FillEvent) -> None:
        """A fill to be measured later."""
        self.waiting.append(fill)

    def measure(self, t_ns: int, mid: float) -> None:
        """Judges the fills whose minute is over. `mid` in quote currency, NaN while it is not known."""
        while self.waiting:
            over_s = (t_ns - self.waiting[0].venue_ns) / NS_PER_S - HORIZON_S
            if over_s < 0:
                return
            fill = self.waiting.popleft()
            if isfinite(mid) and over_s <= TOLERANCE_S:
                price, qty = float(fill.price), float(fill.qty)
                self.quantity += qty
                self.weighted_bps += qty * fill.side * (mid / price - 1.0) * 1e4

    @property
    def mean_bps(self) -> float:
        """What a fill had earned a minute later, before fees, in bps of its price; NaN before the first."""
        return self.weighted_bps / self.quantity if self.quantity else float("nan")
