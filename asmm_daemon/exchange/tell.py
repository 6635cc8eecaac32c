"""Says what happened: to the venue log first, then to the listeners."""

from collections.abc import Sequence

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.dialect import Dialect, PlainDialect
from asmm_daemon.exchange.listener import Level, Listener
from asmm_daemon.exchange.log import VenueLog
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import (
    CancelWhy,
    OrderRecord,
    OrderType,
    Origin,
    PublicTrade,
    Trade,
    VenueReject,
)

SIDE_NAMES = {1: "buy", -1: "sell"}


class Teller:
    """Writes lines of `log` and calls `listeners`; ids and codes in the wire's `dialect`."""

    def __init__(self, log: VenueLog) -> None:
        self.log = log
        self.listeners: list[Listener] = []
        self.dialect: Dialect = PlainDialect()

    def accepted(self, account: Account, order: OrderRecord, origin: Origin, t_ns: int) -> None:
        """An order was accepted."""
        self.log.write(
            "accept",
            t_ns,
            origin=origin,
            sym=order.symbol,
            oid=self.dialect.oid(order.oid),
            cid=order.cid,
            side=SIDE_NAMES[order.side],
            type=str(order.kind),
            tif=str(order.tif),
            px=order.price if order.kind is OrderType.LIMIT else None,
            qty=order.qty,
            reduce_only=order.reduce_only,
            stp=str(order.stp),
        )
        self._order(account, order, None, t_ns)

    def rejected(
        self, symbol: str, cid: str, reject: VenueReject, origin: Origin, t_ns: int, oid: int | None = None
    ) -> None:
        """A request was refused."""
        code, message = self.dialect.describe(reject.reason, reject.detail)
        self.log.write(
            "reject",
            t_ns,
            origin=origin,
            sym=symbol,
            oid=None if oid is None else self.dialect.oid(oid),
            cid=cid,
            code=code,
            msg=message,
        )

    def amended(
        self, account: Account, order: OrderRecord, origin: Origin, t_ns: int, *, kept_priority: bool
    ) -> None:
        """An order's terms changed."""
        self.log.write(
            "amend",
            t_ns,
            origin=origin,
            sym=order.symbol,
            oid=self.dialect.oid(order.oid),
            cid=order.cid,
            px=order.price,
            qty=order.qty,
            kept_priority=kept_priority,
        )
        self._order(account, order, None, t_ns)

    def ended(
        self,
        account: Account,
        order: OrderRecord,
        why: CancelWhy,
        left: int,
        origin: Origin,
        t_ns: int,
        market: Market,
    ) -> None:
        """An order ended with `left` lots unfilled."""
        self.log.write(
            "cancel",
            t_ns,
            origin=origin,
            sym=order.symbol,
            oid=self.dialect.oid(order.oid),
            cid=order.cid,
            why=str(why),
            left=market.instrument.qty(left),
        )
        self._order(account, order, None, t_ns)

    def filled(self, account: Account, order: OrderRecord, trade: Trade, market: Market) -> None:
        """An order was executed."""
        self.log.write(
            "fill",
            trade.t_ns,
            origin=Origin("engine"),
            sym=order.symbol,
            oid=self.dialect.oid(order.oid),
            cid=order.cid,
            tid=self.dialect.tid(trade.tid),
            side=SIDE_NAMES[trade.side],
            px=trade.price,
            qty=trade.qty,
            left=market.instrument.qty(order.left),
            maker=trade.maker,
            fee=trade.fee,
            fee_asset=trade.fee_asset,
            realised=trade.realised,
        )
        self._order(account, order, trade, trade.t_ns)

    def account(
        self, account: Account, assets: Sequence[str], symbols: Sequence[str], why: str, t_ns: int
    ) -> None:
        """Balances and positions changed."""
        for asset in assets:
            balance = account.balance(asset)
            self.log.write("balance", t_ns, asset=asset, free=balance.free, locked=balance.locked)
        for symbol in symbols:
            position = account.positions[symbol]
            self.log.write(
                "position",
                t_ns,
                sym=symbol,
                qty=position.qty,
                entry_cost=position.cost,
                funding=position.funding,
            )
        for listener in self.listeners:
            listener.on_account(account, assets, symbols, why, t_ns)

    def trade(self, market: Market, trade: PublicTrade, local_ns: int) -> None:
        """A public trade happened."""
        market.trades.append(trade)
        for listener in self.listeners:
            listener.on_trade(market, trade, local_ns)

    def depth(self, market: Market, changes: Sequence[Level], exch_ns: int, local_ns: int) -> None:
        """Published levels changed."""
        for listener in self.listeners:
            listener.on_depth(market, changes, exch_ns, local_ns)

    def best(self, market: Market, exch_ns: int, local_ns: int) -> None:
        """The public best changed."""
        self.log_best(market, exch_ns)
        for listener in self.listeners:
            listener.on_best(market, exch_ns, local_ns)

    def log_best(self, market: Market, t_ns: int) -> None:
        """Writes the public best."""
        if not self.log.is_kept:
            return
        best, unit = market.best, market.instrument
        self.log.write(
            "book",
            t_ns,
            sym=unit.symbol,
            bid=unit.price(best.bid) if best.bid >= 0 else None,
            bid_qty=unit.qty(best.bid_qty),
            ask=unit.price(best.ask) if best.ask >= 0 else None,
            ask_qty=unit.qty(best.ask_qty),
        )

    def mark(self, market: Market, t_ns: int) -> None:
        """The mark price or funding rate was published."""
        for listener in self.listeners:
            listener.on_mark(market, t_ns, t_ns)

    def status(self, market: Market, t_ns: int) -> None:
        """Trading status or filters changed."""
        for listener in self.listeners:
            listener.on_status(market, t_ns)

    def deadman(self, symbol: str | None, action: str, window_ms: int, origin: Origin, t_ns: int) -> None:
        """A dead-man's switch was armed, refreshed, disarmed, or fired."""
        self.log.write("deadman", t_ns, origin=origin, sym=symbol, action=action, window_ms=window_ms)

    def _order(self, account: Account, order: OrderRecord, trade: Trade | None, t_ns: int) -> None:
        for listener in self.listeners:
            listener.on_order(account, order, trade, t_ns)
