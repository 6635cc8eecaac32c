"""A session's events and commands, written as they pass, so that a session can be replayed to the byte.

JSON lines: first how the engine was built, then one line per event with the commands that it caused.
What JSON has no form for is tagged: decimals, enumerations, nested events and arrays.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import orjson

from asmm_daemon import events
from asmm_daemon.core.records import Record, RecordKind
from asmm_daemon.core.spec import Identity
from asmm_daemon.errors import StateError, TapeError
from asmm_daemon.events import ROW, Command, Event
from asmm_daemon.units import Instrument
from asmm_daemon.venue.protocol import Capabilities

_ENUMS: dict[str, type[StrEnum]] = {
    kind.__name__: kind for kind in (events.Channel, events.OrderStatus, events.Cause, RecordKind)
}


@dataclass(frozen=True, slots=True)
class Start:
    """What an engine was built from: the settings in effect (JSON), the venue's facts, the journal."""

    config: str
    instruments: tuple[Instrument, ...]
    capabilities: Capabilities
    identity: Identity
    restored: tuple[Record, ...]
    held: str
    held_ns: int


@dataclass(frozen=True, slots=True)
class Reloaded:
    """A new configuration (JSON), swapped in between two events."""

    t_ns: int
    config: str


class EventLog:
    """Appends to a new file; a context that closes it. Raises StateError when it cannot be made."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("wb")
        except OSError as error:
            raise StateError(f"--record {path} cannot be written: {error.strerror}") from None

    def begin(self, start: Start) -> None:
        """The first line: how the engine was built."""
        self._file.write(orjson.dumps({"start": _encode(start)}, option=orjson.OPT_APPEND_NEWLINE))

    def write(self, event: Event, commands: Sequence[Command]) -> None:
        """One line: the event and what the engine answered."""
        line = {"event": _encode(event), "commands": [_encode(command) for command in commands]}
        self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE))

    def reloaded(self, reload: Reloaded) -> None:
        """One line: what is in force from here on."""
        self._file.write(orjson.dumps({"reload": _encode(reload)}, option=orjson.OPT_APPEND_NEWLINE))

    def close(self) -> None:
        """Flushes and closes the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_start(path: Path) -> Start:
    """How the engine of a log was built. Raises TapeError when its first line does not say so."""
    start = next(_lines(path), None)
    if not isinstance(start, Start):
        raise TapeError(f"{path}:1: an event log begins with how the engine was built; this one does not")
    return start


def read_events(path: Path) -> Iterator[tuple[Event, list[Command]] | Reloaded]:
    """The events with their commands, and the reloads, of a log in their order.

    Raises:
        TapeError: a line cannot be read; the message names it.
    """
    for item in _lines(path):
        if not isinstance(item, Start):
            yield item


def _lines(path: Path) -> Iterator[Any]:
    try:
        file = path.open("rb")
    except OSError as error:
        raise TapeError(f"{path} cannot be read: {error.strerror}") from None
    with file:
        for number, line in enumerate(file, 1):
            try:
                data = orjson.loads(line)
                if "start" in data:
                    yield _decode(data["start"])
                elif "reload" in data:
                    yield _decode(data["reload"])
                else:
                    yield _decode(data["event"]), [_decode(command) for command in data["commands"]]
            except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError, ValueError) as error:
                raise TapeError(f"{path}:{number}: not a line of an event log: {error}") from None


def _encode(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return {"$enum": type(value).__name__, "v": value.value}
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, Decimal):
        return {"$decimal": str(value)}
    if isinstance(value, np.ndarray):
        kind = "ROW" if value.dtype == ROW else value.dtype.str
        data = base64.b64encode(np.ascontiguousarray(value).tobytes()).decode()
        return {"$array": kind, "shape": value.shape, "v": data}
    if isinstance(value, Mapping):
        return {"$map": [[key, _encode(item)] for key, item in value.items()]}
    if is_dataclass(value):
        return {
            "$is": type(value).__name__,
            **{field.name: _encode(getattr(value, field.name)) for field in fields(value)},
        }
    return [_encode(item) for item in value]


def _decode(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_decode(item) for item in value)
    if not isinstance(value, dict):
        return value
    if "$enum" in value:
        return _ENUMS[value["$enum"]](value["v"])
    if "$decimal" in value:
        return Decimal(value["$decimal"])
    if "$array" in value:
        kind: Any = ROW if value["$array"] == "ROW" else np.dtype(value["$array"])
        return np.frombuffer(base64.b64decode(value["v"]), kind).reshape(value["shape"]).copy()
    if "$map" in value:
        return {key: _decode(item) for key, item in value["$map"]}
    made = _OTHERS.get(value["$is"]) or getattr(events, value["$is"])
    return made(**{name: _decode(item) for name, item in value.items() if name != "$is"})


_OTHERS: dict[str, type[Any]] = {
    kind.__name__: kind for kind in (Start, Reloaded, Instrument, Capabilities, Identity, Record)
}
