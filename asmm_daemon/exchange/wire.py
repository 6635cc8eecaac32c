"""What the chassis needs of a product's wire protocol."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from aiohttp import web

from asmm_daemon.exchange.orders import VenueReject

CODE: web.ResponseKey[str] = web.ResponseKey("code", str)
"""The venue's code of an answer, for the log."""
USED_WEIGHT: web.ResponseKey[int | None] = web.ResponseKey("used_weight", int)


@dataclass(frozen=True, slots=True)
class RequestInfo:
    """What the log says of a request: whose key it names (None: unsigned), and its weight."""

    key: str | None
    weight: int


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP status (or the status in a WebSocket answer), body, and the venue's code."""

    status: int
    body: bytes
    code: str = "0"
    headers: Mapping[str, str] = field(default_factory=dict)
    used_weight: int | None = None

    def response(self) -> web.Response:
        """As an aiohttp response, the code and used weight kept for the log."""
        response = web.Response(
            status=self.status, body=self.body, content_type="application/json", headers=dict(self.headers)
        )
        response[CODE] = self.code
        response[USED_WEIGHT] = self.used_weight
        return response


class Wire(Protocol):
    """One product's protocol, made by `make_wire(server)`; it listens to the exchange by itself.

    In its constructor a wire sets `server.exchange.dialect` and calls `server.exchange.listen`. A
    handler is a plain aiohttp handler; the chassis's middleware numbers and logs the request, applies
    faults, calls the handler, turns a VenueReject into `rejected`, and logs the response. A handler
    that answers an error itself sets `response[CODE]` (or uses `Reply`).
    """

    def routes(self, app: web.Application) -> None:
        """Adds the product's REST and WebSocket routes."""

    def urls(self, port: int) -> Mapping[str, str]:
        """`public_ws`, `private_ws` and `api_ws` of the ready line."""

    def request_info(
        self, method: str, path: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> RequestInfo:
        """Key and weight of a REST request, before it is handled."""

    def rejected(self, reject: VenueReject, path: str) -> Reply:
        """The venue's answer to a request that the exchange refused."""

    def fault_reply(self, status: int, code: str, path: str) -> Reply:
        """The venue's error body for an injected failure."""

    def admin(self, action: str, params: Mapping[str, str]) -> bool:
        """An administrator's action of this wire's own (such as "expire-listen-keys"); False: unknown."""
