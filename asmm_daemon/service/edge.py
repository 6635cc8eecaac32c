"""What a fill is expected to earn at the microprice: the half-spread less the maker fee.

Adverse selection, which only fills can measure, is not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from asmm_daemon.config import Config
from asmm_daemon.core.params import to_record
from asmm_daemon.core.tables import quote_table
from asmm_daemon.errors import ConfigError
from asmm_daemon.service.sample import Sample, sample_of
from asmm_daemon.specs import quote_params
from asmm_daemon.units import Instrument


@dataclass(frozen=True, slots=True)
class Edge:
    """One market's expected edge per fill at the configured γ, in bps of the price."""

    symbol: str
    half_spread_bps: float
    fee_bps: float
    sample: Sample

    @property
    def bps(self) -> float:
        """What is left after the fee."""
        return self.half_spread_bps - self.fee_bps


def expected(settings: Config, instruments: Sequence[Instrument]) -> list[Edge]:
    """The edge of every market, at the journal's last σ and κ or assumed ones."""
    edges = []
    for market, instrument in zip(settings.market, instruments, strict=True):
        sample = sample_of(settings, market.symbol)
        table = quote_table(
            to_record(quote_params(market), instrument),
            price=sample.price,
            kappa=sample.kappa,
            sigma=sample.sigma,
            gammas=[market.quoting.gamma],
        )
        half_bps = table.rows[0].half_spread / sample.price * 1e4
        edges.append(Edge(market.symbol, half_bps, float(instrument.maker) * 1e4, sample))
    return edges


def refuse_losing(settings: Config, instruments: Sequence[Instrument]) -> None:
    """In live mode, quotes whose half-spread does not cover the fee need the owner's word.

    Raises:
        ConfigError: a market would lose on an average fill, and the configuration does not accept it.
    """
    if settings.mode != "live" or settings.account.accept_negative_expectation:
        return
    for edge in expected(settings, instruments):
        if edge.bps < 0:
            raise ConfigError(
                f"{edge.symbol}: a fill would lose {-edge.bps:.2f} bps: the half-spread of "
                f"{edge.half_spread_bps:.2f} bps does not cover the maker fee of {edge.fee_bps:g} bps "
                f"(σ and κ {edge.sample.source}); widen the quotes, or set "
                "account.accept_negative_expectation = true"
            )
