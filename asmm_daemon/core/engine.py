"""The engine: events in, approved commands out. Pure and deterministic.

The service feeds every event through `step`, writes `drain_records()` durably, then sends the
commands that `step` returned, in their order. Nothing here reads a clock: time is `event.t_ns`.
"""

from collections.abc import Iterable, Sequence

from asmm_daemon.core.records import Record
from asmm_daemon.core.spec import AccountLimits, Identity, MarketSpec
from asmm_daemon.core.view import EngineView
from asmm_daemon.events import Command, Event


class Engine:
    """Quotes, orders, limits, states and accounts of several markets on one account.

    Args:
        specs: one per configured market; index `m` of events and commands is the position here.
        account: limits over all markets.
        identity: prefix and epoch of client order ids; the epoch must grow with every start.
    """

    def __init__(self, specs: Sequence[MarketSpec], account: AccountLimits, identity: Identity) -> None:
        raise NotImplementedError

    def restore(self, records: Iterable[Record]) -> None:
        """Rebuilds ledgers, open orders, peak and latches from the journal, oldest record first.

        Called once, before the first `step`. Orders without a final state come back as UNKNOWN and
        are asked about before anything is quoted.
        """
        raise NotImplementedError

    def step(self, event: Event) -> list[Command]:
        """Takes one event; returns the approved commands that it causes, in sending order."""
        raise NotImplementedError

    def drain_records(self) -> list[Record]:
        """The journal records since the last call; durable before this step's commands are sent."""
        raise NotImplementedError

    def apply(self, specs: Sequence[MarketSpec], account: AccountLimits, t_ns: int) -> None:
        """Swaps parameters, limits and policies between two events (SIGHUP).

        Raises:
            ConfigError: markets, venue product or instruments' grid differ from the running ones;
                nothing has changed then.
        """
        raise NotImplementedError

    def view(self) -> EngineView:
        """A frozen snapshot for status, metrics and summary."""
        raise NotImplementedError

    @property
    def open_orders(self) -> int:
        """Orders that are or may be open at the venue, over all markets."""
        raise NotImplementedError

    @property
    def halted(self) -> bool:
        """Whether a latch holds the account in HALTED."""
        raise NotImplementedError
