"""Our compiled fill loop beside hftbacktest's, on the same tape and orders, in one run.

Both loop the recorded USD-M tape (or a made-up one) with a stream of post-only, resting and taking
orders, and must give the same fills. hftbacktest runs its ROIVectorMarketDepth from a compiled loop, once
as it is used (the exchange's book and the strategy's book) and once with the exchange's book alone, which
is the work that our loop does; ours is timed with a second book beside it as well.
"""

from collections.abc import Callable
from typing import Any, cast

import numpy as np
from hftbacktest import (
    BUY_EVENT,
    DEPTH_CLEAR_EVENT,
    DEPTH_EVENT,
    EXCH_EVENT,
    FILLED,
    GTC,
    GTX,
    LIMIT,
    LOCAL_EVENT,
    SELL_EVENT,
    TRADE_EVENT,
    BacktestAsset,
    ROIVectorMarketDepthBacktest,
    event_dtype,
)
from numpy.typing import NDArray

from asmm_daemon.core.book import Book, clear_to, match_level, new_book
from asmm_daemon.core.fills import CANCEL, COMMAND, FULL, PLACE, POST_ONLY, run
from asmm_daemon.core.resting import AHEAD, BEHIND
from asmm_daemon.events import BBO, CLEAR, DEPTH, GAP, TRADE, Rows
from asmm_daemon.kernels import flat_kernel

POWER = 3.0


@flat_kernel
def _emit(out: NDArray[Any], n: int, row: Any, kind: int, price: int, qty: int) -> int:
    event = out[n]
    side = BUY_EVENT if row.side > 0 else SELL_EVENT
    event.ev = kind | side | EXCH_EVENT | LOCAL_EVENT
    event.exch_ts = row.exch_ns
    event.local_ts = row.exch_ns
    event.px = float(price)
    event.qty = float(qty)
    return n + 1


@flat_kernel
def _expand(rows: Rows, book: Book, out: NDArray[Any]) -> int:
    head = book.head[0]
    n = 0
    for i in range(rows.size):
        row = rows[i]
        side = 1 if row.side > 0 else -1
        if row.kind == TRADE:
            if row.side != 0:
                n = _emit(out, n, row, TRADE_EVENT, row.price, row.qty)
            continue
        if row.kind == BBO:
            best = head.bid if side > 0 else head.ask
            while side * (best - row.price) > 0:
                n = _emit(out, n, row, DEPTH_EVENT, best, 0)
                match_level(book, side, best, 0)
                best = head.bid if side > 0 else head.ask
        if row.kind == BBO or row.kind == DEPTH:
            n = _emit(out, n, row, DEPTH_EVENT, row.price, row.qty)
            match_level(book, side, row.price, row.qty)
        elif row.kind == CLEAR:
            n = _emit(out, n, row, DEPTH_CLEAR_EVENT, row.price, 0)
            out[n - 1].px = np.nan
            clear_to(book, side, row.price)
    return n


def to_events(rows: Rows) -> NDArray[Any]:
    """The tape as hftbacktest's events, in ticks and lots; a best-price row becomes the levels it means.

    GAP rows and partial clears have no counterpart there.
    """
    if ((rows["kind"] == GAP) | (rows["kind"] == CLEAR) & (rows["price"] != 0)).any():
        raise ValueError("the tape has rows that hftbacktest cannot express")
    out = np.zeros(rows.size * 3, event_dtype)
    return out[: _expand(rows, new_book(), out)]


