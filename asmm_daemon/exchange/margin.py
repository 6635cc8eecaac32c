"""Margin of linear accounts, cross: what positions and orders hold, and what is left to use."""

from collections.abc import Iterable, Mapping
from decimal import Decimal

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import ZERO, OrderRecord
from asmm_daemon.exchange.rules import VenueRules


def symbol_margin(
    account: Account,
    market: Market,
    orders: Iterable[OrderRecord],
    rules: VenueRules,
    added: Mapping[int, Decimal] | None = None,
) -> Decimal:
    """Initial margin of one market in quote: the larger exposure of all bids or all asks filling.

    `orders` are the account's open orders; those of other markets and reduce-only ones do not count.
    `added` is what further orders of a side would be worth.
    """
    position = account.positions.get(market.symbol)
    held = position.qty * market.mark if position else ZERO
    leverage = position.leverage if position else rules.leverage
    exposure = {1: ZERO, -1: ZERO, **(added or {})}
    for order in orders:
        if order.symbol == market.symbol and not order.reduce_only:
            exposure[order.side] += order.left * market.instrument.lot * (order.price or market.mark)
    return max(abs(held + exposure[1]), abs(held - exposure[-1])) / leverage


def unrealised(account: Account, markets: Mapping[str, Market]) -> Decimal:
    """Profit of all positions at their marks."""
    return sum((p.unrealised(markets[s].mark) for s, p in account.positions.items() if p.qty), ZERO)


def maintenance(account: Account, markets: Mapping[str, Market], rules: VenueRules) -> Decimal:
    """Margin below which positions are liquidated."""
    held = sum((abs(p.qty) * markets[s].mark for s, p in account.positions.items()), ZERO)
    return held * rules.maintenance_rate


def wallet(account: Account, asset: str) -> Decimal:
    """Wallet balance of a margin asset."""
    balance = account.balances.get(asset)
    return balance.total if balance else ZERO
