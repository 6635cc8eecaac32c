"""What Binance spot answers to cancel-replace (STOP_ON_FAILURE): one outcome for each of the two halves.

The cancel goes first and the create only follows its success. Code -2022: the cancel failed, nothing was
created. Code -2021: the cancel succeeded, the create failed. Any other refusal came before both.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from asmm_daemon.events import Cause, OrderUpdate
from asmm_daemon.units import Product
from asmm_daemon.venue.outcomes import Failure, HttpFault, Refused, judge, read_code
from asmm_daemon.venue.stream_client import MALFORMED

T = TypeVar("T")
HALF_DONE = frozenset({"-2021", "-2022"})
"""Codes of replies whose data tells the two outcomes."""
_NOT_ATTEMPTED = Failure(
    True, Cause.NOT_ATTEMPTED, "not_attempted", "the venue tried nothing after the cancel failed"
)


@dataclass(frozen=True, slots=True)
class Replaced:
    """What became of a Replace."""

    ended: OrderUpdate | Failure
    """The old order as the venue ended it, or why its cancel failed."""
    created: str | Failure
    """The venue's id of the new order, or why there is none."""

    @classmethod
    def neither(cls, failure: Failure) -> "Replaced":
        """The request failed as a whole."""
        return cls(failure, failure)


def read_replaced(
    reply: Any,
    product: Product,
    read_ended: Callable[[Any], OrderUpdate],
    read_created: Callable[[Any], str],
) -> Replaced:
    """Both outcomes of a reply's data; a half that cannot be read is unknown, whatever the other says."""
    if not isinstance(reply, Mapping):
        return Replaced.neither(_unread(reply))
    return Replaced(
        _half(reply.get("cancelResult"), reply.get("cancelResponse"), product, read_ended),
        _half(reply.get("newOrderResult"), reply.get("newOrderResponse"), product, read_created),
    )


def _half(result: Any, body: Any, product: Product, read: Callable[[Any], T]) -> T | Failure:
    if result == "NOT_ATTEMPTED":
        return _NOT_ATTEMPTED
    if result == "FAILURE" and read_code(body)[0]:
        code, words = read_code(body)
        return judge(HttpFault(400, code, words, Exception), product)
    if result != "SUCCESS":
        return _unread(body)
    try:
        return read(body)
    except Refused as error:
        return error.failure
    except MALFORMED as error:
        return _unread(error)


def _unread(what: object) -> Failure:
    return Failure(False, Cause.OTHER, "malformed", f"the venue's reply cannot be read: {str(what)[:120]}")
