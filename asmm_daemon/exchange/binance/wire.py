"""One Binance product on the chassis: REST, stream servers and the WebSocket API together."""

from collections.abc import Mapping

import orjson
from aiohttp import web

from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.dispatch import Dispatcher
from asmm_daemon.exchange.binance.gate import Gate
from asmm_daemon.exchange.binance.listen_api import ListenApi
from asmm_daemon.exchange.binance.market_streams import MarketStreams
from asmm_daemon.exchange.binance.rest import Rest, error_reply, fault_error
from asmm_daemon.exchange.binance.spot_endpoints import spot_endpoints
from asmm_daemon.exchange.binance.stream_server import StreamServer
from asmm_daemon.exchange.binance.usdm_endpoints import usdm_endpoints
from asmm_daemon.exchange.binance.user_stream import UserStream
from asmm_daemon.exchange.binance.ws_api import WsApi
from asmm_daemon.exchange.orders import VenueReject
from asmm_daemon.exchange.server import Server
from asmm_daemon.exchange.wire import Reply, RequestInfo


class BinanceWire:
    """The wire protocol of Binance spot or USD-M, by the exchange's product."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.desk = Desk(server.exchange, server.time_ms, server.seed)
        server.exchange.dialect = self.desk.dialect
        self.streams = MarketStreams(self.desk, server.hub)
        self.users = UserStream(self.desk, server.hub)
        server.exchange.listen(self.streams)
        server.exchange.listen(self.users)
        self.listen = ListenApi(self.desk, self.users)
        gate = Gate(server.exchange.product, server.keys)
        if self.desk.is_spot:
            endpoints = spot_endpoints(self.desk, self.listen, gate)
        else:
            endpoints = usdm_endpoints(self.desk, self.listen, self.users, gate)
        dispatcher = Dispatcher(server, self.desk, gate, endpoints)
        self.rest = Rest(dispatcher)
        self.sockets = StreamServer(server, self.desk, self.streams, self.listen)
        self.api = WsApi(dispatcher, self.users)

    def routes(self, app: web.Application) -> None:
        """Adds the product's REST and WebSocket routes."""
        self.sockets.routes(app)
        self.api.routes(app)
        self.rest.routes(app)

    def urls(self, port: int) -> Mapping[str, str]:
        """Addresses of the public and private streams and of the WebSocket API."""
        root = f"ws://127.0.0.1:{port}"
        if self.desk.is_spot:
            private = f"{root}{self.api.path}"
            return {"public_ws": f"{root}/ws", "private_ws": private, "api_ws": private}
        return {
            "public_ws": f"{root}/public/ws",
            "private_ws": f"{root}/private/ws",
            "api_ws": f"{root}{self.api.path}",
        }

    def request_info(
        self, method: str, path: str, params: Mapping[str, str], headers: Mapping[str, str]
    ) -> RequestInfo:
        """Key and weight of a REST request."""
        return self.rest.info(method, path, params, headers)

    def rejected(self, reject: VenueReject, path: str) -> Reply:  # noqa: ARG002  (one wording for all paths)
        """The venue's answer to a request that the exchange refused."""
        return error_reply(self.desk.dialect.error(reject))

    def fault_reply(self, status: int, code: str, path: str) -> Reply:  # noqa: ARG002  (as above)
        """The venue's error body for an injected failure."""
        return error_reply(fault_error(status, code))

    def admin(self, action: str, params: Mapping[str, str]) -> bool:  # noqa: ARG002  (they take none)
        """`expire-listen-keys`, `terminate-user-streams`, `announce-shutdown`."""
        if action == "expire-listen-keys":
            self.listen.expire_all()
        elif action == "terminate-user-streams":
            for connection in self.server.hub.connections():
                self.api.terminate(connection)
        elif action == "announce-shutdown":
            notice = orjson.dumps({"e": "serverShutdown", "E": self.desk.time_ms()})
            for connection in self.server.hub.connections():
                connection.send(notice)
        else:
            return False
        return True


def make_wire(server: Server) -> BinanceWire:
    """The wire of the server's product."""
    return BinanceWire(server)
