"""The watches behind the switches: each takes one measurement and says whether its switch holds.

They keep their own past (hysteresis, windows, peaks) and nothing else; times are venue nanoseconds.
"""

from collections import deque
from dataclasses import dataclass, field
from decimal import Decimal

from asmm_daemon.units import NS_PER_S, Side


def range_share(inventory: Decimal, maximum: Decimal, *, spot: bool) -> float:
    """How much of its allowed range an inventory uses, 0 to 1 and above.

    Linear: |inventory|/max. Spot lives in [0, max]: its distance to the nearer end, so that 0.9 means
    above 90 % or below 10 % of the range.
    """
    if maximum <= 0:
        return 1.0 if inventory or spot else 0.0
    used = float(inventory / maximum)
    return max(used, 1.0 - used) if spot else abs(used)


@dataclass(slots=True)
class InventoryWatch:
    """REDUCING above one share of the range until below another."""

    on: bool = False

    def update(self, share: float, above: float, below: float) -> bool:
        """Whether the inventory switch holds."""
        self.on = share > (below if self.on else above)
        return self.on


@dataclass(slots=True)
class StuckWatch:
    """An inventory that stays high for too long."""

    since_ns: int | None = None
    on: bool = False

    def update(self, share: float, t_ns: int, above: float, after_s: float, below: float) -> bool:
        """Whether the stuck switch holds; once on it ends below the share where reducing ends."""
        if self.on:
            self.on = share > below
            self.since_ns = None if not self.on else self.since_ns
        elif share <= above:
            self.since_ns = None
        else:
            self.since_ns = t_ns if self.since_ns is None else self.since_ns
            self.on = t_ns - self.since_ns > after_s * NS_PER_S
        return self.on


@dataclass(slots=True)
class FlashWatch:
    """The widest move of the mid within a window, with a cool-down."""

    seconds: deque[tuple[int, float, float]] = field(default_factory=deque)
    """(second, lowest mid, highest mid) of each second in the window."""
    until_ns: int = 0
    lowest: float = 0.0
    highest: float = 0.0

    def move(self) -> float:
        """Highest over lowest mid in the window, minus one."""
        return self.highest / self.lowest - 1.0 if self.lowest > 0 else 0.0

    def update(self, mid: float, t_ns: int, limit: float, window_s: float, cooldown_s: float) -> bool:
        """Whether the flash-crash switch holds; after the cool-down the window starts anew."""
        if t_ns < self.until_ns:
            return True
        if self.until_ns:
            self.until_ns = 0
            self.seconds.clear()
        self._note(mid, t_ns // NS_PER_S, window_s)
        if self.move() > limit:
            self.until_ns = t_ns + int(cooldown_s * NS_PER_S)
        return self.until_ns > 0

    def _note(self, mid: float, second: int, window_s: float) -> None:
        if self.seconds and self.seconds[-1][0] == second:
            _, low, high = self.seconds[-1]
            if low <= mid <= high:
                return
            self.seconds[-1] = (second, min(low, mid), max(high, mid))
        else:
            self.seconds.append((second, mid, mid))
            while self.seconds[0][0] < second - window_s:
                self.seconds.popleft()
        self.lowest = min(low for _, low, _ in self.seconds)
        self.highest = max(high for _, _, high in self.seconds)


@dataclass(slots=True)
class BookWatch:
    """Whether the book is proven current, and valid."""

    proof_ns: int = 0
    invalid_ns: int | None = None
    asked_ns: int = 0

    def prove(self, t_ns: int) -> None:
        """The book proved that it is current."""
        self.proof_ns = max(self.proof_ns, t_ns)

    def see(self, t_ns: int, *, valid: bool) -> None:
        """Notes whether the book is known and not crossed."""
        if valid:
            self.invalid_ns = None
        elif self.invalid_ns is None:
            self.invalid_ns = t_ns

    def age_s(self, t_ns: int) -> float:
        """Seconds since the last proof."""
        return (t_ns - self.proof_ns) / NS_PER_S

    def invalid_s(self, t_ns: int) -> float:
        """Seconds for which the book has been crossed or unknown."""
        return 0.0 if self.invalid_ns is None else (t_ns - self.invalid_ns) / NS_PER_S

    def should_ask(self, t_ns: int, silence_s: float, every_s: float) -> bool:
        """Whether silence has lasted long enough to ask the venue for its top; notes the asking."""
        if self.age_s(t_ns) < silence_s or t_ns - self.asked_ns < every_s * NS_PER_S:
            return False
        self.asked_ns = t_ns
        return True


@dataclass(slots=True)
class RepeatWatch:
    """Many orders of one side executed within a short time take that side off until re-armed."""

    executed: deque[tuple[int, Side, str]] = field(default_factory=deque)
    off_ns: dict[Side, int] = field(default_factory=dict)

    def executed_order(self, side: Side, cid: str, t_ns: int, limit: int, window_s: float) -> bool:
        """Counts an executed order (its parts once); True when this takes the side off."""
        while self.executed and t_ns - self.executed[0][0] > window_s * NS_PER_S:
            self.executed.popleft()
        if all(seen != cid for _, _, seen in self.executed):
            self.executed.append((t_ns, side, cid))
        count = sum(1 for _, s, _ in self.executed if s == side)
        if count < limit or side in self.off_ns:
            return False
        self.off_ns[side] = t_ns
        return True

    def rearm(self, side: Side) -> None:
        """The side may quote again."""
        self.off_ns.pop(side, None)
        self.executed = deque(e for e in self.executed if e[1] != side)

    def due(self, t_ns: int, rearm_s: float | None) -> list[Side]:
        """Sides whose time off is over, where they re-arm by themselves."""
        if rearm_s is None:
            return []
        return [side for side, since in self.off_ns.items() if t_ns - since > rearm_s * NS_PER_S]


@dataclass(slots=True)
class DrawdownWatch:
    """Equity against its peak (hard) and against a peak that a long flat rest renews (soft)."""

    peak: Decimal | None = None
    soft_peak: Decimal | None = None
    worst: float = 0.0
    soft: bool = False
    flat_ns: int | None = None

    def drawdown(self, equity: Decimal) -> float:
        """Share of the peak that is lost."""
        return _loss(equity, self.peak)

    def update(self, equity: Decimal, t_ns: int, *, flat: bool, soft_limit: float, leave_s: float) -> bool:
        """Takes in the equity; returns whether the peak rose. `soft` is then up to date."""
        rose = self.peak is None or equity > self.peak
        self.peak = equity if self.peak is None else max(self.peak, equity)
        self.soft_peak = equity if self.soft_peak is None else max(self.soft_peak, equity)
        self.worst = max(self.worst, self.drawdown(equity))
        if not self.soft:
            self.soft = _loss(equity, self.soft_peak) > soft_limit
            self.flat_ns = None
        elif not flat:
            self.flat_ns = None
        else:
            self.flat_ns = t_ns if self.flat_ns is None else self.flat_ns
            if t_ns - self.flat_ns > leave_s * NS_PER_S:
                self.soft, self.soft_peak = False, equity
        return rose

    def reset(self, equity: Decimal) -> None:
        """A person accepted the loss: both peaks start from here."""
        self.peak = self.soft_peak = equity
        self.soft, self.flat_ns = False, None


def _loss(equity: Decimal, peak: Decimal | None) -> float:
    if peak is None or peak <= 0:
        return 0.0 if peak is None else 1.0
    return max(float((peak - equity) / peak), 0.0)
