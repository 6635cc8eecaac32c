"""ccxt instances with our guards: scaled clock, own addresses, response facts, guarded sockets."""

import re
from collections.abc import Mapping
from typing import Any, Protocol, cast

from ccxt.pro.binance import binance
from ccxt.pro.binanceusdm import binanceusdm
from ccxt.pro.bybit import bybit

from asmm_daemon.clock import Clock
from asmm_daemon.units import NS_PER_MS, NS_PER_S, Product
from asmm_daemon.venue.outcomes import HttpFault, read_code
from asmm_daemon.venue.protocol import VenueSettings
from asmm_daemon.venue.stream_client import MALFORMED, StreamClient

_MIN_TIMEOUT_MS = 1000.0
"""The transport itself runs in real time, however fast venue time runs."""


class ResponseWatch(Protocol):
    """Is told each response's status and headers, refused ones included."""

    def on_response(self, status: int, headers: Mapping[str, str]) -> None:
        """Takes note; must not raise."""


class _Guarded:
    """Overrides that make a ccxt class fit to trust. Mixed in before the ccxt class."""

    asmm_clock: Clock
    asmm_skew_ns: int = 0
    asmm_watch: ResponseWatch | None = None

    def asmm_now_ns(self) -> int:
        """The time that the venue expects in signatures."""
        return self.asmm_clock.now_ns() + self.asmm_skew_ns

    def milliseconds(self) -> int:
        return self.asmm_now_ns() // NS_PER_MS

    def microseconds(self) -> int:
        return self.asmm_now_ns() // 1000

    def seconds(self) -> int:
        return self.asmm_now_ns() // NS_PER_S

    def nonce(self) -> int:
        return self.milliseconds()

    def delay(self, timeout: float, method: Any, *args: Any) -> Any:
        return cast("Any", super()).delay(self.asmm_clock.real_s(timeout), method, *args)

    def ws_dial_delay(self, url: str) -> float:  # noqa: ARG002  (ccxt's signature)
        """No back-off of ccxt's own: the streams have theirs."""
        return 0.0

    def client(self, url: str) -> StreamClient:
        clients: dict[str, StreamClient] = cast("Any", self).clients
        known = url in clients
        made = cast("Any", super()).client(url)
        if not known:
            made.__class__ = StreamClient
        return cast("StreamClient", made)

    def handle_errors(
        self,
        status: int,
        reason: str,
        url: str,
        method: str,
        headers: Mapping[str, str],
        body: str,
        response: Any,
        request_headers: Any,
        request_body: Any,
    ) -> None:
        if self.asmm_watch is not None:
            self.asmm_watch.on_response(status, headers)
        code, words = read_code(response)
        data = response.get("data") if isinstance(response, Mapping) else None
        try:
            cast("Any", super()).handle_errors(
                status, reason, url, method, headers, body, response, request_headers, request_body
            )
        except MALFORMED as error:
            raise HttpFault(status, code, words or body[:200] or reason, type(error), data) from None
        if status >= 400:
            raise HttpFault(status, code, words or (body or reason)[:200], Exception, data)


class GuardedBinance(_Guarded, binance):  # type: ignore[misc]  # ccxt is untyped
    """Binance spot."""


class GuardedUsdm(_Guarded, binanceusdm):  # type: ignore[misc]  # ccxt is untyped
    """Binance USD-M futures."""


class GuardedBybit(_Guarded, bybit):  # type: ignore[misc]  # ccxt is untyped
    """Bybit v5, spot and linear."""


_CLASSES: dict[Product, Any] = {
    "binance": GuardedBinance,
    "binanceusdm": GuardedUsdm,
    "bybit-spot": GuardedBybit,
    "bybit-linear": GuardedBybit,
}


def make_exchange(settings: VenueSettings, clock: Clock, watch: ResponseWatch | None = None) -> Any:
    """A ccxt instance of the product. Needs no running loop until its first request."""
    exchange = _CLASSES[settings.product](
        {
            "apiKey": settings.key,
            "secret": settings.secret,
            "enableRateLimit": False,
            "timeout": max(settings.timeout_s * 1000 / clock.speed, _MIN_TIMEOUT_MS),
            "enableLastHttpResponse": False,
            "enableLastJsonResponse": False,
            "options": {
                "recvWindow": settings.receive_window_ms(clock.speed),
                "fetchCurrencies": False,
                "fetchMargins": False,
                "maxRetriesOnFailure": 0,
                "ws": {"keepAlive": settings.keepalive_s * 1000, "compress": 0},
            },
        }
    )
    exchange.asmm_clock = clock
    exchange.asmm_watch = watch
    exchange.timeout_on_exit = 0
    if settings.sandbox:
        if settings.product == "binanceusdm":
            exchange.enable_demo_trading(True)
        else:
            exchange.set_sandbox_mode(True)
    _repoint(exchange, settings)
    return exchange


def _repoint(exchange: Any, settings: VenueSettings) -> None:
    api = exchange.urls["api"]
    for name, address in api.items():
        if isinstance(address, str) and settings.rest_url:
            api[name] = rebase(address, settings.rest_url)
    if settings.ws_url:
        api["ws"] = _rebase_tree(api["ws"], settings.ws_url)
        if settings.product == "binance":
            api["ws"]["spot"] = settings.ws_url.rstrip("/") + "/stream"


def _rebase_tree(tree: Any, root: str) -> Any:
    if isinstance(tree, str):
        return rebase(tree, root)
    return {name: _rebase_tree(branch, root) for name, branch in tree.items()}


def rebase(address: str, root: str) -> str:
    """The same path under another root."""
    path = re.sub(r"^[a-z]+://[^/]+", "", address)
    return root.rstrip("/") + path
