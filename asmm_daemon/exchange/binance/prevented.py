"""Matches of an account with itself that self-trade prevention stopped, as spot records them.

Source: https://developers.binance.com/docs/binance-spot-api-docs/faqs/stp_faq
"""

from dataclasses import dataclass
from typing import Any

from asmm_daemon.exchange.binance import tags
from asmm_daemon.exchange.binance.decimals import SPOT_PLACES, fixed
from asmm_daemon.exchange.binance.recent import Recent
from asmm_daemon.exchange.orders import OrderRecord, Stp
from asmm_daemon.units import NS_PER_MS


@dataclass(frozen=True, slots=True)
class Prevented:
    """One prevented match; the taker's mode says whose quantity expired."""

    number: int
    taker: OrderRecord
    maker: OrderRecord
    t_ns: int


class PreventedMatches:
    """The latest prevented matches of all accounts."""

    def __init__(self) -> None:
        self._all: Recent[tuple[int, int], Prevented] = Recent()
        self._count = 0

    def of_pair(self, order: OrderRecord, met: OrderRecord, t_ns: int) -> Prevented:
        """The match of an order with the one that it met, noted when it is new: the later one took."""
        maker, taker = sorted((order, met), key=lambda each: each.oid)
        key = taker.oid, maker.oid
        if key not in self._all:
            self._all[key] = Prevented(self._count, taker, maker, t_ns)
            self._count += 1
        return self._all[key]

    def of(self, account: str, symbol: str, oid: int | None, number: int | None) -> list[Prevented]:
        """An account's matches on a symbol, of one order or by number, the oldest first."""
        return [
            match
            for match in self._all.values()
            if (match.taker.account, match.taker.symbol) == (account, symbol)
            and oid in (None, match.taker.oid, match.maker.oid)
            and number in (None, match.number)
        ]


def brief(match: Prevented) -> dict[str, Any]:
    """As the answer to the taker's order shows it."""
    body: dict[str, Any] = {
        "preventedMatchId": match.number,
        "makerOrderId": match.maker.oid,
        "price": fixed(match.maker.price, SPOT_PLACES),
    }
    if match.taker.stp in (Stp.TAKER, Stp.BOTH):
        body["takerPreventedQuantity"] = fixed(match.taker.qty - match.taker.filled, SPOT_PLACES)
    if match.taker.stp in (Stp.MAKER, Stp.BOTH):
        body["makerPreventedQuantity"] = fixed(match.maker.qty - match.maker.filled, SPOT_PLACES)
    return body


def listed(match: Prevented) -> dict[str, Any]:
    """As `myPreventedMatches` lists it."""
    return {
        "symbol": match.taker.symbol,
        "takerOrderId": match.taker.oid,
        "makerSymbol": match.maker.symbol,
        "tradeGroupId": -1,
        "selfTradePreventionMode": tags.STP_NAMES[match.taker.stp],
        "transactTime": match.t_ns // NS_PER_MS,
        **brief(match),
    }
