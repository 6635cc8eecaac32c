"""The service manager's notification protocol (sd_notify(3)), without a library.

Outside systemd (`$NOTIFY_SOCKET` unset) every call does nothing.
"""

import os
import socket

from asmm_daemon.clock import mono_ns


class Notifier:
    """Sends states to systemd: READY, RELOADING, STATUS, WATCHDOG, STOPPING."""

    def __init__(self, address: str | None = None) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "") if address is None else address
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) if address else None
        self.watchdog_s = int(os.environ.get("WATCHDOG_USEC", "0")) / 1e6

    def _send(self, *lines: str) -> None:
        if self._socket is not None:
            self._socket.sendto("\n".join(lines).encode(), self._address)

    def ready(self, status: str) -> None:
        """Start-up, or a reload, is complete."""
        self._send("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """A reload began; `ready` ends it."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={mono_ns() // 1000}")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def watchdog(self) -> None:
        """Proof of health; withheld when data or cycles stall, so that systemd restarts us."""
        self._send("WATCHDOG=1")

    def stopping(self, text: str) -> None:
        """Shutdown began."""
        self._send("STOPPING=1", f"STATUS={text}")

    def close(self) -> None:
        """Releases the socket."""
        if self._socket is not None:
            self._socket.close()
