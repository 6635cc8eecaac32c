"""Frozen views as plain JSON, and numbers for a person to read.

In JSON decimals are wire strings, and numbers that are not known are null.
"""

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any

from asmm_daemon.units import wire

_DIGITS = Decimal("1e-6")


def short(value: Decimal | str) -> str:
    """A decimal for a person: six places, no trailing zeros."""
    return f"{Decimal(value).quantize(_DIGITS).normalize() + 0:f}"


def plain(value: Any) -> Any:
    """JSON-ready copy of dataclasses, mappings, sequences, decimals and floats."""
    if isinstance(value, Decimal):
        return wire(value)
    if isinstance(value, float):
        return value if isfinite(value) else None
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, (str, int)):
        return value
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in value]
    return value.item() if hasattr(value, "item") else str(value)
