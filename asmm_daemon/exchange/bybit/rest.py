"""The REST routes: envelope, authentication, budgets, and which handler answers which path."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import orjson
from aiohttp import web

from asmm_daemon.exchange.bybit import account_rest, codes, market_rest, order_rest
from asmm_daemon.exchange.bybit.auth import may_trade, rest_key
from asmm_daemon.exchange.bybit.codes import ApiError, Verb, too_many
from asmm_daemon.exchange.bybit.limits import RateLimits, allowed, limit_headers
from asmm_daemon.exchange.bybit.order_params import Body, text
from asmm_daemon.exchange.bybit.order_rest import Call
from asmm_daemon.exchange.bybit.state import State
from asmm_daemon.exchange.bybit.trade import Outcome, Trading
from asmm_daemon.exchange.wire import Reply

PUBLIC: dict[str, Callable[[State, Mapping[str, str]], dict[str, Any]]] = {
    "/v5/market/time": market_rest.server_time,
    "/v5/market/instruments-info": market_rest.instruments,
    "/v5/market/orderbook": market_rest.orderbook,
    "/v5/market/recent-trade": market_rest.recent_trades,
    "/v5/market/kline": market_rest.kline,
    "/v5/market/tickers": market_rest.tickers,
    "/v5/market/funding/history": market_rest.funding_history,
    "/v5/market/risk-limit": market_rest.risk_limit,
    "/v5/system/status": market_rest.system_status,
}
PRIVATE_GET: dict[str, Callable[[Call], dict[str, Any]]] = {
    "/v5/order/realtime": order_rest.realtime,
    "/v5/order/history": order_rest.history,
    "/v5/execution/list": order_rest.executions,
    "/v5/account/wallet-balance": account_rest.wallet_balance,
    "/v5/account/info": account_rest.account_info,
    "/v5/account/fee-rate": account_rest.fee_rate,
    "/v5/account/query-dcp-info": account_rest.dcp_info,
    "/v5/position/list": account_rest.positions,
    "/v5/user/query-api": account_rest.query_api,
    "/v5/asset/coin/query-info": account_rest.coin_info,
}
PRIVATE_POST: dict[str, Callable[[Call], dict[str, Any]]] = {
    "/v5/position/set-leverage": account_rest.set_leverage,
    "/v5/position/switch-mode": account_rest.switch_mode,
    "/v5/order/disconnected-cancel-all": account_rest.set_dcp,
}
OK_TEXT = {
    "/v5/order/disconnected-cancel-all": "success",
    "/v5/account/query-dcp-info": "success",
    "/v5/user/query-api": "",
}
"""Endpoints whose `retMsg` of success is not "OK"."""
VERBS: tuple[Verb, ...] = ("create", "amend", "cancel")


def envelope(code: int, message: str, outcome: Outcome, time_ms: int) -> bytes:
    """The body that every REST answer has."""
    return orjson.dumps(
        {
            "retCode": code,
            "retMsg": message,
            "result": outcome.result,
            "retExtInfo": outcome.ext,
            "time": time_ms,
        }
    )


def parse_body(raw: bytes) -> Body:
    """A POST body; refuses what is not a JSON object."""
    try:
        body = orjson.loads(raw or b"{}")
    except orjson.JSONDecodeError:
        body = None
    if not isinstance(body, dict):
        raise ApiError(codes.PARAMS, "params error: request body is not valid JSON")
    return body


def batch_weight(body: Body) -> int:
    """How many orders a request holds."""
    requests = body.get("request")
    return max(1, len(requests)) if isinstance(requests, list) else 1


class Rest:
    """Answers REST requests."""

    def __init__(self, state: State, trading: Trading, limits: RateLimits) -> None:
        self._state = state
        self._trading = trading
        self._limits = limits

    def routes(self, app: web.Application) -> None:
        """Adds every path."""
        for path in PUBLIC:
            app.router.add_get(path, self._guard(self._public))
        for path in PRIVATE_GET:
            app.router.add_get(path, self._guard(self._read))
        for path in PRIVATE_POST:
            app.router.add_post(path, self._guard(self._set))
        for verb in VERBS:
            app.router.add_post(f"/v5/order/{verb}", self._guard(self._trade))
            app.router.add_post(f"/v5/order/{verb}-batch", self._guard(self._trade))
        app.router.add_post("/v5/order/cancel-all", self._guard(self._trade))

    def _guard(
        self, handler: Callable[[web.Request, dict[str, str]], Awaitable[Outcome]]
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def answer(request: web.Request) -> web.StreamResponse:
            server = self._state.server
            if self._limits.is_banned(request.remote or "", server.now_ns()):
                return Reply(403, b"access too frequent", "403").response()
            headers: dict[str, str] = {}
            try:
                outcome = await handler(request, headers)
            except ApiError as error:
                body = envelope(error.code, error.message, Outcome({}, {}), server.time_ms())
                return Reply(200, body, str(error.code), headers).response()
            good = OK_TEXT.get(request.path, "OK")
            return Reply(200, envelope(0, good, outcome, server.time_ms()), "0", headers).response()

        return answer

    async def _public(self, request: web.Request, _headers: dict[str, str]) -> Outcome:
        return Outcome(PUBLIC[request.path](self._state, dict(request.query)), {})

    def _enter(
        self, request: web.Request, headers: dict[str, str], payload: str, weight: int = 1
    ) -> tuple[Call, int]:
        """Authenticates a request and charges it to its account; how much of it is within the rate."""
        state, server = self._state, self._state.server
        key = rest_key(server.keys, request.headers, payload, server.time_ms())
        account = state.account(key)
        usage = self._limits.charge(account.name, request.path, weight, state.exchange.now_ns)
        headers.update(limit_headers(usage, state.exchange.now_ns))
        within = allowed(usage, weight)
        if not within:
            raise too_many()
        return Call(state, key, account, {}), within

    async def _read(self, request: web.Request, headers: dict[str, str]) -> Outcome:
        call, _ = self._enter(request, headers, request.rel_url.raw_query_string)
        return Outcome(PRIVATE_GET[request.path](call._replace(params=dict(request.query))), {})

    async def _set(self, request: web.Request, headers: dict[str, str]) -> Outcome:
        raw = self._state.server.body(request)
        call, _ = self._enter(request, headers, raw.decode("utf-8", "replace"))
        body = parse_body(raw)
        params = {name: value for name in body if (value := text(body, name)) is not None}
        return Outcome(PRIVATE_POST[request.path](call._replace(params=params)), {})

    async def _trade(self, request: web.Request, headers: dict[str, str]) -> Outcome:
        server = self._state.server
        raw = server.body(request)
        try:
            weight = batch_weight(parse_body(raw))
        except ApiError:
            weight = 1
        call, within = self._enter(request, headers, raw.decode("utf-8", "replace"), weight)
        may_trade(call.key)
        body, origin = parse_body(raw), server.origin(request)
        verb, is_batch = _verb(request.path)
        if verb is None:
            return await server.act(lambda: self._trading.cancel_all(call.account, body, origin))
        if is_batch:
            return await server.act(lambda: self._trading.batch(verb, call.account, body, origin, within))
        return await server.act(lambda: self._trading.one(verb, call.account, body, origin))


def _verb(path: str) -> tuple[Verb | None, bool]:
    name, _, batch = path.rpartition("/")[2].partition("-")
    if batch == "all":
        return None, False
    for verb in VERBS:
        if name == verb:
            return verb, batch == "batch"
    raise ApiError(codes.ROUTE, "Route not found.")
