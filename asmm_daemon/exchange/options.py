"""What `asmm exchange` can be told, and its command line."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from asmm_daemon.exchange.keys import ApiKey
from asmm_daemon.units import PRODUCTS, Product


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """Everything that `asmm exchange` can be told.

    `feed`: as `feeds.base.make_feed` takes it. `balances`: deposits by asset, in place of the usable
    amount that every asset gets. `maker`, `taker`: fee rates that replace the feed's. `history_s`: venue
    seconds of feed that are run before the session, so that trades and candles exist (None: 300 for a
    synthetic feed, none of a recording).
    `die_with_parent`: end when the stdin pipe closes, in a session of its own.
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
    history_s: float | None = None
    die_with_parent: bool = False
    start_ns: int | None = None


def parse(argv: Sequence[str]) -> ExchangeOptions:
    """Options from a command line; exits with a message when they make no sense."""
    parser = argparse.ArgumentParser(
        prog="asmm exchange",
        description="A local exchange that speaks the protocol of Binance or Bybit.",
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--venue", choices=PRODUCTS, default="binanceusdm", help="the product to be")
    add("--feed", default="synthetic", help="synthetic[:SYM,SYM] | replay:PATH[,PATH] | mirror:SYM")
    add("--speed", type=_positive, default=1.0, help="venue seconds per real second, at most 60")
    add("--seed", type=int, default=0, help="of the synthetic feed and of the faults' dice")
    add("--port", type=_port, default=0, help="0: any free one")
    add("--log", type=Path, help="write the venue log to this file")
    add("--faults", type=Path, help="a file of faults, one JSON object a line")
    add("--loop", action="store_true", help="let recordings start over when they end")
    add("--balance", type=_balance, action="append", default=[], metavar="ASSET=AMOUNT")
    add("--maker", type=_decimal, help="maker fee rate (negative: rebate)")
    add("--taker", type=_decimal, help="taker fee rate")
    add("--key", type=_key, action="append", default=[], metavar="KEY:SECRET[:ACCOUNT]")
    add("--order-latency-ms", type=_not_negative, default=0.0, help="venue ms from request to engine")
    add("--history-s", type=_not_negative, help="venue seconds of feed run beforehand (synthetic: 300)")
    add("--start-ns", type=int, help="venue time at the start; default: now")
    add("--die-with-parent", action="store_true", help="end when standard input closes")
    given = parser.parse_args(argv)
    if given.speed > 60:
        parser.error(f"--speed {given.speed:g}: must be at most 60")
    return ExchangeOptions(
        product=given.venue,
        feed=given.feed,
        speed=given.speed,
        seed=given.seed,
        port=given.port,
        log=given.log,
        faults=given.faults,
        loop=given.loop,
        balances=dict(given.balance),
        maker=given.maker,
        taker=given.taker,
        keys=tuple(given.key) or (ApiKey("KEY", "SECRET"),),
        order_latency_ms=given.order_latency_ms,
        history_s=given.history_s,
        die_with_parent=given.die_with_parent,
        start_ns=given.start_ns,
    )


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must be a positive number")
    return value


def _not_negative(text: str) -> float:
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} must not be negative")
    return value


def _port(text: str) -> int:
    value = int(text)
    if not 0 <= value <= 65_535:
        raise argparse.ArgumentTypeError(f"{text} must lie between 0 and 65535")
    return value


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise argparse.ArgumentTypeError(f"{text} is not a number") from None
    if not value.is_finite():
        raise argparse.ArgumentTypeError(f"{text} is not a number")
    return value


def _balance(text: str) -> tuple[str, Decimal]:
    asset, _, amount = text.partition("=")
    if not asset or not amount:
        raise argparse.ArgumentTypeError(f"{text} must be ASSET=AMOUNT")
    return asset, _decimal(amount)


def _key(text: str) -> ApiKey:
    key, _, rest = text.partition(":")
    secret, _, account = rest.partition(":")
    if not key or not secret:
        raise argparse.ArgumentTypeError("a key must be KEY:SECRET or KEY:SECRET:ACCOUNT")
    return ApiKey(key, secret, account or "main", account or "main")
