"""Requests and answers of the WebSocket API. Pure."""

import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import orjson

from asmm_daemon.exchange.binance.errors import ApiError

_ID_DIGITS = 18


@dataclass(frozen=True, slots=True)
class WsRequest:
    """A request: its id, method, and parameters as text (numbers as they were written)."""

    request_id: Any
    method: str
    params: dict[str, str]


def parse(text: str) -> WsRequest:
    """Reads a request; raises ApiError -1135 for what is none."""
    try:
        orjson.loads(text)  # the stricter one: no NaN, no half of a surrogate pair
        message = json.loads(text, parse_float=str, parse_int=_Number)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ApiError(-1135, "Invalid JSON Request") from error
    if not isinstance(message, dict) or not isinstance(message.get("method"), str):
        raise ApiError(-1135, "Invalid JSON Request")
    params = message.get("params") or {}
    if not isinstance(params, dict):
        raise ApiError(-1135, "Invalid JSON Request")
    request_id = message.get("id")
    if isinstance(request_id, _Number):
        if len(request_id) > _ID_DIGITS:
            raise ApiError(-1135, "Invalid JSON Request")
        request_id = int(request_id)
    fields = {name: _text(value) for name, value in params.items() if value is not None}
    return WsRequest(request_id, message["method"], fields)


class _Number(str):
    """An integer of the request, still as it was written."""

    __slots__ = ()


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return str(value)
    return json.dumps(_plain(value), separators=(",", ":"))


def _plain(value: Any) -> Any:
    if isinstance(value, _Number):
        return int(value)
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def signed_payloads(params: dict[str, str]) -> tuple[bytes, ...]:
    """What a request's signature may stand for: its parameters by name, without the signature."""
    fields = sorted((name, value) for name, value in params.items() if name != "signature")
    plain = "&".join(f"{name}={value}" for name, value in fields)
    return plain.encode(), urlencode(fields).encode()


def success(request_id: Any, result: Any, limits: list[dict[str, Any]] | None) -> bytes:
    """An answer with a result."""
    return _answer({"id": request_id, "status": 200, "result": result}, limits)


def failure(request_id: Any, error: ApiError, limits: list[dict[str, Any]] | None, now_ms: int) -> bytes:
    """An answer with an error."""
    body = error.body()
    if error.retry_after_s is not None:
        body["data"] = {"serverTime": now_ms, "retryAfter": now_ms + error.retry_after_s * 1000}
    return _answer({"id": request_id, "status": error.status, "error": body}, limits)


def _answer(message: dict[str, Any], limits: list[dict[str, Any]] | None) -> bytes:
    if limits is not None:
        message["rateLimits"] = limits
    return orjson.dumps(message)


def dump(event: dict[str, Any]) -> bytes:
    """An event as it is sent."""
    return orjson.dumps(event)
