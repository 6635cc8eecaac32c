"""Binance market messages, decoded one by one and turned into rows a batch at a time.

The per-line work is parsing JSON and appending to flat lists; numbers, grid and times are done by
numpy over a whole batch.
"""

from collections import deque
from dataclasses import dataclass, field
from itertools import chain
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from asmm_daemon.errors import TapeError
from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP, TRADE, Rows
from asmm_daemon.tape.columns import Quality, TapeInfo, empty_rows, repair_local
from asmm_daemon.tape.loaders.common import to_grid
from asmm_daemon.units import NS_PER_MS

MALFORMED = (orjson.JSONDecodeError, KeyError, TypeError, ValueError, AttributeError, IndexError)
"""What decoding a line that is no Binance message raises."""
NOT_TIMED = -1
Head = tuple[int, int, int, int]
"""Message number, local_ns, exch_ms and line of a part."""
_KEPT_DIFFS = 512
_LAST_MS = 9_000_000_000_000
_PATIENCE = 1000
"""Messages without a snapshot or a bookTicker after which diffs alone make the book known."""


@dataclass(slots=True)
class Batch:
    """Parts of messages in order: a part is rows of one kind; `message` numbers whole messages."""

    message: list[int] = field(default_factory=list)
    local_ns: list[int] = field(default_factory=list)
    exch_ms: list[int] = field(default_factory=list)
    kind: list[int] = field(default_factory=list)
    uid: list[int] = field(default_factory=list)
    bids: list[int] = field(default_factory=list)  # rows of the bid side, first
    asks: list[int] = field(default_factory=list)
    line: list[int] = field(default_factory=list)
    flat: list[Any] = field(default_factory=list)  # price, quantity, price, quantity …

    def add(self, head: Head, kind: int, uid: int, bids: list[Any], asks: list[Any]) -> None:
        """Appends a part; `head` is message number, local_ns, exch_ms and line."""
        message, local_ns, exch_ms, line = head
        if type(exch_ms) is not int or exch_ms > _LAST_MS or type(uid) is not int or uid > 2**62:
            raise ValueError(f"time {exch_ms!r} or id {uid!r} out of range")
        self.message.append(message)
        self.local_ns.append(local_ns)
        self.exch_ms.append(exch_ms)
        self.kind.append(kind)
        self.uid.append(uid)
        self.bids.append(len(bids))
        self.asks.append(len(asks))
        self.line.append(line)
        self.flat.extend(chain.from_iterable(bids))
        self.flat.extend(chain.from_iterable(asks))

    def values(self) -> NDArray[np.float64]:
        """The numbers of `flat`. Raises ValueError or TypeError when one is none."""
        return np.fromiter(map(float, self.flat), np.float64, len(self.flat))


