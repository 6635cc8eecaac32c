"""StandX hourly Parquet: `orderbook_*` snapshots of 20 levels and `trades_*` beside them.

Half of the snapshots are duplicates. Book prices are floored to 0.1 on both sides (so about half of
the books are locked; their ask moves up one tick) while trades lie on 0.01: a trade is floored to
the book's grid, and a buy at a locked price moves up with the ask. Every trade is labelled SELL: its
side comes from the last book at its time (above the mid + 0.045, half of what flooring takes away,
is a buy) and, at that price exactly, from the tick rule.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.errors import TapeError
from asmm_daemon.events import TRADE, Rows
from asmm_daemon.tape.columns import Quality, TapeInfo, empty_rows, repair_local
from asmm_daemon.tape.loaders.common import (
    Part,
    check_symbol,
    head_of,
    levels,
    min_notional,
    numbers,
    parquet_columns,
    read_parquet,
    size_of,
    split_symbol,
    texts,
    to_grid,
)
from asmm_daemon.tape.snapshots import SnapshotBook

TICK = Decimal("0.1")
LOT = Decimal("0.0001")
FLOOR_BIAS = 0.045
_SIDES = ("bid_prices", "bid_quantities", "ask_prices", "ask_quantities")
_TIMES = ("timestamp", "received_at")


@dataclass(slots=True)
class Hour:
    """The books of one file, without duplicates: times (n, 3) and best prices in quote currency."""

    times: NDArray[np.int64]
    bid: NDArray[np.float64]
    ask: NDArray[np.float64]


@dataclass(slots=True)
class State:
    """What carries over from one hour to the next."""

    book: SnapshotBook
    local_ns: int = 0
    last_ns: int = -1  # venue time of the last snapshot
    last_price: float = 0.0  # the tick rule's memory
    last_side: int = 1
    before: list[Hour] = field(default_factory=list)  # the hour before, for trades at the seam


class StandX:
    """Reader of StandX folders."""

    def knows(self, path: Path) -> bool:
        """Whether the file holds StandX books or trades."""
        columns = parquet_columns(path)
        return {*_TIMES, *_SIDES} <= columns or {*_TIMES, "price", "quantity", "is_buyer_taker"} <= columns

    def parts(self, files: Sequence[Path]) -> list[Part]:
        """One part an hour: the books and, where it exists, the trades of the same name."""
        found: list[Part] = []
        for path in files:
            if "bid_prices" not in parquet_columns(path):
                continue
            trades = path.with_name(path.name.replace("orderbook_", "trades_", 1))
            with_trades = trades != path and trades.is_file()
            head = head_of(path, ["timestamp", "symbol"])
            symbol = texts(head, "symbol", path)[0]
            base, quote = split_symbol(symbol)
            info = TapeInfo(
                "standx", "binanceusdm", symbol, base, quote, TICK, LOT, min_notional("binanceusdm", symbol)
            )
            start_ns = int(numbers(head, "timestamp", np.int64, path)[0])
            found.append(Part(self, info, start_ns, (path, trades) if with_trades else (path,)))
        return found

    def grid(self, parts: Sequence[Part]) -> TapeInfo:
        """StandX's grid is the same for all recordings."""
        return parts[0].info

    def read(self, info: TapeInfo, parts: Sequence[Part], quality: Quality) -> Iterator[Rows]:
        """One chunk an hour."""
        state = State(SnapshotBook(quality, locked_step=1))
        for part in parts:
            rows, hour = _books(part.files[0], info, state, quality)
            if len(part.files) > 1:
                trades = _trades(part.files[1], info, [*state.before, hour], state, quality)
                rows = np.concatenate([rows, trades])
                rows = rows[np.argsort(rows["local_ns"], kind="stable")]
            state.before = [hour]
            if rows.size:
                rows["local_ns"] = repair_local(rows["exch_ns"], rows["local_ns"], state.local_ns, quality)
                state.local_ns = int(rows["local_ns"][-1])
            quality.bytes += size_of(part)
            yield rows


def _books(path: Path, info: TapeInfo, state: State, quality: Quality) -> tuple[Rows, Hour]:
    table = read_parquet(path, [*_TIMES, "symbol", *_SIDES])
    check_symbol(table, info.symbol, path)
    exch, local = (numbers(table, name, np.int64, path) for name in _TIMES)
    fresh = exch > np.maximum.accumulate(np.concatenate([[state.last_ns], exch[:-1]]))
    quality.duplicates += int(np.count_nonzero(~fresh))
    sides = [side[fresh] for side in levels(table, _SIDES, path)]
    quality.messages += sides[0].shape[0]
    times = np.stack([exch[fresh], np.maximum(local, exch)[fresh], np.full(sides[0].shape[0], -1)], axis=1)
    if times.size:
        state.last_ns = int(times[-1, 0])
    steps = (info.tick, info.lot, info.tick, info.lot)
    books = np.stack([to_grid(side, step, quality) for side, step in zip(sides, steps, strict=True)])
    return state.book.rows(times, books), Hour(times, sides[0][:, 0], sides[2][:, 0])


def _trades(path: Path, info: TapeInfo, hours: Sequence[Hour], state: State, quality: Quality) -> Rows:
    table = read_parquet(path, [*_TIMES, "price", "quantity"])
    exch, local = (numbers(table, name, np.int64, path) for name in _TIMES)
    price, qty = (numbers(table, name, np.float64, path) for name in ("price", "quantity"))
    bad = ~(np.isfinite(price) & np.isfinite(qty) & (price > 0) & (qty > 0))
    if bad.any():
        at = int(np.argmax(bad))
        raise TapeError(f"{path}: row {at + 1}: a trade of {qty[at]} at {price[at]}")
    order = np.argsort(local, kind="stable")
    exch, local, price, qty = exch[order], local[order], price[order], qty[order]
    times = np.concatenate([hour.times[:, 0] for hour in hours])
    bid = np.concatenate([hour.bid for hour in hours])
    ask = np.concatenate([hour.ask for hour in hours])
    rows = empty_rows(price.size)
    if price.size == 0 or times.size == 0:
        return rows[:0]
    book = np.maximum(np.searchsorted(times, exch, side="right") - 1, 0)
    rows["side"] = _sides(price, (bid[book] + ask[book]) / 2 + FLOOR_BIAS, state)
    ticks = np.floor(price / float(info.tick) + 1e-6).astype(np.int64)
    locked_buy = (rows["side"] > 0) & (ask[book] <= bid[book])
    locked_buy &= ticks == np.rint(bid[book] / float(info.tick)).astype(np.int64)
    rows["exch_ns"], rows["local_ns"], rows["kind"], rows["last"] = exch, np.maximum(local, exch), TRADE, True
    rows["price"] = ticks + locked_buy
    rows["qty"] = np.maximum(to_grid(qty, info.lot, quality), 1)
    quality.sides_inferred += price.size
    quality.messages += price.size
    return rows


def _sides(price: NDArray[np.float64], fair: NDArray[np.float64], state: State) -> NDArray[np.int8]:
    """+1 above the fair price, -1 below; at it, the sign of the last price change."""
    away = price - fair
    side = np.where(away > 1e-9, 1, np.where(away < -1e-9, -1, 0)).astype(np.int8)
    change = np.sign(np.diff(price, prepend=state.last_price or price[0]))
    change = np.concatenate([[state.last_side], change])
    held = np.maximum.accumulate(np.where(change != 0, np.arange(change.size), 0))
    rule = change[held]
    state.last_price, state.last_side = float(price[-1]), int(rule[-1])
    return np.where(side != 0, side, rule[1:]).astype(np.int8)


READER = StandX()
