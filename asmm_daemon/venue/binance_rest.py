"""Binance's REST requests, spot and USD-M, with their weights."""

import asyncio
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

import numpy as np

from asmm_daemon.clock import Clock
from asmm_daemon.errors import VenueError
from asmm_daemon.events import (
    ROW,
    Amend,
    BalanceEvent,
    Cause,
    Event,
    FillEvent,
    FundingEvent,
    OrderUpdate,
    Place,
    PositionEvent,
    Replace,
    Rows,
)
from asmm_daemon.units import BUY, NS_PER_MS, Instrument, wire
from asmm_daemon.venue.binance_wire import BinanceWire, read_instrument
from asmm_daemon.venue.dialect import Top
from asmm_daemon.venue.limits import Costs, Priority
from asmm_daemon.venue.outcomes import UNSUPPORTED, Refused
from asmm_daemon.venue.protocol import VenueSettings, Warm
from asmm_daemon.venue.replacing import HALF_DONE, Replaced, read_replaced
from asmm_daemon.venue.requests import Requests, malformed
from asmm_daemon.venue.rows import RowMaker

_WINDOWS_S = {"SECOND": 1.0, "MINUTE": 60.0, "HOUR": 3600.0, "DAY": 86400.0}
_ORDER_COSTS: Costs = {"weight": 1, "orders-short": 1, "orders-long": 1}
_REPLACE_COSTS: Costs = {**_ORDER_COSTS, "weight": 2}
"""Booked as its cancel and its create; the venue counts the order even when it is not attempted."""
_PAGE = 1000


