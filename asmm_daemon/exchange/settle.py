"""What an execution does to an account: fees, spot balances and locks, linear positions."""

from decimal import Decimal
from typing import NamedTuple

from asmm_daemon.exchange.accounts import Account, Position, money
from asmm_daemon.exchange.orders import ZERO, OrderRecord, OrderType
from asmm_daemon.exchange.rules import VenueRules
from asmm_daemon.units import Instrument


class Settlement(NamedTuple):
    """Fee paid (negative: rebate) in its asset, realised profit before fees, assets whose balance moved."""

    fee: Decimal
    fee_asset: str
    realised: Decimal
    assets: tuple[str, ...]


def fee_of(
    account: Account,
    instrument: Instrument,
    rules: VenueRules,
    side: int,
    quote: Decimal,
    qty: Decimal,
    rate: Decimal,
) -> tuple[Decimal, str]:
    """(fee, asset) of an execution worth `quote` for `qty` base; a negative fee is received.

    Linear products charge quote. Spot charges what is received; a rebate may come in the other asset.
    An account that burns a third asset pays with it while it has enough.
    """
    burn = account.fee_burn
    if burn is not None and rate > 0:
        fee = money(quote * rate / burn.price)
        if account.balance(burn.asset).free >= fee:
            return fee, burn.asset
    if not instrument.is_spot:
        return money(quote * rate), instrument.quote
    in_base = side > 0
    if rate < 0 and rules.rebate_in_other_asset:
        in_base = not in_base
    return (money(qty * rate), instrument.base) if in_base else (money(quote * rate), instrument.quote)


def settle(
    account: Account,
    instrument: Instrument,
    rules: VenueRules,
    order: OrderRecord,
    price: Decimal,
    qty: Decimal,
    *,
    maker: bool,
    t_ns: int,
) -> Settlement:
    """Books one execution of `order` in its account."""
    quote = price * qty
    rate = instrument.maker if maker else instrument.taker
    fee, fee_asset = fee_of(account, instrument, rules, order.side, quote, qty, rate)
    realised = ZERO
    if instrument.is_spot:
        _exchange_assets(account, instrument, order, quote, qty)
        assets = dict.fromkeys((instrument.base, instrument.quote, fee_asset))
    else:
        position = position_of(account, instrument.symbol, rules)
        realised = position.trade(order.side, qty, price)
        position.updated_ns = t_ns
        position.fees += fee
        account.balance(instrument.quote).free += realised
        assets = dict.fromkeys((instrument.quote, fee_asset))
    account.balance(fee_asset).free -= fee
    order.fees[fee_asset] = order.fees.get(fee_asset, ZERO) + fee
    return Settlement(fee, fee_asset, realised, tuple(assets))


def position_of(account: Account, symbol: str, rules: VenueRules) -> Position:
    """The account's position in a linear market, made on first use."""
    position = account.positions.get(symbol)
    if position is None:
        position = account.positions[symbol] = Position(symbol, leverage=rules.leverage)
    return position


def held_asset(instrument: Instrument, side: int) -> str:
    """The asset that a spot order of a side holds while it rests."""
    return instrument.quote if side > 0 else instrument.base


def lock(account: Account, instrument: Instrument, order: OrderRecord, amount: Decimal) -> None:
    """Moves free to locked for a resting spot order; a negative amount frees."""
    balance = account.balance(held_asset(instrument, order.side))
    balance.free -= amount
    balance.locked += amount
    order.locked += amount


def _exchange_assets(
    account: Account, instrument: Instrument, order: OrderRecord, quote: Decimal, qty: Decimal
) -> None:
    base, money_side = account.balance(instrument.base), account.balance(instrument.quote)
    if order.side > 0:
        reserved = order.price * qty if order.kind is OrderType.LIMIT else quote
        money_side.locked -= reserved
        money_side.free += reserved - quote
        order.locked -= reserved
        base.free += qty
    else:
        base.locked -= qty
        order.locked -= qty
        money_side.free += quote
