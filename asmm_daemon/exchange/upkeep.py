"""What a venue does by itself: mark prices each second, funding every eight hours, liquidation."""

from decimal import Decimal
from typing import TYPE_CHECKING

from asmm_daemon.events import FUNDING, MARK, Rows
from asmm_daemon.exchange.accounts import Account, money
from asmm_daemon.exchange.booking import Booker
from asmm_daemon.exchange.margin import maintenance, unrealised, wallet
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import ENGINE, CancelWhy, NewOrder, OrderType, Tif
from asmm_daemon.exchange.tell import Teller
from asmm_daemon.units import BUY, NS_PER_S, SELL

if TYPE_CHECKING:
    from asmm_daemon.exchange.core import Exchange

FUNDING_EVERY_NS = 8 * 3600 * NS_PER_S


class Upkeep:
    """Publishes marks; on linear products also settles funding and liquidates.

    Funding comes from the feed's FUNDING rows; a market whose feed has none settles its
    `funding_rate` at 0, 8 and 16 h UTC.
    """

    def __init__(self, exchange: "Exchange", booker: Booker, teller: Teller) -> None:
        self._exchange = exchange
        self._book = booker
        self._tell = teller
        self._funding_fed: set[str] = set()
        if exchange.rules.is_linear:
            second = exchange.now_ns // NS_PER_S + 1
            exchange.call_at(second * NS_PER_S, self._each_second)
            self._plan_funding(exchange.now_ns)

    def on_marks(self, market: Market, rows: Rows) -> None:
        """FUNDING and MARK rows of the feed."""
        for row in rows:
            if row["kind"] == MARK:
                market.fed_mark = market.instrument.price(int(row["price"]))
            elif row["kind"] == FUNDING:
                self._funding_fed.add(market.symbol)
                market.funding_rate = Decimal(int(row["price"])).scaleb(-8)
                self.settle(market, self._exchange.now_ns)

    def _each_second(self, t_ns: int) -> None:
        exchange = self._exchange
        for market in exchange.markets.values():
            self._tell.mark(market, t_ns)
        for account in exchange.accounts.values():
            if any(position.qty for position in account.positions.values()):
                self._check_margin(account)
        exchange.call_at(t_ns + NS_PER_S, self._each_second)

    def _plan_funding(self, now_ns: int) -> None:
        due_ns = (now_ns // FUNDING_EVERY_NS + 1) * FUNDING_EVERY_NS
        for market in self._exchange.markets.values():
            market.next_funding_ns = due_ns
        self._exchange.call_at(due_ns, self._on_funding_time)

    def _on_funding_time(self, t_ns: int) -> None:
        for market in self._exchange.markets.values():
            if market.symbol not in self._funding_fed:
                self.settle(market, t_ns)
        self._plan_funding(t_ns)

    def settle(self, market: Market, t_ns: int) -> None:
        """Longs pay shorts rate x notional at the mark (the other way round for a negative rate)."""
        quote = market.instrument.quote
        for account in self._exchange.accounts.values():
            position = account.positions.get(market.symbol)
            if position is None or not position.qty:
                continue
            received = money(-position.qty * market.mark * market.funding_rate)
            account.balance(quote).free += received
            position.funding += received
            self._book.note(account, "funding", quote, received, market.symbol, t_ns)
            self._tell.account(account, (quote,), (market.symbol,), "funding", t_ns)
        self._tell.mark(market, t_ns)

    def _check_margin(self, account: Account) -> None:
        exchange = self._exchange
        quote = next(iter(exchange.markets.values())).instrument.quote
        equity = wallet(account, quote) + unrealised(account, exchange.markets)
        if equity >= maintenance(account, exchange.markets, exchange.rules):
            return
        exchange.cancel_all(account, None, ENGINE, CancelWhy.LIQUIDATION)
        for position in list(account.positions.values()):
            market = exchange.markets[position.symbol]
            if position.qty and market.is_trading and market.mid is not None:
                side = SELL if position.qty > 0 else BUY
                unit = market.instrument
                qty = min(abs(position.qty), unit.qty(unit.max_qty))
                order = NewOrder(unit.symbol, side, OrderType.MARKET, Tif.IOC, qty, reduce_only=True)
                exchange.place(account, order)
