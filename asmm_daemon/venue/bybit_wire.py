"""Bybit v5 private messages and REST bodies, spot and linear, as our events. Pure.

Whatever is missing raises KeyError, TypeError or ValueError: the caller says what that means.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

from asmm_daemon.events import (
    BalanceEvent,
    Event,
    FillEvent,
    FundingEvent,
    OrderStatus,
    OrderUpdate,
    PositionEvent,
)
from asmm_daemon.units import BUY, NS_PER_MS, SELL, Instrument, Lots, Product, Side

Json = Mapping[str, Any]
Source = Literal["stream", "rest"]

_STATUS = {
    "New": OrderStatus.OPEN,
    "PartiallyFilled": OrderStatus.OPEN,
    "Untriggered": OrderStatus.OPEN,
    "Triggered": OrderStatus.OPEN,
    "Filled": OrderStatus.FILLED,
    "Cancelled": OrderStatus.CANCELLED,
    "PartiallyFilledCanceled": OrderStatus.CANCELLED,
    "Deactivated": OrderStatus.CANCELLED,
    "Rejected": OrderStatus.REJECTED,
}
_POST_ONLY = "EC_PostOnlyWillTakeLiquidity"


def side_of(word: str) -> Side:
    """Buy or Sell in any case."""
    return {"BUY": BUY, "SELL": SELL}[word.upper()]


class BybitWire:
    """Parses for a set of markets; `m` is the place of the symbol in `instruments`."""

    def __init__(self, instruments: Sequence[Instrument], category: str) -> None:
        self._markets = {i.symbol: (m, i) for m, i in enumerate(instruments)}
        self._category = category

    def private(self, message: Json, now_ns: int) -> list[Event]:
        """Events of a private message; an empty list for topics that say nothing to us."""
        topic = str(message.get("topic", "")).split(".", 1)[0]
        rows = message.get("data", ())
        events: list[Event] = []
        if topic == "order":
            events += [self.order(r, now_ns, "stream") for r in self._ours(rows)]
        elif topic == "execution":
            found = (self.execution(r, now_ns, "stream") for r in self._ours(rows))
            events += [e for e in found if e is not None]
        elif topic == "wallet":
            for account in rows:
                events += self.balances(account["coin"], now_ns)
        elif topic == "position":
            events += [self.position(r, now_ns) for r in self._ours(rows)]
        return events

    def _ours(self, rows: Sequence[Json]) -> list[Json]:
        return [
            r for r in rows if r["symbol"] in self._markets and r.get("category", "") in ("", self._category)
        ]

    def order(self, r: Json, now_ns: int, source: Source) -> OrderUpdate:
        """An order's state. A post-only order refused for crossing counts as rejected."""
        m, instrument = self._markets[r["symbol"]]
        status = _STATUS[r["orderStatus"]]
        filled = instrument.lots(r.get("cumExecQty") or "0")
        if r.get("rejectReason") == _POST_ONLY and not filled:
            status = OrderStatus.REJECTED
        return OrderUpdate(
            now_ns,
            m,
            str(r["orderLinkId"]),
            str(r["orderId"]),
            status,
            side_of(r["side"]),
            instrument.ticks(r["price"] or "0"),
            instrument.lots(r["qty"]),
            filled,
            int(r["updatedTime"]) * NS_PER_MS,
            source,
        )

    def execution(self, r: Json, now_ns: int, source: Source) -> Event | None:
        """A trade, or a funding payment; None for other kinds."""
        m, instrument = self._markets[r["symbol"]]
        kind = r.get("execType", "Trade")
        side = r.get("side", "")
        if kind == "Funding":
            return FundingEvent(now_ns, m, -Decimal(r["execFee"]), instrument.quote, str(r["execId"]))
        if kind not in ("Trade", "AdlTrade", "BustTrade"):
            return None
        received = instrument.base if side_of(side) == BUY else instrument.quote
        fee_asset = r.get("feeCurrency") or (received if instrument.is_spot else instrument.quote)
        return FillEvent(
            now_ns,
            m,
            str(r["orderLinkId"]),
            str(r["orderId"]),
            str(r["execId"]),
            side_of(side),
            Decimal(r["execPrice"]),
            Decimal(r["execQty"]),
            Decimal(r["execFee"]),
            str(fee_asset),
            bool(r["isMaker"]),
            int(r["execTime"]) * NS_PER_MS,
            source,
        )

    def balances(self, coins: Sequence[Json], now_ns: int) -> list[BalanceEvent]:
        """Wallet balances; on spot split into free and locked, on linear the wallet is free."""
        found = []
        for coin in coins:
            total = Decimal(coin["walletBalance"] or 0)
            locked = Decimal(coin.get("locked") or 0) if self._category == "spot" else Decimal(0)
            found.append(BalanceEvent(now_ns, str(coin["coin"]), total - locked, locked))
        return found

    def position(self, r: Json, now_ns: int) -> PositionEvent:
        """A one-way position."""
        m, _ = self._markets[r["symbol"]]
        size = Decimal(r["size"] or 0)
        entry = Decimal(r.get("entryPrice") or r.get("avgPrice") or 0)
        return PositionEvent(now_ns, m, -size if r["side"] == "Sell" else size, entry)


def read_instrument(info: Json, product: Product, maker: Decimal, taker: Decimal) -> Instrument:
    """An instrument from one row of `instruments-info`."""
    sizes = info["lotSizeFilter"]
    lot = Decimal(sizes.get("qtyStep") or sizes["basePrecision"]).normalize()
    most = sizes.get("maxLimitOrderQty") or sizes["maxOrderQty"]
    return Instrument(
        symbol=info["symbol"],
        product=product,
        base=info["baseCoin"],
        quote=info["quoteCoin"],
        tick=Decimal(info["priceFilter"]["tickSize"]).normalize(),
        lot=lot,
        min_notional=Decimal(sizes.get("minNotionalValue") or sizes.get("minOrderAmt") or 0),
        min_qty=Lots(max(1, int(Decimal(sizes["minOrderQty"]) / lot))),
        max_qty=Lots(int(Decimal(most) / lot)),
        maker=maker,
        taker=taker,
    )
