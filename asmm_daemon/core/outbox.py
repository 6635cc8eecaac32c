"""Where commands and journal records of one step are collected, under that step's time."""

from asmm_daemon.core.records import Record, RecordKind, Value
from asmm_daemon.events import Command


class Outbox:
    """Commands leave with `step`, records with `drain_records`; `t_ns` never runs backwards."""

    def __init__(self) -> None:
        self.t_ns = 0
        self.commands: list[Command] = []
        self._records: list[Record] = []

    def begin(self, t_ns: int) -> None:
        """A new step: an event that is older than the last one happens now."""
        self.t_ns = max(self.t_ns, t_ns)
        self.commands = []

    def send(self, command: Command) -> None:
        """Queues a command; an order's intent must have been recorded before."""
        self.commands.append(command)

    def record(self, kind: RecordKind, symbol: str, key: str, **data: Value) -> None:
        """Queues a journal record."""
        self._records.append(Record(kind, self.t_ns, symbol, key, data))

    def drain(self) -> list[Record]:
        """Takes the queued records."""
        records, self._records = self._records, []
        return records
