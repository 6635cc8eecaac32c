"""Structured logs: readable on a terminal, JSON lines otherwise, and never a secret.

A secret is removed by its value, wherever it appears, so that a venue's error text or a traceback
cannot carry it out. A line that cannot be written (the reader of a pipe left, the terminal closed, the
disk is full) is lost, never an exception: it would keep orders from being cancelled.
"""

import contextlib
import logging
import sys
from collections.abc import Iterable
from typing import Any, TextIO, cast

import orjson
import structlog

_REDACTED = "[redacted]"
_secrets: set[str] = set()


def hide(secrets: Iterable[str]) -> None:
    """Values that must never appear in a log line from now on."""
    _secrets.update(value for value in secrets if len(value) >= 3)


def redact(text: str) -> str:
    """`text` without any hidden value."""
    for secret in _secrets:
        text = text.replace(secret, _REDACTED)
    return text


def _redact_value(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, dict):
        return {key: _redact_value(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_redact_value(item) for item in value]
    if isinstance(value, (int, float, bool, type(None))):
        return value
    return redact(str(value))


def _redact_event(
    _logger: Any, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    return {key: _redact_value(value) for key, value in event.items()}


def _json(event: Any, **_: Any) -> str:
    return orjson.dumps(event, default=str).decode()


class _RedactingFormatter(logging.Formatter):
    """For the libraries that log through the standard module."""

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _Outlet:
    """A stream whose faults are nobody else's; without one given, standard error as it is at that moment."""

    def __init__(self, given: TextIO | None) -> None:
        self._given = given

    def write(self, text: str) -> None:
        """Writes, or loses, the text."""
        with contextlib.suppress(OSError):
            (self._given or sys.stderr).write(text)

    def flush(self) -> None:
        """Hands on what the stream holds back, or loses it."""
        with contextlib.suppress(OSError):
            (self._given or sys.stderr).flush()


def configure(*, level: str = "info", style: str = "auto", stream: TextIO | None = None) -> None:
    """Sets up logging for the process. `style`: auto, console or json."""
    outlet, stream = cast("TextIO", _Outlet(stream)), stream or sys.stderr
    console = style == "console" or (style == "auto" and stream.isatty())
    number = logging.getLevelNamesMapping()[level.upper()]
    final: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty())
        if console
        else structlog.processors.JSONRenderer(serializer=_json)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact_event,
            final,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=lambda *_: structlog.WriteLogger(outlet),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(_RedactingFormatter("%(levelname)s %(name)s: %(message)s"))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that names the part that speaks."""
    logger: structlog.stdlib.BoundLogger = structlog.get_logger(part=name)
    return logger
