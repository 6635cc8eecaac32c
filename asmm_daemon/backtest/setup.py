"""What both engines are told: one market, its limits, the latency, and the strategy that quotes."""

from dataclasses import dataclass, fields, replace
from decimal import Decimal
from enum import IntEnum
from typing import Any

from asmm_daemon.core.desk import SPREADS_ALONE
from asmm_daemon.core.params import QuoteParams
from asmm_daemon.core.policy import FixedPolicy
from asmm_daemon.core.spec import AccountLimits, MarketSpec
from asmm_daemon.errors import ConfigError
from asmm_daemon.tape.columns import TapeInfo
from asmm_daemon.units import NS_PER_S, Instrument, Lots


@dataclass(frozen=True, slots=True)
class Latency:
    """Nanoseconds from the daemon's decision to the venue, and from the venue back to the daemon."""

    entry_ns: int = 10_000_000
    response_ns: int = 10_000_000


@dataclass(frozen=True, slots=True)
class Setup:
    """One strategy on one market. `spec.policy` chooses γ and skew once a cycle."""

    name: str
    spec: MarketSpec
    account: AccountLimits
    latency: Latency = Latency()
    cycle_s: float = 5.0

    def __post_init__(self) -> None:
        """Refuses a latency at which orders would be asked about before they are answered."""
        limits = self.spec.limits
        longest_s = min(limits.query_after_s, limits.cancel_retry_s, self.account.reconcile_timeout_s)
        there_and_back_s = (self.latency.entry_ns + self.latency.response_ns) / NS_PER_S
        if min(self.latency.entry_ns, self.latency.response_ns) < 0 or there_and_back_s >= longest_s:
            raise ConfigError(
                f"latency {there_and_back_s:g} s there and back: give 0 up to less than {longest_s:g} s"
            )

    @property
    def spreads_alone(self) -> bool:
        """Whether the model quotes without σ."""
        return self.spec.quote.model in SPREADS_ALONE

    def settings(self) -> dict[str, Any]:
        """What a report says of it: fees, latency, limits, and every quoting knob off its default."""
        unit, quote, plain = self.spec.instrument, self.spec.quote, QuoteParams()
        changed = {
            field.name: getattr(quote, field.name)
            for field in fields(QuoteParams)
            if repr(getattr(quote, field.name)) != repr(getattr(plain, field.name))
        }
        return {
            "model": quote.model.name.lower(),
            "policy": self.spec.policy.name,
            "gamma": quote.gamma,
            "order_size": quote.order_size,
            "max_inventory": float(self.spec.limits.max_inventory),
            "max_exposure": float(self.spec.limits.max_exposure),
            "maker_fee_bps": float(unit.maker * 10_000),
            "latency_there_ms": self.latency.entry_ns / 1e6,
            "latency_back_ms": self.latency.response_ns / 1e6,
            **{
                name: value.name.lower() if isinstance(value, IntEnum) else value
                for name, value in changed.items()
            },
        }

    @property
    def asks(self) -> bool:
        """Whether the policy is more than fixed numbers."""
        return not isinstance(self.spec.policy, FixedPolicy)


def instrument_of(info: TapeInfo, *, maker: Decimal, taker: Decimal) -> Instrument:
    """The recorded market as a venue would offer it. Fees are fractions."""
    return Instrument(
        symbol=info.symbol,
        product=info.product,
        base=info.base,
        quote=info.quote,
        tick=info.tick,
        lot=info.lot,
        min_notional=info.min_notional,
        min_qty=Lots(1),
        max_qty=Lots(0),
        maker=maker,
        taker=taker,
    )


def unseen(spec: MarketSpec) -> MarketSpec:
    """The same market where the public book does not show our orders: a recording's."""
    return replace(spec, own_in_book=False)
