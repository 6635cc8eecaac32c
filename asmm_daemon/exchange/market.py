"""One market of the embedded exchange: the feed's book, our orders in it, and what the public sees."""

from collections import deque
from decimal import Decimal
from typing import NamedTuple

from asmm_daemon.core.fills import FillModel
from asmm_daemon.exchange.orders import PublicTrade
from asmm_daemon.units import Instrument


class Best(NamedTuple):
    """The public best bid and ask in ticks and lots; price -1 where a side is empty."""

    bid: int
    bid_qty: int
    ask: int
    ask_qty: int


class Market:
    """A market. Wires read its attributes; only the exchange changes it.

    `index` is the feed's symbol index. `tick`, `lot` are the filters in force (a multiple of the
    instrument's, which the book keeps counting in). `update_id` numbers published book changes.
    `trades` holds the latest public trades, newest last.
    """

    instrument: Instrument
    index: int
    status: str
    tick: Decimal
    lot: Decimal
    update_id: int
    update_ns: int
    best: Best
    mark: Decimal
    funding_rate: Decimal
    next_funding_ns: int
    trades: deque[PublicTrade]
    model: FillModel

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
        raise NotImplementedError

    def depth(self, levels: int) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
        """The public book: (bids, asks), each the best `levels` as (ticks, lots), best first."""
        raise NotImplementedError

    def published(self, side: int, price: int) -> int:
        """Lots that the public sees at a price, our own included."""
        raise NotImplementedError
