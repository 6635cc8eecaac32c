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
    - `collar`: limit prices must lie within this fraction of the last price (a percent-price filter).
    """

    product: Product
    post_only: Literal["reject", "cancel"]
    amend_requeues: bool
    amend_crossing: Literal["reject", "cancel"]
    cid_unique: Literal["open", "all"]
    max_orders: int
    max_amends: int
    collar: Decimal
    leverage: int
    max_leverage: int
    maintenance_rate: Decimal


RULES: dict[Product, VenueRules] = {
    "binance": VenueRules(
        product="binance",
        post_only="reject",
        amend_requeues=False,
        amend_crossing="reject",
        cid_unique="open",
        max_orders=200,
        max_amends=10,
        collar=Decimal("0.8"),
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
        collar=Decimal("0.05"),
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
        collar=Decimal("0.5"),
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
        collar=Decimal("0.1"),
        leverage=10,
        max_leverage=100,
        maintenance_rate=Decimal("0.005"),
    ),
}
