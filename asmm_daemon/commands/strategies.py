"""From what a person names to what a backtest runs: recordings, strategies, fees, latency, times."""

import re
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path

from asmm_daemon import specs
from asmm_daemon.backtest.setup import Latency, Setup, instrument_of, unseen
from asmm_daemon.config import Config, Market
from asmm_daemon.core.params import Model
from asmm_daemon.core.policy import FixedPolicy, Policy
from asmm_daemon.errors import ConfigError
from asmm_daemon.exchange.feeds.markets import FEES
from asmm_daemon.exchange.feeds.synthetic import SyntheticSource
from asmm_daemon.learn.model_file import load_policy
from asmm_daemon.tape.booked import Booked
from asmm_daemon.tape.columns import Source, TapeInfo
from asmm_daemon.tape.load import open_source
from asmm_daemon.units import NS_PER_S, Product, utc_ns

MODELS = {model.name.lower(): model for model in Model}
ALIASES = {"as": "avellaneda_stoikov", "constant": "constant_spread", "linear": "linear_constant_spread"}
SYNTHETIC_START_NS = 1_767_657_600 * NS_PER_S
"""2026-01-06 00:00 UTC: where a made-up recording begins."""
LONGEST_S = 366 * 86_400.0
_CANNOT_AMEND = ("binance",)
_BPS = Decimal("0.0001")


def open_data(name: str, symbol: str | None, settings: Config, *, seed: int, hours: float) -> Source:
    """A recording, a folder of them, or `synthetic` / `synthetic:SYMBOL`.

    Raises TapeError or ConfigError; a recording of trades alone is refused when it is read.
    """
    kind, _, rest = name.partition(":")
    if kind == "synthetic":
        end_ns = SYNTHETIC_START_NS + round(hours * 3600) * NS_PER_S
        chosen = symbol or rest or settings.market[0].symbol
        return SyntheticSource(chosen, settings.venue.name, SYNTHETIC_START_NS, seed, end_ns)
    return Booked(open_source(Path(name), symbol))


def moment(name: str, text: str | None) -> int | None:
    """Nanoseconds of a moment such as 2026-01-06T18:00, in UTC unless it says otherwise."""
    if text is None:
        return None
    try:
        return utc_ns(text)
    except ValueError:
        raise ConfigError(f"{name} {text}: not a moment such as 2026-01-06 or 2026-01-06T18:00") from None


def seconds(name: str, text: str) -> float:
    """Seconds of a duration such as 90s, 30m or 1h; 0 is one too. Raises ConfigError, also beyond a year."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhd]?)", text.strip())
    if match is None:
        raise ConfigError(f"{name} {text}: write a duration such as 90s, 30m or 1h")
    value = float(match[1]) * {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}[match[2]]
    if value > LONGEST_S:
        raise ConfigError(f"{name} {text}: longer than a year")
    return value


def latency(text: str) -> Latency:
    """`10ms` there and the same back, or `10ms,25ms`; also in us, ns or s."""
    parts = text.split(",")
    if len(parts) > 2:
        raise ConfigError(f"--latency {text}: one duration, or two with a comma between")
    there = _duration_ns(text, parts[0])
    return Latency(there, _duration_ns(text, parts[1]) if len(parts) == 2 else there)


def _duration_ns(text: str, part: str) -> int:
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(ns|us|ms|s)", part.strip())
    if match is None:
        raise ConfigError(f"--latency {text}: write a duration such as 10ms, or two such as 10ms,25ms")
    return round(float(match[1]) * {"ns": 1, "us": 1_000, "ms": 1_000_000, "s": NS_PER_S}[match[2]])


def fees(text: str, product: Product) -> tuple[Decimal, Decimal]:
    """Maker and taker fractions of `venue`, `MAKER` or `MAKER,TAKER` in bps; a negative one is a rebate."""
    standard = FEES[product]
    if text == "venue":
        return standard
    try:
        given = [Decimal(part) * _BPS for part in text.split(",")]
    except InvalidOperation:
        given = []
    if len(given) not in (1, 2) or not all(fee.is_finite() and abs(fee) <= 100 * _BPS for fee in given):
        raise ConfigError(f"--fees {text}: MAKER or MAKER,TAKER in bps between -100 and 100, or venue")
    return given[0], given[1] if len(given) == 2 else standard[1]


def market_of(settings: Config, info: TapeInfo) -> Market:
    """The settings for a recorded market: its own [[market]] table, else the first one's."""
    for market in settings.market:
        if market.symbol == info.symbol:
            return market
    return settings.market[0]


def make_setup(
    strategy: str,
    settings: Config,
    info: TapeInfo,
    *,
    maker: Decimal,
    taker: Decimal,
    latency: Latency,
) -> Setup:
    """One strategy with the settings in effect.

    `config` is what the configuration says, a model's name replaces `quoting.model`, a model file
    (NAME.json) quotes Avellaneda-Stoikov with the agent's γ and skew. Raises ConfigError or ModelError.
    """
    market = market_of(settings, info)
    instrument = instrument_of(info, maker=maker, taker=taker)
    policy: Policy = FixedPolicy(market.quoting.gamma, market.quoting.skew)
    quote = specs.quote_params(market)
    name = ALIASES.get(strategy, strategy)
    if name.endswith(".json") or (name == "config" and market.policy.model_file):
        policy = load_policy(Path(name if name != "config" else market.policy.model_file))
    elif name in MODELS:
        quote = replace(quote, model=MODELS[name])
    elif name != "config":
        raise ConfigError(
            f"--strategy {strategy}: expected config, {', '.join(MODELS)}, or a model NAME.json"
        )
    spec = specs.market_spec(
        market,
        instrument,
        policy,
        can_amend=info.product not in _CANNOT_AMEND,
        can_replace=info.product in _CANNOT_AMEND,
        heartbeat=info.product.startswith("bybit"),
    )
    spec = unseen(replace(spec, quote=quote))
    specs.check_sizes([spec])
    label = Path(name).stem if name.endswith(".json") else name
    return Setup(label, spec, specs.account_limits(settings), latency, market.quoting.cycle_s)


def make_setups(
    strategies: Sequence[str], settings: Config, info: TapeInfo, *, fee_text: str, latency_text: str
) -> dict[str, Setup]:
    """Every strategy by its label. Raises ConfigError when two share one."""
    maker, taker = fees(fee_text, info.product)
    setups: dict[str, Setup] = {}
    for strategy in strategies:
        setup = make_setup(strategy, settings, info, maker=maker, taker=taker, latency=latency(latency_text))
        if setup.name in setups:
            raise ConfigError(f"--strategy {strategy}: given twice")
        setups[setup.name] = setup
    return setups
