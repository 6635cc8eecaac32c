"""Rows of a recording, what they are counted in, and the checks that every reader and writer shares.

A `Tape` is a stretch of `events.ROW` rows that holds whole venue messages; `TapeInfo` says which
market and which grid they belong to; `Quality` counts what a loader had to repair.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from typing import Protocol

import numpy as np

from asmm_daemon.errors import TapeError
from asmm_daemon.events import BBO, CLEAR, DEPTH, FUNDING, GAP, MARK, ROW, Rows
from asmm_daemon.units import Product

FORMAT = "asmm-tape/1"
BREAK_NS = 1_500_000_000
"""Silence between two snapshots after which the book in between was not known."""
REPAIRS = (
    "sequence_breaks", "duplicates", "locked", "sides_inferred", "late_local", "off_grid", "stale_rows",
    "ignored",
)  # fmt: skip
"""Counts of `Quality` that stay true of a tape made from a tape."""


@dataclass(frozen=True, slots=True)
class TapeInfo:
    """The market of a recording and its grid. `venue` is where it was recorded."""

    venue: str
    product: Product
    symbol: str
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal

    @property
    def is_spot(self) -> bool:
        """Whether the recorded market is a spot market."""
        return self.product in ("binance", "bybit-spot")


@dataclass(slots=True)
class Quality:
    """What a loader met and mended, counted while it reads; durations in nanoseconds.

    The second half describes the tape itself; `inspection.Inspector` measures it.
    """

    bytes: int = 0  # of the source files, as far as they were read
    messages: int = 0
    gaps: int = 0
    gap_ns: int = 0
    sequence_breaks: int = 0
    duplicates: int = 0
    locked: int = 0  # locked books whose ask was moved up
    sides_inferred: int = 0
    late_local: int = 0  # receive times raised to the venue's time or to the row before
    local_shift_ns: int = 0  # largest correction of a recorder's clock that ran behind
    off_grid: int = 0
    stale_rows: int = 0  # levels and best prices that a newer message had already replaced
    ignored: int = 0  # messages of other kinds or other symbols, or before the first snapshot

    rows: int = 0
    books: int = 0  # messages that changed the book
    trades: int = 0
    crossed: int = 0  # messages that left the book crossed
    locked_left: int = 0  # messages that left the book locked
    span_ns: int = 0
    silences: int = 0  # stretches of more than 3 s without a message
    silence_max_ns: int = 0
    skew_min_ns: int = 0  # receive time less venue time, after repair
    skew_median_ns: int = 0
    skew_max_ns: int = 0

    def carry(self, counts: dict[str, int]) -> None:
        """Adds what a tape's key says was repaired when it was made."""
        for name in REPAIRS:
            setattr(self, name, getattr(self, name) + counts.get(name, 0))
        self.local_shift_ns = max(self.local_shift_ns, counts.get("local_shift_ns", 0))

    def as_dict(self) -> dict[str, int]:
        """The counts by name, as the Parquet key stores them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@dataclass(frozen=True, slots=True)
class Tape:
    """Whole messages of one market, sorted by (local_ns, file order)."""

    info: TapeInfo
    rows: Rows


class Source(Protocol):
    """A recording that can be read from its start any number of times, chunk by chunk."""

    @property
    def info(self) -> TapeInfo:
        """Market and grid, known before the first chunk."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """The files behind it, in reading order."""
        ...

    @property
    def quality(self) -> Quality:
        """Counts of the latest reading, so far."""
        ...

    def __iter__(self) -> Iterator[Tape]:
        """Reads from the start: chunks in order, each of whole messages, none empty."""
        ...


class Reading:
    """A source that hands on what it reads of another: market, files and counts are that one's."""

    def __init__(self, source: Source) -> None:
        self._source = source

    @property
    def info(self) -> TapeInfo:
        """Market and grid of the recording."""
        return self._source.info

    @property
    def files(self) -> tuple[Path, ...]:
        """The recording's files."""
        return self._source.files

    @property
    def quality(self) -> Quality:
        """Counts of the latest reading."""
        return self._source.quality


def empty_rows(count: int) -> Rows:
    """`count` zeroed rows whose id is unknown."""
    rows = np.zeros(count, ROW)
    rows["id"] = -1
    return rows


def gap_row(exch_ns: int, local_ns: int) -> Rows:
    """A message that says: from here the book is unknown."""
    rows = empty_rows(1)
    rows["exch_ns"], rows["local_ns"], rows["kind"], rows["last"] = exch_ns, local_ns, GAP, True
    return rows


def concat(tapes: Sequence[Tape]) -> Tape:
    """One tape out of consecutive chunks. Raises TapeError when there are none or they differ in grid."""
    if not tapes:
        raise TapeError("no rows: the recording is empty")
    info = tapes[0].info
    for tape in tapes[1:]:
        if tape.info != info:
            raise TapeError(f"{tape.info.symbol}: chunks of different markets or grids cannot be joined")
    return Tape(info, np.concatenate([tape.rows for tape in tapes]))


def message_ends(rows: Rows) -> list[int]:
    """Index just past the last row of each message."""
    return [int(i) + 1 for i in np.flatnonzero(rows["last"])]


def validate(rows: Rows, origin: str, first_row: int = 0) -> None:
    """Raises TapeError, naming `origin` and the row, when rows break the format's rules."""
    kind, side, price, qty = rows["kind"], rows["side"], rows["price"], rows["qty"]
    priced = ~np.isin(kind, (CLEAR, GAP, FUNDING))
    sided = np.isin(kind, (DEPTH, CLEAR, BBO))
    checks = (
        (kind > MARK, "unknown kind"),
        ((side < -1) | (side > 1) | (sided & (side == 0)), "a side outside its values"),
        ((price <= 0) & priced | (price < 0) & (kind != FUNDING), "a price that is not positive"),
        ((qty < 0) | (qty == 0) & (kind != DEPTH) & (kind < GAP) & (kind != CLEAR), "an impossible quantity"),
        (rows["local_ns"] < rows["exch_ns"], "local_ns before exch_ns"),
        (np.diff(rows["local_ns"], prepend=rows["local_ns"][:1]) < 0, "local_ns that runs backwards"),
    )
    for bad, what in checks:
        if bad.any():
            at = int(np.argmax(bad))
            raise TapeError(f"{origin}: row {first_row + at + 1} has {what} ({rows[at]})")
    if rows.size and not rows["last"][-1]:
        raise TapeError(f"{origin}: row {first_row + rows.size} ends inside a message")


def repair_local(exch_ns: Rows, local_ns: Rows, floor_ns: int, quality: Quality) -> Rows:
    """Receive times at or after venue time and never running backwards; repairs are counted.

    `floor_ns` is the receive time of the row before.
    """
    repaired: Rows = np.maximum(np.maximum.accumulate(np.maximum(local_ns, exch_ns)), floor_ns)
    quality.late_local += int(np.count_nonzero(repaired != local_ns))
    quality.local_shift_ns = max(quality.local_shift_ns, int((exch_ns - local_ns).max(initial=0)))
    return repaired
