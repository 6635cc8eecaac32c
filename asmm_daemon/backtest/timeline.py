"""The messages of a tape: where each ends, when the venue sent it and when the daemon saw it.

The venue's side of a backtest goes through a tape by `venue_ns`, the daemon's side by `local_ns`; both
times never step back. What is announced for later, as the running daemon's funding rows are, was sent at
the latest when it was seen.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import int64
from asmm_daemon.core.market import MarketState, on_rows
from asmm_daemon.core.params import Params
from asmm_daemon.errors import TapeError
from asmm_daemon.events import Rows
from asmm_daemon.kernels import kernel

NEVER = int64(2**62)
"""A time that does not come."""


class Timeline(NamedTuple):
    """`rows`, and for each message the index just past its last row and its two times."""

    rows: Rows
    ends: NDArray[np.int64]
    venue_ns: NDArray[np.int64]
    local_ns: NDArray[np.int64]


@kernel
def _fill(
    rows: Rows, ends: NDArray[np.int64], venue_ns: NDArray[np.int64], local_ns: NDArray[np.int64]
) -> None:
    at = 0
    venue = local = np.int64(0)
    for i in range(rows.size):
        venue = max(venue, min(rows[i].exch_ns, rows[i].local_ns))
        if rows[i].last:
            local = max(local, rows[i].local_ns)
            ends[at] = i + 1
            venue_ns[at] = venue
            local_ns[at] = local
            at += 1


def timeline(rows: Rows) -> Timeline:
    """Indexes the whole messages of `rows`; rows after the last one are left out."""
    count = int(np.count_nonzero(rows["last"]))
    ends, venue_ns, local_ns = (np.empty(count, np.int64) for _ in range(3))
    _fill(rows, ends, venue_ns, local_ns)
    return Timeline(rows, ends, venue_ns, local_ns)


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
