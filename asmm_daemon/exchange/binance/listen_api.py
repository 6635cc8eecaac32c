"""Listen key functions, and what happens when a key expires."""

from typing import Any

from asmm_daemon.exchange.binance.desk import Desk
from asmm_daemon.exchange.binance.endpoint import Call
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.user_stream import UserStream
from asmm_daemon.exchange.connection import Connection
from asmm_daemon.units import NS_PER_MS

_LINGER_NS = 100 * NS_PER_MS  # lets the last event leave before its connections are taken off
NO_KEY = {
    True: "This listenKey does not exist.",
    False: "This listenKey does not exist. Please use `POST /fapi/v1/listenKey` to recreate `listenKey`",
}


class ListenApi:
    """Starts, extends and closes keys; `users` are the connections that listen to each key."""

    def __init__(self, desk: Desk, stream: UserStream) -> None:
        self.desk = desk
        self.stream = stream
        self.users: dict[str, dict[Connection, list[str]]] = {}

    def start(self, call: Call) -> dict[str, Any]:
        """A key for the account's user stream."""
        key = self.desk.listen_keys.start(call.owner.name, call.now_ns)
        self._watch()
        return {"listenKey": key}

    def extend(self, call: Call) -> dict[str, Any]:
        """Another hour for a key."""
        name = call.params.text("listenKey") if self.desk.is_spot else call.params.optional("listenKey")
        key = self.desk.listen_keys.extend(call.owner.name, call.now_ns, name)
        if key is None:
            raise self._no_key()
        self._watch()
        return {} if self.desk.is_spot else {"listenKey": key}

    def close(self, call: Call) -> dict[str, Any]:
        """Ends a key and its streams."""
        name = call.params.text("listenKey") if self.desk.is_spot else call.params.optional("listenKey")
        key = self.desk.listen_keys.close(call.owner.name, name)
        if key is None:
            raise self._no_key()
        self._detach(key)
        return {}

    def _no_key(self) -> ApiError:
        return ApiError(-1125, NO_KEY[self.desk.is_spot])

    def attach(self, connection: Connection, key: str, names: list[str]) -> None:
        """A connection listens to a key under these hub names."""
        self.users.setdefault(key, {})[connection] = names

    def leave(self, connection: Connection) -> None:
        """A connection has closed."""
        for listeners in self.users.values():
            listeners.pop(connection, None)

    def expire_all(self) -> None:
        """Lets every key expire now."""
        self._expired(self.desk.listen_keys.expire_all(), self.desk.exchange.now_ns)

    def _watch(self) -> None:
        due_ns = self.desk.listen_keys.next_ns()
        if due_ns is not None:
            self.desk.exchange.call_at(due_ns, self._check)

    def _check(self, t_ns: int) -> None:
        self._expired(self.desk.listen_keys.expire(t_ns), t_ns)

    def _expired(self, ended: list[tuple[str, str]], t_ns: int) -> None:
        for key, account in ended:
            event = {"e": "listenKeyExpired", "E": t_ns // NS_PER_MS, "listenKey": key}
            self.stream.publish(account, event, t_ns)
            self.desk.exchange.call_at(t_ns + _LINGER_NS, lambda _, key=key: self._detach(key))  # type: ignore[misc]

    def _detach(self, key: str) -> None:
        for connection, names in self.users.pop(key, {}).items():
            self.stream.hub.unsubscribe(connection, names)
