"""Which dialect a product speaks, wired to a guarded ccxt instance."""

from typing import Any

from asmm_daemon.clock import Clock
from asmm_daemon.venue.binance import BinanceDialect
from asmm_daemon.venue.bybit import BybitDialect
from asmm_daemon.venue.dialect import Dialect
from asmm_daemon.venue.gateway import make_exchange
from asmm_daemon.venue.limits import Limiter
from asmm_daemon.venue.protocol import VenueSettings
from asmm_daemon.venue.requests import Requests


def connection(
    settings: VenueSettings, clock: Clock, *, limited: bool = True
) -> tuple[Any, Requests, Dialect]:
    """A ccxt instance, its requests under a limiter, and the dialect on top.

    Without limits only the venue's own word (Retry-After) holds a request back.
    """
    limiter = Limiter(clock, {}, settings.cancel_reserve, limited=limited)
    exchange = make_exchange(settings, clock)
    requests = Requests(exchange, limiter, clock, settings.product)
    exchange.asmm_watch = requests
    if settings.product.startswith("bybit"):
        return exchange, requests, BybitDialect(requests, settings, clock)
    return exchange, requests, BinanceDialect(requests, settings, clock)