@dataclass(slots=True)
class Decoder:
    """State of one symbol's reading: sequence, best prices, whether the book is known."""

    symbol: str
    quality: Quality
    shift_ns: int | None = None  # what this file's receive times are raised by; None: not measured yet
    latency_ns: int = 0  # median latency, for messages that carry no venue time
    local_ns: int = 0
    messages: int = 0
    update_id: int = -1
    best: tuple[int, list[Any], list[Any]] | None = None  # id, [[bid, quantity]], [[ask, quantity]]
    known: bool = False
    started: int = 0
    diffs: deque[tuple[int, list[Any], list[Any]]] = field(default_factory=lambda: deque(maxlen=_KEPT_DIFFS))
    carry: NDArray[np.float64] = field(default_factory=lambda: np.array([-1.0, 0.0, 0.0]))
    whole_trades: bool = False  # plain trades exist, so aggregated ones would count twice

    def decode(self, line: bytes, line_no: int, batch: Batch) -> None:
        """Appends a line's message to the batch. Raises one of MALFORMED."""
        stamp, _, body = line.partition(b" ")
        if not 16 <= len(stamp) <= 19:
            raise ValueError(f"receive time {stamp[:30]!r} is not in micro- or nanoseconds")
        local_ns = int(stamp) * (1000 if len(stamp) == 16 else 1)
        message = orjson.loads(body)
        data = message.get("data", message)
        event = data.get("e")
        if "lastUpdateId" in data and event is None:
            self._snapshot(data, (self._next(), local_ns, data.get("E", NOT_TIMED), line_no), batch)
        elif data.get("s") != self.symbol:
            self.quality.ignored += 1
        elif event == "depthUpdate":
            head = (self._next(), local_ns, data.get("T", data["E"]), line_no)
            self._depth(data, head, batch)
        elif event == "trade" or (event == "aggTrade" and not self.whole_trades):
            self.whole_trades |= event == "trade"
            self._trade(data, (self._next(), local_ns, data["T"], line_no), batch)
        elif event in (None, "bookTicker") and "A" in data:
            self._best(data, (self._next(), local_ns, data.get("T", NOT_TIMED), line_no), batch)
        else:
            self.quality.ignored += 1

    def _next(self) -> int:
        self.messages += 1
        return self.messages

    def _depth(self, data: dict[str, Any], head: Head, batch: Batch) -> None:
        first, last, bids, asks = data["U"], data["u"], data["b"], data["a"]
        self.diffs.append((last, bids, asks))
        if self.update_id >= 0:
            if last <= self.update_id:
                self.quality.stale_rows += len(bids) + len(asks)
                return
            if self._broken(first, data.get("pu")):
                self.quality.sequence_breaks += 1
                self._lose(head, batch)
        self.update_id = last
        self.started += 1
        batch.add(head, DEPTH, last, bids, asks)
        if not self.known and self.best is None and self.started >= _PATIENCE:
            self._clear(head, batch)

    def _broken(self, first: int, before: int | None) -> bool:
        """Whether messages are missing before a diff: Binance's rules for spot and for USD-M."""
        if before is None:
            return first > self.update_id + 1
        return before != self.update_id if self.started else before > self.update_id

    def _lose(self, head: Head, batch: Batch) -> None:
        self.known, self.best, self.started = False, None, 0
        self.quality.gaps += 1
        batch.add((-head[0], *head[1:]), GAP, -1, [(0, 0)], [])

    def _clear(self, head: Head, batch: Batch) -> None:
        batch.add(head, CLEAR, self.update_id, [(0, 0)], [(0, 0)])
        self.known = True

    def _snapshot(self, data: dict[str, Any], head: Head, batch: Batch) -> None:
        uid = data["lastUpdateId"]
        self._clear(head, batch)
        batch.add(head, DEPTH, 2**62, data["bids"], data["asks"])
        for last, bids, asks in self.diffs:
            if last > uid:
                batch.add(head, DEPTH, 2**62, bids, asks)
                uid = last
        if self.best is not None and self.best[0] > uid:
            batch.add(head, BBO, self.best[0], self.best[1], self.best[2])
        self.update_id = uid
        self.started = 0

    def _best(self, data: dict[str, Any], head: Head, batch: Batch) -> None:
        uid = data["u"]
        if uid < self.update_id:
            self.quality.stale_rows += 2
            return
        self.best = (uid, [(data["b"], data["B"])], [(data["a"], data["A"])])
        if not self.known:
            bid, ask = data["b"], data["a"]
            batch.add(head, CLEAR, uid, [(bid, 0)], [(ask, 0)])
            self.known = True
        batch.add(head, BBO, uid, self.best[1], self.best[2])

    def _trade(self, data: dict[str, Any], head: Head, batch: Batch) -> None:
        if data.get("X", "MARKET") != "MARKET":
            self.quality.ignored += 1
            return
        level = [(data["p"], data["q"])]
        uid = data["t"] if "t" in data else data["a"]
        if data["m"]:
            batch.add(head, TRADE, uid, [], level)
        else:
            batch.add(head, TRADE, uid, level, [])

    def rows(self, batch: Batch, info: TapeInfo, origin: str) -> Rows:
        """A batch as rows, times repaired, levels older than the best price left out. Raises TapeError."""
        if not batch.kind:
            return empty_rows(0)
        counts = np.array(batch.bids) + np.array(batch.asks)
        rows = empty_rows(int(counts.sum()))
        part = np.repeat(np.arange(counts.size), counts)
        within = np.arange(part.size) - np.repeat(np.cumsum(counts) - counts, counts)
        values = self._values(batch, part, origin)
        rows["kind"] = np.array(batch.kind)[part]
        rows["side"] = np.where(within < np.array(batch.bids)[part], 1, -1)
        rows["id"] = np.array(batch.uid)[part]
        rows["price"] = to_grid(values[0::2], info.tick, self.quality)
        rows["qty"] = to_grid(values[1::2], info.lot, self.quality)
        rows["qty"][(values[1::2] > 0) & (rows["qty"] == 0)] = 1
        exch, local = self._times(batch)
        rows["exch_ns"], rows["local_ns"] = exch[part], local[part]
        keep = self._current(rows)
        rows["id"][rows["id"] == 2**62] = self.update_id
        rows["side"][rows["kind"] == GAP] = 0
        message = np.array(batch.message)[part][keep]
        rows = rows[keep]
        rows["last"] = np.append(message[1:] != message[:-1], True) if rows.size else rows["last"]
        self.quality.messages += int(np.count_nonzero(rows["last"]))
        return rows

    def _values(self, batch: Batch, part: NDArray[np.int64], origin: str) -> NDArray[np.float64]:
        try:
            values = batch.values()
        except (TypeError, ValueError) as error:
            raise TapeError(f"{origin}: line {line_of(batch)}: {error}") from None
        kind = np.array(batch.kind)[part]
        if values.size != 2 * part.size:
            raise TapeError(f"{origin}: line {line_of(batch)}: a level is not [price, quantity]")
        price, qty = values[0::2], values[1::2]
        bad = (
            ~(np.isfinite(price) & np.isfinite(qty))
            | (qty < 0)
            | (price <= 0) & (kind != CLEAR) & (kind != GAP)
        )
        if bad.any():
            at = int(np.argmax(bad))
            raise TapeError(f"{origin}: line {batch.line[part[at]]}: quantity {qty[at]} at price {price[at]}")
        return values

    def _times(self, batch: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        local = np.array(batch.local_ns, np.int64)
        exch = np.array(batch.exch_ms, np.int64) * NS_PER_MS
        timed = exch > 0
        if self.shift_ns is None and timed.any():
            latency = local[timed] - exch[timed]
            self.shift_ns = max(0, -int(latency.min()))
            self.latency_ns = int(np.median(latency)) + self.shift_ns
            self.quality.local_shift_ns = max(self.quality.local_shift_ns, self.shift_ns)
        local = local + (self.shift_ns or 0)
        exch = np.where(timed, exch, local - self.latency_ns)
        local = repair_local(exch, local, self.local_ns, self.quality)
        self.local_ns = int(local[-1])
        return exch, local

    def _current(self, rows: Rows) -> NDArray[np.bool_]:
        """Which rows are not older than the bookTicker before them: its levels win over earlier ids."""
        best = rows["kind"] == BBO
        bids = np.flatnonzero(best & (rows["side"] > 0))
        asks = np.flatnonzero(best & (rows["side"] < 0))
        table = np.vstack(
            [self.carry, np.stack([rows["id"][bids], rows["price"][bids], rows["price"][asks]], axis=1)]
        )
        newest = table[np.searchsorted(bids, np.arange(rows.size))]
        newest[rows["kind"] == BBO] = -1
        lost = np.flatnonzero(rows["kind"] == GAP)
        self.carry = (
            np.array([-1.0, 0.0, 0.0]) if lost.size and lost[-1] > bids[-1:].max(initial=-1) else table[-1]
        )
        old = (rows["kind"] == DEPTH) & (rows["id"] <= newest[:, 0])
        beaten: NDArray[np.bool_] = np.where(
            rows["side"] > 0, rows["price"] >= newest[:, 1], rows["price"] <= newest[:, 2]
        )
        self.quality.stale_rows += int(np.count_nonzero(old & beaten))
        keep: NDArray[np.bool_] = ~(old & beaten)
        return keep


def line_of(batch: Batch) -> int:
    """The line of the first part whose numbers are damaged."""
    at = 0
    for part, count in enumerate(zip(batch.bids, batch.asks, strict=True)):
        for value in batch.flat[at : at + 2 * sum(count)]:
            try:
                float(value)
            except (TypeError, ValueError):
                return batch.line[part]
        at += 2 * sum(count)
    return batch.line[-1]
