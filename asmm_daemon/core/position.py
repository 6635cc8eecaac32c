"""A position at average cost, in the venue's order of executions whatever the order of arrival.

What a closing trade realises depends on what was bought before it. So the latest moves are kept, and
one that arrives late is put in its place and the rest is counted again.
"""

from bisect import insort
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext
from operator import itemgetter
from typing import NamedTuple

ZERO = Decimal(0)
EXACT = Context(prec=60)
MONEY = Decimal("1e-8")
"""Venues count money in steps of this: the cost that a closing trade releases is rounded to it."""
KEPT = 512
"""Moves kept for reordering; half of them are folded into the base when there are more."""

Key = tuple[int, int]
"""Venue time and trade number: the venue's order of executions."""


class Holding(NamedTuple):
    """`qty` in base; `cash` in quote that moves brought; `cost` of the open quantity, signed like it."""

    qty: Decimal = ZERO
    cash: Decimal = ZERO
    cost: Decimal = ZERO

    def moved(self, signed: Decimal, price: Decimal) -> "Holding":
        """After a move: adding raises the cost by its price, reducing releases its share, rounded."""
        with localcontext(EXACT):
            after = self.qty + signed
            cash = self.cash - signed * price
            if self.qty * signed >= 0:
                cost = self.cost + signed * price
            elif after * self.qty > 0:
                cost = self.cost + (self.cost * signed / self.qty).quantize(MONEY, ROUND_HALF_EVEN)
            else:
                cost = after * price
            return Holding(after, cash, cost)


class Position:
    """The holding after every move known so far."""

    def __init__(self) -> None:
        self.now = Holding()
        self._base = Holding()
        self._moves: list[tuple[Key, Decimal, Decimal]] = []

    @property
    def latest(self) -> Key:
        """The key of the newest move."""
        return self._moves[-1][0] if self._moves else (0, 0)

    def move(self, key: Key, signed: Decimal, price: Decimal) -> None:
        """Takes in a move at its place in the venue's order (equal keys: in order of arrival)."""
        late = bool(self._moves) and key < self._moves[-1][0]
        insort(self._moves, (key, signed, price), key=itemgetter(0))
        self.now = self._replayed(len(self._moves)) if late else self.now.moved(signed, price)
        if len(self._moves) > KEPT:
            half = KEPT // 2
            self._base = self._replayed(half)
            del self._moves[:half]

    def _replayed(self, count: int) -> Holding:
        holding = self._base
        for _, signed, price in self._moves[:count]:
            holding = holding.moved(signed, price)
        return holding
