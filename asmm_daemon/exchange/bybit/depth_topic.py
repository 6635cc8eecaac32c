"""`orderbook.{depth}.{symbol}`: what subscribers hold, and the message that brings it up to date.

A subscriber's book is the snapshot plus every delta since: a changed or entering level carries its
new size, a level that was removed or pushed out of the depth carries size 0. `u` rises by one with
each message of a topic, `seq` is the venue's cross sequence. Level 1 sends snapshots only, and sends
its last one again, `u` unchanged, after 3 seconds without a change.
Source: https://bybit-exchange.github.io/docs/v5/websocket/public/orderbook
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from asmm_daemon.exchange.bybit.text import Scale, ms
from asmm_daemon.units import NS_PER_MS, NS_PER_S, Instrument

Levels = Iterable[tuple[int, int]]
"""(ticks, lots) from the best level outwards."""

HEARTBEAT_NS = 3 * NS_PER_S
PUSH_NS: dict[str, dict[int, int]] = {
    "linear": {1: 10 * NS_PER_MS, 50: 20 * NS_PER_MS, 200: 100 * NS_PER_MS, 1000: 200 * NS_PER_MS},
    "spot": {1: 10 * NS_PER_MS, 50: 20 * NS_PER_MS, 200: 200 * NS_PER_MS, 1000: 200 * NS_PER_MS},
}
"""Push interval per category and depth: at most one message per interval."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """When and at which engine sequence a book stood: system time, engine time, `seq`."""

    system_ns: int
    engine_ns: int
    seq: int


class DepthTopic:
    """The published state of one topic."""

    def __init__(self, instrument: Instrument, depth: int, first_u: int) -> None:
        self.name = f"orderbook.{depth}.{instrument.symbol}"
        self.depth = depth
        self.u = first_u
        self.changed_ns = 0
        self._symbol = instrument.symbol
        self._price = Scale(instrument.tick)
        self._qty = Scale(instrument.lot)
        self._bids: dict[int, int] = {}
        self._asks: dict[int, int] = {}

    def update(self, bids: Levels, asks: Levels, stamp: Stamp) -> dict[str, Any] | None:
        """The message from the last published book to this one, None where nothing changed."""
        new_bids, new_asks = dict(bids), dict(asks)
        changed_bids = self._changes(self._bids, new_bids)
        changed_asks = self._changes(self._asks, new_asks)
        if not changed_bids and not changed_asks:
            return None
        self._bids, self._asks = new_bids, new_asks
        self.u += 1
        self.changed_ns = stamp.system_ns
        if self.depth == 1:
            return self.snapshot(stamp)
        return self._message("delta", changed_bids, changed_asks, stamp)

    def snapshot(self, stamp: Stamp) -> dict[str, Any]:
        """The published book in full: on subscription, and as level 1's heartbeat."""
        bids = self._levels(sorted(self._bids.items(), reverse=True))
        asks = self._levels(sorted(self._asks.items()))
        return self._message("snapshot", bids, asks, stamp)

    def _levels(self, levels: Levels) -> list[list[str]]:
        return [[self._price.text(price), self._qty.text(qty)] for price, qty in levels]

    def _changes(self, old: dict[int, int], new: dict[int, int]) -> list[list[str]]:
        if old == new:
            return []
        gone = [[self._price.text(price), "0"] for price in old if price not in new]
        return gone + self._levels((price, qty) for price, qty in new.items() if old.get(price) != qty)

    def _message(self, kind: str, bids: list[list[str]], asks: list[list[str]], at: Stamp) -> dict[str, Any]:
        return {
            "topic": self.name,
            "type": kind,
            "ts": ms(at.system_ns),
            "data": {"s": self._symbol, "b": bids, "a": asks, "u": self.u, "seq": at.seq},
            "cts": ms(at.engine_ns),
        }
