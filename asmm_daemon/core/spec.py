"""What the engine is told once: limits and switches of a market and of the account.

Quantities are in base currency, money in quote currency, times in seconds, rates in fractions. The
values are `safety.md`'s defaults; the config room maps its own model onto these.
"""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from asmm_daemon.core.params import QuoteParams
from asmm_daemon.core.policy import Policy
from asmm_daemon.units import Instrument


@dataclass(frozen=True, slots=True)
class MarketLimits:
    """Limits and switches of one market. The decision logic cannot reach them."""

    max_inventory: Decimal = Decimal(1)
    """Largest absolute inventory; on spot the top of the range [0, max]."""
    max_exposure: Decimal = Decimal(50_000)
    """Largest inventory times mid; together with `max_inventory` the effective maximum."""
    exposure_margin: float = 0.01
    """Share of `max_exposure` kept free, so that a rise of the mid does not break S1 by itself."""
    max_order: Decimal = Decimal("0.1")
    max_order_value: Decimal = Decimal(10_000)
    collar_bps: float = 200.0
    """No order farther than this from the mid."""

    reduce_above: float = 0.9
    """Share of the effective maximum that starts REDUCING."""
    reduce_below: float = 0.6
    """Share below which REDUCING ends."""
    reduce_ioc_after_s: float = 30.0
    reduce_ioc: bool = False
    reduce_ioc_bps: float = 20.0
    """Worst price of the IOC order against the touch."""
    stuck_above: float = 0.8
    stuck_after_s: float = 3600.0

    stale_after_s: float = 2.0
    """Age of the book's last proof at which quotes are pulled (Bybit: 4, its heartbeat takes 3)."""
    book_silence_s: float = 1.0
    """Silence of the book after which the daemon asks for a proof."""
    prove_every_s: float = 0.5
    flash_move: float = 0.10
    flash_window_s: float = 60.0
    flash_cooldown_s: float = 60.0
    repeat_fills: int = 12
    """Same-side orders executed within `repeat_window_s` that take the side off."""
    repeat_window_s: float = 2.0
    repeat_rearm_s: float | None = None
    """Time until the side re-arms by itself; None: a person resumes it."""

    tolerance_ticks: int = 0
    """A working order this close to its desired price stays where it is."""
    replace_bps: float = 0.5
    """The tolerance, if larger, where the venue cannot amend: each replacement is a new order, and those
    are rationed."""
    qty_tolerance: float = 0.25
    """Share of the desired quantity by which a working order may be too small."""
    min_requote_s: float = 0.1
    """Shortest time between two decisions that the microprice or a fill asks for."""
    max_amends_per_order: int = 9_000

    cancel_retry_s: float = 1.0
    query_after_s: float = 5.0
    """Age of an unanswered request at which its order is asked about."""
    not_found_proof_s: float = 5.0
    """A query that finds nothing frees the exposure only when the request is this old."""


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """Limits and switches over all markets of one account."""

    capital: Decimal
    """Allocated capital in quote currency: what equity starts from."""
    max_exposure: Decimal = Decimal(50_000)
    """Sum over markets of the worst reachable |inventory| times mid."""
    max_messages_per_s: int = 50
    """New orders and amendments a second; cancels always pass."""
    drawdown_halt: float = 0.15
    drawdown_soft: float = 0.05
    soft_leave_after_s: float = 3600.0
    flatten_on_halt: bool = False
    disconnect_after_s: float = 30.0
    private_down_grace_s: float = 0.0
    """How long the private stream may be down before quotes are pulled."""
    reconcile_every_s: float = 10.0
    reconcile_timeout_s: float = 10.0
    policy_reset_after_s: float = 60.0
    spot_equity: Literal["hold_target", "total"] = "hold_target"
    """Spot equity against holding the target, or the plain total."""
    asset_prices: tuple[tuple[str, Decimal], ...] = ()
    """Prices in quote currency of third assets in which fees are charged."""


@dataclass(frozen=True, slots=True)
class MarketSpec:
    """Everything that describes one market to the engine."""

    instrument: Instrument
    quote: QuoteParams
    limits: MarketLimits
    policy: Policy
    strategy: str = "as"
    """Names the strategy within client order ids."""
    can_amend: bool = True
    """Whether the venue changes a resting order's price in one step."""
    can_replace: bool = False
    """Whether it cancels an order and creates another in one step; used where it cannot amend."""
    own_in_book: bool = True
    """Whether the public book shows our own orders, as a venue's does and a recording does not."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who places the orders: every client order id is `{prefix}{strategy}{m}-{epoch}-{counter}`."""

    prefix: str = "asmm-"
    epoch: int = 0
    """Grows with every start (the journal counts), so that no id is ever used twice."""
