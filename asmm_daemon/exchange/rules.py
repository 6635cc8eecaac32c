"""Where the four products differ in what an order does (not in how it is written)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from asmm_daemon.units import Product


@dataclass(frozen=True, slots=True)
class VenueRules:
    """Order rules of a product.

    - `post_only`: a post-only order that would cross is refused, or accepted and then cancelled.
    - `amend_requeues`: every amendment loses the queue place (else only a new price or more quantity).
    - `amend_crossing`: a post-only amendment that would cross is refused, or cancels the order.
    - `cid_unique`: a client id may not repeat among open orders, or among all that are remembered.
    - `amend_below_filled`: an amended total at or below what has filled cancels, or is refused.
    - `collar_up`, `collar_down`: a buy may cost at most last × (1 + up), a sell bring at least
      last × (1 − down): the percent-price filters. `collar_both`: both bounds hold for either side.
    - `rebate_in_other_asset`: a spot rebate is paid in the asset that the order gave, not received.
    """

    product: Product
    post_only: Literal["reject", "cancel"]
    amend_requeues: bool
    amend_crossing: Literal["reject", "cancel"]
    cid_unique: Literal["open", "all"]
    max_orders: int
    max_amends: int
    amend_below_filled: Literal["reject", "cancel"]
    collar_up: Decimal
    collar_down: Decimal
    collar_both: bool
    rebate_in_other_asset: bool
    leverage: int
    max_leverage: int
    maintenance_rate: Decimal

    @property
    def is_linear(self) -> bool:
        """Whether it trades perpetuals against margin."""
        return self.product in ("binanceusdm", "bybit-linear")


MAX_PRICE = Decimal(10_000_000)
"""The highest price of an order, in quote: no recording reaches it, each price of a feed is orderable."""
RULES: dict[Product, VenueRules] = {
    "binance": VenueRules(
        product="binance",
        post_only="reject",
        amend_requeues=False,
        amend_crossing="reject",
        cid_unique="open",
        max_orders=200,
        max_amends=10,
        amend_below_filled="reject",
        collar_up=Decimal(4),
        collar_down=Decimal("0.8"),
        collar_both=True,
        rebate_in_other_asset=False,
        leverage=1,
        max_leverage=1,
        maintenance_rate=Decimal(0),
    ),
    "binanceusdm": VenueRules(
        product="binanceusdm",
        post_only="reject",
        amend_requeues=True,
        amend_crossing="cancel",
        cid_unique="open",
        max_orders=200,
        max_amends=10_000,
        amend_below_filled="cancel",
        collar_up=Decimal("0.05"),
        collar_down=Decimal("0.05"),
        collar_both=False,
        rebate_in_other_asset=False,
        leverage=20,
        max_leverage=125,
        maintenance_rate=Decimal("0.004"),
    ),
    "bybit-spot": VenueRules(
        product="bybit-spot",
        post_only="cancel",
        amend_requeues=False,
        amend_crossing="cancel",
        cid_unique="all",
        max_orders=500,
        max_amends=10_000,
        amend_below_filled="reject",
        collar_up=Decimal("0.5"),
        collar_down=Decimal("0.5"),
        collar_both=False,
        rebate_in_other_asset=True,
        leverage=1,
        max_leverage=1,
        maintenance_rate=Decimal(0),
    ),
    "bybit-linear": VenueRules(
        product="bybit-linear",
        post_only="cancel",
        amend_requeues=False,
        amend_crossing="cancel",
        cid_unique="all",
        max_orders=500,
        max_amends=10_000,
        amend_below_filled="reject",
        collar_up=Decimal("0.1"),
        collar_down=Decimal("0.1"),
        collar_both=False,
        rebate_in_other_asset=True,
        leverage=10,
        max_leverage=100,
        maintenance_rate=Decimal("0.005"),
    ),
}
