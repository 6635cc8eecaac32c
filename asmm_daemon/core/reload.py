"""New parameters and limits between two events: all of them or none, each change journaled."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from typing import Any

from asmm_daemon.core.account import Account
from asmm_daemon.core.outbox import Outbox
from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.core.records import RecordKind
from asmm_daemon.core.risk import Gate
from asmm_daemon.core.spec import AccountLimits, MarketLimits, MarketSpec
from asmm_daemon.errors import ConfigError


def apply_specs(
    account: Account, gate: Gate, outbox: Outbox, specs: Sequence[MarketSpec], limits: AccountLimits
) -> None:
    """Swaps everything at once. Raises ConfigError, having changed nothing, when markets differ."""
    running = [desk.spec.instrument.symbol for desk in account.desks]
    asked = [spec.instrument.symbol for spec in specs]
    if running != asked:
        raise ConfigError(f"market: {', '.join(asked)} cannot replace {', '.join(running)} while running")
    for desk, spec in zip(account.desks, specs, strict=True):
        old, new = desk.spec.instrument, spec.instrument
        if (old.product, old.tick, old.lot) != (new.product, new.tick, new.lot):
            raise ConfigError(f"market {old.symbol}: product, tick and lot cannot change while running")
    for desk, spec in zip(account.desks, specs, strict=True):
        for name, before, after in _changes(desk.spec, spec):
            outbox.record(RecordKind.RELOAD, desk.symbol, name, old=str(before), new=str(after))
        if spec.policy is not desk.spec.policy:
            spec.policy.reset()
        desk.spec = spec
        desk.params[:] = to_record(spec.quote, spec.instrument)
        desk.ledger.asset_prices = dict(limits.asset_prices)
    for name, before, after in _differences(account.limits, limits):
        outbox.record(RecordKind.RELOAD, "", f"account.{name}", old=str(before), new=str(after))
    account.limits = gate.account = limits


def _changes(old: MarketSpec, new: MarketSpec) -> Iterator[tuple[str, Any, Any]]:
    for part in ("limits", "quote"):
        for name, before, after in _differences(getattr(old, part), getattr(new, part)):
            yield f"{part}.{name}", before, after
    if old.policy is not new.policy:
        yield "policy", old.policy.name, new.policy.name


def _differences(
    old: MarketLimits | QuoteParams | AccountLimits, new: MarketLimits | QuoteParams | AccountLimits
) -> Iterator[tuple[str, Any, Any]]:
    for field in fields(old):
        before, after = getattr(old, field.name), getattr(new, field.name)
        if repr(before) != repr(after):
            yield field.name, before, after
