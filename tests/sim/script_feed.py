"""A market whose every move is written down: the book follows a price path, trades come as listed."""

from decimal import Decimal

import numpy as np

from asmm_daemon.events import CLEAR, DEPTH, ROW, TRADE
from asmm_daemon.units import Instrument, Lots
from tests.sim.driver import MS, START_NS, S

STEP_MS = 250
SPREAD = 10
LEVELS = 5


def instrument(product="binanceusdm", symbol="BTCUSDT", **changes):
    """Tick 0.1, lot 0.001, no fees: what moves the account is the market alone."""
    fields = {
        "symbol": symbol,
        "product": product,
        "base": symbol.removesuffix("USDT"),
        "quote": "USDT",
        "tick": Decimal("0.1"),
        "lot": Decimal("0.001"),
        "min_notional": Decimal(5),
        "min_qty": Lots(1),
        "max_qty": Lots(1_000_000),
        "maker": Decimal("0.0001"),
        "taker": Decimal("0.0005"),
    } | changes
    return Instrument(**fields)


def message(t_ns, items):
    """One venue message of (kind, side, price, qty)."""
    rows = np.zeros(len(items), ROW)
    rows["exch_ns"] = t_ns
    rows["local_ns"] = t_ns + MS
    rows["id"] = -1
    for row, (kind, side, price, qty) in zip(rows, items, strict=True):
        row["kind"], row["side"], row["price"], row["qty"] = kind, side, price, qty
    rows["last"][-1] = True
    return rows


class ScriptFeed:
    """A feed from a price path.

    `path(second)` is the best bid in ticks; `trades` lists (second, side, ticks, lots); in `quiet` spans
    (from, to), in seconds, no book comes.
    """

    def __init__(self, seconds, path=lambda _: 300_000, trades=(), quiet=(), *, unit=None):
        self.instruments = [unit or instrument()]
        self.offsets_ns = [0]
        self._messages = []
        for k in range(int(seconds * 1000 / STEP_MS)):
            at_s = k * STEP_MS / 1000
            if not any(start <= at_s < end for start, end in quiet):
                self._messages.append((START_NS + k * STEP_MS * MS, self._book(int(path(at_s)), k)))
        for at_s, side, price, lots in trades:
            t_ns = START_NS + int(at_s * S)
            self._messages.append((t_ns, [(TRADE, side, price, lots)]))
        self._messages.sort(key=lambda m: m[0])
        self._next = 0

    def _book(self, bid, k):
        items = [(CLEAR, 1, 0, 0), (CLEAR, -1, 0, 0)]
        for level in range(LEVELS):
            qty = 200 + 10 * level + k % 7
            items.append((DEPTH, 1, bid - level, qty))
            items.append((DEPTH, -1, bid + SPREAD + level, qty))
        return items

    def next_ns(self):
        """Time of the next message."""
        return self._messages[self._next][0] if self._next < len(self._messages) else None

    def pop(self):
        """The next message."""
        t_ns, items = self._messages[self._next]
        self._next += 1
        return 0, message(t_ns, items)

    def close(self):
        """Nothing to let go of."""
