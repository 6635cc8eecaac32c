"""Filters: what an order's terms must satisfy before anything else is asked."""

from decimal import Decimal
from typing import NamedTuple

from asmm_daemon.core.fills import BUY_AT_ANY, SELL_AT_ANY
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import ZERO, NewOrder, OrderType, Reject, VenueReject
from asmm_daemon.exchange.rules import MAX_PRICE, VenueRules

_MAX_TICKS = 2**50


class Terms(NamedTuple):
    """Price and quantity that passed the filters, in the wire's unit and in ticks and lots.

    `worth`: expected cost or proceeds in quote, 0 where nothing is on offer.
    """

    price: Decimal
    qty: Decimal
    ticks: int
    lots: int
    worth: Decimal


def check_new(market: Market, new: NewOrder, rules: VenueRules) -> Terms:
    """The terms of a new order; raises VenueReject."""
    if not market.is_trading:
        raise VenueReject(Reject.MARKET_CLOSED, f"{market.symbol} is {market.status}")
    if new.kind is OrderType.MARKET:
        return _market_terms(market, new)
    price = new.price if new.price is not None else ZERO
    qty = new.qty if new.qty is not None else ZERO
    return check_limit(market, rules, new.side, price, qty, exempt=new.reduce_only)


def check_limit(
    market: Market, rules: VenueRules, side: int, price: Decimal, qty: Decimal, *, exempt: bool
) -> Terms:
    """The terms of a limit order; `exempt` from the minimum notional if it only reduces."""
    ticks = _check_price(market, rules, side, price)
    lots = _check_qty(market, qty)
    worth = price * qty
    if worth < market.instrument.min_notional and not exempt:
        raise VenueReject(Reject.MIN_NOTIONAL, f"{worth} is less than {market.instrument.min_notional}")
    return Terms(price, qty, ticks, lots, worth)


def walk(
    market: Market, side: int, *, lots: int | None = None, quote: Decimal | None = None
) -> tuple[int, Decimal]:
    """(lots, quote) that a market order of a side could trade now, up to a number of lots or a sum."""
    bids, asks = market.depth(5_000)
    unit = market.instrument
    got, spent = 0, ZERO
    for ticks, there in asks if side > 0 else bids:
        price = unit.price(ticks)
        take = there
        if lots is not None:
            take = min(take, lots - got)
        if quote is not None:
            take = min(take, unit.floor_lots((quote - spent) / price))
        got += take
        spent += price * unit.qty(take)
        if take < there:
            break
    return got, spent


def _market_terms(market: Market, new: NewOrder) -> Terms:
    unit = market.instrument
    ticks = BUY_AT_ANY if new.side > 0 else SELL_AT_ANY
    if new.qty is None:
        lots, worth = walk(market, new.side, quote=new.quote_qty or ZERO)
        step = int(market.lot / unit.lot)
        lots, qty = lots - lots % step, unit.qty(lots - lots % step)
        if lots == 0:
            raise VenueReject(Reject.NO_LIQUIDITY, f"{new.quote_qty} {unit.quote} buys or sells nothing")
        _check_qty(market, qty)
    else:
        lots, qty = _check_qty(market, new.qty), new.qty
        _, worth = walk(market, new.side, lots=lots)
    notional = worth if new.qty is None else qty * unit.price(market.last_price)
    if notional < unit.min_notional and not new.reduce_only:
        raise VenueReject(Reject.MIN_NOTIONAL, f"{notional} is less than {unit.min_notional}")
    return Terms(ZERO, qty, ticks, lots, worth)


def _check_price(market: Market, rules: VenueRules, side: int, price: Decimal) -> int:
    if not price.is_finite() or price <= 0:
        raise VenueReject(Reject.PRICE_RANGE, f"price {price}")
    if price > min(MAX_PRICE, market.instrument.price(_MAX_TICKS)):
        raise VenueReject(Reject.PRICE_RANGE, f"price {price}")
    if price % market.tick:
        raise VenueReject(Reject.PRICE_TICK, f"price {price} is not a multiple of {market.tick}")
    ticks = int(price / market.instrument.tick)
    last = market.instrument.price(market.last_price)
    if last:
        above = (side > 0 or rules.collar_both) and price > last * (1 + rules.collar_up)
        below = (side < 0 or rules.collar_both) and price < last * (1 - rules.collar_down)
        if above or below:
            raise VenueReject(Reject.PRICE_COLLAR, f"price {price} against a last price of {last}")
    return ticks


def _check_qty(market: Market, qty: Decimal) -> int:
    unit = market.instrument
    if not qty.is_finite() or qty <= 0:
        raise VenueReject(Reject.QTY_MIN, f"quantity {qty}")
    if qty < unit.qty(unit.min_qty):
        raise VenueReject(Reject.QTY_MIN, f"quantity {qty} is less than {unit.qty(unit.min_qty)}")
    if qty > unit.qty(unit.max_qty):
        raise VenueReject(Reject.QTY_MAX, f"quantity {qty} is more than {unit.qty(unit.max_qty)}")
    if qty % market.lot:
        raise VenueReject(Reject.QTY_LOT, f"quantity {qty} is not a multiple of {market.lot}")
    return int(qty / unit.lot)
