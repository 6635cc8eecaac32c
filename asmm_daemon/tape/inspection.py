"""What a tape is like once the loaders are done: books, silences, gaps, and how late its rows came."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import NO_ASK, NO_BID, Book, apply, new_book
from asmm_daemon.events import GAP, TRADE, Rows
from asmm_daemon.kernels import kernel
from asmm_daemon.tape.columns import Quality
from asmm_daemon.units import NS_PER_S

SILENCE_NS = 3 * NS_PER_S
"""A longer time without a message is a silence."""
_STEPS_PER_E = 100.0
_BUCKETS = 4096

_COUNTS = np.dtype(
    [
        ("rows", np.int64),
        ("books", np.int64),
        ("trades", np.int64),
        ("gaps", np.int64),
        ("gap_ns", np.int64),
        ("crossed", np.int64),
        ("locked_left", np.int64),
        ("silences", np.int64),
        ("silence_max_ns", np.int64),
        ("skew_min_ns", np.int64),
        ("skew_max_ns", np.int64),
        ("start_ns", np.int64),
        ("last_ns", np.int64),
        ("lost_ns", np.int64),  # when the book became unknown; 0 while it is known
    ],
    align=True,
)


@kernel
def _inspect(book: Book, rows: NDArray[Any], counts: NDArray[Any], skews: NDArray[np.int64]) -> None:
    """Counts the messages of `rows`; `skews` is a histogram of ln(1 + receive time less venue time)."""
    c = counts[0]
    booked = False
    for row in rows:
        c.rows += 1
        if row.kind == TRADE:
            c.trades += 1
        else:
            booked = True
            apply(book, row.kind, row.side, row.price, row.qty)
        if row.kind == GAP:
            c.gaps += 1
            if c.lost_ns == 0:
                c.lost_ns = row.local_ns
            booked = False
            continue
        if not row.last:
            continue
        skew = row.local_ns - row.exch_ns
        if c.start_ns == 0:
            c.start_ns = c.last_ns = row.local_ns
            c.skew_min_ns = c.skew_max_ns = skew
        c.skew_min_ns = min(c.skew_min_ns, skew)
        c.skew_max_ns = max(c.skew_max_ns, skew)
        skews[min(int(np.log(1.0 + skew) * _STEPS_PER_E), _BUCKETS - 1)] += 1
        silent = row.local_ns - c.last_ns
        if silent > SILENCE_NS:
            c.silences += 1
        c.silence_max_ns = max(c.silence_max_ns, silent)
        c.last_ns = row.local_ns
        if booked:
            c.books += 1
            head = book.head[0]
            if head.known:
                if c.lost_ns > 0:
                    c.gap_ns += row.local_ns - c.lost_ns
                    c.lost_ns = 0
                if head.bid != NO_BID and head.ask != NO_ASK:
                    c.crossed += head.bid > head.ask
                    c.locked_left += head.bid == head.ask
        booked = False


class Inspector:
    """Looks at the rows of a tape as they pass."""

    def __init__(self) -> None:
        self._book = new_book()
        self._counts = np.zeros(1, _COUNTS)
        self._skews = np.zeros(_BUCKETS, np.int64)

    def see(self, rows: Rows) -> None:
        """The next rows, whole messages."""
        _inspect(self._book, rows, self._counts, self._skews)

    def report(self, quality: Quality) -> None:
        """Writes what was seen into `quality`. The median is true to one percent."""
        c = self._counts[0]
        for name in ("rows", "books", "trades", "gaps", "gap_ns", "crossed", "locked_left", "silences"):
            setattr(quality, name, int(c[name]))
        if c["lost_ns"]:
            quality.gap_ns += int(c["last_ns"] - c["lost_ns"])
        quality.silence_max_ns = int(c["silence_max_ns"])
        quality.span_ns = int(c["last_ns"] - c["start_ns"])
        quality.skew_min_ns, quality.skew_max_ns = int(c["skew_min_ns"]), int(c["skew_max_ns"])
        total = int(self._skews.sum())
        if total:
            middle = int(np.searchsorted(np.cumsum(self._skews), (total + 1) // 2))
            median = int(np.expm1((middle + 0.5) / _STEPS_PER_E))
            quality.skew_median_ns = min(max(median, quality.skew_min_ns), quality.skew_max_ns)
