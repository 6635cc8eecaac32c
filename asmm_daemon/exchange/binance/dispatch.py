"""Admits a request, runs its endpoint at its time, and turns the outcome into an answer."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call, Endpoint
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.gate import Gate, Signed
from asmm_daemon.exchange.binance.params import Params
from asmm_daemon.exchange.orders import Origin
from asmm_daemon.exchange.server import Server


@dataclass(frozen=True, slots=True)
class Outcome:
    """A result or an error, the weight used by then, and order counts where orders were charged."""

    result: Any
    error: ApiError | None
    used_weight: int
    order_counts: dict[str, int]

    @property
    def code(self) -> str:
        """The venue's code: 0 for a result."""
        return "0" if self.error is None else str(self.error.code)

    def body(self) -> bytes:
        """The JSON of a REST answer."""
        return orjson.dumps(self.result if self.error is None else self.error.body())


class Dispatcher:
    """Runs endpoints; they are found by (method, path) or by their WebSocket API method."""

    def __init__(self, server: Server, desk: Desk, gate: Gate, endpoints: Iterable[Endpoint]) -> None:
        self.server = server
        self.desk = desk
        self.gate = gate
        self.by_path = {(endpoint.method, endpoint.path): endpoint for endpoint in endpoints}
        self.by_ws = {endpoint.ws: endpoint for endpoint in self.by_path.values() if endpoint.ws}

    async def run(
        self,
        endpoint: Endpoint,
        params: Params,
        signed: Signed,
        origin: Origin,
        address: str,
    ) -> Outcome:
        """Admits and runs one request."""
        now_ns = self.server.now_ns()
        counts: dict[str, int] = {}
        result: Any = None
        error: ApiError | None = None
        try:
            self.gate.charge(address, endpoint.cost(params), now_ns)
            key = self.gate.authorise(endpoint, params, signed, self.server.time_ms())
            account = self.desk.exchange.accounts[key.account] if key else None
            if endpoint.orders is not None and account is not None:
                self.gate.charge_orders(account.name, endpoint.orders(params), now_ns)
                counts = self.gate.order_counts(account.name, now_ns)
            result = await self._perform(endpoint, Call(params, now_ns, account, key, origin))
        except ApiError as refused:
            error = refused
        used = self.gate.weight.peek(address, now_ns).used
        return Outcome(result, error, used, counts)

    async def _perform(self, endpoint: Endpoint, call: Call) -> Any:
        if not endpoint.acts:
            return self.desk.refusing(lambda: endpoint.handler(call))

        def act() -> Any:
            at = replace(call, now_ns=self.desk.exchange.now_ns)
            return self.desk.refusing(lambda: endpoint.handler(at))

        return await self.server.act(act)
