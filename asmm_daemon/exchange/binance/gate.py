"""Admission of requests: request weight, order counts, API key, timestamp, signature."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote_plus, urlencode

from asmm_daemon.exchange.binance import errors
from asmm_daemon.exchange.binance.endpoint import Endpoint, Security
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.keys import ApiKey, KeyRing, fresh
from asmm_daemon.exchange.limits import Bans, Budget, Limit, Usage
from asmm_daemon.units import NS_PER_MS, Product

DEFAULT_WINDOW_MS = 5000
MAX_WINDOW_MS = 60_000
_SIGNATURE = re.compile(rb"(^|&)signature=[^&]*")
LIMITS: dict[Product, tuple[Limit, ...]] = {
    "binance": (Limit("1m", 6000, 60), Limit("10s", 100, 10), Limit("1d", 200_000, 86_400)),
    "binanceusdm": (Limit("1m", 2400, 60), Limit("10s", 300, 10), Limit("1m", 1200, 60)),
}
_SPAN = {"10s": "10 SECOND", "1m": "1 MINUTE", "1d": "1 DAY"}


@dataclass(frozen=True, slots=True)
class Signed:
    """What a request was signed with: its key, and every payload that its signature may stand for."""

    key: str | None
    payloads: tuple[bytes, ...]


def rest_payloads(query: bytes, body: bytes) -> tuple[bytes, ...]:
    """What a REST request may have signed: query and body without the signature, as sent.

    Where a client library re-quoted the address after signing, also decoded, and encoded anew.
    """
    raw = _SIGNATURE.sub(b"", query) + _SIGNATURE.sub(b"", body)
    text = raw.decode("utf-8", "replace")
    plain = unquote_plus(text)
    if plain == text:
        return (raw,)
    return raw, plain.encode(), urlencode(parse_qsl(text, keep_blank_values=True)).encode()


class Gate:
    """Counts and checks requests of one product."""

    def __init__(self, product: Product, keys: KeyRing) -> None:
        weight, short, long = LIMITS[product]
        self.keys = keys
        self.weight = Budget(weight)
        self.orders = (Budget(short), Budget(long))
        self.bans = Bans()

    def charge(self, address: str, weight: int, t_ns: int) -> Usage:
        """Counts a request's weight; raises the 429 or 418 of an address that used too much."""
        banned_s = self.bans.banned_s(address, t_ns)
        cap = self.weight.limit.cap
        if banned_s > 0:
            raise errors.too_much_weight(cap, _whole(banned_s), _until_ms(t_ns, banned_s), banned=True)
        usage = self.weight.charge(address, weight, t_ns)
        if usage.ok:
            self.bans.passed(address)
            return usage
        if self.bans.refused(address, t_ns):
            banned_s = self.bans.banned_s(address, t_ns)
            raise errors.too_much_weight(cap, _whole(banned_s), _until_ms(t_ns, banned_s), banned=True)
        wait_s = usage.retry_after_s
        raise errors.too_much_weight(cap, _whole(wait_s), _until_ms(t_ns, wait_s), banned=False)

    def charge_orders(self, account: str, count: int, t_ns: int) -> None:
        """Counts new orders of an account; raises -1015 past either limit."""
        for budget in self.orders:
            usage = budget.charge(account, count, t_ns)
            if not usage.ok:
                span = _SPAN[budget.limit.name]
                raise errors.too_many_orders(usage.cap, span, _whole(usage.retry_after_s))

    def order_counts(self, account: str, t_ns: int) -> dict[str, int]:
        """Orders counted per window ("10s", "1m", "1d")."""
        return {b.limit.name: b.peek(account, t_ns).used for b in self.orders}

    def authorise(self, endpoint: Endpoint, params: Params, signed: Signed, now_ms: int) -> ApiKey | None:
        """The key behind a request, checked as far as the endpoint asks."""
        if endpoint.security is Security.NONE:
            return None
        if signed.key is None:
            raise errors.bad_key_format()
        key = self.keys.get(signed.key)
        if key is None or (endpoint.security is Security.TRADE and not key.can_trade):
            raise errors.rejected_key()
        if endpoint.security.signed:
            self._check_time(params, now_ms)
            signature = params.text("signature")
            if not any(key.signed(payload, signature) for payload in signed.payloads):
                raise errors.bad_signature()
        return key

    def _check_time(self, params: Params, now_ms: int) -> None:
        timestamp = params.time_ms("timestamp")
        window = params.optional_decimal("recvWindow")
        window_ms = DEFAULT_WINDOW_MS if window is None else int(window)
        if window_ms > MAX_WINDOW_MS:
            raise ApiError(-1131, "recvWindow must be less than 60000")
        if not fresh(timestamp, window_ms, now_ms):
            raise errors.outside_window(ahead=timestamp >= now_ms + 1000)


def _whole(seconds: float) -> int:
    return max(1, int(seconds + 0.999))


def _until_ms(t_ns: int, seconds: float) -> int:
    return t_ns // NS_PER_MS + int(seconds * 1000)
