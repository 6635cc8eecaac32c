"""Disconnection protection: orders are cancelled once no protected private connection is left.

A private connection that subscribed a `dcp` topic protects its account for as long as it lives; one
whose heartbeat no longer arrives (a cut link that nobody closed) has gone too. When the last of them
goes, the account's window starts; a new one that subscribes within it stops the countdown.
Source: https://bybit-exchange.github.io/docs/v5/order/dcp
"""

from asmm_daemon.exchange.bybit.state import DCP_DEFAULT_S, State
from asmm_daemon.exchange.connection import Connection
from asmm_daemon.exchange.orders import Origin
from asmm_daemon.units import NS_PER_S


class DisconnectionGuard:
    """Knows each account's protecting connections."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._protecting: dict[str, dict[int, Connection]] = {}
        self._looks = False

    def joined(self, connection: Connection) -> None:
        """A connection subscribed a `dcp` topic."""
        if connection.key is None or not self._state.dcp_enabled:
            return
        account = connection.key.account
        known = self._protecting.get(account)
        if known is not None and not known:
            self._arm(account, connection, 0)
        self._protecting.setdefault(account, {})[connection.id] = connection
        if not self._looks:
            self._looks = True
            self._look(self._state.exchange.now_ns)

    def closed(self, connection: Connection) -> None:
        """A private connection ended."""
        if connection.key is None:
            return
        account = connection.key.account
        known = self._protecting.get(account, {})
        if known.pop(connection.id, None) is not None and not known:
            self._state.server.now_ns()
            self._start(account, connection)

    def _look(self, t_ns: int) -> None:
        """Each second: connections whose link is cut protect no longer."""
        for account, known in self._protecting.items():
            cut = [connection for connection in known.values() if connection.is_frozen]
            for connection in cut:
                del known[connection.id]
            if cut and not known:
                self._start(account, cut[-1])
        self._looks = any(self._protecting.values())
        if self._looks:
            self._state.exchange.call_at(t_ns + NS_PER_S, self._look)

    def _start(self, account: str, connection: Connection) -> None:
        window_s = self._state.dcp_window_s.get(account, DCP_DEFAULT_S)
        self._arm(account, connection, window_s * 1000)

    def _arm(self, account: str, connection: Connection, window_ms: int) -> None:
        exchange = self._state.exchange
        origin = Origin("stream", conn=connection.id)
        exchange.arm_deadman(exchange.accounts[account], None, window_ms, origin)
