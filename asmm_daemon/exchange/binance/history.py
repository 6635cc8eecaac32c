"""An account's past, filtered as the list endpoints of both products filter it."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TypeVar

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.binance.candles import DAY_MS
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.orders import OrderRecord, Trade
from asmm_daemon.units import NS_PER_MS

T = TypeVar("T")

WEEK_MS = 7 * DAY_MS


def newest(items: Iterable[T], limit: int) -> list[T]:
    """The last `limit` of the items given newest first, put oldest first."""
    chosen = list(islice(items, limit))
    chosen.reverse()
    return chosen


def _within(t_ns: int, start_ms: int | None, end_ms: int | None) -> bool:
    t_ms = t_ns // NS_PER_MS
    return (start_ms is None or t_ms >= start_ms) and (end_ms is None or t_ms <= end_ms)


def _time_range(params: Params, *, spot: bool) -> tuple[int | None, int | None]:
    """StartTime and endTime: at most a day apart on spot, a week on USD-M, which also ends it there."""
    start, end = params.optional_time_ms("startTime"), params.optional_time_ms("endTime")
    if start is None:
        return start, end
    if spot:
        if end is not None and end - start > DAY_MS:
            raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
        return start, end
    if end is not None and end - start > WEEK_MS:
        raise ApiError(-4165, "Maximum time interval is 7 days.")
    return start, start + WEEK_MS if end is None else end


def own_trades(account: Account, symbol: str, params: Params, limit: int, *, spot: bool) -> list[Trade]:
    """An account's trades on a symbol, by `orderId`, `startTime`, `endTime`, `fromId`, `limit`.

    A first id goes with no time, and on spot neither does an order's id.
    """
    oid, first = params.optional_integer("orderId"), params.optional_integer("fromId")
    start, end = _time_range(params, spot=spot)
    timed = params.has("startTime") or params.has("endTime")
    if timed and (first is not None or (spot and oid is not None)):
        raise ApiError(-1128, "Combination of optional parameters invalid.")

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


def orders(records: Sequence[OrderRecord], params: Params, limit: int, *, spot: bool) -> list[OrderRecord]:
    """Remembered orders by `orderId`, `startTime`, `endTime`, `limit`."""
    first = params.optional_integer("orderId")
    start, end = _time_range(params, spot=spot)

    def fits(order: OrderRecord) -> bool:
        return (first is None or order.oid >= first) and _within(order.created_ns, start, end)

    if start is not None or first is not None:
        return list(islice((order for order in records if fits(order)), limit))
    return newest((order for order in reversed(records) if fits(order)), limit)
