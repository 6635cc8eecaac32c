"""Who sends a request: key, signature and time window, and the venue's words when one is wrong.

Source: https://bybit-exchange.github.io/docs/v5/guide#authentication and .../docs/v5/ws/connect
"""

from collections.abc import Mapping

from asmm_daemon.exchange.bybit import codes
from asmm_daemon.exchange.bybit.codes import ApiError
from asmm_daemon.exchange.keys import ApiKey, KeyRing, fresh

RECV_WINDOW_MS = 5000


def _window(timestamp: str, window: str, now_ms: int) -> None:
    try:
        sent_ms, window_ms = int(timestamp), int(window)
    except ValueError:
        raise ApiError(codes.PARAMS, "params error: timestamp or recv_window invalid") from None
    if not fresh(sent_ms, window_ms, now_ms):
        raise ApiError(
            codes.CLOCK,
            "invalid request, please check your server timestamp or recv_window param. "
            f"req_timestamp[{sent_ms}],server_timestamp[{now_ms}],recv_window[{window_ms}]",
        )


def may_trade(key: ApiKey) -> None:
    """Refuses a key without the permission to trade."""
    if not key.can_trade:
        raise ApiError(codes.PERMISSION, "Permission denied, please check your API key permissions.")


def rest_key(keys: KeyRing, headers: Mapping[str, str], payload: str, now_ms: int) -> ApiKey:
    """The key of a signed REST request; `payload` is its raw query string or body."""
    name = headers.get("X-BAPI-API-KEY", "")
    timestamp, signature = headers.get("X-BAPI-TIMESTAMP", ""), headers.get("X-BAPI-SIGN", "")
    if not (name and timestamp and signature):
        raise ApiError(
            codes.PARAMS, f"empty value: apiTimestamp[{timestamp}] apiKey[{name}] apiSignature[{signature}]"
        )
    window = headers.get("X-BAPI-RECV-WINDOW") or str(RECV_WINDOW_MS)
    key = keys.get(name)
    if key is None:
        raise ApiError(codes.KEY, "API key is invalid.")
    _window(timestamp, window, now_ms)
    origin = f"{timestamp}{name}{window}{payload}"
    if not key.signed(origin, signature):
        raise ApiError(codes.SIGN, f"error sign! origin_string[{origin}]")
    return key


def trade_window(headers: Mapping[str, object], now_ms: int) -> None:
    """The time window of a request over the trade WebSocket, whose connection is signed already."""
    timestamp = str(headers.get("X-BAPI-TIMESTAMP") or "")
    if not timestamp:
        raise ApiError(codes.PARAMS, "params error: X-BAPI-TIMESTAMP is required")
    _window(timestamp, str(headers.get("X-BAPI-RECV-WINDOW") or RECV_WINDOW_MS), now_ms)


def socket_key(keys: KeyRing, args: object, now_ms: int) -> ApiKey:
    """The key of an `auth` request: [key, expires, signature of "GET/realtime" + expires]."""
    if not isinstance(args, list) or len(args) != 3:
        raise ApiError(codes.PARAMS, "Params Error")
    name, expires, signature = (str(part) for part in args)
    try:
        late = int(expires) <= now_ms
    except ValueError:
        raise ApiError(codes.PARAMS, "Params Error") from None
    if late:
        raise ApiError(codes.SIGN, "Params Error")
    key = keys.get(name)
    if key is None:
        raise ApiError(codes.KEY, "API key is invalid.")
    if not key.signed(f"GET/realtime{expires}", signature):
        raise ApiError(codes.SIGN, "Error sign, please check your signature generation algorithm.")
    return key
