"""What the three WebSocket endpoints share: reading a client's messages, and not answering too early."""

from collections.abc import Mapping
from typing import Any

import orjson

Message = Mapping[str, Any]
ANSWER_S = 0.02
"""Real seconds before a subscription is answered, and an order acknowledged over WebSocket.

Clients note what they asked for after sending it: no venue is near enough to answer before that.
"""


def parse(text: str) -> Message | None:
    """A client's message, None when it is not a JSON object."""
    try:
        message = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return message if isinstance(message, dict) else None


def topics_of(message: Message) -> list[str]:
    """The topics that a subscription names."""
    args = message.get("args")
    return [str(arg) for arg in args] if isinstance(args, list) else []
