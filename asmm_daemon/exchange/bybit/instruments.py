"""`GET /v5/market/instruments-info`: one market's filters in the two shapes of the venue.

Source: https://bybit-exchange.github.io/docs/v5/market/instrument
"""

from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.bybit.text import plain
from asmm_daemon.exchange.rules import MAX_PRICE, RULES
from asmm_daemon.units import Instrument

LAUNCH_MS = 1_585_526_400_000
MAX_LEVERAGE = Decimal(100)
FUNDING_MINUTES = 480


def instrument_info(
    instrument: Instrument, tick: Decimal, lot: Decimal, *, is_listed: bool
) -> dict[str, Any]:
    """One entry of `result.list`; `tick` and `lot` are the filters in force."""
    body = _spot(instrument, tick, lot) if instrument.is_spot else _linear(instrument, tick, lot)
    return body if is_listed else body | {"status": "Closed"}


def _linear(instrument: Instrument, tick: Decimal, lot: Decimal) -> dict[str, Any]:
    max_qty = plain(instrument.qty(instrument.max_qty))
    scale = max(0, -int(tick.as_tuple().exponent))
    return {
        "symbol": instrument.symbol,
        "contractType": "LinearPerpetual",
        "status": "Trading",
        "baseCoin": instrument.base,
        "quoteCoin": instrument.quote,
        "symbolType": "",
        "launchTime": str(LAUNCH_MS),
        "deliveryTime": "0",
        "deliveryFeeRate": "",
        "priceScale": str(scale),
        "leverageFilter": {
            "minLeverage": "1",
            "maxLeverage": f"{MAX_LEVERAGE:.2f}",
            "leverageStep": "0.01",
        },
        "priceFilter": {
            "minPrice": format(tick, "f"),
            "maxPrice": format(MAX_PRICE.quantize(tick), "f"),
            "tickSize": format(tick, "f"),
        },
        "lotSizeFilter": {
            "maxOrderQty": max_qty,
            "minOrderQty": format(max(lot, instrument.qty(instrument.min_qty)), "f"),
            "qtyStep": format(lot, "f"),
            "postOnlyMaxOrderQty": max_qty,
            "maxMktOrderQty": max_qty,
            "minNotionalValue": plain(instrument.min_notional),
        },
        "unifiedMarginTrade": True,
        "fundingInterval": FUNDING_MINUTES,
        "settleCoin": instrument.quote,
        "copyTrading": "none",
        "upperFundingRate": "0.00375",
        "lowerFundingRate": "-0.00375",
        "isPreListing": False,
        "preListingInfo": None,
        "riskParameters": _price_limit(instrument),
        "displayName": "",
        "forbidUplWithdrawal": False,
    }


def _spot(instrument: Instrument, tick: Decimal, lot: Decimal) -> dict[str, Any]:
    max_qty = plain(instrument.qty(instrument.max_qty))
    return {
        "symbol": instrument.symbol,
        "baseCoin": instrument.base,
        "quoteCoin": instrument.quote,
        "innovation": "0",
        "symbolType": "",
        "status": "Trading",
        "marginTrading": "none",
        "stTag": "0",
        "lotSizeFilter": {
            "basePrecision": format(lot, "f"),
            "quotePrecision": "0.00000001",
            "minOrderQty": format(max(lot, instrument.qty(instrument.min_qty)), "f"),
            "maxOrderQty": max_qty,
            "minOrderAmt": plain(instrument.min_notional),
            "maxOrderAmt": plain(instrument.qty(instrument.max_qty) * MAX_PRICE),
            "maxLimitOrderQty": max_qty,
            "maxMarketOrderQty": max_qty,
            "postOnlyMaxLimitOrderSize": max_qty,
        },
        "priceFilter": {"tickSize": format(tick, "f")},
        "riskParameters": _price_limit(instrument),
    }


def _price_limit(instrument: Instrument) -> dict[str, str]:
    """One bound for buys and sells, around the last price."""
    ratio = plain(RULES[instrument.product].collar_up)
    return {"priceLimitRatioX": ratio, "priceLimitRatioY": ratio}
