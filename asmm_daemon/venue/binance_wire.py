"""Binance's private messages and REST bodies, spot and USD-M, as our events. Pure.

Whatever is missing raises KeyError, TypeError or ValueError: the caller says what that means.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from asmm_daemon.events import BalanceEvent, Event, FillEvent, OrderStatus, OrderUpdate, PositionEvent
from asmm_daemon.units import BUY, NS_PER_MS, SELL, Instrument, Lots, Product, Side

Json = Mapping[str, Any]

_STATUS = {
    "NEW": OrderStatus.OPEN,
    "PENDING_NEW": OrderStatus.OPEN,
    "PARTIALLY_FILLED": OrderStatus.OPEN,
    "PENDING_CANCEL": OrderStatus.OPEN,
    "FILLED": OrderStatus.FILLED,
    "CANCELED": OrderStatus.CANCELLED,
    "REJECTED": OrderStatus.REJECTED,
    "EXPIRED": OrderStatus.EXPIRED,
    "EXPIRED_IN_MATCH": OrderStatus.EXPIRED,
}


def side_of(word: str) -> Side:
    """BUY or SELL in any case."""
    return {"BUY": BUY, "SELL": SELL}[word.upper()]


class BinanceWire:
    """Parses for a set of markets; `m` is the place of the symbol in `instruments`."""

    def __init__(self, instruments: Sequence[Instrument], *, futures: bool) -> None:
        self._markets = {i.symbol: (m, i) for m, i in enumerate(instruments)}
        self._futures = futures

    def private(self, message: Json, now_ns: int) -> list[Event]:
        """Events of a user-data message; an empty list for kinds that say nothing to us."""
        kind = message.get("e")
        if kind == "executionReport":
            cid = message.get("C") or message["c"]
            return self._order_events(message, cid, message["T"], now_ns)
        if kind == "ORDER_TRADE_UPDATE":
            order = message["o"]
            return self._order_events(order, order["c"], message["T"], now_ns)
        if kind == "outboundAccountPosition":
            return [BalanceEvent(now_ns, b["a"], Decimal(b["f"]), Decimal(b["l"])) for b in message["B"]]
        if kind == "ACCOUNT_UPDATE":
            return self._account(message["a"], now_ns)
        return []

    def _order_events(self, o: Json, cid: str, time_ms: int, now_ns: int) -> list[Event]:
        found = self._markets.get(o["s"])
        if found is None:
            return []
        m, instrument = found
        venue_ns = int(o.get("T", time_ms)) * NS_PER_MS
        side = side_of(o["S"])
        oid = str(o["i"])
        events: list[Event] = []
        if o["x"] in ("TRADE", "CALCULATED") and Decimal(o["l"]) > 0:
            fee_asset = o.get("N") or instrument.quote
            events.append(
                FillEvent(
                    now_ns,
                    m,
                    cid,
                    oid,
                    str(o["t"]),
                    side,
                    Decimal(o["L"]),
                    Decimal(o["l"]),
                    Decimal(o.get("n") or 0),
                    fee_asset,
                    bool(o["m"]),
                    venue_ns,
                    "stream",
                )
            )
        filled = instrument.lots(o["z"])
        events.append(
            OrderUpdate(
                now_ns,
                m,
                cid,
                oid,
                _STATUS[o["X"]],
                side,
                instrument.ticks(o["p"]),
                instrument.lots(o["q"]),
                filled,
                venue_ns,
                "stream",
            )
        )
        return events

    def _account(self, account: Json, now_ns: int) -> list[Event]:
        events: list[Event] = [
            BalanceEvent(now_ns, b["a"], Decimal(b["wb"]), Decimal(0)) for b in account.get("B", ())
        ]
        for p in account.get("P", ()):
            found = self._markets.get(p["s"])
            if found is not None and p.get("ps", "BOTH") == "BOTH":
                events.append(PositionEvent(now_ns, found[0], Decimal(p["pa"]), Decimal(p["ep"])))
        return events

    def order(self, m: int, body: Json, now_ns: int) -> OrderUpdate:
        """An order of a REST reply."""
        _, instrument = self._markets[body["symbol"]]
        return OrderUpdate(
            now_ns,
            m,
            str(body["clientOrderId"]),
            str(body["orderId"]),
            _STATUS[body["status"]],
            side_of(body["side"]),
            instrument.ticks(body["price"]),
            instrument.lots(body["origQty"]),
            instrument.lots(body["executedQty"]),
            int(body.get("updateTime") or body.get("time") or 0) * NS_PER_MS,
            "rest",
        )

    def replaced(self, m: int, body: Json, cid: str, now_ns: int) -> OrderUpdate:
        """The order that a cancel-replace ended. Raises ValueError when it is not the one named."""
        if body["origClientOrderId"] != cid:
            raise ValueError(f"the cancel of {cid} was answered for {body['origClientOrderId']}")
        return self.order(m, {**body, "clientOrderId": cid, "updateTime": body["transactTime"]}, now_ns)

    def trade(self, m: int, body: Json, cid: str, now_ns: int) -> FillEvent:
        """An own trade of a REST reply, which names the order by the venue's id alone."""
        buyer = body["isBuyer"] if "isBuyer" in body else body["buyer"]
        maker = body["isMaker"] if "isMaker" in body else body["maker"]
        return FillEvent(
            now_ns,
            m,
            cid,
            str(body["orderId"]),
            str(body["id"]),
            BUY if buyer else SELL,
            Decimal(body["price"]),
            Decimal(body["qty"]),
            Decimal(body["commission"]),
            str(body["commissionAsset"]),
            bool(maker),
            int(body["time"]) * NS_PER_MS,
            "rest",
        )

    def balances(self, body: Any, now_ns: int) -> tuple[BalanceEvent, ...]:
        """Balances that matter: those of our markets' assets, and whatever else is not zero."""
        if self._futures:
            return tuple(BalanceEvent(now_ns, b["asset"], Decimal(b["balance"]), Decimal(0)) for b in body)
        wanted = {a for _, i in self._markets.values() for a in (i.base, i.quote)}
        rows = ((b["asset"], Decimal(b["free"]), Decimal(b["locked"])) for b in body["balances"])
        return tuple(BalanceEvent(now_ns, a, f, k) for a, f, k in rows if a in wanted or f or k)

    def position(self, m: int, body: Sequence[Json], now_ns: int) -> PositionEvent:
        """The one-way position; flat when the venue lists none."""
        for p in body:
            known = self._markets.get(p["symbol"])
            if known is not None and known[0] == m and p.get("positionSide", "BOTH") == "BOTH":
                return PositionEvent(now_ns, m, Decimal(p["positionAmt"]), Decimal(p["entryPrice"]))
        return PositionEvent(now_ns, m, Decimal(0), Decimal(0))


def read_instrument(info: Json, product: Product, maker: Decimal, taker: Decimal) -> Instrument:
    """An instrument from one symbol of `exchangeInfo`."""
    filters = {f["filterType"]: f for f in info["filters"]}
    lot_filter = filters["LOT_SIZE"]
    lot = Decimal(lot_filter["stepSize"]).normalize()
    notional = filters.get("NOTIONAL") or filters.get("MIN_NOTIONAL") or {}
    least = notional.get("minNotional") or notional.get("notional") or "0"
    return Instrument(
        symbol=info["symbol"],
        product=product,
        base=info["baseAsset"],
        quote=info["quoteAsset"],
        tick=Decimal(filters["PRICE_FILTER"]["tickSize"]).normalize(),
        lot=lot,
        min_notional=Decimal(least),
        min_qty=Lots(max(1, int(Decimal(lot_filter["minQty"]) / lot))),
        max_qty=Lots(int(Decimal(lot_filter["maxQty"]) / lot)),
        maker=maker,
        taker=taker,
    )
