"""Disconnection protection: orders are cancelled once no protected private connection is left.

A private connection that subscribed a `dcp` topic protects its account. When the last of them goes,
the account's window starts; a new one that subscribes within it stops the countdown.
Source: https://bybit-exchange.github.io/docs/v5/order/dcp
"""

from asmm_daemon.exchange.bybit.state import DCP_DEFAULT_S, State
from asmm_daemon.exchange.connection import Connection
from asmm_daemon.exchange.orders import Origin


class DisconnectionGuard:
    """Counts each account's protecting connections."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._protecting: dict[str, set[int]] = {}

    def joined(self, connection: Connection) -> None:
        """A connection subscribed a `dcp` topic."""
        if connection.key is None or not self._state.dcp_enabled:
            return
        account = connection.key.account
        ids = self._protecting.get(account)
        if ids is not None and not ids:
            self._arm(account, connection, 0)
        self._protecting.setdefault(account, set()).add(connection.id)

    def closed(self, connection: Connection) -> None:
        """A private connection ended."""
        if connection.key is None:
            return
        account = connection.key.account
        ids = self._protecting.get(account, set())
        if connection.id not in ids:
            return
        ids.remove(connection.id)
        if not ids:
            window_s = self._state.dcp_window_s.get(account, DCP_DEFAULT_S)
            self._arm(account, connection, window_s * 1000)

    def _arm(self, account: str, connection: Connection, window_ms: int) -> None:
        state = self._state
        state.server.now_ns()
        origin = Origin("stream", conn=connection.id)
        state.exchange.arm_deadman(state.exchange.accounts[account], None, window_ms, origin)
