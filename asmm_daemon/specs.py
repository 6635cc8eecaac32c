"""From the configuration to what the engine is told."""

from collections.abc import Sequence
from dataclasses import fields
from math import nan
from typing import Any

from asmm_daemon.config import Config, Market
from asmm_daemon.config_sections import Account, Limits, Quoting
from asmm_daemon.core.params import Model, QuoteParams, TauMode
from asmm_daemon.core.policy import Policy
from asmm_daemon.core.spec import AccountLimits, MarketLimits, MarketSpec
from asmm_daemon.errors import ConfigError
from asmm_daemon.units import Instrument

HEARTBEAT_STALE_S = 4.0
"""Where the venue repeats the best prices every 3 s, a book may be that old and a little more."""


def quote_params(market: Market) -> QuoteParams:
    """The quoting knobs of one market."""
    quoting, limits = market.quoting, market.limits
    values = _common(quoting, QuoteParams)
    values |= {
        "model": Model[quoting.model.upper()],
        "tau_mode": TauMode[quoting.tau_mode.upper()],
        "inventory_target": nan if quoting.inventory_target == "auto" else quoting.inventory_target,
        "max_inventory": float(limits.max_inventory),
        "max_exposure": float(limits.max_exposure),
        "max_order": float(limits.max_order),
        "collar_bps": limits.collar_bps,
    }
    return QuoteParams(**values)


def market_limits(market: Market, *, heartbeat: bool) -> MarketLimits:
    """The limits of one market; a venue with a heartbeat proves its book more rarely."""
    limits = market.limits
    values = _common(limits, MarketLimits)
    values |= {
        "tolerance_ticks": market.quoting.tolerance_ticks,
        "repeat_rearm_s": limits.repeat_rearm_s or None,
        "stale_after_s": max(limits.stale_after_s, HEARTBEAT_STALE_S) if heartbeat else limits.stale_after_s,
    }
    return MarketLimits(**values)


def account_limits(config: Config) -> AccountLimits:
    """The limits over all markets."""
    values = _common(config.account, AccountLimits)
    values["asset_prices"] = tuple(sorted(config.account.asset_prices.items()))
    return AccountLimits(**values)


def market_spec(
    market: Market,
    instrument: Instrument,
    policy: Policy,
    *,
    can_amend: bool,
    can_replace: bool = False,
    heartbeat: bool,
) -> MarketSpec:
    """Everything about one market."""
    return MarketSpec(
        instrument=instrument,
        quote=quote_params(market),
        limits=market_limits(market, heartbeat=heartbeat),
        policy=policy,
        can_amend=can_amend,
        can_replace=can_replace,
    )


def check_sizes(market_specs: Sequence[MarketSpec]) -> None:
    """Refuses sizes that the venue's filters or our own limits make impossible."""
    for spec in market_specs:
        instrument, quote = spec.instrument, spec.quote
        lot = float(instrument.lot)
        if not quote.size_in_quote and quote.order_size < lot * instrument.min_qty:
            raise ConfigError(
                f"quoting.order_size = {quote.order_size:g}: {instrument.symbol} takes at least "
                f"{lot * instrument.min_qty:g} {instrument.base}"
            )
        if quote.size_in_quote and quote.order_size < float(instrument.min_notional):
            raise ConfigError(
                f"quoting.order_size = {quote.order_size:g} {instrument.quote}: {instrument.symbol} takes "
                f"at least {instrument.min_notional} {instrument.quote} an order"
            )
        if quote.max_order < lot:
            raise ConfigError(f"limits.max_order = {quote.max_order:g}: less than one lot of {lot:g}")


def _common(section: Quoting | Limits | Account, target: type[Any]) -> dict[str, Any]:
    """The settings that carry the same name on both sides."""
    names = {field.name for field in fields(target)}
    return {name: getattr(section, name) for name in type(section).model_fields if name in names}
