"""One diff or partial depth stream of one market."""

from collections.abc import Sequence

from asmm_daemon.exchange.binance import messages
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.ids import first_id, last_id
from asmm_daemon.exchange.binance.outlet import Outlet
from asmm_daemon.exchange.binance.stream_names import StreamName
from asmm_daemon.exchange.binance.throttle import Throttle
from asmm_daemon.exchange.listener import Level
from asmm_daemon.units import NS_PER_MS


class DepthStream:
    """Gathers changed levels and pushes them, or the best levels, at the stream's speed."""

    def __init__(self, outlet: Outlet, board: Board, name: str, wanted: StreamName) -> None:
        self._outlet = outlet
        self._board = board
        self._name = name
        self._levels = wanted.levels
        self._spot = board.market.instrument.is_spot
        self._changes: dict[tuple[int, int], int] = {}
        self._first: int | None = None
        self._sent = board.market.update_id
        self._throttle = Throttle(outlet.exchange, wanted.interval_ns, self._flush)

    def change(self, changes: Sequence[Level], exch_ns: int, local_ns: int) -> None:
        """Published levels changed."""
        update_id = self._board.market.update_id
        if not self._outlet.hub.wanted(self._name):
            self._first, self._sent = None, update_id
            self._changes.clear()
            return
        if self._first is None:
            self._first = update_id
        if not self._levels:
            for side, price, qty in changes:
                self._changes[side, price] = qty
        self._throttle.touch(max(exch_ns, self._outlet.exchange.now_ns), local_ns - exch_ns)

    def _flush(self, t_ns: int, lag_ns: int) -> None:
        if self._first is None:
            return
        first, last = self._first, self._board.market.update_id
        self._first = None
        ids = (
            first_id(first, spot=self._spot),
            last_id(last, spot=self._spot),
            last_id(self._sent, spot=self._spot),
        )
        self._sent = last
        now_ms = t_ns // NS_PER_MS
        if self._levels and self._spot:
            event = messages.partial_spot(self._board, self._levels)
        elif self._levels:
            bids, asks = self._board.market.depth(self._levels)
            event = messages.depth(self._board, ids, bids, asks, now_ms)
        else:
            event = messages.depth(self._board, ids, self._side(1), self._side(-1), now_ms)
            self._changes.clear()
        self._outlet.send(
            self._name, event, t_ns, t_ns + lag_ns, sym=self._board.symbol, first_id=ids[0], last_id=ids[1]
        )

    def _side(self, side: int) -> list[tuple[int, int]]:
        found = [(price, qty) for (s, price), qty in self._changes.items() if s == side]
        found.sort(reverse=side > 0)
        return found
