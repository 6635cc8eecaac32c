"""What a failed request means: refused for certain, never sent, or nobody knows."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
import ccxt

from asmm_daemon.errors import VenueError
from asmm_daemon.events import Cause
from asmm_daemon.units import Product

_BINANCE: Final[dict[str, Cause]] = {
    "-1003": Cause.RATE_LIMIT,
    "-1013": Cause.FILTER,
    "-1015": Cause.RATE_LIMIT,
    "-1021": Cause.CLOCK,
    "-1022": Cause.AUTH,
    "-1111": Cause.FILTER,
    "-1121": Cause.FILTER,
    "-2011": Cause.NOT_FOUND,
    "-2013": Cause.NOT_FOUND,
    "-2014": Cause.AUTH,
    "-2015": Cause.AUTH,
    "-2018": Cause.BALANCE,
    "-2019": Cause.BALANCE,
    "-2021": Cause.POST_ONLY,
    "-2022": Cause.REDUCE_ONLY,
    "-4003": Cause.FILTER,
    "-4014": Cause.FILTER,
    "-4023": Cause.FILTER,
    "-4116": Cause.DUPLICATE_ID,
    "-4164": Cause.FILTER,
    "-4400": Cause.REDUCE_ONLY,
    "-5022": Cause.POST_ONLY,
}
_BYBIT: Final[dict[str, Cause]] = {
    "10002": Cause.CLOCK,
    "10003": Cause.AUTH,
    "10004": Cause.AUTH,
    "10005": Cause.AUTH,
    "10006": Cause.RATE_LIMIT,
    "10010": Cause.AUTH,
    "10018": Cause.RATE_LIMIT,
    "33004": Cause.AUTH,
    "110001": Cause.NOT_FOUND,
    "110003": Cause.FILTER,
    "110004": Cause.BALANCE,
    "110007": Cause.BALANCE,
    "110012": Cause.BALANCE,
    "110017": Cause.REDUCE_ONLY,
    "110072": Cause.DUPLICATE_ID,
    "110094": Cause.FILTER,
    "170130": Cause.FILTER,
    "170131": Cause.BALANCE,
    "170136": Cause.FILTER,
    "170140": Cause.FILTER,
    "170141": Cause.DUPLICATE_ID,
    "170142": Cause.NOT_FOUND,
    "170213": Cause.NOT_FOUND,
    "170218": Cause.POST_ONLY,
}
_UNTOLD: Final = {"-1000", "-1001", "-1006", "-1007", "-1008", "10000", "10016", "170001", "170007", "170146"}
"""Codes after which the request may have been executed."""
_PHRASES: Final = (
    ("immediately match", Cause.POST_ONLY),
    ("insufficient balance", Cause.BALANCE),
    ("margin is insufficient", Cause.BALANCE),
    ("duplicate", Cause.DUPLICATE_ID),
    ("self-trade", Cause.SELF_TRADE),
    ("market is closed", Cause.MAINTENANCE),
    ("maintenance", Cause.MAINTENANCE),
    ("filter failure", Cause.FILTER),
)
_TYPES: Final = (
    (ccxt.OrderImmediatelyFillable, Cause.POST_ONLY),
    (ccxt.InsufficientFunds, Cause.BALANCE),
    (ccxt.OrderNotFound, Cause.NOT_FOUND),
    (ccxt.DuplicateOrderId, Cause.DUPLICATE_ID),
    (ccxt.InvalidNonce, Cause.CLOCK),
    (ccxt.AuthenticationError, Cause.AUTH),
    (ccxt.RateLimitExceeded, Cause.RATE_LIMIT),
    (ccxt.DDoSProtection, Cause.RATE_LIMIT),
    (ccxt.OnMaintenance, Cause.MAINTENANCE),
)


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed request. `certain`: the venue did not act on it."""

    certain: bool
    cause: Cause
    code: str
    message: str
    banned: bool = False
    data: Any = None
    """What a reply to a request with several parts says of each."""


UNSUPPORTED: Final = Failure(True, Cause.OTHER, "unsupported", "this product has no such request")


class Refused(VenueError):
    """A request that failed, with what that means."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message, code=failure.code, retry=failure.cause is not Cause.AUTH)
        self.failure = failure


class HttpFault(Exception):
    """An error response as it came: status, the venue's code and words, ccxt's view of it."""

    def __init__(
        self, status: int, code: str, message: str, kind: type[BaseException], data: Any = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.kind = kind
        self.data = data


def read_code(body: object) -> tuple[str, str]:
    """The venue's error code and message of a decoded body, or two empty strings."""
    if not isinstance(body, Mapping):
        return "", ""
    code = body.get("code", body.get("retCode", body.get("ret_code", "")))
    words = body.get("msg", body.get("retMsg", body.get("ret_msg", "")))
    return str(code), str(words)


def judge(error: BaseException, product: Product) -> Failure:
    """What an exception of a request means."""
    if isinstance(error, Refused):
        return error.failure
    if isinstance(error, HttpFault):
        return _judge_response(error, product)
    if isinstance(error.__cause__, aiohttp.ClientConnectorError):
        return Failure(True, Cause.OTHER, "connect", f"cannot connect: {error.__cause__}")
    if isinstance(error, ccxt.RequestTimeout):
        return Failure(False, Cause.OTHER, "timeout", "no answer in time")
    return Failure(False, Cause.OTHER, type(error).__name__, str(error) or type(error).__name__)


def _judge_response(fault: HttpFault, product: Product) -> Failure:
    if fault.status in (418, 403) and not _is_verdict(fault):
        return Failure(True, Cause.RATE_LIMIT, str(fault.status), fault.message, banned=True)
    if fault.status == 429:
        return Failure(True, Cause.RATE_LIMIT, fault.code or "429", fault.message)
    code = fault.code or str(fault.status)
    if fault.status >= 500 or fault.code in _UNTOLD:
        return Failure(False, Cause.OTHER, code, fault.message)
    return Failure(True, _cause(fault, product), code, fault.message, data=fault.data)


def _is_verdict(fault: HttpFault) -> bool:
    return fault.status == 403 and fault.code not in ("", "403", "10009", "10018")


def _cause(fault: HttpFault, product: Product) -> Cause:
    text = fault.message.lower()
    for phrase, cause in _PHRASES:
        if phrase in text:
            return cause
    table = _BYBIT if product.startswith("bybit") else _BINANCE
    if fault.code in table:
        return table[fault.code]
    for kind, cause in _TYPES:
        if issubclass(fault.kind, kind):
            return cause
    return Cause.OTHER
