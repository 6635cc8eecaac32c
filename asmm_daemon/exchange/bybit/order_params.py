"""Order requests as clients write them, read into the exchange's own words or refused as the venue does.

Sources: https://bybit-exchange.github.io/docs/v5/order/create-order and .../order/amend-order
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.bybit.codes import PARAMS, ApiError
from asmm_daemon.exchange.bybit.order_json import SIDES, SMP, TIFS, TYPES, OrderTag
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.text import number
from asmm_daemon.exchange.orders import NewOrder, OrderRecord, OrderType, Reject, Stp, Tif, VenueReject
from asmm_daemon.units import BUY, Side

Body = Mapping[str, Any]
_LINK_ID = re.compile(r"[A-Za-z0-9_-]{1,36}")
_SPOT_CODES = {"side": 170117, "orderType": 170116, "timeInForce": 170115, "qty": 170130, "price": 170130}
_NOT_SERVED = ("triggerPrice", "takeProfit", "stopLoss", "tpLimitPrice", "slLimitPrice")


def _bad(state: State, name: str) -> ApiError:
    if state.category == "spot" and name in _SPOT_CODES:
        code = _SPOT_CODES[name]
        if code == 170130:
            return ApiError(code, f"Data sent for paramter '{name}' is not valid.")
        return ApiError(code, f"Invalid {name}.")
    return ApiError(PARAMS, f"{name[:1].upper()}{name[1:]} invalid")


def text(body: Body, name: str) -> str | None:
    """A parameter as text; None when it is missing, null or empty."""
    value = body.get(name)
    if value is None or value == "":
        return None
    return ("true" if value else "false") if isinstance(value, bool) else str(value)


def flag(body: Body, name: str) -> bool:
    """A boolean parameter, as JSON's or as text."""
    return (text(body, name) or "false").lower() == "true"


def positive(state: State, body: Body, name: str) -> Decimal | None:
    """A decimal above zero; None when it is missing."""
    written = text(body, name)
    if written is None:
        return None
    value = number(written)
    if value is None or value <= 0:
        raise _bad(state, name)
    return value


def link_id(body: Body) -> str:
    """The client's own order id, "" for none."""
    written = text(body, "orderLinkId")
    if written is None:
        return ""
    if not _LINK_ID.fullmatch(written):
        raise ApiError(PARAMS, "params error: OrderLinkId invalid")
    return written


@dataclass(frozen=True, slots=True)
class _Terms:
    kind: OrderType
    tif: Tif
    side: Side
    reduce_only: bool
    stp: Stp


def _terms(state: State, body: Body) -> _Terms:
    side = SIDES.get(text(body, "side") or "")
    if side is None:
        raise _bad(state, "side")
    kind = TYPES.get(text(body, "orderType") or "")
    if kind is None:
        raise _bad(state, "orderType")
    tif = TIFS.get(text(body, "timeInForce") or "GTC")
    if tif is None:
        raise _bad(state, "timeInForce")
    stp = SMP.get(text(body, "smpType") or "None")
    if stp is None:
        raise ApiError(PARAMS, "params error: SmpType invalid")
    if (text(body, "positionIdx") or "0") != "0":
        raise ApiError(PARAMS, "position idx not match position mode")
    for name in _NOT_SERVED:
        if (text(body, name) or "0").strip("0.") != "":
            raise ApiError(PARAMS, f"params error: {name} is not supported")
    reduce_only = flag(body, "reduceOnly") and state.category == "linear"
    if kind is OrderType.MARKET:
        tif = Tif.FOK if tif is Tif.FOK else Tif.IOC
    return _Terms(kind, tif, side, reduce_only, stp)


def _whole_position(state: State, account: Account, body: Body) -> Decimal | None:
    """`qty` "0" with reduceOnly and closeOnTrigger asks to close the whole position."""
    if state.category != "linear" or not (flag(body, "reduceOnly") and flag(body, "closeOnTrigger")):
        return None
    if (text(body, "qty") or "").strip("0.") != "":
        return None
    held = abs(state.position(account, str(body.get("symbol"))).qty)
    if not held:
        raise VenueReject(Reject.REDUCE_ONLY)
    return held


def new_order(state: State, account: Account, body: Body) -> NewOrder:
    """A create request. Raises ApiError as the venue words it."""
    if not state.check_category(text(body, "category")):
        raise ApiError(PARAMS, "params error: symbol invalid")
    market = state.market(text(body, "symbol"))
    terms = _terms(state, body)
    whole = _whole_position(state, account, body)
    qty = positive(state, body, "qty") if whole is None else whole
    if qty is None:
        raise _bad(state, "qty")
    price, quote_qty, unit = None, None, ""
    if terms.kind is OrderType.LIMIT:
        price = positive(state, body, "price")
        if price is None:
            raise _bad(state, "price")
    elif state.category == "spot":
        unit = text(body, "marketUnit") or ("quoteCoin" if terms.side == BUY else "baseCoin")
        if unit not in ("baseCoin", "quoteCoin"):
            raise ApiError(PARAMS, "params error: MarketUnit invalid")
        quote_qty = qty if unit == "quoteCoin" else None
    own = link_id(body)
    return NewOrder(
        symbol=market.symbol,
        side=terms.side,
        kind=terms.kind,
        tif=terms.tif,
        qty=None if quote_qty is not None else qty,
        price=price,
        quote_qty=quote_qty,
        cid=own,
        reduce_only=terms.reduce_only,
        stp=terms.stp,
        tag=OrderTag(own, state.last_price(market), unit, flag(body, "closeOnTrigger")),
    )


def find_order(state: State, account: Account, body: Body) -> OrderRecord:
    """The order that a request names; orderId goes before orderLinkId."""
    symbol = text(body, "symbol")
    written, own = text(body, "orderId"), text(body, "orderLinkId")
    if written is not None:
        number = state.id_number(written, "order")
        if number is None:
            raise VenueReject(Reject.UNKNOWN_ORDER)
        return state.exchange.find(account, symbol, oid=number)
    if own is None:
        raise ApiError(PARAMS, "params error: OrderId or orderLinkId is required")
    return state.exchange.find(account, symbol, cid=own)


def amend_terms(state: State, order: OrderRecord, body: Body) -> tuple[Decimal | None, Decimal | None]:
    """The new price and total quantity of an amendment; None for what stays."""
    price, qty = positive(state, body, "price"), positive(state, body, "qty")
    if price in (None, order.price) and qty in (None, order.qty):
        raise VenueReject(Reject.NO_CHANGE)
    if qty is not None and qty <= order.filled:
        raise VenueReject(Reject.AMEND_QTY)
    return price, qty
