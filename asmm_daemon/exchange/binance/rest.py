"""REST over aiohttp: requests in, answers with the venue's headers out."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from asmm_daemon.exchange.binance.dispatch import Dispatcher, Outcome
from asmm_daemon.exchange.binance.endpoint import Endpoint
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.gate import Signed, rest_payloads
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.wire import Reply, RequestInfo

KEY_HEADER = "X-MBX-APIKEY"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MESSAGES = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1003: "Too many requests; please use the websocket for live updates to avoid polling the API.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1015: "Too many new orders.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -2015: "Invalid API-key, IP, or permissions for action.",
}
_CODE_OF_STATUS = {401: -2015, 408: -1007, 418: -1003, 429: -1003, 502: -1001, 503: -1008, 504: -1007}
_BACK_OFF_S = 60


def fault_error(status: int, code: str) -> ApiError:
    """An injected failure as the venue words it."""
    number = int(code) if code.lstrip("-").isdigit() else _CODE_OF_STATUS.get(status, -1000)
    wait_s = _BACK_OFF_S if status in (418, 429) else None
    return ApiError(number, _MESSAGES.get(number, _MESSAGES[-1000]), status=status, retry_after_s=wait_s)


def error_reply(error: ApiError) -> Reply:
    """A Reply for an error that no endpoint raised."""
    headers = {} if error.retry_after_s is None else {"Retry-After": str(error.retry_after_s)}
    outcome = Outcome(None, error, 0, {})
    return Reply(error.status, outcome.body(), outcome.code, headers)


class Rest:
    """The REST routes of one product."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher

    def routes(self, app: web.Application) -> None:
        """Adds all paths; unknown ones below the product's roots answer as the venue does."""
        for (method, path), endpoint in self.dispatcher.by_path.items():
            app.router.add_route(method, path, self._handler(endpoint))
        spot = self.dispatcher.desk.is_spot
        for path in ("/fapi/v1/exchangeInfo", "/dapi/v1/exchangeInfo", "/api/v3/exchangeInfo"):
            if ("GET", path) not in self.dispatcher.by_path:
                app.router.add_get(path, self._no_symbols, allow_head=False)
        if not spot:
            app.router.add_route("*", "/fapi/{tail:.*}", self._unknown_path)

    def info(
        self, method: str, path: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> RequestInfo:
        """Key and weight of a request, for the log."""
        endpoint = self.dispatcher.by_path.get((method, path))
        weight = 1
        if endpoint is not None:
            try:
                weight = endpoint.cost(Params(params))
            except ApiError:
                weight = 1
        return RequestInfo(headers.get(KEY_HEADER), weight)

    def _handler(self, endpoint: Endpoint) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            server = self.dispatcher.server
            query = request.raw_path.partition("?")[2].encode()
            signed = Signed(request.headers.get(KEY_HEADER), rest_payloads(query, server.body(request)))
            params = Params(server.params(request))
            address = request.remote or ""
            outcome = await self.dispatcher.run(endpoint, params, signed, server.origin(request), address)
            return self._reply(outcome).response()

        return handle

    def _reply(self, outcome: Outcome) -> Reply:
        used = str(outcome.used_weight)
        headers = {"x-mbx-used-weight-1m": used}
        if self.dispatcher.desk.is_spot:
            headers["x-mbx-used-weight"] = used
        for window, count in outcome.order_counts.items():
            headers[f"x-mbx-order-count-{window}"] = str(count)
        error = outcome.error
        if error is not None and error.retry_after_s is not None:
            headers["Retry-After"] = str(error.retry_after_s)
        status = 200 if error is None else error.status
        return Reply(status, outcome.body(), outcome.code, headers, outcome.used_weight)

    async def _no_symbols(self, _: web.Request) -> web.StreamResponse:
        """Exchange information of a product that is not served here: it lists nothing."""
        empty = {"timezone": "UTC", "rateLimits": [], "exchangeFilters": [], "symbols": []}
        empty["serverTime"] = self.dispatcher.desk.time_ms()  # type: ignore[assignment]
        return self._reply(Outcome(empty, None, 0, {})).response()

    async def _unknown_path(self, request: web.Request) -> web.StreamResponse:
        error = ApiError(-5000, f"Path {request.path}, Method {request.method} is invalid", status=404)
        return self._reply(Outcome(None, error, 0, {})).response()
