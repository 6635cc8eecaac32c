"""What a USD-M order request asks for, checked as far as the exchange itself does not."""

from decimal import Decimal

from asmm_daemon.exchange.binance import tags
from asmm_daemon.exchange.binance.board import Board
from asmm_daemon.exchange.binance.decimals import places
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.orders import NewOrder, OrderType, Tif
from asmm_daemon.units import BUY, SELL, Side

CONDITIONAL = ("STOP", "STOP_MARKET", "TAKE_PROFIT", "TAKE_PROFIT_MARKET", "TRAILING_STOP_MARKET")
TIFS = {"GTC": Tif.GTC, "IOC": Tif.IOC, "FOK": Tif.FOK, "GTX": Tif.PO, "GTD": Tif.GTC}
MATCH_LEVELS = {"": 1, "_5": 5, "_10": 10, "_20": 20}
GTD_AHEAD_MS = 600_000
GTD_MAX_MS = 253402300799000


def parse_new(desk: Desk, params: Params, now_ms: int) -> NewOrder:
    """A new order's request, checked as far as the exchange itself does not."""
    board = desk.board(params)
    side: Side = BUY if tags.side(params) == "BUY" else SELL
    kind = params.text("type")
    if kind in CONDITIONAL:
        raise ApiError(
            -4120,
            "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
        )
    if kind not in ("LIMIT", "MARKET"):
        raise ApiError(-1116, "Invalid orderType.")
    one_way(params)
    if params.flag("closePosition"):
        raise ApiError(-1106, "Parameter 'closePosition' sent when not required.")
    tif = _tif(params, kind)
    qty = quantity(board, params)
    tag = tags.Tag(kind, tif, params.optional("priceMatch") or "NONE", _good_till(params, tif, now_ms))
    limit: Decimal | None = None
    if kind == "LIMIT":
        limit = price(board, params, side)
    elif params.has("price"):
        raise ApiError(-1106, "Parameter 'price' sent when not required.")
    mode = tags.stp_mode(params)
    return NewOrder(
        symbol=board.symbol,
        side=side,
        kind=OrderType.MARKET if kind == "MARKET" else OrderType.LIMIT,
        tif=Tif.IOC if kind == "MARKET" else TIFS[tif],
        qty=qty,
        price=limit,
        cid=client_id(params) or desk.new_client_id(),
        reduce_only=params.flag("reduceOnly"),
        stp=mode,
        tag=tag,
    )


def one_way(params: Params) -> None:
    """Refuses the position sides of hedge mode: accounts here hold one position a contract."""
    position_side = params.optional("positionSide")
    if position_side in ("LONG", "SHORT"):
        raise ApiError(-4061, "Order's position side does not match user's setting.")
    if position_side not in (None, "BOTH"):
        raise ApiError(-4060, "Invalid position side.")


def client_id(params: Params) -> str | None:
    """`newClientOrderId`, with USD-M's own words for a bad one."""
    value = params.optional("newClientOrderId")
    if value is not None and len(value) > 36:
        raise ApiError(-4015, "Client order id length should not be more than 36 chars")
    return params.client_id("newClientOrderId")


def quantity(board: Board, params: Params) -> Decimal:
    """`quantity`, positive and within the contract's precision."""
    value = params.decimal("quantity")
    if value <= 0:
        raise ApiError(-4003, "Quantity less than zero.")
    if places(value) > board.scales.qty.digits:
        raise ApiError(-1111, "Precision is over the maximum defined for this asset.")
    return value


def price(board: Board, params: Params, side: Side) -> Decimal:
    """`price`, or the price that `priceMatch` picks from the book."""
    match = params.optional("priceMatch")
    if match in (None, "NONE"):
        value = params.decimal("price")
        if value <= 0:
            raise ApiError(-4001, "Price less than 0.")
        if places(value) > board.scales.price.digits:
            raise ApiError(-1111, "Precision is over the maximum defined for this asset.")
        return value
    if params.has("price"):
        raise ApiError(-1106, "Parameter 'price' sent when not required.")
    kind, _, depth = str(match).partition("_")
    level = MATCH_LEVELS.get(f"_{depth}" if depth else "")
    if kind not in ("OPPONENT", "QUEUE") or level is None:
        raise ApiError(-5037, "Invalid price match")
    bids, asks = board.market.depth(level)
    book = bids if (side == BUY) == (kind == "QUEUE") else asks
    if not book:
        raise ApiError(-1112, "No orders on book for symbol.")
    return board.market.instrument.price(book[-1][0])


def _tif(params: Params, kind: str) -> str:
    value = params.optional("timeInForce")
    if kind == "MARKET":
        if value is not None:
            raise ApiError(-1106, "Parameter 'timeInForce' sent when not required.")
        return "GTC"
    if value is None:
        params.text("timeInForce")
    if value not in TIFS:
        raise ApiError(-1115, "Invalid timeInForce.")
    return str(value)


def _good_till(params: Params, tif: str, now_ms: int) -> int:
    if tif != "GTD":
        return 0
    value = params.integer("goodTillDate") // 1000 * 1000
    if not now_ms + GTD_AHEAD_MS < value < GTD_MAX_MS:
        raise ApiError(
            -5040,
            "The goodTillDate timestamp must be greater than the current time plus 600 seconds "
            f"and smaller than {GTD_MAX_MS}",
        )
    return value
