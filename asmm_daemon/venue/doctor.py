"""`asmm doctor`: what the venue itself says about our clock, key, filters, fees and protection."""

from asmm_daemon.clock import Clock
from asmm_daemon.errors import VenueError
from asmm_daemon.units import NS_PER_MS, NS_PER_S, wire
from asmm_daemon.venue.dialect import Dialect
from asmm_daemon.venue.limits import Priority
from asmm_daemon.venue.outcomes import Refused
from asmm_daemon.venue.protocol import Finding, VenueSettings
from asmm_daemon.venue.stream_client import MALFORMED

_SKEW_WARN_MS = 100.0


async def examine(dialect: Dialect, clock: Clock, settings: VenueSettings) -> list[Finding]:
    """All findings, the venue's own included; a question that fails is itself a finding."""
    found = [await _clock(dialect, clock)]
    found += [_market(dialect, m) for m in range(len(dialect.instruments))]
    try:
        found += await dialect.doctor()
    except (VenueError, *MALFORMED) as error:
        found.append(Finding("warn", "account", f"cannot be asked: {error}"))
    for m in range(len(dialect.instruments)):
        found.append(await _protection(dialect, m, settings))
        found.append(await _orders(dialect, m, settings))
    return found


async def _clock(dialect: Dialect, clock: Clock) -> Finding:
    try:
        server_ms, took_s = await dialect.server_ms()
    except Refused as error:
        return Finding("fail", "clock", f"the venue's time cannot be read: {error}")
    half_ns = took_s / 2 * clock.speed * NS_PER_S
    skew_ms = (server_ms * NS_PER_MS + half_ns - clock.now_ns()) / NS_PER_MS
    level = "ok" if abs(skew_ms) < _SKEW_WARN_MS * max(1.0, clock.speed) else "warn"
    return Finding(
        level, "clock", f"venue clock differs by {skew_ms:.0f} ms, round trip {took_s * 1e3:.1f} ms"
    )


def _market(dialect: Dialect, m: int) -> Finding:
    i = dialect.instruments[m]
    fees = f"maker {float(i.maker) * 1e4:g} bps, taker {float(i.taker) * 1e4:g} bps"
    least = f"at least {wire(i.qty(i.min_qty))} {i.base} and {wire(i.min_notional)} {i.quote}"
    return Finding("ok", i.symbol, f"tick {wire(i.tick)}, lot {wire(i.lot)}, {least}; {fees}")


async def _protection(dialect: Dialect, m: int, settings: VenueSettings) -> Finding:
    symbol = dialect.instruments[m].symbol
    if not dialect.capabilities.deadman:
        text = (
            "the venue has no dead-man's switch: after a lost link our orders rest until a path works again"
        )
        return Finding("warn", symbol, text)
    try:
        armed = await dialect.arm(m, settings.deadman_window_s)
        await dialect.arm(m, 0.0)
    except (Refused, *MALFORMED) as error:
        return Finding("warn", symbol, f"the dead-man's switch does not answer: {error}")
    if not armed:
        return Finding("warn", symbol, "unprotected: the dead-man's switch is not enabled for this account")
    return Finding("ok", symbol, f"dead-man's switch works, {settings.deadman_window_s:.0f} s")


async def _orders(dialect: Dialect, m: int, settings: VenueSettings) -> Finding:
    symbol = dialect.instruments[m].symbol
    try:
        listed = await dialect.open_orders(m, Priority.QUERY)
    except (Refused, *MALFORMED) as error:
        return Finding("fail", symbol, f"open orders cannot be listed: {error}")
    foreign = [o for o in listed if not o.cid.startswith(settings.cid_prefix)]
    if foreign:
        return Finding("warn", symbol, f"{len(foreign)} foreign open orders share this account and market")
    return Finding("ok", symbol, f"no foreign orders; {len(listed)} of ours open")
