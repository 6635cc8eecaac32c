"""The messages of a tape: where each ends, when the venue sent it and when the daemon saw it.

The venue's side of a backtest goes through a tape by `venue_ns`, the daemon's side by `local_ns`; both
times never step back. What is announced for later, as the running daemon's funding rows are, was sent at
the latest when it was seen.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.backtest.spool import let_go
from asmm_daemon.core.book import int64
from asmm_daemon.core.market import MarketState, on_rows
from asmm_daemon.core.params import Params
from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.kernels import kernel

NEVER = int64(2**62)
"""A time that does not come."""
_BLOCK = 262_144
"""Rows that are indexed before those of a mapped file are let go."""


class Timeline(NamedTuple):
    """`rows`, and for each message the index just past its last row and its two times."""

    rows: Rows
    ends: NDArray[np.int64]
    venue_ns: NDArray[np.int64]
    local_ns: NDArray[np.int64]


@kernel
def _fill(
    rows: Rows, first: int, ends: NDArray[np.int64], times: NDArray[np.int64], so_far: NDArray[np.int64]
) -> None:
    # `so_far`: messages and latest times of the rows before `first`
    at, venue, local = so_far[0], so_far[1], so_far[2]
    for i in range(rows.size):
        venue = max(venue, min(rows[i].exch_ns, rows[i].local_ns))
        if rows[i].last:
            local = max(local, rows[i].local_ns)
            ends[at] = first + i + 1
            times[0, at] = venue
            times[1, at] = local
            at += 1
    so_far[0], so_far[1], so_far[2] = at, venue, local


def timeline(rows: Rows) -> Timeline:
    """Indexes the whole messages of `rows`; rows after the last one are left out."""
    blocks = [(first, rows[first : first + _BLOCK]) for first in range(0, rows.size, _BLOCK)]
    count = 0
    for first, block in blocks:
        count += int(np.count_nonzero(block["last"]))
        let_go(rows, first)
    ends, times, so_far = np.empty(count, np.int64), np.empty((2, count), np.int64), np.zeros(3, np.int64)
    for first, block in blocks:
        _fill(block, first, ends, times, so_far)
        let_go(rows, first)
    return Timeline(rows, ends, times[0], times[1])


def first_message(tape: Timeline, begin_ns: int) -> int:
    """The first message at or after a receive time. Raises TapeError when there is none."""
    first = int(np.searchsorted(tape.local_ns, begin_ns))
    if first >= tape.ends.size:
        raise TapeError("the tape holds no whole message in the time asked for")
    return first


def warm_up(market: MarketState, params: Params, tape: Timeline, first: int) -> int:
    """Feeds a market with the messages before `first`; returns the row at which `first` begins."""
    row = int(tape.ends[first - 1]) if first else 0
    on_rows(market, params, tape.rows[:row])
    return row
