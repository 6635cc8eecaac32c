"""The grammar of market stream names."""

import re
from typing import NamedTuple

from asmm_daemon.exchange.binance.candles import INTERVALS_MS
from asmm_daemon.units import NS_PER_MS

_ALL = re.compile(r"^!(?P<kind>miniTicker|ticker|markPrice|bookTicker)(?P<arr>@arr)?(?P<fast>@1s)?$")
_ONE = re.compile(r"^(?P<symbol>[a-z0-9_]+)@(?P<rest>.+)$")
_DEPTH = re.compile(r"^depth(?P<levels>5|10|20)?(?:@(?P<speed>\d+)ms)?$")
_KLINE = re.compile(r"^kline_(?P<interval>\w+)$")
_CONTINUOUS = re.compile(r"^perpetual@continuousKline_(?P<interval>\w+)$")
_SPEEDS = {
    True: {"100": 100, None: 1000, "1000": 1000},
    False: {"0": 0, "100": 100, None: 250, "250": 250, "500": 500},
}
_PLAIN = {"trade", "aggTrade", "bookTicker", "miniTicker", "ticker", "avgPrice", "forceOrder", "rpiDepth"}


class StreamName(NamedTuple):
    """A parsed name. `symbol` is upper case, empty for all markets; `interval_ns` the push interval."""

    symbol: str
    kind: str
    interval_ns: int = 0
    levels: int = 0
    interval: str = ""


def parse(name: str, *, spot: bool) -> StreamName | None:
    """What a market stream name asks for; None when it is no stream of the product."""
    every = _ALL.match(name)
    if every:
        fast = 1000 if every["fast"] else 3000
        milli = {"markPrice": fast, "bookTicker": 0}.get(every["kind"], 1000)
        return StreamName("", every["kind"], milli * NS_PER_MS)
    one = _ONE.match(name)
    if not one:
        return None
    return _of_symbol(one["symbol"].upper(), one["rest"], spot=spot)


def _of_symbol(symbol: str, rest: str, *, spot: bool) -> StreamName | None:
    depth = _DEPTH.match(rest)
    if depth:
        milli = _SPEEDS[spot].get(depth["speed"])
        if milli is None:
            return None
        levels = int(depth["levels"] or 0)
        return StreamName(symbol, "partial" if levels else "depth", milli * NS_PER_MS, levels)
    if rest in ("markPrice", "markPrice@1s") and not spot:
        return StreamName(symbol, "markPrice", (1000 if rest.endswith("1s") else 3000) * NS_PER_MS)
    for pattern, kind in ((_KLINE, "kline"), (_CONTINUOUS, "continuousKline")):
        kline = pattern.match(rest)
        if kline:
            known = kline["interval"] in INTERVALS_MS
            milli = 2000 if spot else 250
            return StreamName(symbol, kind, milli * NS_PER_MS, interval=kline["interval"]) if known else None
    if rest not in _PLAIN:
        return None
    milli = {"miniTicker": 1000, "ticker": 1000, "avgPrice": 1000}.get(rest, 0)
    return StreamName(symbol, rest, milli * NS_PER_MS)
