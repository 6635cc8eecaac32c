"""The daemon's HTTP server: health, readiness and status, on loopback and on a control socket.

What changes anything (`resume`, `pause`) is served on the control socket alone, whose file only the
daemon's user can open.
"""

import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Protocol

import orjson
from aiohttp import http_exceptions, web

from asmm_daemon.errors import StateError


def _is_ours(record: logging.LogRecord) -> bool:
    """Leaves out requests that are no HTTP: the client is told, and anybody could fill the log with them."""
    fault = record.exc_info[1] if record.exc_info else None
    return not isinstance(fault, http_exceptions.HttpProcessingError)


_logger = logging.getLogger("asmm.http")
_logger.addFilter(_is_ours)


class Subject(Protocol):
    """What the server shows and steers."""

    def status(self) -> dict[str, Any]:
        """The whole status, JSON-ready."""

    def healthy(self) -> str:
        """Empty when the daemon works; else what does not."""

    def ready(self) -> str:
        """Empty when the daemon quotes or may quote; else why not."""

    async def operate(self, action: str, reason: str) -> str:
        """Carries out a person's word; returns what was done. Raises StateError when it cannot."""


def _json(data: Any, status: int = 200) -> web.Response:
    return web.Response(body=orjson.dumps(data), status=status, content_type="application/json")


def _reason(body: bytes) -> str:
    asked = orjson.loads(body or b"{}")
    if not isinstance(asked, dict):
        raise StateError('write a JSON object, {"reason": "…"}')
    return str(asked.get("reason", ""))


def _app(subject: Subject, *, control: bool) -> web.Application:
    async def healthz(_: web.Request) -> web.Response:
        problem = subject.healthy()
        return _json({"ok": not problem, "problem": problem}, 503 if problem else 200)

    async def readyz(_: web.Request) -> web.Response:
        problem = subject.ready()
        return _json({"ready": not problem, "waiting_for": problem}, 503 if problem else 200)

    async def status(_: web.Request) -> web.Response:
        return _json(subject.status())

    async def operate(request: web.Request) -> web.Response:
        try:
            reason = _reason(await request.read())
            done = await subject.operate(request.match_info["action"], reason)
        except (StateError, orjson.JSONDecodeError) as error:
            return _json({"error": str(error)}, 409)
        return _json({"done": done})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    app.router.add_get("/readyz", readyz)
    app.router.add_get("/status", status)
    if control:
        app.router.add_post("/operate/{action}", operate)
    return app


async def serve(subject: Subject, *, host: str, port: int, control: Path) -> Callable[[], Awaitable[None]]:
    """Starts both servers; returns what stops them. Port 0 leaves out the TCP one.

    Raises:
        StateError: the address is in use.
    """
    runners: list[web.AppRunner] = []

    async def stop() -> None:
        for runner in runners:
            await runner.cleanup()
        control.unlink(missing_ok=True)

    control.unlink(missing_ok=True)
    sites = []
    for is_control in (True, False):
        if not is_control and port == 0:
            continue
        runner = web.AppRunner(
            _app(subject, control=is_control), access_log=None, logger=_logger, shutdown_timeout=1.0
        )
        await runner.setup()
        runners.append(runner)
        sites.append(web.UnixSite(runner, str(control)) if is_control else web.TCPSite(runner, host, port))
    for site in sites:
        try:
            await site.start()
        except OSError as error:
            await stop()
            if isinstance(site, web.UnixSite):
                raise StateError(f"control socket {control} cannot be made: {error}") from None
            raise StateError(
                f"service.http_port = {port}: {site.name} cannot be bound ({error.strerror or error}); "
                "choose a free port, or 0 for none"
            ) from None
    control.chmod(0o600)
    return stop
