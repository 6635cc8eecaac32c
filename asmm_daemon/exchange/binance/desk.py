"""What every endpoint of a product works with: the exchange, its boards, keys and client ids."""

import hashlib
import itertools
from collections.abc import Callable
from typing import TypeVar

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.binance.amendments import Amendments
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError, bad_symbol
from asmm_daemon.exchange.binance.listen_keys import ListenKeys
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.binance.prevented import Prevented, PreventedMatches
from asmm_daemon.exchange.binance.recent import Recent
from asmm_daemon.exchange.binance.rejects import BinanceDialect
from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.orders import OrderRecord, Reject, VenueReject

T = TypeVar("T")


class Desk:
    """One product's state above the exchange.

    `time_ms` is the venue's clock as it tells it; `aliases` are client ids that an amendment gave,
    `current` the other way round, `renaming` those of an amendment under way; `cancel_ids` are the ids
    that spot gives to cancels.
    """

    def __init__(self, exchange: Exchange, time_ms: Callable[[], int], seed: int = 0) -> None:
        self.exchange = exchange
        self.time_ms = time_ms
        self.is_spot = exchange.product == "binance"
        self.dialect = BinanceDialect(exchange.product)
        self.boards = {symbol: Board(market) for symbol, market in exchange.markets.items()}
        self.listen_keys = ListenKeys(seed)
        self.aliases: Recent[tuple[str, str, str], int] = Recent()
        self.current: Recent[int, str] = Recent()
        self.renaming: dict[int, str] = {}
        self.cancel_ids: Recent[int, str] = Recent()
        self.amendments = Amendments()
        self.prevented = PreventedMatches()
        self._cid = itertools.count(1)
        self._execution = itertools.count(1)
        self._salt = seed

    def board(self, params: Params) -> Board:
        """The market that a request's `symbol` names."""
        return self.board_of(params.text("symbol"))

    def board_of(self, symbol: str) -> Board:
        """A market by its id."""
        board = self.boards.get(symbol)
        if board is None:
            raise bad_symbol()
        return board

    def optional_board(self, params: Params) -> Board | None:
        """The market that a request may name."""
        return self.board(params) if params.has("symbol") else None

    def cid(self, order: OrderRecord) -> str:
        """The client id that an order goes by now."""
        return self.current.get(order.oid, order.cid)

    def rename(self, order: OrderRecord, cid: str) -> None:
        """Gives an amended order another client id."""
        self.current[order.oid] = cid
        self.aliases[order.account, order.symbol, cid] = order.oid

    def order(self, call: Call, board: Board, missing: ApiError, prefix: str = "") -> OrderRecord:
        """The order that a request names by `orderId` or `origClientOrderId`."""
        names = ("cancelOrderId", "cancelOrigClientOrderId") if prefix else ("orderId", "origClientOrderId")
        oid = call.params.optional_integer(names[0])
        cid = call.params.optional(names[1])
        if oid is None and cid is None:
            raise ApiError(
                -1102, f"Param '{names[1]}' or '{names[0]}' must be sent, but both were empty/null!"
            )
        return self.find(call.owner, board, missing, oid, cid)

    def find(
        self, account: Account, board: Board, missing: ApiError, oid: int | None, cid: str | None
    ) -> OrderRecord:
        """An account's order by either id; `missing` when there is none."""
        if oid is None and cid is not None:
            oid = self.aliases.get((account.name, board.symbol, cid))
        try:
            order = self.exchange.find(account, board.symbol, oid=oid, cid=cid if oid is None else None)
        except VenueReject as reject:
            if reject.reason is Reject.UNKNOWN_ORDER:
                raise missing from reject
            raise
        if oid is None and self.cid(order) != cid:
            raise missing
        return order

    def new_client_id(self) -> str:
        """A client id of the venue's own making, 22 characters."""
        return hashlib.blake2b(f"{self._salt}/{next(self._cid)}".encode()).hexdigest()[:22]

    def cancel_id(self, order: OrderRecord) -> str:
        """The client id under which spot reports an order's cancel."""
        if order.oid not in self.cancel_ids:
            self.cancel_ids[order.oid] = self.new_client_id()
        return self.cancel_ids[order.oid]

    def prevented_match(self, order: OrderRecord) -> Prevented | None:
        """The match that self-trade prevention kept an order from; None for other orders."""
        if order.met is None:
            return None
        account = self.exchange.accounts[order.account]
        return self.prevented.of_pair(
            order, self.exchange.find(account, None, oid=order.met), order.updated_ns
        )

    def refusing(self, action: Callable[[], T]) -> T:
        """Runs an action; what the exchange refuses becomes the venue's own error."""
        try:
            return action()
        except VenueReject as reject:
            raise self.dialect.error(reject) from reject

    def next_execution(self) -> int:
        """The next execution id of the user stream."""
        return next(self._execution)