@flat_kernel
def _quote(
    rows: Rows, book: Book, every_ns: int, alive: int, offsets: NDArray[np.int64], out: NDArray[Any]
) -> int:
    head = book.head[0]
    due = rows[0].exch_ns + every_ns
    n = 0
    number = 0
    for i in range(rows.size):
        row = rows[i]
        if row.exch_ns > due and rows[i - 1].last and number + 2 < offsets.size:
            for side in (1, -1):
                if number >= alive:
                    out[n].t_ns = due
                    out[n].kind = CANCEL
                    out[n].order = number - alive
                    n += 1
                order = out[n]
                order.t_ns = due
                order.kind = PLACE
                order.order = number
                order.side = side
                order.price = (head.bid if side > 0 else head.ask) - side * offsets[number]
                order.qty = 1 + number % 7
                order.flags = POST_ONLY if number % 5 else 0
                n += 1
                number += 1
            due += every_ns * (1 + (row.exch_ns - due) // every_ns)
        side = 1 if row.side > 0 else -1
        if row.kind == DEPTH:
            match_level(book, side, row.price, row.qty)
        elif row.kind == BBO:
            best = head.bid if side > 0 else head.ask
            while side * (best - row.price) > 0:
                match_level(book, side, best, 0)
                best = head.bid if side > 0 else head.ask
            match_level(book, side, row.price, row.qty)
        elif row.kind == CLEAR:
            clear_to(book, side, row.price)
    return n


def commands_for(rows: Rows, every_ns: int, *, alive: int = 8, seed: int = 1) -> NDArray[Any]:
    """A bid and an ask near the best prices every so often; at most `alive` orders are left resting."""
    span = int(rows["exch_ns"][-1] - rows["exch_ns"][0])
    offsets = np.random.default_rng(seed).choice([-1, 0, 0, 0, 1, 2, 5], 2 * (span // every_ns + 2))
    out = np.zeros(2 * offsets.size, COMMAND)
    return out[: _quote(rows, new_book(), every_ns, alive, offsets, out)]


def _loop() -> Callable[[Any, NDArray[Any]], None]:
    import numba  # noqa: PLC0415  (hftbacktest's objects enter numba as classes: no cache)

    def drive(hbt: Any, commands: NDArray[Any]) -> None:
        hbt.elapse(0)
        for i in range(commands.size):
            c = commands[i]
            wait = c.t_ns - hbt.current_timestamp
            if wait > 0 and hbt.elapse(wait) != 0:
                return
            tif = GTX if c.flags & POST_ONLY else GTC
            if c.kind == CANCEL:
                hbt.cancel(0, c.order, False)
            elif c.side > 0:
                hbt.submit_buy_order(0, c.order, float(c.price), float(c.qty), tif, LIMIT, False)
            else:
                hbt.submit_sell_order(0, c.order, float(c.price), float(c.qty), tif, LIMIT, False)
        while hbt.elapse(3_600_000_000_000) == 0:
            pass

    return cast("Callable[[Any, NDArray[Any]], None]", numba.njit(drive))


drive = _loop()


def reference(
    events: NDArray[Any], low: int, high: int, power: float = POWER, latency_ns: int = 0
) -> ROIVectorMarketDepthBacktest:
    """The reference over the events, in ticks and lots; the latency holds there and back."""
    asset = BacktestAsset().data(events)
    if power == BEHIND:
        asset = asset.risk_adverse_queue_model()
    elif power == AHEAD:
        asset = asset.power_prob_queue_model3(0.0)
    else:
        asset = asset.power_prob_queue_model(power)
    asset = (
        asset.linear_asset(1.0)
        .constant_order_latency(latency_ns, latency_ns)
        .no_partial_fill_exchange()
        .trading_value_fee_model(0.0, 0.0)
        .tick_size(1.0)
        .lot_size(1.0)
        .roi_lb(float(low))
        .roi_ub(float(high))
    )
    return ROIVectorMarketDepthBacktest([asset])


def fills_of(hbt: ROIVectorMarketDepthBacktest) -> list[tuple[int, int, int, int, bool]]:
    """(order, venue time, price, quantity, maker) of every filled order."""
    found = []
    values = hbt.orders(0).values()
    while values.has_next():
        order = values.get().arr[0]
        if order["status"] == FILLED:
            numbers = [
                int(order[key]) for key in ("order_id", "exch_timestamp", "exec_price_tick", "exec_qty")
            ]
            found.append((numbers[0], numbers[1], numbers[2], numbers[3], bool(order["maker"])))
    return sorted(found)


def price_range(rows: Rows) -> tuple[int, int]:
    """Ticks that hftbacktest's book shall cover: the width of ours, around the trades."""
    prices = rows["price"][rows["kind"] == TRADE]
    middle = int(prices.min() + prices.max()) // 2
    low = max(middle - 32768, 0)
    return low, low + 65535


def theirs_of(
    rows: Rows, commands: NDArray[Any], power: float = POWER, latency_ns: int = 0
) -> list[tuple[int, int, int, int, bool]]:
    """(order, venue time, price, quantity, maker) of each fill of hftbacktest, sorted."""
    events = to_events(rows)  # hftbacktest reads them in place: they must outlive it
    hbt = reference(events, *price_range(rows), power, latency_ns)
    drive(hbt, commands)
    fills = fills_of(hbt)
    hbt.close()
    return fills


def ours_of(
    rows: Rows, commands: NDArray[Any], power: float = POWER
) -> list[tuple[int, int, int, int, bool]]:
    """The same of our kernel."""
    fills = run(rows, commands, power=power, mode=FULL, end_on_gap=False).fills
    return sorted(fills[["order", "t_ns", "price", "qty", "maker"]].tolist())


def after_snapshot(rows: Rows) -> Rows:
    """The tape from its first full snapshot on, venue time never stepping back."""
    whole = np.flatnonzero((rows["kind"] == CLEAR) & (rows["price"] == 0))
    if not whole.size:
        raise ValueError("the tape holds no snapshot to start from")
    kept = rows[whole[0] :].copy()
    kept["exch_ns"] = np.maximum.accumulate(kept["exch_ns"])
    return kept