class BinanceRest:
    """Requests common to both products; `prefix` names ccxt's implicit methods."""

    def __init__(self, requests: Requests, settings: VenueSettings, clock: Clock, *, futures: bool) -> None:
        self._requests = requests
        self._settings = settings
        self._clock = clock
        self._futures = futures
        self._private = "fapiPrivate" if futures else "private"
        self._public = "fapiPublic" if futures else "public"
        self.instruments: tuple[Instrument, ...] = ()
        self.makers: tuple[RowMaker, ...] = ()
        self.wire = BinanceWire((), futures=futures)

    async def load(self) -> None:
        """Reads the markets and the account's fees. Raises VenueError for an unknown symbol."""
        symbols = self._settings.symbols
        asked = {} if self._futures else {"symbols": "[" + ",".join(f'"{s}"' for s in symbols) + "]"}
        info = await self._get(self._public, "ExchangeInfo", asked, 20)
        self._read_limits(info.get("rateLimits", ()))
        known = {row["symbol"]: row for row in info["symbols"]}
        fees = await asyncio.gather(*(self._fees(s) for s in symbols if s in known))
        made: list[Instrument] = []
        for symbol in symbols:
            if symbol not in known:
                raise VenueError(f"{self._settings.product}: no market {symbol}", code="symbol")
            if known[symbol].get("status", "TRADING") != "TRADING":
                raise VenueError(f"{symbol} is not trading: {known[symbol]['status']}", code="symbol")
            maker, taker = fees[len(made)]
            made.append(read_instrument(known[symbol], self._settings.product, maker, taker))
        self.adopt(tuple(made))

    def adopt(self, instruments: tuple[Instrument, ...]) -> None:
        """Takes markets as loaded."""
        self.instruments = instruments
        self.makers = tuple(RowMaker(i) for i in instruments)
        self.wire = BinanceWire(instruments, futures=self._futures)

    def _read_limits(self, limits: Any) -> None:
        share = self._settings.budget_share
        found: dict[str, tuple[float, float]] = {}
        for row in limits:
            window_s = _WINDOWS_S[row["interval"]] * int(row.get("intervalNum", 1))
            if row["rateLimitType"] == "REQUEST_WEIGHT":
                found["weight"] = (float(row["limit"]) * share, window_s)
            elif row["rateLimitType"] == "ORDERS":
                name = "orders-short" if window_s < 60 else "orders-long"
                found[name] = (float(row["limit"]) * share, window_s)
        self._requests.limiter.set_limits(found)

    async def _fees(self, symbol: str) -> tuple[Decimal, Decimal]:
        if self._futures:
            body = await self._get(self._private, "CommissionRate", {"symbol": symbol}, 20)
            return Decimal(body["makerCommissionRate"]), Decimal(body["takerCommissionRate"])
        body = await self._get(self._private, "AccountCommission", {"symbol": symbol}, 20)
        rates = body["standardCommission"]
        return Decimal(rates["maker"]), Decimal(rates["taker"])

    async def _get(
        self,
        api: str,
        what: str,
        params: Mapping[str, Any],
        weight: float,
        priority: Priority = Priority.BACKGROUND,
    ) -> Any:
        return await self._requests.call(f"{api}Get{what}", params, {"weight": weight}, priority)

    async def server_ms(self) -> tuple[int, float]:
        """The venue's time and the real seconds that the question took."""
        return await self._requests.timed(f"{self._public}GetTime", "serverTime")

    async def place(self, command: Place) -> str:
        """Creates an order and returns the venue's id."""
        params = self._new_order(command)
        reply = await self._requests.call(
            f"{self._private}PostOrder", params, _ORDER_COSTS, Priority.ORDER, max_wait_s=1.0
        )
        return _oid(reply, command.cid)

    def _new_order(self, command: Place) -> dict[str, Any]:
        instrument = self.instruments[command.m]
        post_only = command.tif == "PO"
        params: dict[str, Any] = {
            "symbol": instrument.symbol,
            "side": "BUY" if command.side == BUY else "SELL",
            "type": "LIMIT_MAKER" if post_only and not self._futures else "LIMIT",
            "quantity": wire(instrument.qty(command.qty)),
            "price": wire(instrument.price(command.price)),
            "newClientOrderId": command.cid,
            "newOrderRespType": "ACK",
            "selfTradePreventionMode": "EXPIRE_TAKER" if post_only else "EXPIRE_MAKER",
        }
        if self._futures:
            params["timeInForce"] = "GTX" if post_only else "IOC"
            if command.reduce_only:
                params["reduceOnly"] = "true"
        elif not post_only:
            params["timeInForce"] = "IOC"
        return params

    async def replace(self, command: Replace) -> Replaced:
        """Cancels a spot order and, only if that succeeds, creates another."""
        if self._futures:
            raise Refused(UNSUPPORTED)
        params = self._new_order(command.place) | {
            "cancelReplaceMode": "STOP_ON_FAILURE",
            "cancelOrderId" if command.old_oid else "cancelOrigClientOrderId": (
                command.old_oid or command.old_cid
            ),
        }
        try:
            reply = await self._requests.call(
                "privatePostOrderCancelReplace", params, _REPLACE_COSTS, Priority.ORDER, max_wait_s=1.0
            )
        except Refused as error:
            if error.failure.code not in HALF_DONE:
                raise
            reply = error.failure.data

        def ended(body: Any) -> OrderUpdate:
            return self.wire.replaced(command.m, body, command.old_cid, self._clock.now_ns())

        return read_replaced(reply, self._settings.product, ended, lambda body: _oid(body, command.cid))

    async def amend(self, command: Amend) -> None:
        """Changes a USD-M order's price and total quantity."""
        instrument = self.instruments[command.m]
        params = {
            "symbol": instrument.symbol,
            "side": "BUY" if command.side == BUY else "SELL",
            "quantity": wire(instrument.qty(command.qty)),
            "price": wire(instrument.price(command.price)),
            **_which(command.cid, command.oid),
        }
        reply = await self._requests.call(
            f"{self._private}PutOrder", params, _ORDER_COSTS, Priority.ORDER, max_wait_s=1.0
        )
        _oid(reply, command.cid)

    async def cancel(self, m: int, cid: str, oid: str) -> None:
        """Cancels one order."""
        params = {"symbol": self.instruments[m].symbol, **_which(cid, oid)}
        reply = await self._requests.call(
            f"{self._private}DeleteOrder", params, {"weight": 1}, Priority.CANCEL
        )
        if not isinstance(reply, Mapping) or "orderId" not in reply:
            raise malformed(reply)

    async def order(self, m: int, cid: str, oid: str) -> OrderUpdate | None:
        """One order's state; None when the venue knows no such order."""
        params = {"symbol": self.instruments[m].symbol, **_which(cid, oid)}
        try:
            body = await self._get(self._private, "Order", params, 1 if self._futures else 4, Priority.QUERY)
        except Refused as error:
            if error.failure.cause is Cause.NOT_FOUND:
                return None
            raise
        return self.wire.order(m, body, self._clock.now_ns())

    async def order_fills(self, m: int, cid: str, oid: str) -> tuple[FillEvent, ...]:
        """One order's trades."""
        params = {"symbol": self.instruments[m].symbol, "orderId": oid}
        trades = await self._get(self._private, self._trades_path, params, 5, Priority.QUERY)
        now_ns = self._clock.now_ns()
        return tuple(self.wire.trade(m, t, cid, now_ns) for t in trades)

    @property
    def _trades_path(self) -> str:
        return "UserTrades" if self._futures else "MyTrades"

    async def open_orders(self, m: int, priority: Priority) -> tuple[OrderUpdate, ...]:
        """Every open order on the market, foreign ones included."""
        params = {"symbol": self.instruments[m].symbol}
        weight = 1 if self._futures else 6
        rows = await self._get(self._private, "OpenOrders", params, weight, priority)
        now_ns = self._clock.now_ns()
        return tuple(self.wire.order(m, row, now_ns) for row in rows)

    async def fills(self, m: int, since_ns: int, cid_of: Callable[[str], str]) -> tuple[FillEvent, ...]:
        """Own trades since a time, paged by trade id; at first the newest thousand."""
        params: dict[str, Any] = {"symbol": self.instruments[m].symbol, "limit": _PAGE}
        if since_ns:
            params["startTime"] = since_ns // NS_PER_MS
        found: list[FillEvent] = []
        while True:
            rows = await self._get(
                self._private, self._trades_path, params, 5 if self._futures else 20, Priority.QUERY
            )
            now_ns = self._clock.now_ns()
            found += [self.wire.trade(m, t, cid_of(str(t["orderId"])), now_ns) for t in rows]
            if len(rows) < _PAGE or not since_ns:
                return tuple(sorted(found, key=lambda f: int(f.tid)))
            params = {"symbol": params["symbol"], "limit": _PAGE, "fromId": int(rows[-1]["id"]) + 1}

    async def balances(self) -> tuple[BalanceEvent, ...]:
        """The account's balances."""
        if self._futures:
            body = await self._get("fapiPrivateV3", "Balance", {}, 5, Priority.QUERY)
        else:
            body = await self._get("private", "Account", {}, 20, Priority.QUERY)
        return self.wire.balances(body, self._clock.now_ns())

    async def position(self, m: int) -> PositionEvent | None:
        """The market's position; None on spot."""
        if not self._futures:
            return None
        params = {"symbol": self.instruments[m].symbol}
        body = await self._get("fapiPrivateV3", "PositionRisk", params, 5, Priority.QUERY)
        return self.wire.position(m, body, self._clock.now_ns())

    async def top(self, m: int) -> Top:
        """The best prices now."""
        params = {"symbol": self.instruments[m].symbol}
        body = await self._get(self._public, "TickerBookTicker", params, 2, Priority.QUERY)
        return Top(*(Decimal(body[k]) for k in ("bidPrice", "bidQty", "askPrice", "askQty")))

    async def last_trade_ns(self, m: int) -> int:
        """Venue time of the newest public trade; 0 when there was none."""
        params = {"symbol": self.instruments[m].symbol, "limit": 1}
        rows = await self._get(self._public, "Trades", params, 5 if self._futures else 25)
        return int(rows[-1]["time"]) * NS_PER_MS if rows else 0

    async def depth(self, m: int) -> Any:
        """A book snapshot of 1,000 levels a side."""
        params = {"symbol": self.instruments[m].symbol, "limit": 1000}
        weight = 20 if self._futures else 50
        return await self._get(self._public, "Depth", params, weight, Priority.SAFETY)

    async def warm(self, m: int) -> Warm:
        """The last closed minutes of four hours, and the newest thousand trades."""
        instrument, maker = self.instruments[m], self.makers[m]
        params = {"symbol": instrument.symbol}
        candles = await self._get(self._public, "Klines", {**params, "interval": "1m", "limit": 300}, 5)
        trades = await self._get(self._public, "Trades", {**params, "limit": 1000}, 25)
        now_ns = self._clock.now_ns()
        table = [
            [int(c[0]) * NS_PER_MS]
            + [round(Decimal(x) / instrument.tick) for x in c[1:5]]
            + [round(Decimal(c[5]) / instrument.lot)]
            for c in candles
            if int(c[6]) * NS_PER_MS < now_ns
        ]
        rows = [
            maker.trade(
                t["price"],
                t["qty"],
                -1 if t["isBuyerMaker"] else 1,
                int(t["time"]) * NS_PER_MS,
                int(t["time"]) * NS_PER_MS,
                int(t["id"]),
            )
            for t in trades
        ]
        empty = np.zeros((0, 6), np.int64)
        return Warm(
            np.array(table, np.int64) if table else empty, np.concatenate(rows) if rows else np.empty(0, ROW)
        )

    async def funding(self, m: int) -> tuple[Rows, ...]:
        """Funding rate and mark price rows; empty on spot."""
        if not self._futures:
            return ()
        body = await self._get(self._public, "PremiumIndex", {"symbol": self.instruments[m].symbol}, 1)
        now_ns = self._clock.now_ns()
        maker = self.makers[m]
        applied_ns = int(body["nextFundingTime"]) * NS_PER_MS
        return (
            maker.funding(float(body["lastFundingRate"]), applied_ns, now_ns),
            maker.mark(body["markPrice"], int(body["time"]) * NS_PER_MS, now_ns),
        )

    async def payments(self, m: int, since_ns: int) -> tuple[Event, ...]:
        """Funding payments since a time."""
        if not self._futures:
            return ()
        params = {
            "symbol": self.instruments[m].symbol,
            "incomeType": "FUNDING_FEE",
            "startTime": since_ns // NS_PER_MS,
            "limit": _PAGE,
        }
        rows = await self._get(self._private, "Income", params, 30)
        now_ns = self._clock.now_ns()
        return tuple(
            FundingEvent(now_ns, m, Decimal(r["income"]), r["asset"], str(r["tranId"])) for r in rows
        )


def _which(cid: str, oid: str) -> dict[str, str]:
    return {"orderId": oid} if oid else {"origClientOrderId": cid}


def _oid(reply: Any, cid: str) -> str:
    """The venue's id, if the reply is about our order."""
    if not isinstance(reply, Mapping) or not reply.get("orderId") or reply.get("clientOrderId") != cid:
        raise malformed(reply)
    return str(reply["orderId"])
