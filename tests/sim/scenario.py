"""A scripted market with a baseline that quotes at once, and takers to hit it."""

from decimal import Decimal

from asmm_daemon.core.params import Model, QuoteParams
from asmm_daemon.core.spec import MarketLimits
from tests.sim.driver import Sim, spec
from tests.sim.script_feed import ScriptFeed

D = Decimal
FALL = 299_000
RISE = 301_000


def make(seconds=40, *, trades=(), path=lambda _: 300_000, quiet=(), account=None, **changes):
    """A scripted market with a baseline that quotes at once; changes go to limits or quoting."""
    feed = ScriptFeed(seconds, path=path, trades=trades, quiet=quiet)
    knobs = {
        "model": Model.CONSTANT_SPREAD,
        "constant_half_spread_bps": 1.0,
        "order_size": 0.05,
        "max_inventory": 0.3,
    }
    limits = {"max_inventory": D("0.3"), "max_exposure": D(100_000), "repeat_fills": 1000}
    for name, value in changes.items():
        (limits if name in MarketLimits.__slots__ else knobs)[name] = value
    knobs["max_inventory"] = float(limits["max_inventory"])
    market = spec(feed.instruments[0], quote=QuoteParams(**knobs), limits=MarketLimits(**limits))
    return Sim(feed, specs=[market], account=account)


def sweep(start, count, side, every_s=1.0, lots=60):
    """Takers of one side only."""
    return [(start + k * every_s, side, FALL if side < 0 else RISE, lots) for k in range(count)]


def both(start, count, every_s=0.7):
    """Takers of both sides in turn."""
    return [(start + k * every_s, 1 - 2 * (k % 2), FALL if k % 2 else RISE, 40) for k in range(count)]
