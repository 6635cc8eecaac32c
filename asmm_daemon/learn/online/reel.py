"""The recent market of the running daemon: its rows as they came, without our own orders.

A recording has to show the market as it would be without us, since a replay adds its own orders. So our
resting quantity is taken out of every book row, and where it changes a row puts the level right: after
every message the recorded book is the one that the daemon's own features are read from.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.timeline import Timeline, timeline
from asmm_daemon.core.book import set_level
from asmm_daemon.core.market import MarketState, copy_market
from asmm_daemon.core.market_record import MARKET
from asmm_daemon.core.own import OWN, net_qty, ours_at
from asmm_daemon.events import BBO, CLEAR, DEPTH, ROW, Rows
from asmm_daemon.kernels import flat_kernel
from asmm_daemon.units import NS_PER_S

BLOCK = 65_536
"""Rows that memory is taken for at once, 3.6 MB."""
MOST_ROWS = 2_000_000
"""A stretch ends here at the latest, 112 MB: on a busy market before its time is over."""


@flat_kernel
def _level(out: Rows, at: int, like: Any, state: MarketState, side: int, price: int) -> None:
    row = out[at]
    row.exch_ns, row.local_ns = like.exch_ns, like.local_ns
    row.kind, row.side, row.price = DEPTH, side, price
    row.qty = net_qty(state.book, state.market, side, price)
    row.id = -1
    row.last = False


@flat_kernel
def _record(out: Rows, at: int, rows: Rows, state: MarketState, seen: NDArray[Any]) -> int:
    """Writes one message, already taken into `state`, without us; `seen` is the MARKET record at the last.

    Of `seen` only what is ours is kept. Returns where the next message begins.
    """
    m = state.market[0]
    s = seen[0]
    known = state.book.head[0].known
    for i in range(rows.size):
        row = out[at]
        row.exch_ns, row.local_ns = rows[i].exch_ns, rows[i].local_ns
        row.kind, row.side, row.price = rows[i].kind, rows[i].side, rows[i].price
        row.qty, row.id, row.last = rows[i].qty, rows[i].id, False
        if row.kind == DEPTH or row.kind == BBO:
            row.qty = max(row.qty - ours_at(state.market, row.side, row.price), 0)
            if row.kind == BBO and row.qty == 0:
                row.kind = CLEAR if known else DEPTH
        at += 1
    if known:
        like = rows[rows.size - 1]
        for i in range(s.owns):
            if ours_at(state.market, s.own_side[i], s.own_price[i]) == 0:
                _level(out, at, like, state, s.own_side[i], s.own_price[i])
                at += 1
        for i in range(m.owns):
            if ours_at(seen, m.own_side[i], m.own_price[i]) != m.own_qty[i]:
                _level(out, at, like, state, m.own_side[i], m.own_price[i])
                at += 1
        s.owns = m.owns
        for i in range(m.owns):
            s.own_side[i], s.own_price[i], s.own_qty[i] = m.own_side[i], m.own_price[i], m.own_qty[i]
    out[at - 1].last = True
    return at


@dataclass(slots=True)
class Stretch:
    """A piece of market: the state it begins with, and the rows since in blocks with their counts."""

    start: MarketState
    start_ns: int
    end_ns: int = 0
    blocks: list[Rows] = field(default_factory=list)
    counts: list[int] = field(default_factory=list)

    @property
    def rows(self) -> int:
        """Rows so far."""
        return sum(self.counts)

    def tape(self) -> Timeline:
        """All rows as a tape; a copy."""
        whole = np.empty(self.rows, ROW)
        at = 0
        for block, count in zip(self.blocks, self.counts, strict=True):
            whole[at : at + count].view(np.uint8)[:] = block[:count].view(np.uint8)
            at += count
        return timeline(whole)


class Reel:
    """Records one market in stretches of `window_s` venue seconds. The event loop adds, a thread takes."""

    def __init__(self, window_s: float, *, most_rows: int = MOST_ROWS) -> None:
        self._window_ns, self._most_rows = int(window_s * NS_PER_S), most_rows
        self._now: Stretch | None = None
        self._seen: NDArray[Any] = np.zeros(1, MARKET)
        self._done: deque[Stretch] = deque(maxlen=1)

    def add(self, state: MarketState, rows: Rows) -> None:
        """One message that `state` has just taken in."""
        t_ns = int(rows[-1]["local_ns"])
        now = self._now
        if now is None or t_ns - now.start_ns >= self._window_ns or now.rows >= self._most_rows:
            self._begin(state, t_ns)
            return
        need = rows.size + 2 * OWN
        if not now.blocks or now.counts[-1] + need > now.blocks[-1].size:
            now.blocks.append(np.empty(max(BLOCK, need), ROW))
            now.counts.append(0)
        now.counts[-1] = _record(now.blocks[-1], now.counts[-1], rows, state, self._seen)
        now.end_ns = t_ns

    def take(self) -> Stretch | None:
        """The latest stretch that is over, handed out once."""
        return self._done.pop() if self._done else None

    def _begin(self, state: MarketState, t_ns: int) -> None:
        """This message is part of the state that the new stretch begins with."""
        if self._now is not None and self._now.blocks:
            self._done.append(self._now)
        self._now = Stretch(without_us(state), t_ns)
        self._seen = state.market.copy()


def without_us(state: MarketState) -> MarketState:
    """A copy of a market in which nothing of ours rests: what its book shows less our quantity."""
    copy = copy_market(state)
    m = copy.market[0]
    for i in range(int(m["owns"])):
        side, price = int(m["own_side"][i]), int(m["own_price"][i])
        set_level(copy.book, side, price, int(net_qty(state.book, state.market, side, price)))
    m["owns"] = 0
    return copy
