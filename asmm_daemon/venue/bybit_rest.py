"""Bybit's v5 requests, spot and linear, with the limits that each touches."""

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
from asmm_daemon.venue.bybit_wire import BybitWire, read_instrument
from asmm_daemon.venue.dialect import Top
from asmm_daemon.venue.limits import Priority
from asmm_daemon.venue.outcomes import UNSUPPORTED, Refused
from asmm_daemon.venue.protocol import VenueSettings, Warm
from asmm_daemon.venue.replacing import Replaced
from asmm_daemon.venue.requests import Requests, malformed
from asmm_daemon.venue.rows import RowMaker

_PAGES = 20
_MINUTE_NS = 60_000 * NS_PER_MS


class BybitRest:
    """Requests common to both categories."""

    def __init__(self, requests: Requests, settings: VenueSettings, clock: Clock) -> None:
        self._requests = requests
        self._settings = settings
        self._clock = clock
        self._category = "spot" if settings.product == "bybit-spot" else "linear"
        self.instruments: tuple[Instrument, ...] = ()
        self.makers: tuple[RowMaker, ...] = ()
        self.wire = BybitWire((), self._category)
        per_s = (20.0 if self._category == "spot" else 10.0) * settings.budget_share
        requests.limiter.set_limits(
            {
                "ip": (600 * settings.budget_share, 5.0),
                "create": (per_s, 1.0),
                "amend": (per_s, 1.0),
                "cancel": (per_s, 1.0),
                "query": (50 * settings.budget_share, 1.0),
            }
        )

    async def load(self) -> None:
        """Reads the markets and the account's fees. Raises VenueError for an unknown symbol."""
        made: list[Instrument] = []
        for symbol in self._settings.symbols:
            info = await self._get("publicGetV5MarketInstrumentsInfo", {"symbol": symbol})
            rows = [row for row in info["list"] if row["symbol"] == symbol]
            if not rows:
                raise VenueError(f"{self._settings.product}: no market {symbol}", code="symbol")
            if rows[0].get("status", "Trading") != "Trading":
                raise VenueError(f"{symbol} is not trading: {rows[0]['status']}", code="symbol")
            fee = (await self._get("privateGetV5AccountFeeRate", {"symbol": symbol}))["list"][0]
            rates = Decimal(fee["makerFeeRate"]), Decimal(fee["takerFeeRate"])
            made.append(read_instrument(rows[0], self._settings.product, *rates))
        self.adopt(tuple(made))

    def adopt(self, instruments: tuple[Instrument, ...]) -> None:
        """Takes markets as loaded."""
        self.instruments = instruments
        self.makers = tuple(RowMaker(i) for i in instruments)
        self.wire = BybitWire(instruments, self._category)

    async def _get(
        self, method: str, params: Mapping[str, Any], priority: Priority = Priority.BACKGROUND
    ) -> Any:
        asked = {"category": self._category, **params}
        reply = await self._requests.call(method, asked, {"ip": 1, "query": 1}, priority)
        try:
            return reply["result"]
        except (KeyError, TypeError) as error:
            raise malformed(reply) from error

    async def server_ms(self) -> tuple[int, float]:
        """The venue's time and the real seconds that the question took."""
        return await self._requests.timed("publicGetV5MarketTime", "time")

    async def _order(self, what: str, params: Mapping[str, Any], priority: Priority) -> Any:
        asked = {"category": self._category, **params}
        wait_s = None if priority is Priority.CANCEL else 1.0
        costs = {"ip": 1, what: 1}
        reply = await self._requests.call(
            f"privatePostV5Order{what.title()}", asked, costs, priority, max_wait_s=wait_s
        )
        result = reply.get("result") if isinstance(reply, Mapping) else None
        if not isinstance(result, Mapping) or not result.get("orderId"):
            raise malformed(reply)
        return result

    async def place(self, command: Place) -> str:
        """Creates an order and returns the venue's id. A crossing post-only is cancelled on the stream."""
        instrument = self.instruments[command.m]
        post_only = command.tif == "PO"
        params: dict[str, Any] = {
            "symbol": instrument.symbol,
            "side": "Buy" if command.side == BUY else "Sell",
            "orderType": "Limit",
            "qty": wire(instrument.qty(command.qty)),
            "price": wire(instrument.price(command.price)),
            "timeInForce": "PostOnly" if post_only else "IOC",
            "orderLinkId": command.cid,
            "smpType": "CancelTaker" if post_only else "CancelMaker",
        }
        if self._category == "linear":
            params["positionIdx"] = 0
            params["reduceOnly"] = command.reduce_only
        result = await self._order("create", params, Priority.ORDER)
        if result.get("orderLinkId") != command.cid:
            raise malformed(result)
        return str(result["orderId"])

    async def amend(self, command: Amend) -> None:
        """Changes an order's price and total quantity."""
        instrument = self.instruments[command.m]
        params = {
            "symbol": instrument.symbol,
            "qty": wire(instrument.qty(command.qty)),
            "price": wire(instrument.price(command.price)),
            **_which(command.cid, command.oid),
        }
        await self._order("amend", params, Priority.ORDER)

    async def replace(self, command: Replace) -> Replaced:  # noqa: ARG002  (not offered here)
        """Bybit amends instead."""
        raise Refused(UNSUPPORTED)

    async def cancel(self, m: int, cid: str, oid: str) -> None:
        """Cancels one order."""
        params = {"symbol": self.instruments[m].symbol, **_which(cid, oid)}
        await self._order("cancel", params, Priority.CANCEL)

    async def order(self, m: int, cid: str, oid: str) -> OrderUpdate | None:
        """One order's state, open or recent, else from the history; None when the venue knows none."""
        params = {"symbol": self.instruments[m].symbol, **_which(cid, oid)}
        for method in ("privateGetV5OrderRealtime", "privateGetV5OrderHistory"):
            rows = (await self._get(method, params, Priority.QUERY))["list"]
            if rows:
                return self.wire.order(rows[0], self._clock.now_ns(), "rest")
        return None

    async def _pages(self, method: str, params: Mapping[str, Any], priority: Priority) -> list[Any]:
        rows: list[Any] = []
        cursor = ""
        for _ in range(_PAGES):
            asked = {**params, **({"cursor": cursor} if cursor else {})}
            result = await self._get(method, asked, priority)
            rows += result["list"]
            cursor = result.get("nextPageCursor") or ""
            if not cursor or not result["list"]:
                break
        return rows

    async def order_fills(self, m: int, cid: str, oid: str) -> tuple[FillEvent, ...]:
        """One order's trades."""
        params = {"symbol": self.instruments[m].symbol, "limit": 100, **_which(cid, oid)}
        return self._fills(await self._pages("privateGetV5ExecutionList", params, Priority.QUERY))

    def _fills(self, rows: list[Any]) -> tuple[FillEvent, ...]:
        now_ns = self._clock.now_ns()
        events = (self.wire.execution(row, now_ns, "rest") for row in rows)
        found = [e for e in events if isinstance(e, FillEvent)]
        return tuple(sorted(found, key=lambda fill: fill.venue_ns))

    async def open_orders(self, m: int, priority: Priority) -> tuple[OrderUpdate, ...]:
        """Every open order on the market, foreign ones included."""
        params = {"symbol": self.instruments[m].symbol, "openOnly": 0, "limit": 50}
        rows = await self._pages("privateGetV5OrderRealtime", params, priority)
        now_ns = self._clock.now_ns()
        return tuple(
            self.wire.order(row, now_ns, "rest")
            for row in rows
            if row["orderStatus"] in ("New", "PartiallyFilled", "Untriggered")
        )

    async def fills(self, m: int, since_ns: int, cid_of: Callable[[str], str]) -> tuple[FillEvent, ...]:  # noqa: ARG002  (executions name our id themselves)
        """Own trades since a time, oldest first."""
        params: dict[str, Any] = {"symbol": self.instruments[m].symbol, "limit": 100}
        if since_ns:
            params["startTime"] = since_ns // NS_PER_MS
        return self._fills(await self._pages("privateGetV5ExecutionList", params, Priority.QUERY))

    async def payments(self, m: int, since_ns: int) -> tuple[Event, ...]:
        """Funding payments since a time."""
        if self._category == "spot":
            return ()
        params = {
            "symbol": self.instruments[m].symbol,
            "limit": 100,
            "execType": "Funding",
            "startTime": since_ns // NS_PER_MS,
        }
        rows = await self._pages("privateGetV5ExecutionList", params, Priority.BACKGROUND)
        now_ns = self._clock.now_ns()
        events = (self.wire.execution(row, now_ns, "rest") for row in rows)
        return tuple(e for e in events if isinstance(e, FundingEvent))

    async def balances(self) -> tuple[BalanceEvent, ...]:
        """The unified account's balances."""
        params = {"accountType": "UNIFIED"}
        accounts = (await self._get("privateGetV5AccountWalletBalance", params, Priority.QUERY))["list"]
        now_ns = self._clock.now_ns()
        return tuple(b for account in accounts for b in self.wire.balances(account["coin"], now_ns))

    async def position(self, m: int) -> PositionEvent | None:
        """The market's position; None on spot."""
        if self._category == "spot":
            return None
        params = {"symbol": self.instruments[m].symbol}
        rows = (await self._get("privateGetV5PositionList", params, Priority.QUERY))["list"]
        now_ns = self._clock.now_ns()
        if not rows:
            return PositionEvent(now_ns, m, Decimal(0), Decimal(0))
        return self.wire.position(rows[0], now_ns)

    async def _ticker(self, m: int, priority: Priority) -> Any:
        params = {"symbol": self.instruments[m].symbol}
        return (await self._get("publicGetV5MarketTickers", params, priority))["list"][0]

    async def top(self, m: int) -> Top:
        """The best prices now."""
        row = await self._ticker(m, Priority.QUERY)
        return Top(*(Decimal(row[k]) for k in ("bid1Price", "bid1Size", "ask1Price", "ask1Size")))

    async def last_trade_ns(self, m: int) -> int:
        """Venue time of the newest public trade; 0 when there was none."""
        params = {"symbol": self.instruments[m].symbol, "limit": 1}
        rows = (await self._get("publicGetV5MarketRecentTrade", params))["list"]
        return int(rows[0]["time"]) * NS_PER_MS if rows else 0

    async def depth(self, m: int) -> Any:
        """A book snapshot; the stream brings its own, so this serves comparisons only."""
        return await self._get(
            "publicGetV5MarketOrderbook", {"symbol": self.instruments[m].symbol, "limit": 50}
        )

    async def funding(self, m: int) -> tuple[Rows, ...]:
        """Funding rate and mark price rows; empty on spot."""
        if self._category == "spot":
            return ()
        row = await self._ticker(m, Priority.BACKGROUND)
        now_ns = self._clock.now_ns()
        maker = self.makers[m]
        rows: list[Rows] = []
        if row.get("fundingRate") and row.get("nextFundingTime"):
            applied_ns = int(row["nextFundingTime"]) * NS_PER_MS
            rows.append(maker.funding(float(row["fundingRate"]), applied_ns, now_ns))
        return (*rows, maker.mark(row["markPrice"], now_ns, now_ns))

    async def warm(self, m: int) -> Warm:
        """The last closed minutes of five hours, and the newest trades."""
        instrument, maker = self.instruments[m], self.makers[m]
        symbol = {"symbol": instrument.symbol}
        candles = (await self._get("publicGetV5MarketKline", {**symbol, "interval": "1", "limit": 300}))[
            "list"
        ]
        trades = (await self._get("publicGetV5MarketRecentTrade", {**symbol, "limit": 1000}))["list"]
        now_ns = self._clock.now_ns()
        table = [
            [int(c[0]) * NS_PER_MS]
            + [round(Decimal(x) / instrument.tick) for x in c[1:5]]
            + [round(Decimal(c[5]) / instrument.lot)]
            for c in reversed(candles)
            if int(c[0]) * NS_PER_MS + _MINUTE_NS <= now_ns
        ]
        rows = [
            maker.trade(
                t["price"],
                t["size"],
                1 if t["side"] == "Buy" else -1,
                int(t["time"]) * NS_PER_MS,
                int(t["time"]) * NS_PER_MS,
                trade_id(t["execId"]),
            )
            for t in reversed(trades)
        ]
        empty = np.zeros((0, 6), np.int64)
        return Warm(
            np.array(table, np.int64) if table else empty, np.concatenate(rows) if rows else np.empty(0, ROW)
        )


def trade_id(text: str) -> int:
    """A trade id as a number where it is one (spot), else -1 (linear ids are UUIDs)."""
    number = int(text) if text.isdigit() else -1
    return number if number < 2**63 else -1


def _which(cid: str, oid: str) -> dict[str, str]:
    return {"orderId": oid} if oid else {"orderLinkId": cid}
