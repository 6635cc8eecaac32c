"""Integers of a step as the fixed-point text that Binance writes.

Spot writes every price and quantity with 8 places; USD-M writes prices and quantities with the
symbol's precision. Formatting is integer arithmetic, since the streams do it for every level.
"""

from decimal import ROUND_DOWN, Decimal
from functools import lru_cache

from asmm_daemon.units import Instrument, wire

SPOT_PLACES = 8


@lru_cache(maxsize=64)
def places(step: Decimal) -> int:
    """How many decimals a step needs."""
    exponent = step.normalize().as_tuple().exponent
    return max(0, -int(exponent))


class Scale:
    """Counts of `step` as text with `digits` decimals."""

    __slots__ = ("digits", "factor", "step")

    def __init__(self, step: Decimal, digits: int) -> None:
        if digits < places(step):
            raise ValueError(f"{digits} decimals cannot write a step of {step}")
        self.step = step
        self.digits = digits
        self.factor = int(step.scaleb(digits))

    def text(self, count: int) -> str:
        """The decimal text of `count` steps."""
        value = count * self.factor
        if self.digits == 0:
            return str(value)
        sign = "-" if value < 0 else ""
        padded = str(abs(value)).rjust(self.digits + 1, "0")
        return f"{sign}{padded[: -self.digits]}.{padded[-self.digits :]}"


class Scales:
    """How one symbol's prices, quantities and amounts are written on one product's wire."""

    __slots__ = ("amount_digits", "price", "qty")

    def __init__(self, instrument: Instrument) -> None:
        if instrument.is_spot:
            self.price = Scale(instrument.tick, SPOT_PLACES)
            self.qty = Scale(instrument.lot, SPOT_PLACES)
        else:
            self.price = Scale(instrument.tick, max(2, places(instrument.tick)))
            self.qty = Scale(instrument.lot, places(instrument.lot))
        self.amount_digits = SPOT_PLACES

    def amount(self, value: Decimal) -> str:
        """A balance, fee or notional, cut to the wire's 8 decimals."""
        return fixed(value, self.amount_digits)


def fixed(value: Decimal, digits: int) -> str:
    """A decimal with exactly `digits` places, the rest cut off."""
    return wire(value.quantize(Decimal(1).scaleb(-digits), ROUND_DOWN))


def plain(value: Decimal) -> str:
    """A decimal without trailing zeros or exponent, as USD-M events write sums."""
    if value == 0:
        return "0"
    return wire(value.normalize())
