"""An account's past, filtered as the list endpoints of both products filter it."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeVar

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.orders import OrderRecord, Trade
from asmm_daemon.units import NS_PER_MS

T = TypeVar("T")


def newest(items: Iterable[T], limit: int) -> list[T]:
    """The last `limit` of the items given newest first, put oldest first."""
    chosen = list(islice(items, limit))
    chosen.reverse()
    return chosen


def _within(t_ns: int, start_ms: int | None, end_ms: int | None) -> bool:
    t_ms = t_ns // NS_PER_MS
    return (start_ms is None or t_ms >= start_ms) and (end_ms is None or t_ms <= end_ms)


def own_trades(account: Account, symbol: str, params: Params, limit: int) -> list[Trade]:
    """An account's trades on a symbol, by `orderId`, `startTime`, `endTime`, `fromId`, `limit`."""
    oid, start, end, first = (
        params.optional_integer(name) for name in ("orderId", "startTime", "endTime", "fromId")
    )

    def fits(trade: Trade) -> bool:
        return (
            trade.symbol == symbol
            and (oid is None or trade.oid == oid)
            and (first is None or trade.tid >= first)
            and _within(trade.t_ns, start, end)
        )

    if start is not None or first is not None:
        return list(islice((trade for trade in account.trades if fits(trade)), limit))
    return newest((trade for trade in reversed(account.trades) if fits(trade)), limit)


def orders(records: Sequence[OrderRecord], params: Params, limit: int) -> list[OrderRecord]:
    """Remembered orders by `orderId`, `startTime`, `endTime`, `limit`."""
    first, start, end = (params.optional_integer(name) for name in ("orderId", "startTime", "endTime"))

    def fits(order: OrderRecord) -> bool:
        return (first is None or order.oid >= first) and _within(order.created_ns, start, end)

    if start is not None or first is not None:
        return list(islice((order for order in records if fits(order)), limit))
    return newest((order for order in reversed(records) if fits(order)), limit)
