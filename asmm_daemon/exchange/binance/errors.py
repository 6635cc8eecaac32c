"""Binance's error bodies: HTTP status, code and message, by the venue's error tables."""

from typing import Any


class ApiError(Exception):
    """A request that the venue answers with `{"code": …, "msg": …}`.

    `data` carries the extra body of cancel-replace; `retry_after_s` the wait of a 429 or 418.
    """

    def __init__(
        self,
        code: int,
        msg: str,
        *,
        status: int = 400,
        data: dict[str, Any] | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(msg)
        self.code = code
        self.msg = msg
        self.status = status
        self.data = data
        self.retry_after_s = retry_after_s

    def body(self) -> dict[str, Any]:
        """The JSON body."""
        body: dict[str, Any] = {"code": self.code, "msg": self.msg}
        if self.data is not None:
            body["data"] = self.data
        return body


def bad_symbol() -> ApiError:
    """The symbol is not listed."""
    return ApiError(-1121, "Invalid symbol.")


def no_such_order() -> ApiError:
    """A query for an order that does not exist."""
    return ApiError(-2013, "Order does not exist.")


def unknown_order() -> ApiError:
    """A cancel for an order that is not live."""
    return ApiError(-2011, "Unknown order sent.")


def bad_signature() -> ApiError:
    """The signature does not match the parameters."""
    return ApiError(-1022, "Signature for this request is not valid.")


def bad_key_format() -> ApiError:
    """No API key was sent with a request that needs one."""
    return ApiError(-2014, "API-key format invalid.", status=401)


def rejected_key() -> ApiError:
    """The API key is not known here."""
    return ApiError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)


def outside_window(*, ahead: bool) -> ApiError:
    """The request's timestamp is too old, or more than a second in the future."""
    if ahead:
        return ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    return ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def too_much_weight(limit: int, retry_after_s: int, until_ms: int, *, banned: bool) -> ApiError:
    """The address used more weight than a minute allows; `banned` once it kept on after a 429."""
    if banned:
        return ApiError(
            -1003,
            f"Way too much request weight used; IP banned until {until_ms}. "
            "Please use WebSocket Streams for live updates to avoid bans.",
            status=418,
            retry_after_s=retry_after_s,
        )
    return ApiError(
        -1003,
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        status=429,
        retry_after_s=retry_after_s,
    )


def too_many_orders(limit: int, interval: str, retry_after_s: int) -> ApiError:
    """The account placed more orders than an interval allows."""
    return ApiError(
        -1015,
        f"Too many new orders; current limit is {limit} orders per {interval}.",
        status=429,
        retry_after_s=retry_after_s,
    )
