"""Public REST answers of a venue that is mirrored."""

from typing import Any

import aiohttp
import orjson

from asmm_daemon.errors import VenueError


async def get(session: aiohttp.ClientSession, url: str, params: dict[str, str]) -> Any:
    """A JSON answer. Raises VenueError when there is none or the venue refuses."""
    try:
        async with session.get(url, params=params) as response:
            body = await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise VenueError(
            f"mirror: {url} cannot be reached ({error or type(error).__name__})", retry=True
        ) from None
    if response.status != 200:
        raise VenueError(f"mirror: {url} answered {response.status}: {body[:200].decode(errors='replace')}")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        raise VenueError(f"mirror: {url} answered no JSON: {body[:200].decode(errors='replace')}") from None
