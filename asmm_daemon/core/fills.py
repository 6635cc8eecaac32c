"""What fills: the one fill model of the embedded exchange and of the backtest.

A `FillModel` holds a market's book as its feed tells it and the simulated orders that rest in it. The
exchange feeds it message by message (`on_rows`) and order by order (`place`, `amend`, `cancel`); the
backtest calls the same kernels in one compiled loop (`run`). Quantities in lots, prices in ticks.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import Book
from asmm_daemon.events import Rows
from asmm_daemon.units import Side

PARTIAL = 0
"""Trades fill what they carry, shared over all simulated orders by price, then arrival."""
FULL = 1
"""hftbacktest's NoPartialFillExchange: an order fills whole or not at all."""

PLACE = 0
AMEND = 1
CANCEL = 2

POST_ONLY = 1
"""Command flag: refuse an order that would trade at once."""
IMMEDIATE = 2
"""Command flag: what does not trade at once does not rest (IOC, market)."""

BUY_AT_ANY = 2**60
"""The limit price, in ticks, of a market buy."""
SELL_AT_ANY = 0
"""The limit price, in ticks, of a market sell."""

FILL_PARAMS = np.dtype(
    [
        ("power", np.float64),  # n of the queue's power model of cancels ahead
        ("mode", np.int8),  # PARTIAL or FULL
        ("end_on_gap", np.bool_),  # a GAP ends the simulated orders unfilled (backtest)
    ],
    align=True,
)

ORDER = np.dtype(
    [
        ("id", np.int64),
        ("price", np.int64),
        ("left", np.int64),
        ("ahead", np.float64),  # visible lots ahead in the queue
        ("cum_trade", np.float64),  # lots traded at the price that the feed's level has not shown yet
        ("arrive_ns", np.int64),
        ("side", np.int8),
    ],
    align=True,
)

FILL = np.dtype(
    [
        ("order", np.int64),  # id of the simulated order
        ("price", np.int64),
        ("qty", np.int64),
        ("left", np.int64),  # what the order has left after it
        ("t_ns", np.int64),
        ("trade", np.int64),  # id of the feed's trade that caused it, -1 when none did
        ("side", np.int8),
        ("maker", np.bool_),
    ],
    align=True,
)
Fills = NDArray[Any]
"""Structured array of dtype FILL."""

COMMAND = np.dtype(
    [
        ("t_ns", np.int64),  # when it reaches the venue
        ("order", np.int64),
        ("price", np.int64),
        ("qty", np.int64),  # PLACE: lots; AMEND: what shall be left
        ("kind", np.int8),
        ("side", np.int8),
        ("flags", np.int8),
    ],
    align=True,
)


class PlaceResult(NamedTuple):
    """What became of an order at its arrival.

    `fills` are the executions it caused in order: its own as taker and those of the resting simulated
    orders that it met (told apart by `order` and `maker`). `left` is its unfilled quantity; it rests
    only if `rested`. `would_cross`: refused as post-only, nothing changed.
    """

    rested: bool
    would_cross: bool
    left: int
    fills: Fills


class FillModel:
    """The book and the simulated orders of one market. `book` is the feed's, without our orders."""

    book: Book

    def __init__(
        self, *, power: float = 3.0, mode: int = PARTIAL, end_on_gap: bool = False, width: int = 65536
    ) -> None:
        raise NotImplementedError

    def on_rows(self, rows: Rows) -> Fills:
        """Applies whole venue messages in order; all simulated fills that they cause."""
        raise NotImplementedError

    def place(
        self, order: int, side: Side, price: int, qty: int, t_ns: int, *, post_only: bool, rest: bool = True
    ) -> PlaceResult:
        """An order arrives: it is refused, trades, rests, or both of the latter.

        With `rest` False the remainder is left to the caller (IOC, market: BUY_AT_ANY, SELL_AT_ANY).
        """
        raise NotImplementedError

    def amend(self, order: int, price: int, left: int, t_ns: int, *, post_only: bool) -> PlaceResult:
        """Changes a resting order; less quantity at the same price keeps its queue place.

        Raises KeyError when it does not rest. A refused amendment (`would_cross`) changes nothing.
        """
        raise NotImplementedError

    def cancel(self, order: int) -> int:
        """Takes a resting order out; its unfilled lots, 0 when it does not rest."""
        raise NotImplementedError

    def left(self, order: int) -> int:
        """Unfilled lots of a resting order, 0 when it does not rest."""
        raise NotImplementedError

    def own_qty(self, side: Side, price: int) -> int:
        """Lots of all simulated orders that rest at a price."""
        raise NotImplementedError

    def own_levels(self, side: Side) -> list[tuple[int, int]]:
        """(price, lots) of the simulated orders of a side, best first."""
        raise NotImplementedError

    def available(self, side: Side, price: int) -> int:
        """Lots that an order of this side and limit could take at once (for fill-or-kill)."""
        raise NotImplementedError

    def crossing(self, side: Side, price: int) -> list[int]:
        """Ids of the simulated orders that an order could meet, by price then arrival (self-trade checks)."""
        raise NotImplementedError


class RunResult(NamedTuple):
    """`fills` in order; `outcomes[i]`: what command i came to (see `run`)."""

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
    raise NotImplementedError
