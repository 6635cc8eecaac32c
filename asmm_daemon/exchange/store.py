"""The exchange's memory of orders: all open ones, and the latest that ended."""

from collections import deque
from collections.abc import Iterator

from asmm_daemon.exchange.orders import OrderRecord


class OrderStore:
    """Orders by id, by client id and by account. Forgets ended orders beyond `keep`."""

    def __init__(self, keep: int = 20_000) -> None:
        self._keep = keep
        self._by_oid: dict[int, OrderRecord] = {}
        self._by_cid: dict[tuple[str, str], OrderRecord] = {}
        self._open: dict[str, dict[int, OrderRecord]] = {}
        self._ended: deque[OrderRecord] = deque()

    def add(self, order: OrderRecord) -> None:
        """Remembers an accepted order."""
        self._by_oid[order.oid] = order
        self._by_cid[order.account, order.cid] = order
        self._open.setdefault(order.account, {})[order.oid] = order

    def end(self, order: OrderRecord) -> None:
        """Notes that an order has ended."""
        if self._open[order.account].pop(order.oid, None) is None:
            return
        self._ended.append(order)
        if len(self._ended) > self._keep:
            old = self._ended.popleft()
            del self._by_oid[old.oid]
            if self._by_cid.get((old.account, old.cid)) is old:
                del self._by_cid[old.account, old.cid]

    def get(self, oid: int) -> OrderRecord | None:
        """An order by its id."""
        return self._by_oid.get(oid)

    def by_cid(self, account: str, cid: str) -> OrderRecord | None:
        """The latest order with a client id."""
        return self._by_cid.get((account, cid))

    def open(self, account: str, symbol: str | None = None) -> list[OrderRecord]:
        """An account's open orders, oldest first."""
        orders = self._open.get(account, {}).values()
        return [order for order in orders if symbol is None or order.symbol == symbol]

    def count_open(self, account: str, symbol: str) -> int:
        """How many open orders an account has on a symbol."""
        return sum(order.symbol == symbol for order in self._open.get(account, {}).values())

    def all(self, account: str, symbol: str | None = None) -> Iterator[OrderRecord]:
        """An account's remembered orders by id, which is by age."""
        for order in self._by_oid.values():
            if order.account == account and (symbol is None or order.symbol == symbol):
                yield order
