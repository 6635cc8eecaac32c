"""The sections of the configuration, each setting with its range. Units stand in the names.

Descriptions and defaults for the owner are in `config.toml`; a test keeps the two alike.
"""

from decimal import Decimal
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from asmm_daemon.units import Product

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(gt=0, le=1)]
FeeBps = Annotated[float, Field(ge=-100, le=100)]
Port = Annotated[int, Field(ge=0, le=65535)]
Factor = Annotated[float, Field(ge=1, allow_inf_nan=False)]
Money = Annotated[Decimal, Field(gt=0, allow_inf_nan=False)]


class Section(BaseModel):
    """A section refuses keys that it does not know, and a yes or no where a number belongs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_for_numbers(cls, value: Any, info: ValidationInfo) -> Any:
        """`true` would count as 1: as a share, that switches a limit off."""
        asked = cls.model_fields[str(info.field_name)].annotation
        if isinstance(value, bool) and asked is not bool:
            raise ValueError("input should not be true or false")
        return value

    def _rise(self, *names: str) -> None:
        """Raises ValueError unless the named settings rise in this order, or are equal."""
        for low, high in pairwise(names):
            below, above = getattr(self, low), getattr(self, high)
            if below > above:
                raise ValueError(f"{low} = {below:g} should not be above {high} = {above:g}")


class VenueSection(Section):
    """Which venue, and how to reach it."""

    name: Product = "binanceusdm"
    rest_url: Annotated[str, Field(pattern=r"^(https?://\S+)?$")] = ""
    ws_url: Annotated[str, Field(pattern=r"^(wss?://\S+)?$")] = ""
    instance: Annotated[str, Field(pattern=r"^[a-z0-9]{1,8}$")] = "a"
    timeout_s: Annotated[float, Field(ge=0.5, le=30)] = 4.0
    recv_window_ms: Annotated[int, Field(ge=100, le=60_000)] = 5000


class Demo(Section):
    """The embedded exchange that `demo` and `paper` start."""

    feed: str = "synthetic"
    speed: Annotated[float, Field(ge=0.1, le=60)] = 1.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1
    history_s: Annotated[float, Field(ge=0, le=604_800)] = 1800.0
    loop: bool = True
    log: str = ""
    faults: str = ""
    order_latency_ms: Annotated[float, Field(ge=0, le=60_000)] = 0.0
    maker_fee_bps: FeeBps | Literal["venue"] = "venue"
    taker_fee_bps: FeeBps | Literal["venue"] = "venue"


class Account(Section):
    """Capital and the limits over all markets."""

    capital: Money
    max_exposure: Money = Decimal(50_000)
    max_messages_per_s: Annotated[int, Field(ge=1, le=1000)] = 50
    drawdown_halt: Share = 0.15
    drawdown_soft: Share = 0.05
    soft_leave_after_s: Positive = 3600.0
    flatten_on_halt: bool = False
    disconnect_after_s: Annotated[float, Field(ge=3, le=300)] = 30.0
    reconcile_every_s: Annotated[float, Field(ge=1, le=60)] = 10.0
    spot_equity: Literal["hold_target", "total"] = "hold_target"
    accept_negative_expectation: bool = False
    asset_prices: dict[str, Money] = {}


class Quoting(Section):
    """The quoting model."""

    model: Literal["constant_spread", "linear_constant_spread", "avellaneda_stoikov", "glft"] = (
        "avellaneda_stoikov"
    )
    gamma: Positive = 0.1
    skew: Finite = 0.0
    gamma_min: Positive = 0.001
    gamma_max: Positive = 10.0
    skew_max: NotNegative = 2.0
    inventory_term: bool = True
    fee_in_spread: bool = True
    half_spread_factor: Positive = 1.0
    min_edge_bps: Finite = 0.0
    min_half_spread_bps: NotNegative = 0.0
    max_half_spread_bps: Positive = 200.0
    constant_half_spread_bps: Positive = 5.0
    linear_skew: NotNegative = 1.0
    tau_mode: Literal["rolling", "session"] = "rolling"
    tau_min_s: Positive = 5.0
    tau_max_s: Positive = 120.0
    session_s: Positive = 300.0
    sigma_halflife_s: Positive = 60.0
    normal_halflife_s: Positive = 14_400.0
    kappa_halflife_s: Positive = 3600.0
    slow_halflife_s: Positive = 86_400.0
    kappa_prior_orders: Positive = 5.0
    vol_high_ratio: Positive = 3.0
    vol_high_factor: Factor = 2.0
    vol_extreme_ratio: Positive = 5.0
    vol_extreme_factor: Factor = 3.0
    funding_shift: bool = True
    inventory_target: Finite | Literal["auto"] = "auto"
    order_size: Positive = 0.01
    size_in_quote: bool = False
    levels: Annotated[int, Field(ge=1, le=8)] = 1
    level_spacing_bps: Positive = 2.0
    level_size_factor: Positive = 1.0
    requote_bps: NotNegative = 0.2
    tolerance_ticks: Annotated[int, Field(ge=0, le=1000)] = 0
    cycle_s: Annotated[float, Field(ge=0.1, le=60)] = 5.0

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._rise("gamma_min", "gamma", "gamma_max")
        self._rise("tau_min_s", "tau_max_s")
        self._rise("min_half_spread_bps", "max_half_spread_bps")
        self._rise("vol_high_ratio", "vol_extreme_ratio")
        if abs(self.skew) > self.skew_max:
            raise ValueError(f"skew = {self.skew:g} should be within skew_max = {self.skew_max:g} of zero")
        return self


class Limits(Section):
    """Limits and switches of one market."""

    max_inventory: Money = Decimal(1)
    max_exposure: Money = Decimal(50_000)
    exposure_margin: Annotated[float, Field(ge=0, lt=0.5)] = 0.01
    max_order: Money = Decimal("0.1")
    max_order_value: Money = Decimal(10_000)
    collar_bps: Positive = 200.0
    reduce_above: Share = 0.9
    reduce_below: Share = 0.6
    reduce_ioc: bool = False
    reduce_ioc_after_s: Positive = 30.0
    reduce_ioc_bps: Positive = 20.0
    stuck_above: Share = 0.8
    stuck_after_s: Positive = 3600.0
    book_silence_s: Positive = 1.0
    stale_after_s: Positive = 2.0
    flash_move: Share = 0.10
    flash_window_s: Positive = 60.0
    flash_cooldown_s: Positive = 60.0
    repeat_fills: Annotated[int, Field(ge=1, le=1_000_000)] = 12
    repeat_window_s: Positive = 2.0
    repeat_rearm_s: NotNegative = 0.0
    replace_bps: NotNegative = 0.5
    qty_tolerance: Annotated[float, Field(ge=0, lt=1)] = 0.25
    min_requote_s: NotNegative = 0.1

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self._rise("reduce_below", "reduce_above")
        return self


class Policy(Section):
    """Where γ and skew come from."""

    model_file: str = ""


class Learning(Section):
    """Learning while trading."""

    online: bool = False
    cpu_share: Annotated[float, Field(gt=0, le=0.8)] = 0.2
    window_h: Annotated[float, Field(ge=0.01, le=48)] = 4.0
    min_transitions: Annotated[int, Field(ge=64, le=100_000)] = 2000
    learning_rate: Annotated[float, Field(gt=0, le=0.01)] = 0.0001
    margin: NotNegative = 0.0
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = 0.9
    explore: Annotated[float, Field(ge=0, le=0.2)] = 0.0
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 1


class Service(Section):
    """The daemon's own servers and beats."""

    http_host: str = "127.0.0.1"
    http_port: Port = 8645
    metrics_host: str = "127.0.0.1"
    metrics_port: Port = 9645
    shutdown_s: Annotated[float, Field(ge=1, le=60)] = 8.0


class Log(Section):
    """Log lines on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    style: Literal["auto", "console", "json"] = "auto"
