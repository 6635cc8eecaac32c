"""What fills: the one fill model of the embedded exchange and of the backtest.

A `FillModel` holds a market's book as its feed tells it and the simulated orders that rest in it. The
exchange feeds it message by message (`on_rows`) and order by order (`place`, `amend`, `cancel`); the
backtest calls the same kernels in one compiled loop (`run`). Quantities in lots, prices in ticks, order
ids not negative.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.arrivals import (
    AMEND,
    BUY_AT_ANY,
    CANCEL,
    COMMAND,
    CROSSED,
    DONE,
    IMMEDIATE,
    NOT_FOUND,
    PLACE,
    POST_ONLY,
    RESTED,
    SELL_AT_ANY,
    amend_order,
    available,
    place_order,
    replay,
)
from asmm_daemon.core.book import Book, new_book
from asmm_daemon.core.resting import (
    FILL,
    FILL_PARAMS,
    FULL,
    ORDER,
    PARTIAL,
    STATE,
    Matching,
    find,
    own_qty,
    remove,
)
from asmm_daemon.events import ROW, Rows
from asmm_daemon.units import Side

__all__ = [
    "AMEND",
    "BUY_AT_ANY",
    "CANCEL",
    "COMMAND",
    "CROSSED",
    "DONE",
    "FILL",
    "FILL_PARAMS",
    "FULL",
    "IMMEDIATE",
    "NOT_FOUND",
    "ORDER",
    "PARTIAL",
    "PLACE",
    "POST_ONLY",
    "RESTED",
    "SELL_AT_ANY",
    "FillModel",
    "Fills",
    "Matching",
    "PlaceResult",
    "RunResult",
    "amend_order",
    "new_matching",
    "place_order",
    "replay",
    "run",
    "warm_up",
]

Fills = NDArray[Any]
"""Structured array of dtype FILL."""


class PlaceResult(NamedTuple):
    """What became of an order at its arrival.

    `fills` are the executions it caused: its own as taker, each beside that of the resting simulated
    order it met (told apart by `order` and `maker`). `left` is its unfilled quantity; it rests only if
    `rested`. `would_cross`: refused as post-only, nothing changed.
    """

    rested: bool
    would_cross: bool
    left: int
    fills: Fills


def new_matching(*, power: float, mode: int, end_on_gap: bool, width: int) -> Matching:
    """An empty market."""
    params = np.zeros(1, FILL_PARAMS)
    params["power"], params["mode"], params["end_on_gap"] = power, mode, end_on_gap
    return Matching(
        params,
        np.zeros(1, STATE),
        new_book(width),
        np.zeros(64, ORDER),
        np.zeros(64, ORDER),
        np.zeros(1024, FILL),
    )


def _grow(m: Matching) -> Matching:
    """The same market with twice the room for orders and fills."""
    arrays = [np.concatenate([a, np.zeros_like(a)]) for a in (m.bids, m.asks, m.fills)]
    return Matching(m.params, m.state, m.book, *arrays)


class RunResult(NamedTuple):
    """`fills` in order; `outcomes[i]`: RESTED, DONE, CROSSED or NOT_FOUND for command i."""

    fills: Fills
    outcomes: NDArray[np.int8]


def run(
    rows: Rows,
    commands: NDArray[Any],
    *,
    power: float = 3.0,
    mode: int = PARTIAL,
    end_on_gap: bool = True,
    width: int = 65536,
) -> RunResult:
    """Loops a tape with time-sorted COMMANDs; a command comes after every message at or before its t_ns."""
    m = new_matching(power=power, mode=mode, end_on_gap=end_on_gap, width=width)
    outcomes = np.zeros(commands.size, np.int8)
    row, done = replay(m, rows, 0, commands, 0, outcomes)
    while row < rows.size or done < commands.size:
        m = _grow(m)
        row, done = replay(m, rows, row, commands, done, outcomes)
    return RunResult(m.fills[: m.state[0]["fills"]].copy(), outcomes)


_NO_COMMANDS = np.zeros(0, COMMAND)
_NO_OUTCOMES = np.zeros(0, np.int8)


class FillModel:
    """The book and the simulated orders of one market. `book` is the feed's, without our orders."""

    def __init__(
        self, *, power: float = 3.0, mode: int = PARTIAL, end_on_gap: bool = False, width: int = 65536
    ) -> None:
        self._m = new_matching(power=power, mode=mode, end_on_gap=end_on_gap, width=width)
        self._command = np.zeros(1, COMMAND)

    @property
    def book(self) -> Book:
        """The feed's book, less what simulated orders took out of it."""
        return self._m.book

    def on_rows(self, rows: Rows) -> Fills:
        """Applies whole venue messages in order; all simulated fills that they cause."""
        row, _ = replay(self._m, rows, 0, _NO_COMMANDS, 0, _NO_OUTCOMES)
        while row < rows.size:
            self._m = _grow(self._m)
            row, _ = replay(self._m, rows, row, _NO_COMMANDS, 0, _NO_OUTCOMES)
        return self._drain()

    def place(
        self, order: int, side: Side, price: int, qty: int, t_ns: int, *, post_only: bool, rest: bool = True
    ) -> PlaceResult:
        """An order arrives: it is refused, trades, rests, or both of the latter.

        With `rest` False the remainder is left to the caller (IOC, market: BUY_AT_ANY, SELL_AT_ANY).
        """
        if order < 0 or qty <= 0:
            raise ValueError(f"order id {order} and quantity {qty} must not be negative, nor the latter 0")
        flags = (POST_ONLY if post_only else 0) | (0 if rest else IMMEDIATE)
        return self._obey(PLACE, order, side, price, qty, t_ns, flags)

    def amend(self, order: int, price: int, left: int, t_ns: int, *, post_only: bool) -> PlaceResult:
        """Changes a resting order; less quantity at the same price keeps its queue place.

        Raises KeyError when it does not rest. A refused amendment (`would_cross`) changes nothing.
        """
        if left <= 0:
            raise ValueError(f"an amendment must leave a positive quantity, not {left}")
        return self._obey(AMEND, order, 0, price, left, t_ns, POST_ONLY if post_only else 0)

    def _obey(
        self, kind: int, order: int, side: int, price: int, qty: int, t_ns: int, flags: int
    ) -> PlaceResult:
        self._command[0] = (t_ns, order, price, qty, kind, side, flags)
        outcome = np.zeros(1, np.int8)
        no_rows = np.zeros(0, ROW)
        _, done = replay(self._m, no_rows, 0, self._command, 0, outcome)
        while done == 0:
            self._m = _grow(self._m)
            _, done = replay(self._m, no_rows, 0, self._command, 0, outcome)
        fills = self._drain()
        if outcome[0] == NOT_FOUND:
            raise KeyError(order)
        crossed = bool(outcome[0] == CROSSED)
        own = fills["qty"][(fills["order"] == order) & ~fills["maker"]]
        return PlaceResult(bool(outcome[0] == RESTED), crossed, qty - int(own.sum()), fills)

    def _drain(self) -> Fills:
        state = self._m.state[0]
        fills = self._m.fills[: state["fills"]].copy()
        state["fills"] = 0
        return fills

    def cancel(self, order: int) -> int:
        """Takes a resting order out; its unfilled lots, 0 when it does not rest."""
        left = self.left(order)
        if left:
            remove(self._m, find(self._m, order))
        return left

    def left(self, order: int) -> int:
        """Unfilled lots of a resting order, 0 when it does not rest."""
        place = find(self._m, order)
        if place == 0:
            return 0
        orders = self._m.bids if place > 0 else self._m.asks
        return int(orders[abs(place) - 1]["left"])

    def resting(self, side: Side) -> NDArray[Any]:
        """Copies of the ORDER records of a side: best price first, then arrival."""
        state = self._m.state[0]
        return self._m.bids[: state["bids"]].copy() if side > 0 else self._m.asks[: state["asks"]].copy()

    def own_qty(self, side: Side, price: int) -> int:
        """Lots of all simulated orders that rest at a price."""
        return int(own_qty(self._m, side, price))

    def own_levels(self, side: Side) -> list[tuple[int, int]]:
        """(price, lots) of the simulated orders of a side, best first."""
        levels: dict[int, int] = {}
        for price, left in self.resting(side)[["price", "left"]].tolist():
            levels[price] = levels.get(price, 0) + left
        return list(levels.items())

    def available(self, side: Side, price: int, enough: int = 2**60) -> int:
        """Lots that an order of this side and limit could take at once, counted until `enough`."""
        return int(available(self._m, side, price, enough)[0])

    def crossing(self, side: Side, price: int) -> list[int]:
        """Ids of the simulated orders that an order could meet, by price then arrival (self-trade checks)."""
        opposite: Side = -1 if side > 0 else 1
        resting = self.resting(opposite)
        return [int(i) for i in resting["id"][side * (price - resting["price"]) >= 0]]


def warm_up() -> None:
    """Compiles every kernel of the fill model on a tiny market."""
    model = FillModel()
    model.on_rows(np.zeros(1, ROW))
    model.place(1, 1, 1, 1, 0, post_only=True)
    model.amend(1, 1, 1, 0, post_only=True)
    model.own_qty(1, 1)
    model.available(1, 1)
    model.cancel(1)
