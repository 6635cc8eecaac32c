"""Snapshots of the engine for status, metrics and the session summary: frozen, safe to hand out."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from asmm_daemon.core.explain import Explain


@dataclass(frozen=True, slots=True)
class OrderView:
    """One open order as the engine believes it to be."""

    cid: str
    oid: str
    side: int
    level: int
    price: Decimal
    left: Decimal
    state: str


@dataclass(frozen=True, slots=True)
class MarketCounts:
    """Session totals of one market; seconds are venue seconds."""

    cycles: int = 0
    cycles_late: int = 0
    """Cycles that came too late for others before them, which are `cycles_skipped`."""
    cycles_skipped: int = 0
    active_s: float = 0.0
    healthy_s: float = 0.0
    """Seconds since the first ACTIVE with a valid, current book."""
    quoted_bid_s: float = 0.0
    quoted_ask_s: float = 0.0
    quoted_both_s: float = 0.0
    half_spread_bps_mean: float = 0.0
    orders: int = 0
    amends: int = 0
    cancels: int = 0
    refused: int = 0
    """Orders that the risk gate held back."""
    fills_buy: int = 0
    fills_sell: int = 0
    fallbacks: int = 0
    inventory_abs_max: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class MarketView:
    """One market for status, metrics and summary. NaN where a number is not known yet."""

    symbol: str
    tick: Decimal
    """Quote currency."""
    lot: Decimal
    """Base currency."""
    state: str
    causes: tuple[str, ...]
    missing: tuple[str, ...]
    """Why nothing is quoted, in words; empty when nothing is missing."""
    bid: Decimal | None
    """The market's best bid, own size taken out."""
    ask: Decimal | None
    mid: float
    microprice: float
    book_age_s: float
    sigma: float
    kappa: float
    intensity_a: float
    gamma: float
    skew: float
    half_spread: float
    edge_bps: float
    """What a fill at the last decision's half-spread earns after the maker fee, before adverse selection."""
    markout_60s_bps: float
    """What the session's fills had earned a minute later, before fees."""
    reservation: float
    inventory: Decimal
    inventory_target: Decimal
    inventory_limit: Decimal
    """Effective maximum in base currency, in whole lots."""
    pnl_realised: Decimal
    pnl_unrealised: Decimal
    pnl_net: Decimal
    fees: Mapping[str, Decimal]
    """Amount by asset; negative is a rebate."""
    funding: Decimal
    volume_base: Decimal
    volume_quote: Decimal
    sides_off: Mapping[str, str]
    """Side ("buy", "sell") to the reason why it does not quote."""
    orders: tuple[OrderView, ...]
    unknown_orders: int
    reconciled: bool
    reconciled_age_s: float
    rejects: Mapping[str, int]
    fallbacks: Mapping[str, int]
    refusals: Mapping[str, int]
    counts: MarketCounts
    distances: Mapping[str, float]
    """Switch name to how far it is from its trigger, 0 (tripped) to 1."""
    explain: Explain | None


@dataclass(frozen=True, slots=True)
class StateChange:
    """One entry of the summary's `transitions`; `symbol` is empty for the account."""

    t_ns: int
    symbol: str
    before: str
    after: str
    cause: str


@dataclass(frozen=True, slots=True)
class LessonView:
    """What learning has come to in one market. Results are net PnL in quote currency per hour."""

    symbol: str
    updates: int
    """Updates of the shadow's weights in this session."""
    transitions: int
    """Transitions that the shadow may learn from."""
    trials: int
    swaps: int
    running_per_hour: float
    """Of the running model in the last trial, NaN before the first."""
    shadow_per_hour: float
    verdict: str
    """How the last trial ended, in words."""


@dataclass(frozen=True, slots=True)
class LearningView:
    """The learning thread. `failure` says why it stopped; empty while it works."""

    cpu_share: float
    """Of one core, used since it began."""
    failure: str
    markets: tuple[LessonView, ...]


@dataclass(frozen=True, slots=True)
class EngineView:
    """The whole engine. `state` is the worst of the markets'."""

    t_ns: int
    state: str
    causes: tuple[str, ...]
    equity: Decimal
    equity_start: Decimal
    equity_peak: Decimal
    drawdown: float
    drawdown_max: float
    channel_age_s: Mapping[str, float]
    """Age of each channel's last proof of life, keyed `channel` or `symbol/channel`."""
    state_seconds: Mapping[str, float]
    transitions: tuple[StateChange, ...]
    messages_per_s: int
    open_orders: int
    unknown_orders: int
    markets: tuple[MarketView, ...]
