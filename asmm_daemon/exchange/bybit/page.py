"""Parameters of list requests: limits, time ranges and the cursor that leads to the next page."""

from collections.abc import Iterable, Mapping
from typing import TypeVar

from asmm_daemon.exchange.bybit.codes import PARAMS, ApiError

T = TypeVar("T")
WEEK_MS = 7 * 86_400_000


def whole(params: Mapping[str, str], name: str) -> int | None:
    """A whole number, None when it was not sent."""
    text = params.get(name)
    if text is None or text == "":
        return None
    try:
        return int(text)
    except ValueError:
        raise ApiError(PARAMS, f"params error: {name} invalid") from None


def limit(params: Mapping[str, str], default: int, maximum: int) -> int:
    """The `limit` of a request, held within its endpoint's range."""
    number = whole(params, "limit")
    if number is None:
        return default
    if number < 1:
        raise ApiError(PARAMS, "params error: Limit invalid")
    return min(number, maximum)


def time_range(params: Mapping[str, str], now_ms: int) -> tuple[int, int]:
    """StartTime and endTime as the venue completes them: seven days where one is left out."""
    start, end = whole(params, "startTime"), whole(params, "endTime")
    if start is None and end is None:
        return now_ms - WEEK_MS, now_ms + WEEK_MS
    if end is None:
        assert start is not None
        return start, start + WEEK_MS
    if start is None:
        return end - WEEK_MS, end
    if end < start:
        raise ApiError(PARAMS, "params error: startTime is later than endTime")
    if end - start > WEEK_MS:
        raise ApiError(PARAMS, "The time range between startTime and endTime cannot exceed 7 days.")
    return start, end


def page(rows: Iterable[tuple[int, T]], params: Mapping[str, str], size: int) -> tuple[list[T], str]:
    """One page of rows that carry falling keys, and the cursor of the next ("" after the last)."""
    after = _cursor(params.get("cursor"))
    found: list[T] = []
    last = 0
    for key, row in rows:
        if after is not None and key >= after:
            continue
        if len(found) == size:
            return found, f"{last}%3A{size}%2C{last}%3A{size}"
        found.append(row)
        last = key
    return found, ""


def _cursor(text: str | None) -> int | None:
    if not text:
        return None
    try:
        return int(text.replace("%3A", ":").split(":", 1)[0])
    except ValueError:
        raise ApiError(PARAMS, "params error: cursor invalid") from None
