"""What the engine wants written down before its commands leave: the journal's lines.

The engine queues records while it steps; the service drains them, makes them durable, and only then
sends the commands of that step (S7). Replaying a market's records in order rebuilds its ledger,
orders, peak and latches after a crash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class RecordKind(StrEnum):
    """Kinds of journal lines; `key` of each in brackets."""

    INTENT = "intent"
    """An order about to be requested [cid]: side, level, price, qty, tif, reduce_only."""
    AMEND = "amend"
    """An amendment about to be requested [cid]: price, qty."""
    CANCEL = "cancel"
    """A cancel about to be requested [cid]."""
    ORDER = "order"
    """An order entered a state [cid]: state, oid, reason."""
    FILL = "fill"
    """A booked execution [tid]: every field of the FillEvent, decimals as strings."""
    OPENING = "opening"
    """Inventory adopted from the venue where the ledger begins: qty, price, quote."""
    TRANSFER = "transfer"
    """Inventory that came or went without a trade of ours: qty, price."""
    FUNDING = "funding"
    """A funding payment [fid]: amount, asset."""
    PEAK = "peak"
    """A new peak of equity, or its reset: equity, peak, soft_peak, reason."""
    LATCH = "latch"
    """A latched cause was set or cleared [switch]: on, reason."""
    TRANSITION = "transition"
    """A trading state changed: from, to, cause."""
    OPERATOR = "operator"
    """A person's word [action]: reason."""
    RELOAD = "reload"
    """A limit or parameter changed [name]: old, new."""
    EXPLAIN = "explain"
    """Why each quote is where it is."""
    DIFFERENCE = "difference"
    """Reconciliation found venue and ledger apart: what, venue, ledger."""


Value = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Record:
    """One journal line. `symbol` is empty for what concerns the whole account."""

    kind: RecordKind
    t_ns: int
    symbol: str
    key: str
    data: Mapping[str, Value]
