"""What a product lists: filters and fees of a market, where the feed does not bring its own."""

from decimal import Decimal

from asmm_daemon.tape.columns import TapeInfo
from asmm_daemon.tape.loaders.common import min_notional
from asmm_daemon.units import Instrument, Lots, Product

FEES: dict[Product, tuple[Decimal, Decimal]] = {
    "binance": (Decimal("0.001"), Decimal("0.001")),
    "binanceusdm": (Decimal("0.0002"), Decimal("0.0005")),
    "bybit-spot": (Decimal("0.001"), Decimal("0.001")),
    "bybit-linear": (Decimal("0.0002"), Decimal("0.00055")),
}
"""Maker and taker rates of an ordinary account."""
_MAX_NOTIONAL_LOTS = Lots(10**9)
_DOLLARS = ("USD", "DUSD")


def listed_symbol(info: TapeInfo) -> str:
    """The symbol under which a recorded market is listed: dollars of any kind become USDT."""
    quote = "USDT" if info.quote in _DOLLARS else info.quote
    return f"{info.base}{quote}"


def listed(product: Product, info: TapeInfo, symbol: str | None = None) -> Instrument:
    """A recorded market as `product` would list it, with the recording's own tick and lot."""
    name = symbol or listed_symbol(info)
    quote = "USDT" if info.quote in _DOLLARS else info.quote
    base = name.removesuffix(quote) if name.endswith(quote) else info.base
    return make_instrument(product, name, base, quote, info.tick, info.lot)


def make_instrument(
    product: Product, symbol: str, base: str, quote: str, tick: Decimal, lot: Decimal
) -> Instrument:
    """An instrument with the product's usual fees and limits."""
    maker, taker = FEES[product]
    return Instrument(
        symbol=symbol,
        product=product,
        base=base,
        quote=quote,
        tick=tick,
        lot=lot,
        min_notional=min_notional(product, symbol),
        min_qty=Lots(1),
        max_qty=_MAX_NOTIONAL_LOTS,
        maker=maker,
        taker=taker,
    )
