"""What an account can afford: spot locks, linear margin."""

from collections.abc import Mapping
from decimal import Decimal

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.checks import Terms
from asmm_daemon.exchange.margin import symbol_margin, unrealised, wallet
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import ZERO, NewOrder, OrderRecord, OrderType, Reject, VenueReject
from asmm_daemon.exchange.rules import VenueRules
from asmm_daemon.exchange.settle import held_asset, lock
from asmm_daemon.exchange.store import OrderStore


class Funds:
    """Checks and reserves what orders need, over all markets of an account."""

    def __init__(self, rules: VenueRules, markets: Mapping[str, Market], store: OrderStore) -> None:
        self._rules = rules
        self._markets = markets
        self._store = store

    def initial_margin(self, account: Account, symbol: str | None = None) -> Decimal:
        """Margin that positions and open orders hold, in quote."""
        orders = self._store.open(account.name, symbol)
        markets = self._markets.values() if symbol is None else (self._markets[symbol],)
        return sum((symbol_margin(account, market, orders, self._rules) for market in markets), ZERO)

    def available(self, account: Account, asset: str) -> Decimal:
        """What an account may still use of an asset: free spot balance, or wallet + unrealised - margin."""
        if not self._rules.is_linear:
            return account.balances[asset].free if asset in account.balances else ZERO
        return wallet(account, asset) + unrealised(account, self._markets) - self.initial_margin(account)

    def check_new(self, account: Account, market: Market, new: NewOrder, terms: Terms) -> None:
        """Raises VenueReject when an order costs more than is available."""
        unit = market.instrument
        if unit.is_spot:
            asset = held_asset(unit, new.side)
            need, have = (terms.worth if new.side > 0 else terms.qty), account.balance(asset).free
        elif new.reduce_only:
            return
        else:
            asset = unit.quote
            worth = unit.qty(terms.lots) * (terms.price or market.mark)
            need = self._more_margin(account, market, new.side, worth)
            have = self.available(account, asset) if need > 0 else ZERO
        if need > have:
            raise VenueReject(Reject.BALANCE, f"needs {need} {asset}, has {have}")

    def check_amend(
        self, account: Account, market: Market, order: OrderRecord, price: Decimal, left: int
    ) -> None:
        """Raises VenueReject when new terms cost more than is available."""
        unit = market.instrument
        if unit.is_spot:
            asset = held_asset(unit, order.side)
            need = self._hold(market, order, price, left, ZERO) - order.locked
            have = account.balance(asset).free
        elif order.reduce_only:
            return
        else:
            asset = unit.quote
            worth = price * unit.qty(left) - order.price * unit.qty(order.left)
            need = self._more_margin(account, market, order.side, worth)
            have = self.available(account, asset) if need > 0 else ZERO
        if need > max(have, ZERO):
            raise VenueReject(Reject.BALANCE, f"needs {need} {asset}, has {have}")

    def reserve(
        self, account: Account, market: Market, order: OrderRecord, worth: Decimal
    ) -> tuple[str, ...]:
        """Locks what a spot order needs from now on; the assets whose balance changed."""
        if not market.instrument.is_spot:
            return ()
        more = self._hold(market, order, order.price, order.left, worth) - order.locked
        lock(account, market.instrument, order, more)
        return (held_asset(market.instrument, order.side),) if more else ()

    def release(self, account: Account, market: Market, order: OrderRecord) -> tuple[str, ...]:
        """Frees what an ended spot order still holds; the assets whose balance changed."""
        if not order.locked:
            return ()
        lock(account, market.instrument, order, -order.locked)
        return (held_asset(market.instrument, order.side),)

    def _hold(self, market: Market, order: OrderRecord, price: Decimal, left: int, worth: Decimal) -> Decimal:
        qty = market.instrument.qty(left)
        if order.side < 0:
            return qty
        return price * qty if order.kind is OrderType.LIMIT else worth

    def _more_margin(self, account: Account, market: Market, side: int, worth: Decimal) -> Decimal:
        """How much an order (or its growth) of some worth adds to the market's initial margin."""
        orders = self._store.open(account.name, market.symbol)
        before = symbol_margin(account, market, orders, self._rules)
        return symbol_margin(account, market, orders, self._rules, {side: worth}) - before
