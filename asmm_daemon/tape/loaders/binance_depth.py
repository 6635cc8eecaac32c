"""Binance snapshots in Parquet: `lobdeep_*` books of up to 1000 levels and `trades_*` beside them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa

from asmm_daemon.errors import TapeError
from asmm_daemon.events import TRADE, Rows
from asmm_daemon.tape.columns import Quality, TapeInfo, empty_rows, repair_local
from asmm_daemon.tape.loaders.common import (
    Part,
    check_symbol,
    grid_step,
    head_of,
    levels,
    min_notional,
    numbers,
    open_parquet,
    parquet_columns,
    read_parquet,
    size_of,
    split_symbol,
    texts,
    to_grid,
)
from asmm_daemon.tape.parquet import DAMAGED
from asmm_daemon.tape.snapshots import SnapshotBook
from asmm_daemon.units import NS_PER_MS, Product

_SIDES = ("bids_px", "bids_qty", "asks_px", "asks_qty")
_TIMES = ("ts_ms", "exch_ts_ms")
_BOOKS_A_CHUNK = 600


@dataclass(slots=True)
class State:
    """What carries over from one batch of books to the next."""

    book: SnapshotBook
    trades: Rows = field(default_factory=lambda: empty_rows(0))  # received, not handed out yet
    local_ns: int = 0
    exch_ns: int = -1
    until_ns: int = 0
    row: int = 0


class BinanceDepth:
    """Reader of Binance depth Parquet."""

    def knows(self, path: Path) -> bool:
        """Whether the file holds such books or trades."""
        columns = parquet_columns(path)
        return {*_TIMES, *_SIDES} <= columns or {*_TIMES, "trade_id", "price", "qty", "side"} <= columns

    def parts(self, files: Sequence[Path]) -> list[Part]:
        """One part a book file, with the trades of the same name where they exist."""
        found: list[Part] = []
        for path in files:
            if "bids_px" not in parquet_columns(path):
                continue
            trades = path.with_name(path.name.replace("lobdeep_", "trades_", 1))
            with_trades = trades != path and trades.is_file()
            head = head_of(path, ["ts_ms", "symbol", "market_type"])
            symbol = texts(head, "symbol", path)[0]
            product: Product = "binance" if texts(head, "market_type", path)[0] == "spot" else "binanceusdm"
            base, quote = split_symbol(symbol)
            info = TapeInfo(
                "binance", product, symbol, base, quote, Decimal(1), Decimal(1),
                min_notional(product, symbol),
            )  # fmt: skip
            start_ns = int(numbers(head, "ts_ms", np.int64, path)[0]) * NS_PER_MS
            found.append(Part(self, info, start_ns, (path, trades) if with_trades else (path,)))
        return found

    def grid(self, parts: Sequence[Part]) -> TapeInfo:
        """Tick and lot as the first book shows them."""
        path = parts[0].files[0]
        table = head_of(path, _SIDES, 20)
        bid, bid_qty, ask, ask_qty = levels(table, _SIDES, path)
        tick = grid_step(np.concatenate([bid.ravel(), ask.ravel()]))
        return replace(
            parts[0].info, tick=tick, lot=grid_step(np.concatenate([bid_qty.ravel(), ask_qty.ravel()]))
        )

    def read(self, info: TapeInfo, parts: Sequence[Part], quality: Quality) -> Iterator[Rows]:
        """Chunks of some hundred books and the trades that were received with them."""
        state = State(SnapshotBook(quality))
        for part in parts:
            state.trades = _trades(part.files[1], info, quality) if len(part.files) > 1 else empty_rows(0)
            state.row = 0
            for table in _tables(part.files[0]):
                rows = _books(table, part.files[0], info, state, quality)
                split = int(np.searchsorted(state.trades["local_ns"], state.until_ns, side="right"))
                yield _merged(rows, state.trades[:split], state, quality)
                state.trades = state.trades[split:]
            quality.bytes += size_of(part)
            yield _merged(empty_rows(0), state.trades, state, quality)


def _merged(books: Rows, trades: Rows, state: State, quality: Quality) -> Rows:
    rows = np.concatenate([books, trades])
    rows = rows[np.argsort(rows["local_ns"], kind="stable")]
    if rows.size:
        rows["local_ns"] = repair_local(rows["exch_ns"], rows["local_ns"], state.local_ns, quality)
        state.local_ns = int(rows["local_ns"][-1])
    return rows


def _tables(path: Path) -> Iterator[pa.Table]:
    """The file's columns of interest, some hundred books at a time."""
    file = open_parquet(path)
    try:
        for batch in file.iter_batches(_BOOKS_A_CHUNK, columns=[*_TIMES, "seq", "symbol", *_SIDES]):
            yield pa.Table.from_batches([batch])
    except DAMAGED as error:
        raise TapeError(f"{path}: row 1: damaged data ({error})") from None


def _books(table: pa.Table, path: Path, info: TapeInfo, state: State, quality: Quality) -> Rows:
    check_symbol(table, info.symbol, path, state.row)
    local, exch = (numbers(table, name, np.int64, path) * NS_PER_MS for name in _TIMES)
    times = np.stack([exch, np.maximum(local, exch), numbers(table, "seq", np.int64, path)], axis=1)
    fresh = exch > np.maximum.accumulate(np.concatenate([[state.exch_ns], exch[:-1]]))
    quality.duplicates += int(np.count_nonzero(~fresh))
    sides = [side[fresh] for side in levels(table, _SIDES, path, state.row)]
    quality.messages += sides[0].shape[0]
    state.row += exch.size
    state.exch_ns = max(state.exch_ns, int(exch.max()))
    state.until_ns = int(local[-1])
    steps = (info.tick, info.lot, info.tick, info.lot)
    books = np.stack([to_grid(side, step, quality) for side, step in zip(sides, steps, strict=True)])
    return state.book.rows(times[fresh], books)


def _trades(path: Path, info: TapeInfo, quality: Quality) -> Rows:
    table = read_parquet(path, [*_TIMES, "trade_id", "price", "qty", "side"])
    local, exch = (numbers(table, name, np.int64, path) * NS_PER_MS for name in _TIMES)
    price, qty = (numbers(table, name, np.float64, path) for name in ("price", "qty"))
    names = np.asarray(texts(table, "side", path), dtype=object)
    side = np.where(names == "buy", 1, np.where(names == "sell", -1, 0))
    bad = ~(np.isfinite(price) & np.isfinite(qty) & (price > 0) & (qty > 0)) | (side == 0)
    if bad.any():
        at = int(np.argmax(bad))
        raise TapeError(f"{path}: row {at + 1}: a {names[at]} of {qty[at]} at {price[at]}")
    rows = empty_rows(price.size)
    rows["exch_ns"], rows["local_ns"], rows["kind"], rows["last"] = exch, np.maximum(local, exch), TRADE, True
    rows["side"], rows["price"] = side, to_grid(price, info.tick, quality)
    rows["qty"] = np.maximum(to_grid(qty, info.lot, quality), 1)
    rows["id"] = [int(text) if text.isdecimal() else -1 for text in texts(table, "trade_id", path)]
    quality.messages += price.size
    return rows[np.argsort(rows["local_ns"], kind="stable")]


READER = BinanceDepth()
