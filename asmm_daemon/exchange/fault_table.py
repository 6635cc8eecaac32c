"""Reading faults: one JSON object a line, as `interfaces.md` words them.

| on | do | what happens |
|---|---|---|
| response | drop, close | the request never reaches the engine; the connection is cut |
| response | silence | the request never reaches the engine; no answer ever |
| response | status | not executed; answered with `arg.status` and `arg.code` |
| response | delay | executed; answered `arg.ms` later |
| response | drop_after_accept | executed; `arg.status` and `arg.code` if given, else cut after `arg.ms` |
| stream, event | drop, gap, silence | the message is not delivered |
| stream, event | delay | it (and what follows on its stream) comes `arg.ms` later |
| stream, event | duplicate, reorder | it comes twice, or after the next one of its stream |
| stream, event | close | subscribers' connections are closed |
| clock | skew | the venue tells, and checks timestamps by, a time `arg.ms` ahead |
| connection | close | matching WebSockets are closed once |
| connection | drop | the link is down: WebSockets are cut, new connections and requests refused |
| connection | silence | half-open: existing WebSockets say nothing any more, not even pongs |

`stream` means public streams, `event` private ones. A fault acts from `at_s` for `for_s` venue seconds
(null: once, on the first match), again every `every` seconds, each time with probability `p`. `match`
holds shell patterns; a plain word matches anywhere in a name (in any case), and at the end of a path.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson

from asmm_daemon.errors import ConfigError

_MESSAGE = frozenset({"drop", "gap", "silence", "delay", "duplicate", "reorder", "close"})
ALLOWED: Mapping[str, frozenset[str]] = {
    "response": frozenset({"drop", "close", "silence", "status", "delay", "drop_after_accept"}),
    "stream": _MESSAGE,
    "event": _MESSAGE,
    "clock": frozenset({"skew"}),
    "connection": frozenset({"close", "drop", "silence"}),
}
_KEYS = frozenset({"id", "at_s", "for_s", "every", "p", "on", "match", "do", "arg"})
_MATCH_KEYS = frozenset({"path", "method", "name"})
_ARG_KEYS = frozenset({"ms", "status", "code"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One line of a fault file. Times in venue seconds since the exchange started."""

    id: str
    on: str
    do: str
    at_s: float = 0.0
    for_s: float | None = None
    every: float | None = None
    p: float = 1.0
    path: str | None = None
    method: str | None = None
    name: str | None = None
    ms: float = 0.0
    status: int | None = None
    code: str | None = None

    def fits_request(self, method: str, path: str) -> bool:
        """Whether it is meant for a request (over WebSocket: the call's name as path)."""
        return (self.method is None or self.method.upper() == method.upper()) and (
            self.path is None or fnmatchcase(path, self.path) or path.endswith(self.path)
        )

    def fits_name(self, name: str) -> bool:
        """Whether it is meant for a stream or connection."""
        if self.name is None:
            return True
        pattern, name = self.name.lower(), name.lower()
        return pattern in name or fnmatchcase(name, pattern)

    def as_json(self) -> dict[str, Any]:
        """What the admin endpoint shows."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def parse_fault(item: Any, where: str, *, default_at_s: float = 0.0) -> Fault:
    """A fault from its JSON object; `where` names it in errors."""
    if not isinstance(item, dict):
        raise ConfigError(f"{where}: a fault must be an object, not {type(item).__name__}")
    match, arg = item.get("match") or {}, item.get("arg") or {}
    for name, part, known in (("", item, _KEYS), ("match.", match, _MATCH_KEYS), ("arg.", arg, _ARG_KEYS)):
        if not isinstance(part, dict):
            raise ConfigError(f"{where}: {name.rstrip('.')} must be an object")
        for key in part.keys() - known:
            raise ConfigError(f"{where}: unknown key {name}{key}; known are {', '.join(sorted(known))}")
    on, action = str(item.get("on")), str(item.get("do"))
    if on not in ALLOWED:
        raise ConfigError(f"{where}: on = {on!r}, must be one of {', '.join(ALLOWED)}")
    if action not in ALLOWED[on]:
        raise ConfigError(
            f"{where}: do = {action!r}, on {on} must be one of {', '.join(sorted(ALLOWED[on]))}"
        )
    fault = Fault(
        id=str(item.get("id") or where),
        on=on,
        do=action,
        at_s=_number(item, "at_s", where, default_at_s),
        for_s=None if item.get("for_s") is None else _number(item, "for_s", where, 0.0),
        every=None if item.get("every") is None else _number(item, "every", where, 0.0),
        p=_number(item, "p", where, 1.0),
        path=match.get("path"),
        method=match.get("method"),
        name=match.get("name"),
        ms=_number(arg, "ms", where, 0.0, low=float("-inf")),
        status=None if arg.get("status") is None else int(_number(arg, "status", where, 0.0)),
        code=None if arg.get("code") is None else str(arg["code"]),
    )
    if fault.p > 1:
        raise ConfigError(f"{where}: p = {fault.p}, must be between 0 and 1")
    if fault.every is not None and fault.every <= (fault.for_s or 0.0):
        raise ConfigError(f"{where}: every = {fault.every}, must be longer than for_s = {fault.for_s}")
    return fault


def read_faults(path: Path) -> list[Fault]:
    """All faults of a file; raises ConfigError naming the line."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ConfigError(f"faults file {path} cannot be read: {error.strerror}") from error
    faults = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        where = f"{path.name}:{number}"
        try:
            item = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise ConfigError(f"{where}: not JSON ({error})") from error
        faults.append(parse_fault(item, where))
    return faults


def _number(part: Mapping[str, Any], key: str, where: str, default: float, low: float = 0.0) -> float:
    value = part.get(key, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < low:
        raise ConfigError(f"{where}: {key} = {value!r}, must be a number of at least {low:g}")
    return float(value)
