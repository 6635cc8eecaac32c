"""What a client says on a market stream connection: SUBSCRIBE and its kin. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson

METHODS = ("SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY")


@dataclass(slots=True)
class Session:
    """One stream connection: whether payloads are wrapped, and what it subscribed, in order."""

    combined: bool
    names: dict[str, None] = field(default_factory=dict)


class RequestError(Exception):
    """A message that the stream server refuses; `code` and `msg` as it answers."""

    def __init__(self, code: int, msg: str) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg


@dataclass(frozen=True, slots=True)
class Actions:
    """What a session's messages do: `subscribe` returns False for a name that is no stream."""

    subscribe: Callable[[str], bool]
    unsubscribe: Callable[[str], None]
    rewrap: Callable[[], None]


def answer(session: Session, text: str, actions: Actions) -> dict[str, Any]:
    """The reply to one message."""
    request_id: Any = None
    try:
        message = _load(text)
        request_id = _request_id(message)
        return {"result": _perform(session, message, actions), "id": request_id}
    except RequestError as error:
        body = {"code": error.code, "msg": error.msg}
        reply: dict[str, Any] = {"error": body, **body}
        if request_id is not None:
            reply["id"] = request_id
        return reply


def _load(text: str) -> dict[str, Any]:
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise RequestError(
            3, f"Invalid JSON: expected value at line {error.lineno} column {error.colno}"
        ) from error
    if not isinstance(message, dict):
        raise RequestError(2, "Invalid request: expected an object")
    return message


def _request_id(message: dict[str, Any]) -> Any:
    request_id = message.get("id")
    fits = (
        request_id is None
        or (isinstance(request_id, int) and not isinstance(request_id, bool))
        or (isinstance(request_id, str) and len(request_id) <= 36)
    )
    if not fits:
        raise RequestError(2, "Invalid request: request ID must be an unsigned integer")
    return request_id


def _perform(session: Session, message: dict[str, Any], actions: Actions) -> Any:
    method = message.get("method")
    if method is None:
        raise RequestError(2, "Invalid request: missing field `method` at line 1 column 1")
    if method not in METHODS:
        expected = ", ".join(f"`{name}`" for name in METHODS)
        raise RequestError(2, f"Invalid request: unknown variant {method}, expected one of {expected}")
    params = message.get("params", [])
    if method == "LIST_SUBSCRIPTIONS":
        return list(session.names)
    if not isinstance(params, list):
        raise RequestError(2, "Invalid request: params must be a list")
    if method == "GET_PROPERTY":
        _property(params, 1)
        return session.combined
    if method == "SET_PROPERTY":
        _property(params, 2)
        if not isinstance(params[1], bool):
            raise RequestError(1, "Invalid value type: expected Boolean")
        session.combined = params[1]
        actions.rewrap()
        return None
    return _streams(session, method, params, actions)


def _property(params: list[Any], count: int) -> None:
    if not params or not isinstance(params[0], str):
        raise RequestError(2, "Invalid request: property name must be a string")
    if params[0] != "combined":
        raise RequestError(0, "Unknown property")
    if len(params) > count:
        raise RequestError(2, "Invalid request: too many parameters")
    if len(params) < count:
        raise RequestError(1, "Invalid value type: expected Boolean")


def _streams(session: Session, method: str, params: list[Any], actions: Actions) -> None:
    if not params or not all(isinstance(name, str) for name in params):
        raise RequestError(2, "Invalid request: stream names must be strings")
    for name in params:
        if method == "UNSUBSCRIBE":
            if session.names.pop(name, 1) is None:
                actions.unsubscribe(name)
        elif name not in session.names:
            if not actions.subscribe(name):
                raise RequestError(2, "Invalid request: invalid stream")
            session.names[name] = None


def dump(reply: dict[str, Any]) -> bytes:
    """A reply as it is sent."""
    return orjson.dumps(reply)
