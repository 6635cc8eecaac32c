"""The stream servers: raw and combined connections, routed USD-M paths, listen key connections."""

from aiohttp import web

from asmm_daemon.exchange.binance import session as protocol
from asmm_daemon.exchange.binance import spot_events, usdm_events
from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.envelope import combined
from asmm_daemon.exchange.binance.listen_api import ListenApi
from asmm_daemon.exchange.binance.market_streams import MarketStreams
from asmm_daemon.exchange.binance.session import Actions, Session
from asmm_daemon.exchange.binance.user_stream import stream_name
from asmm_daemon.exchange.connection import Connection
from asmm_daemon.exchange.limits import Budget, Limit
from asmm_daemon.exchange.server import Server
from asmm_daemon.units import NS_PER_S

DAY_NS = 86_400 * NS_PER_S
PING_S = {True: 20.0, False: 180.0}
MESSAGES_PER_S = {True: 5, False: 10}


class StreamServer:
    """Serves market and user streams.

    Routed paths (/public, /market, /private) and the old unrouted ones serve every stream.
    """

    def __init__(self, server: Server, desk: Desk, streams: MarketStreams, listen: ListenApi) -> None:
        self.server = server
        self.desk = desk
        self.streams = streams
        self.listen = listen
        self.events = spot_events.EVENTS if desk.is_spot else usdm_events.EVENTS

    def routes(self, app: web.Application) -> None:
        """Adds all stream paths."""
        roots = [""] if self.desk.is_spot else ["", "/public", "/market", "/private"]
        for root in roots:
            for kind in ("ws", "stream"):
                app.router.add_get(f"{root}/{kind}", self._serve, allow_head=False)
                app.router.add_get(f"{root}/{kind}/{{names:.*}}", self._serve, allow_head=False)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        parts = request.path.strip("/").split("/")
        is_combined = "stream" in parts[:2] and "ws" not in parts
        names = [name for name in request.match_info.get("names", "").split("/") if name]
        names += [name for name in request.query.get("streams", "").split("/") if name]
        keys = request.query.getall("listenKey", [])
        private = bool(keys) or any(self.desk.listen_keys.account(name) for name in names)
        connection = await self.server.websocket(
            request, "private" if private else "public", ping_s=PING_S[self.desk.is_spot]
        )
        session = Session(is_combined)
        connection.state = session
        stop = self.desk.exchange.call_at(
            self.desk.exchange.now_ns + DAY_NS, lambda _: connection.close(1001, "24 hours")
        )
        for name in names:
            if self._subscribe(connection, session, name):
                session.names[name] = None
        for key, events in zip(keys, _padded(request.query.getall("events", []), len(keys)), strict=True):
            self._listen(connection, session, key, events)
        try:
            await self._read(connection, session)
        finally:
            stop()
            self.listen.leave(connection)
        return connection.response

    async def _read(self, connection: Connection, session: Session) -> None:
        budget = Budget(Limit("messages", MESSAGES_PER_S[self.desk.is_spot], 1))
        actions = Actions(
            subscribe=lambda name: self._subscribe(connection, session, name),
            unsubscribe=lambda name: self.server.hub.unsubscribe(connection, self._hub_names(name)),
            rewrap=lambda: self._rewrap(connection, session),
        )
        async for text in connection:
            if not budget.charge("connection", 1, self.server.now_ns()).ok:
                connection.close(1008, "Too many requests")
                continue
            connection.send(protocol.dump(protocol.answer(session, text, actions)))

    def _subscribe(self, connection: Connection, session: Session, name: str) -> bool:
        if self.desk.listen_keys.account(name.partition("@")[0]) is not None:
            key, _, event = name.partition("@")
            self._listen(connection, session, key, event)
            return True
        if not self.streams.open(name):
            return False
        self.server.hub.subscribe(connection, [name], combined(name) if session.combined else None)
        return True

    def _listen(self, connection: Connection, session: Session, key: str, events: str) -> None:
        """Subscribes to a listen key's events (all, or those named); an unknown key stays silent."""
        names = self._hub_names(f"{key}@{events}" if events else key)
        if names:
            self.server.hub.subscribe(connection, names, combined(key) if session.combined else None)
            self.listen.attach(connection, key, names)

    def _hub_names(self, name: str) -> list[str]:
        key, _, events = name.partition("@")
        account = self.desk.listen_keys.account(key)
        if account is None:
            return [] if "@" not in name and not name.startswith("!") else [name]
        wanted = [event for event in events.split("/") if event] or list(self.events)
        return [stream_name(account, event) for event in dict.fromkeys([*wanted, "listenKeyExpired"])]

    def _rewrap(self, connection: Connection, session: Session) -> None:
        for name in session.names:
            key = name.partition("@")[0]
            stream = key if self.desk.listen_keys.account(key) else name
            wrap = combined(stream) if session.combined else None
            self.server.hub.subscribe(connection, self._hub_names(name), wrap)


def _padded(events: list[str], count: int) -> list[str]:
    return [*events[:count], *[""] * (count - len(events))]
