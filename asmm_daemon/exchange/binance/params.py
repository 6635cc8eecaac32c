"""Request parameters, read as Binance reads them: its messages for what is missing or malformed."""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal

from asmm_daemon.exchange.binance.errors import ApiError

DECIMAL_RANGE = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
CLIENT_ID_RANGE = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"
_LAST_MS = 10**14
_DECIMAL = re.compile(DECIMAL_RANGE)
_CLIENT_ID = re.compile(CLIENT_ID_RANGE)
_INTEGER = re.compile(r"^-?[0-9]{1,19}$")


class Params:
    """One request's parameters by name, each value as the text that arrived."""

    __slots__ = ("values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self.values = values

    def has(self, name: str) -> bool:
        """Whether the parameter was sent."""
        return name in self.values

    def text(self, name: str) -> str:
        """A mandatory parameter."""
        value = self.values.get(name)
        if value is None:
            raise ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed.")
        if value == "":
            raise ApiError(-1105, f"Parameter '{name}' was empty.")
        return value

    def optional(self, name: str) -> str | None:
        """A parameter that may be left out, but not sent empty."""
        return self.text(name) if name in self.values else None

    def decimal(self, name: str) -> Decimal:
        """A mandatory non-negative decimal."""
        value = self.text(name)
        if not _DECIMAL.match(value):
            raise ApiError(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '{DECIMAL_RANGE}'."
            )
        return Decimal(value)

    def optional_decimal(self, name: str) -> Decimal | None:
        """A decimal that may be left out."""
        return self.decimal(name) if name in self.values else None

    def integer(self, name: str) -> int:
        """A mandatory whole number."""
        value = self.text(name)
        if not _INTEGER.match(value):
            raise ApiError(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '^[0-9]{{1,20}}$'."
            )
        return int(value)

    def optional_integer(self, name: str) -> int | None:
        """A whole number that may be left out."""
        return self.integer(name) if name in self.values else None

    def time_ms(self, name: str) -> int:
        """A mandatory time in milliseconds; it may be written in microseconds."""
        value = self.integer(name)
        return value // 1000 if value > _LAST_MS else value

    def optional_time_ms(self, name: str) -> int | None:
        """A time that may be left out."""
        return self.time_ms(name) if name in self.values else None

    def flag(self, name: str) -> bool:
        """A true/false parameter in any case, false when left out."""
        value = self.optional(name)
        if value is None:
            return False
        if value.lower() not in ("true", "false"):
            raise ApiError(-1130, f"Data sent for parameter '{name}' is not valid.")
        return value.lower() == "true"

    def client_id(self, name: str) -> str | None:
        """A client's own order id, in the characters and length that the venue allows."""
        value = self.optional(name)
        if value is not None and not _CLIENT_ID.match(value):
            raise ApiError(
                -1100, f"Illegal characters found in parameter '{name}'; legal range is '{CLIENT_ID_RANGE}'."
            )
        return value

    def limit(self, default: int, maximum: int) -> int:
        """The `limit` of a list request, capped at the endpoint's maximum."""
        value = self.optional_integer("limit")
        if value is None:
            return default
        if value < 1:
            raise ApiError(-1130, "Data sent for parameter 'limit' is not valid.")
        return min(value, maximum)

    def only(self, known: Iterable[str]) -> None:
        """Refuses parameters that the endpoint does not read."""
        allowed = set(known)
        read = sum(1 for name in self.values if name in allowed)
        if read != len(self.values):
            raise ApiError(
                -1104,
                "Not all sent parameters were read; "
                f"read '{read}' parameter(s) but was sent '{len(self.values)}'.",
            )
