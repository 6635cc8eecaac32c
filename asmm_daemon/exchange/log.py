"""The venue log (`asmm-venuelog/1`): one JSON line for everything that truly happened.

Lines are collected and handed to the operating system by `flush`, which whoever writes to a socket
calls first; so a client never sees an effect whose line is not in the file.
"""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import orjson

from asmm_daemon.errors import StateError
from asmm_daemon.exchange.orders import Origin
from asmm_daemon.units import wire

FORMAT = "asmm-venuelog/1"
_MAX_LINES = 512


def _decimal(value: Any) -> str:
    if isinstance(value, Decimal):
        return wire(value)
    raise TypeError(f"{type(value).__name__} does not belong into the venue log")


class VenueLog:
    """Writes lines to a binary sink; without a sink it only counts them.

    `wall_ns` tells the machine's clock. Decimals are written as plain strings; a key whose value is
    None is left out. While `is_muted`, lines do not exist (a session's prehistory).
    """

    def __init__(self, sink: IO[bytes] | None, wall_ns: Callable[[], int]) -> None:
        self._sink = sink
        self._wall_ns = wall_ns
        self._lines: list[bytes] = []
        self.seq = 0
        self.is_muted = False

    @property
    def is_kept(self) -> bool:
        """Whether lines go anywhere: costly keys need not be worked out when they do not."""
        return self._sink is not None and not self.is_muted

    def write(
        self,
        ev: str,
        t_ns: int,
        *,
        origin: Origin | None = None,
        sym: str | None = None,
        oid: str | None = None,
        cid: str | None = None,
        **keys: Any,
    ) -> None:
        """Adds one line."""
        if self.is_muted:
            return
        seq = self.seq
        self.seq += 1
        if self._sink is None:
            return
        line: dict[str, Any] = {"seq": seq, "t_ns": t_ns, "wall_ns": self._wall_ns(), "ev": ev}
        if sym is not None:
            line["sym"] = sym
        if origin is not None:
            if origin.conn is not None:
                line["conn"] = origin.conn
            line["via"] = origin.via
            if origin.req is not None:
                line["req"] = origin.req
        if oid is not None:
            line["oid"] = oid
        if cid is not None:
            line["cid"] = cid
        line.update({key: value for key, value in keys.items() if value is not None})
        self._lines.append(orjson.dumps(line, default=_decimal, option=orjson.OPT_APPEND_NEWLINE))
        if len(self._lines) >= _MAX_LINES:
            self.flush()

    def flush(self) -> None:
        """Hands all lines to the operating system."""
        if self._lines and self._sink is not None:
            self._sink.write(b"".join(self._lines))
            self._sink.flush()
            self._lines.clear()

    def close(self) -> None:
        """Flushes and closes the sink."""
        self.flush()
        if self._sink is not None:
            self._sink.close()
            self._sink = None


def open_log(path: Path | None, wall_ns: Callable[[], int]) -> VenueLog:
    """A log that writes a new file at `path` (an old one is replaced), or nowhere."""
    if path is None:
        return VenueLog(None, wall_ns)
    try:
        return VenueLog(path.open("wb"), wall_ns)
    except OSError as error:
        raise StateError(f"the venue log {path} cannot be written: {error.strerror}") from error
