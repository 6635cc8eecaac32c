"""Quantities of a market, in the integers that its venue counts in.

Prices travel as integer `Ticks`, quantities as integer `Lots`; floats live in features and policy
only. `Instrument` is the one place that converts between the wire's decimals and those integers.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Literal, NewType

from asmm_daemon.errors import UnitError

Ticks = NewType("Ticks", int)
Lots = NewType("Lots", int)

Product = Literal["binance", "binanceusdm", "bybit-spot", "bybit-linear"]
PRODUCTS: tuple[Product, ...] = ("binance", "binanceusdm", "bybit-spot", "bybit-linear")
Side = Literal[1, -1]
BUY: Side = 1
SELL: Side = -1

NS_PER_S = 1_000_000_000
NS_PER_MS = 1_000_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def utc_ns(text: str) -> int:
    """Nanoseconds since 1970 of an ISO 8601 moment, UTC unless it says otherwise.

    Raises ValueError, also for one that 64 bits of nanoseconds cannot name: before 1970 or after 2262.
    """
    moment = datetime.fromisoformat(text)
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since_ns = (aware - _EPOCH) // timedelta(microseconds=1) * 1_000
    if not 0 <= since_ns < 2**63:
        raise ValueError(f"{text}: not between 1970 and 2262")
    return since_ns


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a venue says about one market. Fee rates are fractions; a rebate is negative."""

    symbol: str
    product: Product
    base: str
    quote: str
    tick: Decimal
    lot: Decimal
    min_notional: Decimal
    min_qty: Lots
    max_qty: Lots
    maker: Decimal
    taker: Decimal

    @property
    def is_spot(self) -> bool:
        """Whether the base asset itself changes hands."""
        return self.product in ("binance", "bybit-spot")

    def price(self, ticks: int) -> Decimal:
        """Price in quote currency of a number of ticks."""
        return ticks * self.tick

    def qty(self, lots: int) -> Decimal:
        """Quantity in base currency of a number of lots."""
        return lots * self.lot

    def ticks(self, price: Decimal | str) -> Ticks:
        """Exact ticks of a price. Raises UnitError when the price is off the grid."""
        return Ticks(_exact(Decimal(price), self.tick, "price", self.symbol))

    def lots(self, qty: Decimal | str) -> Lots:
        """Exact lots of a quantity. Raises UnitError when the quantity is off the grid."""
        return Lots(_exact(Decimal(qty), self.lot, "quantity", self.symbol))

    def floor_ticks(self, price: Decimal) -> Ticks:
        """The highest grid price at or below `price`: how bids round."""
        return Ticks(int((price / self.tick).to_integral_value(ROUND_FLOOR)))

    def ceil_ticks(self, price: Decimal) -> Ticks:
        """The lowest grid price at or above `price`: how asks round."""
        return Ticks(int((price / self.tick).to_integral_value(ROUND_CEILING)))

    def floor_lots(self, qty: Decimal) -> Lots:
        """The largest grid quantity at or below `qty`."""
        return Lots(int((qty / self.lot).to_integral_value(ROUND_FLOOR)))

    def min_lots(self, ticks: int) -> Lots:
        """The smallest quantity that the venue accepts at a price: its minimum and its notional."""
        if ticks <= 0:
            return self.min_qty
        need = (self.min_notional / self.price(ticks) / self.lot).to_integral_value(ROUND_CEILING)
        return Lots(max(self.min_qty, int(need), 1))


def _exact(value: Decimal, step: Decimal, what: str, symbol: str) -> int:
    if not value.is_finite():
        raise UnitError(f"{symbol}: {what} {value} is not a number")
    count = value / step
    whole = count.to_integral_value()
    if count != whole:
        raise UnitError(f"{symbol}: {what} {value} is not a multiple of {step}")
    return int(whole)


def wire(value: Decimal) -> str:
    """A decimal as venues write it: plain notation, never an exponent."""
    return format(value, "f")
