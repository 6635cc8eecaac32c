"""Numbers and ids as Bybit writes them: decimal strings, milliseconds, UUID-like ids."""

import hashlib
import re
from decimal import Decimal

from asmm_daemon.units import NS_PER_MS

_NUMBER = re.compile(r"[+-]?[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)


class Scale:
    """Writes whole multiples of a step as decimals with the step's own number of places."""

    def __init__(self, step: Decimal) -> None:
        exponent = step.as_tuple().exponent
        assert isinstance(exponent, int)
        self.places = max(0, -exponent)
        self._base = 10**self.places
        self._unit = int(step * self._base)

    def text(self, count: int) -> str:
        """The decimal of `count` steps, e.g. 123 steps of 0.10 are "12.30"."""
        value = count * self._unit
        if self.places == 0:
            return str(value)
        sign = "-" if value < 0 else ""
        whole, part = divmod(abs(value), self._base)
        return f"{sign}{whole}.{part:0{self.places}d}"


def plain(value: Decimal) -> str:
    """A decimal without exponent and without trailing zeros, "0" for any zero."""
    if not value:
        return "0"
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def number(written: str) -> Decimal | None:
    """The decimal that a client wrote, None for what is no finite number."""
    return Decimal(written) if _NUMBER.fullmatch(written) else None


def ms(t_ns: int) -> int:
    """Milliseconds of a venue time."""
    return t_ns // NS_PER_MS


def conn_id(number: int, salt: str) -> str:
    """A connection id in the shape of the venue's ("cejreaspqfh3sjdnldmg-2m")."""
    digest = hashlib.blake2b(f"{salt}{number}".encode(), digest_size=10).hexdigest()
    return f"{digest}-{number:x}"
