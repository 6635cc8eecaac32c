"""`asmm exchange`: the embedded exchange as a process of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from asmm_daemon.exchange.keys import ApiKey
from asmm_daemon.units import Product


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """Everything that `asmm exchange` can be told.

    `feed`: synthetic, synthetic:SYM,SYM2, replay:PATH[,PATH…] or mirror. `balances`: first deposits by
    asset (default: a usable amount of every asset). `maker`, `taker`: fee rates that replace the feed's.
    `history_s`: venue seconds of feed that are run before the first client, so that trades and candles
    exist. `die_with_parent`: end when the stdin pipe closes, in a session of its own.
    """

    product: Product = "binanceusdm"
    feed: str = "synthetic"
    speed: float = 1.0
    seed: int = 0
    port: int = 0
    log: Path | None = None
    faults: Path | None = None
    loop: bool = False
    balances: Mapping[str, Decimal] = field(default_factory=dict)
    maker: Decimal | None = None
    taker: Decimal | None = None
    keys: tuple[ApiKey, ...] = (ApiKey("KEY", "SECRET"),)
    order_latency_ms: float = 0.0
    history_s: float = 0.0
    die_with_parent: bool = False
    start_ns: int | None = None


def main(options: ExchangeOptions) -> int:
    """Runs the exchange until SIGTERM, SIGINT or the parent's end; the exit code."""
    raise NotImplementedError


def parse(argv: Sequence[str]) -> ExchangeOptions:
    """Options from a command line; exits with a message when they make no sense."""
    raise NotImplementedError
