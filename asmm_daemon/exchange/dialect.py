"""How a wire writes what the venue log must write the same way: ids and rejection codes."""

from typing import Protocol

from asmm_daemon.exchange.orders import Reject


class Dialect(Protocol):
    """Set as `Exchange.dialect` by the wire, so that log and client read the same ids and codes."""

    def oid(self, oid: int) -> str:
        """The order id as the client sees it."""

    def tid(self, tid: int) -> str:
        """The trade id as the client sees it."""

    def describe(self, reason: Reject, detail: str) -> tuple[str, str]:
        """(code, message) of a rejection as the client sees them."""


class PlainDialect:
    """Integers as they are, and reasons by their own names."""

    def oid(self, oid: int) -> str:
        """The integer."""
        return str(oid)

    def tid(self, tid: int) -> str:
        """The integer."""
        return str(tid)

    def describe(self, reason: Reject, detail: str) -> tuple[str, str]:
        """The reason and its detail."""
        return str(reason), detail
