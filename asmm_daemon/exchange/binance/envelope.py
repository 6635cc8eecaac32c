"""Envelopes around stream payloads. One object per envelope, so that the hub wraps a message once."""

from functools import lru_cache

import orjson

from asmm_daemon.exchange.hub import Wrap


@lru_cache(maxsize=4096)
def combined(stream: str) -> Wrap:
    """`{"stream": …, "data": …}` of the combined streams."""
    head = b'{"stream":' + orjson.dumps(stream) + b',"data":'

    def wrap(payload: bytes) -> bytes:
        return head + payload + b"}"

    return wrap


@lru_cache(maxsize=4096)
def subscription(number: int) -> Wrap:
    """`{"subscriptionId": …, "event": …}` of the WebSocket API's user stream."""
    head = b'{"subscriptionId":%d,"event":' % number

    def wrap(payload: bytes) -> bytes:
        return head + payload + b"}"

    return wrap
