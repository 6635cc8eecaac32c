"""Bybit's book messages as its public data holds them, one JSON object a line, turned into rows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from asmm_daemon.errors import TapeError
from asmm_daemon.events import CLEAR, DEPTH, GAP, Rows
from asmm_daemon.tape.columns import BREAK_NS, Quality, TapeInfo, empty_rows
from asmm_daemon.tape.loaders.binance_messages import MALFORMED, Batch, line_of
from asmm_daemon.tape.loaders.common import countable, to_grid
from asmm_daemon.tape.loaders.csv_table import EARLIEST_NS, LATEST_NS
from asmm_daemon.tape.loaders.streams import Timeline
from asmm_daemon.tape.loaders.text import Block, blocks
from asmm_daemon.units import NS_PER_MS

__all__ = ["MALFORMED", "BybitDecoder", "reason"]
_BLOCK_BYTES = 1 << 20


def reason(error: Exception) -> str:
    """What is wrong with a line that is no book message, for a person."""
    if isinstance(error, orjson.JSONDecodeError):
        return f"not a JSON object ({error.msg})"
    if isinstance(error, KeyError):
        return f"the message has no {error.args[0]!r}"
    return f"not a book message ({error})"


class BybitDecoder:
    """State of one market's book: the update id, and whether the book is known."""

    def __init__(self, info: TapeInfo, quality: Quality, timeline: Timeline) -> None:
        self._info = info
        self._quality = quality
        self._timeline = timeline
        self._update_id = -1
        self._known = False
        self._seen: tuple[int, int] = (0, 0)  # times of the last message, ms
        self._messages = 0

    def read(self, path: Path) -> Iterator[Rows]:
        """Rows of whole messages, some thousand lines at a time. Raises TapeError."""
        for block in blocks(path, self._quality, _BLOCK_BYTES):
            batch, _ = self._decoded(block)
            if batch.kind:
                yield self._rows(batch, block)
        if not self._known and self._update_id < 0:
            raise TapeError(f"{path}: line 1: no snapshot in the file, so its book is not known")

    def levels(self, path: Path) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Prices and quantities of the first messages, for the grid. Raises TapeError."""
        block = next(blocks(path, size=_BLOCK_BYTES))
        values = self._values(*self._decoded(block))
        return values[0::2], values[1::2]

    def _decoded(self, block: Block) -> tuple[Batch, Block]:
        batch = Batch()
        for line_no, line in enumerate(block.text.splitlines(), block.first):
            try:
                self._message(orjson.loads(line), line_no, batch)
            except MALFORMED as error:
                raise TapeError(f"{block.path}: line {line_no}: {reason(error)}") from None
        return batch, block

    def _message(self, message: dict[str, Any], line_no: int, batch: Batch) -> None:
        data = message["data"]
        symbol, update_id, kind = data["s"], data["u"], message["type"]
        if symbol != self._info.symbol:
            raise ValueError(f"symbol {symbol!r} in a recording of {self._info.symbol}")
        if kind not in ("snapshot", "delta"):
            raise ValueError(f"type {kind!r}")
        local_ms = message["ts"]
        exch_ms = message.get("cts") or local_ms
        for time in (local_ms, exch_ms):
            if type(time) is not int or not EARLIEST_NS < time * NS_PER_MS < LATEST_NS:
                raise ValueError(f"{time!r} is no time of a market")
        self._messages += 1
        head = (self._messages, local_ms * NS_PER_MS, exch_ms, line_no)
        if kind == "snapshot":
            if self._known and local_ms * NS_PER_MS - self._seen[1] > BREAK_NS:
                self._lose(
                    (self._seen[1] + BREAK_NS, (self._seen[0] + BREAK_NS) // NS_PER_MS), line_no, batch
                )
            batch.add(head, CLEAR, update_id, [(0, 0)], [(0, 0)])
            self._known = True
        elif not self._known:
            self._quality.ignored += 1
            return
        elif update_id <= self._update_id:
            self._quality.duplicates += 1
            return
        elif update_id != self._update_id + 1:
            self._quality.sequence_breaks += 1
            self._lose((head[1], exch_ms), line_no, batch)
            self._known = False
            return
        self._update_id = update_id
        self._seen = exch_ms * NS_PER_MS, head[1]
        batch.add(head, DEPTH, update_id, data["b"], data["a"])

    def _lose(self, times: tuple[int, int], line_no: int, batch: Batch) -> None:
        self._quality.gaps += 1
        batch.add((-self._messages, *times, line_no), GAP, -1, [(0, 0)], [])

    def _values(self, batch: Batch, block: Block) -> NDArray[np.float64]:
        try:
            values = batch.values()
        except (TypeError, ValueError) as error:
            raise TapeError(f"{block.path}: line {line_of(batch)}: {error}") from None
        if values.size % 2:
            raise TapeError(f"{block.path}: line {line_of(batch)}: a level is not [price, quantity]")
        return values

    def _rows(self, batch: Batch, block: Block) -> Rows:
        counts = np.array(batch.bids) + np.array(batch.asks)
        part = np.repeat(np.arange(counts.size), counts)
        values = self._values(batch, block)
        if values.size != 2 * part.size:
            raise TapeError(f"{block.path}: line {line_of(batch)}: a level is not [price, quantity]")
        kind, line = np.array(batch.kind)[part], np.array(batch.line)
        price, qty = values[0::2], values[1::2]
        bad = ~(countable(price, self._info.tick) & countable(qty, self._info.lot))
        bad |= (price == 0) & (kind == DEPTH)
        if bad.any():
            at = int(np.argmax(bad))
            raise TapeError(f"{block.path}: line {line[part[at]]}: a level of {qty[at]} at {price[at]}")
        within = np.arange(part.size) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = empty_rows(part.size)
        rows["kind"], rows["id"] = kind, np.array(batch.uid)[part]
        rows["side"] = np.where(kind == GAP, 0, np.where(within < np.array(batch.bids)[part], 1, -1))
        rows["price"] = to_grid(price, self._info.tick, self._quality)
        rows["qty"] = to_grid(qty, self._info.lot, self._quality)
        rows["qty"][(qty > 0) & (rows["qty"] == 0)] = 1
        exch = np.array(batch.exch_ms, np.int64) * NS_PER_MS
        local = self._timeline.repaired(block.path, line, exch, np.array(batch.local_ns, np.int64))
        rows["exch_ns"], rows["local_ns"] = exch[part], local[part]
        message = np.array(batch.message)[part]
        rows["last"] = np.append(message[1:] != message[:-1], True)[: rows.size]
        self._quality.messages += int(np.count_nonzero(rows["last"]))
        return rows
