"""Proof of life of every required channel, by the events that arrive and nothing else."""

from dataclasses import dataclass, field

from asmm_daemon.events import Channel
from asmm_daemon.units import NS_PER_S

Key = tuple[int | None, Channel]
"""Market index (None: serves all markets) and channel."""
REQUIRED_FOR_ALL = (Channel.PRIVATE, Channel.REST)


@dataclass(slots=True)
class Channels:
    """When each channel was last heard, and which are known to be down."""

    heard_ns: dict[Key, int] = field(default_factory=dict)
    down: dict[Key, tuple[int, str]] = field(default_factory=dict)
    """Since when, and why."""

    def start(self, markets: int, t_ns: int) -> None:
        """Everything counts as heard when the daemon starts."""
        for m in range(markets):
            self.heard_ns.setdefault((m, Channel.BOOK), t_ns)
        for channel in REQUIRED_FOR_ALL:
            self.heard_ns.setdefault((None, channel), t_ns)

    def hear(self, m: int | None, channel: Channel, t_ns: int) -> None:
        """A channel proved that it lives."""
        self.heard_ns[m, channel] = t_ns

    def turn(self, m: int | None, channel: Channel, t_ns: int, *, up: bool, reason: str) -> bool:
        """A channel came up or went down; True when that is news."""
        if up:
            self.hear(m, channel, t_ns)
            return self.down.pop((m, channel), None) is not None
        known = (m, channel) in self.down
        self.down.setdefault((m, channel), (t_ns, reason))
        return not known

    def silent(self, m: int, t_ns: int, after_s: float) -> str | None:
        """The first channel that a market needs and that has been silent for too long."""
        for key in ((m, Channel.BOOK), *((None, c) for c in REQUIRED_FOR_ALL)):
            age_s = (t_ns - self.heard_ns.get(key, t_ns)) / NS_PER_S
            if age_s > after_s:
                return f"{key[1]} silent for {age_s:.0f} s"
        return None

    def broken(self, m: int, t_ns: int, private_grace_s: float) -> str | None:
        """The first channel that a market needs and that is known to be down."""
        for (market, channel), (since_ns, reason) in self.down.items():
            grace_s = private_grace_s if channel is Channel.PRIVATE else 0.0
            if market in (None, m) and t_ns - since_ns >= grace_s * NS_PER_S:
                return f"{channel} down: {reason}"
        return None

    def ages(self, t_ns: int, symbols: list[str]) -> dict[str, float]:
        """Age of every channel's last proof, keyed `channel` or `symbol/channel`."""
        return {
            (str(c) if m is None else f"{symbols[m]}/{c}"): (t_ns - heard) / NS_PER_S
            for (m, c), heard in self.heard_ns.items()
        }
