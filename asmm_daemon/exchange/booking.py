"""What executions and endings do: records, accounts and the public book, each told as it happens."""

from collections.abc import Mapping
from decimal import Decimal

from asmm_daemon.core.fills import Fills
from asmm_daemon.exchange.accounts import Account, Income, IncomeKind
from asmm_daemon.exchange.funds import Funds
from asmm_daemon.exchange.market import Market, Shown
from asmm_daemon.exchange.orders import (
    ENGINE,
    CancelWhy,
    OrderRecord,
    OrderState,
    Origin,
    PublicTrade,
    Trade,
)
from asmm_daemon.exchange.rules import VenueRules
from asmm_daemon.exchange.settle import settle
from asmm_daemon.exchange.store import OrderStore
from asmm_daemon.exchange.tell import Teller

_Fill = tuple[int, int, int, int, int, int, int, bool]
"""A FILL record: order, price, lots, left, time, row of the causing trade (-1: none), side, maker."""
_ENDED_BY_CLIENT = (CancelWhy.USER, CancelWhy.ALL, CancelWhy.DEADMAN, CancelWhy.LIQUIDATION)


class Booker:
    """The one writer of order records after their admission, and of accounts."""

    def __init__(
        self,
        rules: VenueRules,
        accounts: Mapping[str, Account],
        store: OrderStore,
        funds: Funds,
        teller: Teller,
        first_id: int,
    ) -> None:
        self._rules = rules
        self._accounts = accounts
        self._store = store
        self._funds = funds
        self._tell = teller
        self._iid = first_id

    def on_rows(self, market: Market, fills: Fills, shown: Shown, t_ns: int) -> None:
        """Tells what a feed message did: trades with our parts of them, our fills, the public book."""
        if not fills.size:
            for _, price, qty, side in shown.trades:
                self._public(market, shown, price, qty, side)
        else:
            self._shared_trades(market, fills.tolist(), shown)
        self.show(market, shown, shown.exch_ns, shown.local_ns)
        if fills.size:
            for name in {order.account for oid in fills["order"].tolist() if (order := self._store.get(oid))}:
                self.trim_reduce_only(self._accounts[name], market, t_ns)

    def _shared_trades(self, market: Market, fills: list[_Fill], shown: Shown) -> None:
        """Each feed trade falls into our parts of it and the rest; fills without one are trades too."""
        by_row: dict[int, list[_Fill]] = {}
        for fill in fills:
            by_row.setdefault(fill[5], []).append(fill)
        for row, price, qty, side in shown.trades:
            own = by_row.get(row, [])
            rest = qty - sum(fill[2] for fill in own)
            for fill in own:
                if fill[1] == price and rest > 0:  # those ahead in the queue trade first
                    self._public(market, shown, price, rest, side)
                    rest = 0
                self._maker_fill(market, fill, shown.local_ns)
            if rest > 0:
                self._public(market, shown, price, rest, side)
        for fill in by_row.get(-1, []):
            self._maker_fill(market, fill, shown.local_ns)

    def _maker_fill(self, market: Market, fill: _Fill, local_ns: int) -> None:
        oid, price, qty, _, t_ns, _, side, _ = fill
        trade = PublicTrade(market.take_tid(), t_ns, price, qty, -side)
        self.fill(market, oid, trade, maker=True)
        self._tell.trade(market, trade, local_ns)

    def _public(self, market: Market, shown: Shown, price: int, qty: int, side: int) -> None:
        trade = PublicTrade(market.take_tid(), shown.exch_ns, price, qty, side)
        self._tell.trade(market, trade, shown.local_ns)

    def fill(self, market: Market, oid: int, execution: PublicTrade, *, maker: bool) -> None:
        """Books one execution of our order `oid`."""
        order = self._store.get(oid)
        assert order is not None, f"the fill model names an unknown order {oid}"
        account = self._accounts[order.account]
        unit = market.instrument
        price, qty = unit.price(execution.price), unit.qty(execution.qty)
        booked = settle(account, unit, self._rules, order, price, qty, maker=maker, t_ns=execution.t_ns)
        order.left -= execution.qty
        order.filled += qty
        order.quote_filled += price * qty
        order.updated_ns = execution.t_ns
        order.state = OrderState.PARTIAL if order.left else OrderState.FILLED
        trade = Trade(
            tid=execution.tid,
            oid=oid,
            cid=order.cid,
            account=account.name,
            symbol=market.symbol,
            side=order.side,
            price=price,
            qty=qty,
            maker=maker,
            fee=booked.fee,
            fee_asset=booked.fee_asset,
            realised=booked.realised,
            t_ns=execution.t_ns,
        )
        account.trades.append(trade)
        self._note_income(account, market, trade)
        if not order.left:
            market.resting.discard(oid)
            self._store.end(order)
            self._funds.release(account, market, order)
        self._tell.filled(account, order, trade, market)
        symbols = () if unit.is_spot else (market.symbol,)
        self._tell.account(account, booked.assets, symbols, "fill", execution.t_ns)

    def end(
        self, account: Account, market: Market, order: OrderRecord, why: CancelWhy, origin: Origin, t_ns: int
    ) -> None:
        """Takes an open order out; the caller shows the book."""
        market.model.cancel(order.oid)
        market.resting.discard(order.oid)
        order.state = OrderState.CANCELLED if why in _ENDED_BY_CLIENT else OrderState.EXPIRED
        order.why = why
        order.updated_ns = t_ns
        self._store.end(order)
        freed = self._funds.release(account, market, order)
        self._tell.ended(account, order, why, order.left, origin, t_ns, market)
        if freed:
            self._tell.account(account, freed, (), "order", t_ns)

    def show(self, market: Market, shown: Shown, exch_ns: int, local_ns: int) -> None:
        """Publishes what changed in the book."""
        if shown.changes:
            market.update_id += 1
            market.update_ns = exch_ns
            self._tell.depth(market, shown.changes, exch_ns, local_ns)
        if shown.best_changed:
            self._tell.best(market, exch_ns, local_ns)

    def trim_reduce_only(self, account: Account, market: Market, t_ns: int) -> None:
        """Cuts resting reduce-only orders to the position that is left, and ends those without any."""
        position = account.positions.get(market.symbol)
        if position is None:
            return
        lots = market.instrument.floor_lots(abs(position.qty))
        for order in self._store.open(account.name, market.symbol):
            if not order.reduce_only:
                continue
            room = lots if position.qty * order.side < 0 else 0
            if room == 0:
                self.end(account, market, order, CancelWhy.EXPIRED, ENGINE, t_ns)
                self.show(market, market.on_orders([(order.side, order.price_ticks)]), t_ns, t_ns)
            elif order.left > room:
                order.qty_lots -= order.left - room
                order.left, order.qty = room, market.instrument.qty(order.qty_lots)
                self._tell.amended(account, order, ENGINE, t_ns, kept_priority=True)
                market.model.amend(order.oid, order.price_ticks, room, t_ns, post_only=False)
                self.show(market, market.on_orders([(order.side, order.price_ticks)]), t_ns, t_ns)

    def _note_income(self, account: Account, market: Market, trade: Trade) -> None:
        if market.instrument.is_spot:
            return
        symbol, t_ns, tid = market.symbol, trade.t_ns, trade.tid
        if trade.realised:
            self.note(account, "realised", market.instrument.quote, trade.realised, symbol, t_ns, tid)
        if trade.fee:
            self.note(account, "commission", trade.fee_asset, -trade.fee, symbol, t_ns, tid)

    def note(
        self,
        account: Account,
        kind: IncomeKind,
        asset: str,
        amount: Decimal,
        symbol: str,
        t_ns: int,
        tid: int | None = None,
    ) -> None:
        """Adds a line to an account's statement."""
        self._iid += 1
        account.income.append(Income(kind, asset, amount, symbol, t_ns, self._iid, tid))
