"""Order and trade ids as the venue shows them: UUIDs for contracts, long numbers for spot.

Both are reversible, so that a client's id finds the exchange's own integer without a table.
"""

import hashlib
from typing import Literal

from asmm_daemon.exchange.bybit.codes import Category

Kind = Literal["order", "trade"]
_SPOT_BASE: dict[Kind, int] = {"order": 1_000_000_000_000_000_000, "trade": 2_000_000_000_000_000_000}
_LOW = (1 << 48) - 1
MAX_ID = (1 << 62) - 1
"""Largest id that fits both shapes."""


def venue_id(number: int, kind: Kind, category: Category) -> str:
    """The text of an id. Raises ValueError for one that does not fit (see `MAX_ID`)."""
    if not 0 <= number <= MAX_ID:
        raise ValueError(f"{kind} id {number} is outside 0..{MAX_ID}")
    if category == "spot":
        return str(_SPOT_BASE[kind] + number)
    noise = hashlib.blake2b(f"{kind}{number}".encode(), digest_size=8).hexdigest()
    high = number >> 48
    return f"{noise[:8]}-{noise[8:12]}-4{high >> 12:03x}-8{high & 0xFFF:03x}-{number & _LOW:012x}"


def own_id(text: str, kind: Kind, category: Category) -> int | None:
    """The integer behind an id that this venue wrote; None for any other text."""
    if category == "spot":
        if not text.isascii() or not text.isdigit():
            return None
        number = int(text) - _SPOT_BASE[kind]
    else:
        parts = text.split("-")
        if [len(part) for part in parts] != [8, 4, 4, 4, 12]:
            return None
        try:
            number = int(parts[2][1:] + parts[3][1:] + parts[4], 16)
        except ValueError:
            return None
    return number if 0 <= number <= MAX_ID and venue_id(number, kind, category) == text else None
