"""Where market streams leave: the exchange's clock and the hub."""

from dataclasses import dataclass
from typing import Any

import orjson

from asmm_daemon.exchange.core import Exchange
from asmm_daemon.exchange.hub import StreamHub


@dataclass(frozen=True, slots=True)
class Outlet:
    """Publishes JSON events."""

    exchange: Exchange
    hub: StreamHub

    def send(
        self,
        name: str,
        event: Any,
        exch_ns: int,
        local_ns: int,
        *,
        sym: str | None = None,
        first_id: int | None = None,
        last_id: int | None = None,
    ) -> None:
        """Publishes one event of a stream."""
        self.hub.publish(
            name,
            orjson.dumps(event),
            exch_ns=exch_ns,
            local_ns=local_ns,
            first_id=first_id,
            last_id=last_id,
            sym=sym,
        )
