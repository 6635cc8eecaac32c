"""One market of the embedded exchange: the feed's book, our orders in it, and what the public sees."""

from collections import deque
from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asmm_daemon.core.book import NO_ASK, NO_BID, new_book, qty_at
from asmm_daemon.core.fills import FillModel, Fills
from asmm_daemon.core.fills import warm_up as warm_up_fills
from asmm_daemon.events import ROW, Rows
from asmm_daemon.exchange.listener import Level
from asmm_daemon.exchange.orders import PublicTrade
from asmm_daemon.exchange.publish import META, number_trades, publish, top_levels
from asmm_daemon.units import BUY, SELL, Instrument

_WIDTH = 65_536
_NO_ROWS = np.empty(0, ROW)
_NOTHING = np.empty((0, 2), np.int64)
_IDS_PER_MARKET = 4 * 10**14  # keeps the trade ids of a session's markets apart
_RECENT_TRADES = 5_000


class Best(NamedTuple):
    """The public best bid and ask in ticks and lots; price -1 where a side is empty."""

    bid: int
    bid_qty: int
    ask: int
    ask_qty: int


class Shown(NamedTuple):
    """What one message or order changed in public: levels, feed trades (row, ticks, lots, side), stamps."""

    changes: list[Level]
    trades: list[tuple[int, int, int, int]]
    marks: int
    exch_ns: int
    local_ns: int
    best_changed: bool


class Market:
    """A market. Wires read its attributes; only the exchange changes it.

    `index` is the feed's symbol index. `tick`, `lot` are the filters in force (a multiple of the
    instrument's, which the book keeps counting in). `update_id` numbers published book changes.
    `trades` holds the latest public trades, newest last.
    """

    def __init__(self, instrument: Instrument, index: int, start_ns: int) -> None:
        self.instrument = instrument
        self.index = index
        self.status = "TRADING"
        self.tick = instrument.tick
        self.lot = instrument.lot
        self.update_id = start_ns // 1_000_000
        self.update_ns = start_ns
        self.best = Best(-1, 0, -1, 0)
        self.fed_mark: Decimal | None = None  # of the feed's MARK rows
        self.funding_rate = Decimal("0.0001")
        self.next_funding_ns = 0
        self.trades: deque[PublicTrade] = deque(maxlen=_RECENT_TRADES)
        self.model = FillModel(width=_WIDTH)
        self.resting: set[int] = set()  # ids of our orders that rest
        self._next_tid = start_ns // 1_000 + index * _IDS_PER_MARKET
        self._shown = new_book(_WIDTH)
        self._own = np.empty((0, 3), np.int64)
        self._out = np.empty((2 * _WIDTH, 3), np.int64)
        self._feed_trades = np.empty((1024, 4), np.int64)
        self._meta = np.zeros(1, META)
        self._meta["feed_bid"], self._meta["feed_ask"] = NO_BID, NO_ASK

    @property
    def symbol(self) -> str:
        """The venue's id of the market."""
        return self.instrument.symbol

    @property
    def is_trading(self) -> bool:
        """Whether orders are taken (`status` is "TRADING")."""
        return self.status == "TRADING"

    @property
    def last_price(self) -> int:
        """Price of the last public trade in ticks; the mid before the first, 0 without a book."""
        if self.trades:
            return self.trades[-1].price
        best = self.best
        return (best.bid + best.ask) // 2 if best.bid >= 0 and best.ask >= 0 else max(best.bid, best.ask, 0)

    @property
    def mid(self) -> Decimal | None:
        """Mid of the public best prices; None while a side is empty."""
        best = self.best
        if best.bid < 0 or best.ask < 0:
            return None
        return (best.bid + best.ask) * self.instrument.tick / 2

    @property
    def mark(self) -> Decimal:
        """Mark price: the feed's where it has one, else the mid, else the last price, else 0."""
        mark = self.mid if self.fed_mark is None else self.fed_mark
        return self.instrument.price(self.last_price) if mark is None else mark

    def depth(self, levels: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The public book: (bids, asks), each the best `levels` as (ticks, lots), best first."""
        return self._side(BUY, levels), self._side(SELL, levels)

    def published(self, side: int, price: int) -> int:
        """Lots that the public sees at a price, our own included."""
        return int(qty_at(self._shown, side, price))

    def take_tid(self) -> int:
        """The next public trade's id."""
        self._next_tid += 1
        return self._next_tid

    def on_rows(self, rows: Rows) -> tuple[Fills, Shown]:
        """Applies one feed message: our fills (`trade` is the row that caused each) and what is shown."""
        if self.resting:
            rows = rows.copy()
            number_trades(rows)
        fills = self.model.on_rows(rows)
        touched = _NOTHING
        if fills.size:
            touched = np.stack((fills["side"].astype(np.int64), fills["price"]), axis=1)
            self._count_own()
        return fills, self._show(rows, touched)

    def on_orders(self, touched: Sequence[tuple[int, int]]) -> Shown:
        """What is shown after our own orders changed at the `touched` (side, price)."""
        self._count_own()
        return self._show(_NO_ROWS, np.array(touched, np.int64).reshape(-1, 2))

    def _side(self, side: int, levels: int) -> list[tuple[int, int]]:
        out = np.empty((levels, 2), np.int64)
        n = top_levels(self._shown, side, out)
        return [(price, qty) for price, qty in out[:n].tolist()]

    def _count_own(self) -> None:
        own = [(BUY, *level) for level in self.model.own_levels(BUY)]
        own += [(SELL, *level) for level in self.model.own_levels(SELL)]
        self._own = np.array(own, np.int64).reshape(-1, 3)

    def _show(self, rows: Rows, touched: NDArray[np.int64]) -> Shown:
        if rows.size > self._feed_trades.shape[0]:
            self._feed_trades = np.empty((2 * rows.size, 4), np.int64)
        book, meta = self.model.book, self._meta
        publish(book, self._shown, self._own, rows, touched, self._out, self._feed_trades, meta)
        changes, trades, marks, exch_ns, local_ns, *best_now = meta[0].item()
        best = Best(*best_now[:4])
        best_changed = best != self.best
        self.best = best
        levels: list[Level] = [tuple(row) for row in self._out[:changes].tolist()] if changes else []
        fed = [tuple(row) for row in self._feed_trades[:trades].tolist()] if trades else []
        return Shown(levels, fed, marks, exch_ns, local_ns, best_changed)


def warm_up() -> None:
    """Compiles the kernels of a market, so that time does not stand still at its first message."""
    warm_up_fills()
    shown, number = new_book(8), np.zeros((1, 3), np.int64)
    rows, meta = np.zeros(1, ROW), np.zeros(1, META)
    number_trades(rows)
    publish(
        shown, shown, number, rows, _NOTHING, np.zeros((8, 3), np.int64), np.zeros((1, 4), np.int64), meta
    )
    top_levels(shown, BUY, np.zeros((1, 2), np.int64))
    qty_at(shown, BUY, 0)
