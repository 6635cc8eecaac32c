"""Bybit v5 as the chassis wants it: routes, what the exchange tells, what errors look like."""

from collections.abc import Mapping, Sequence

from aiohttp import web

from asmm_daemon.exchange.accounts import Account
from asmm_daemon.exchange.bybit.codes import ROUTE, SERVER_TIMEOUT, Verb, rejection
from asmm_daemon.exchange.bybit.dcp import DisconnectionGuard
from asmm_daemon.exchange.bybit.limits import RateLimits
from asmm_daemon.exchange.bybit.private_socket import PrivateSocket
from asmm_daemon.exchange.bybit.private_topics import PrivateTopics
from asmm_daemon.exchange.bybit.public_socket import PublicSocket
from asmm_daemon.exchange.bybit.public_topics import PublicTopics
from asmm_daemon.exchange.bybit.rest import Rest, envelope
from asmm_daemon.exchange.bybit.state import KNOWN_CATEGORIES, State
from asmm_daemon.exchange.bybit.trade import Outcome, Trading
from asmm_daemon.exchange.bybit.trade_socket import TradeSocket
from asmm_daemon.exchange.listener import Level, NullListener
from asmm_daemon.exchange.market import Market
from asmm_daemon.exchange.orders import OrderRecord, PublicTrade, Reject, Trade, VenueReject
from asmm_daemon.exchange.server import Server
from asmm_daemon.exchange.wire import Reply, RequestInfo

_MESSAGES = {
    "10000": "Server Timeout",
    "10006": "Too many visits. Exceeded the API Rate Limit.",
    "10016": "Server error.",
    "10429": "System level frequency protection",
    "170007": "Timeout waiting for response from backend server.",
}


class BybitDialect:
    """Ids and rejections in the venue log as clients read them."""

    def __init__(self, state: State) -> None:
        self._state = state

    def oid(self, oid: int) -> str:
        """An order's id."""
        return self._state.id_text(oid, "order")

    def tid(self, tid: int) -> str:
        """An execution's id."""
        return self._state.id_text(tid, "trade")

    def describe(self, reason: Reject, detail: str) -> tuple[str, str]:
        """Return code and message of a rejection."""
        error = rejection(VenueReject(reason, detail), self._state.category, "cancel")
        return str(error.code), error.message


class BybitWire(NullListener):
    """The wire of `bybit-spot` or `bybit-linear`, by the server's product."""

    def __init__(self, server: Server) -> None:
        self._state = state = State(server)
        self._limits = limits = RateLimits(state.category)
        self._public = PublicTopics(state)
        self._private = PrivateTopics(state)
        trading = Trading(state, self._private)
        self._rest = Rest(state, trading, limits)
        self._sockets = (
            PublicSocket(state, self._public),
            PrivateSocket(state, DisconnectionGuard(state)),
            TradeSocket(state, trading, limits),
        )
        server.exchange.dialect = BybitDialect(state)
        server.exchange.listen(self)

    def routes(self, app: web.Application) -> None:
        """Adds REST and WebSocket routes."""
        public, private, trade = self._sockets
        self._rest.routes(app)
        for category in KNOWN_CATEGORIES:
            app.router.add_get(f"/v5/public/{category}", public.serve)
        app.router.add_get("/v5/private", private.serve)
        app.router.add_get("/v5/trade", trade.serve)

    def urls(self, port: int) -> Mapping[str, str]:
        """The WebSocket addresses of the ready line."""
        root = f"ws://127.0.0.1:{port}/v5"
        return {
            "public_ws": f"{root}/public/{self._state.category}",
            "private_ws": f"{root}/private",
            "api_ws": f"{root}/trade",
        }

    def request_info(
        self, method: str, path: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> RequestInfo:
        """Every request weighs one."""
        del method, path, params
        return RequestInfo(headers.get("X-BAPI-API-KEY"), 1)

    def rejected(self, reject: VenueReject, path: str) -> Reply:
        """A refusal that no handler turned into an answer."""
        verb: Verb = "amend" if "amend" in path else "cancel" if "cancel" in path else "create"
        error = rejection(reject, self._state.category, verb)
        return self._error(200, error.code, error.message)

    def fault_reply(self, status: int, code: str, path: str) -> Reply:
        """An injected failure: the venue's envelope, or its gateway's plain text."""
        del path
        if not code.isdigit():
            if status == 403:
                return Reply(403, b"access too frequent", "403")
            code = str(ROUTE if status == 404 else SERVER_TIMEOUT if status == 504 else 10016)
        return self._error(status, int(code), _MESSAGES.get(code, "Server error."))

    def admin(self, action: str, params: Mapping[str, str]) -> bool:
        """`dcp` with `enabled` true or false: whether the venue offers disconnection protection."""
        if action != "dcp":
            return False
        self._state.dcp_enabled = params.get("enabled", "true") == "true"
        return True

    def on_depth(self, market: Market, changes: Sequence[Level], exch_ns: int, local_ns: int) -> None:
        """The public book changed."""
        del changes
        self._public.on_depth(market, exch_ns, local_ns)

    def on_best(self, market: Market, exch_ns: int, local_ns: int) -> None:
        """The best changed: contracts' tickers show it."""
        del local_ns
        if self._state.category == "linear":
            self._public.on_ticker(market, exch_ns)

    def on_trade(self, market: Market, trade: PublicTrade, local_ns: int) -> None:
        """A public trade happened."""
        self._public.on_trade(market, trade, local_ns)

    def on_mark(self, market: Market, exch_ns: int, local_ns: int) -> None:
        """Mark price or funding changed."""
        del local_ns
        self._state.note_funding(market)
        self._public.on_ticker(market, exch_ns)

    def on_order(self, account: Account, order: OrderRecord, trade: Trade | None, t_ns: int) -> None:
        """An order changed."""
        del t_ns
        self._private.on_order(account, order, trade)

    def on_account(
        self, account: Account, assets: Sequence[str], symbols: Sequence[str], why: str, t_ns: int
    ) -> None:
        """Balances and positions changed."""
        del t_ns
        if why == "funding":
            self._private.on_funding(account)
        self._private.on_account(account, assets, symbols)

    def _error(self, status: int, code: int, message: str) -> Reply:
        body = envelope(code, message, Outcome({}, {}), self._state.server.time_ms())
        return Reply(status, body, str(code))


def make_wire(server: Server) -> BybitWire:
    """The wire for the chassis."""
    return BybitWire(server)
