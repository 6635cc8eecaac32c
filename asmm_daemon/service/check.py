"""What `asmm check` prints: the settings in effect, and what they mean for quotes and for the drawdown."""

import re
from collections.abc import Iterator
from decimal import Decimal

import orjson

from asmm_daemon.config import Config, Market
from asmm_daemon.core.params import to_record
from asmm_daemon.core.tables import GAMMAS, QuoteTable, quote_table
from asmm_daemon.service.sample import Sample, sample_of
from asmm_daemon.specs import quote_params
from asmm_daemon.units import Instrument, Lots

_COMMON = re.compile(r"^market\.\d+\.(?=quoting\.|limits\.|policy\.)")
"""What a market's setting bears before the name of the section that it overrides."""
SMALLEST_ORDER = 5
"""Quote currency; the spot venues take no order below it, derivatives ask for as much or more."""


def report(settings: Config, given: Sample | None = None) -> Iterator[str]:
    """Lines for a person. `given` replaces what the journal or an assumption would say of the market."""
    yield "in effect:"
    values = dict(_flat("", settings.public()))
    for name, value in values.items():
        common = values.get(_COMMON.sub("", name))
        if not _COMMON.match(name) or value != common:
            yield f"  {name} = {orjson.dumps(value).decode()}"
    yield f"config sha256 {settings.sha256()}"
    for market in settings.market:
        sample = given or sample_of(settings, market.symbol)
        yield from _market(settings, market, sample)


def _flat(prefix: str, value: object) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict):
        if not value:
            yield prefix, value
        for key, item in value.items():
            yield from _flat(f"{prefix}.{key}" if prefix else str(key), item)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, item in enumerate(value):
            yield from _flat(f"{prefix}.{index}", item)
    else:
        yield prefix, value


def _market(settings: Config, market: Market, sample: Sample) -> Iterator[str]:
    instrument = _instrument(settings, market.symbol, sample.price)
    table = quote_table(
        to_record(quote_params(market), instrument),
        price=sample.price,
        kappa=sample.kappa,
        sigma=sample.sigma,
        gammas=sorted({*GAMMAS, market.quoting.gamma}),
    )
    yield ""
    yield from table_lines(market.symbol, table, sample.source)
    yield "  the venue's fee is not in this table; the daemon adds it, and `asmm doctor` asks for it"
    yield from _too_small(market, sample.price)
    yield halting_move(settings, market, sample.price)


def _too_small(market: Market, price: float) -> Iterator[str]:
    limits = market.limits
    caps = {
        "limits.max_order": float(limits.max_order) * price,
        "limits.max_order_value": float(limits.max_order_value),
        "limits.max_inventory": float(limits.max_inventory) * price,
        "limits.max_exposure": float(limits.max_exposure),
    }
    for name, value in caps.items():
        if value < SMALLEST_ORDER:
            yield (
                f"  warning: {name} allows {value:.3g} quote currency at this price, and venues take "
                f"no order below about {SMALLEST_ORDER}: nothing would be quoted"
            )


def _instrument(settings: Config, symbol: str, price: float) -> Instrument:
    """Without a venue to ask: a tick of about a hundredth of a basis point, and no fees."""
    tick = Decimal(1).scaleb(Decimal(repr(price)).adjusted() - 5)
    return Instrument(
        symbol=symbol,
        product=settings.venue.name,
        base=symbol,
        quote="quote currency",
        tick=tick,
        lot=Decimal("0.001"),
        min_notional=Decimal(5),
        min_qty=Lots(1),
        max_qty=Lots(10**12),
        maker=Decimal(0),
        taker=Decimal(0),
    )


def table_lines(symbol: str, table: QuoteTable, source: str) -> Iterator[str]:
    """The table of half-spread, skew and crossing q per γ."""
    yield (
        f"{symbol} at {table.price:g}, σ {table.sigma:.4g} per √s, 1/κ {1 / table.kappa:.4g}, "
        f"τ {table.tau:.1f} s, risk lot {table.risk_lot:.4g} ({source}):"
    )
    yield "       γ  half-spread     bps   ticks   ×1/κ  skew per lot  crossing q"
    for row in table.rows:
        bps = row.half_spread / table.price * 1e4
        yield (
            f"  {row.gamma:6g}  {row.half_spread:11.5g} {bps:7.3f} {row.half_spread_ticks:7.1f}"
            f" {row.over_kappa:6.3f}  {row.skew_per_lot:12.5g}  {row.crossing_q:10.2f}"
        )
    yield from (f"  warning: {text}" for text in table.warnings)


def halting_move(settings: Config, market: Market, price: float) -> str:
    """How far the price must move against a full position until the drawdown switch halts."""
    exposure = min(float(market.limits.max_inventory) * price, float(market.limits.max_exposure))
    drawdown, capital = settings.account.drawdown_halt, settings.account.capital
    share = drawdown * float(capital) / exposure
    if share >= 1:
        return (
            f"{market.symbol}: full exposure ({exposure:.6g} quote currency) is too small for a drawdown of "
            f"{drawdown:.0%} of {capital}: even a move of 100% would not halt"
        )
    return (
        f"{market.symbol}: at full exposure ({exposure:.6g} quote currency) a move of {share:.2%} "
        f"against the position is a drawdown of {drawdown:.0%} of {capital} and halts"
    )
