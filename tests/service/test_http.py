import asyncio
import socket
import stat

import aiohttp
import pytest

from asmm_daemon.errors import StateError
from asmm_daemon.service import control, http


class _Subject:
    """A daemon that is healthy, waits for its book and takes orders."""

    def __init__(self):
        self.asked = []

    def status(self):
        return {"state": "PAUSED", "markets": []}

    def healthy(self):
        return ""

    def ready(self):
        return "BTCUSDT: book"

    async def operate(self, action, reason):
        if not reason:
            raise StateError("a reason is needed")
        self.asked.append((action, reason))
        return f"{action}: done"


def _serve(tmp_path, use):
    async def go():
        subject = _Subject()
        stop = await http.serve(subject, host="127.0.0.1", port=0, control=tmp_path / "control.sock")
        try:
            return await asyncio.to_thread(use), subject.asked
        finally:
            await stop()

    return asyncio.run(go())


def test_the_control_socket_serves_status_and_orders(tmp_path):
    """A person's word reaches the daemon with its reason."""

    def use():
        return control.status(tmp_path), control.operate(tmp_path, "pause", "lunch")

    (status, done), asked = _serve(tmp_path, use)
    assert status["state"] == "PAUSED"
    assert done == "pause: done"
    assert asked == [("pause", "lunch")]


def test_the_control_socket_is_the_owners_alone(tmp_path):
    """Nobody else may steer the daemon."""
    mode, _ = _serve(tmp_path, lambda: (tmp_path / "control.sock").stat().st_mode)
    assert stat.S_IMODE(mode) == 0o600


def test_a_refusal_is_an_error_with_its_reason(tmp_path):
    """What the daemon refuses comes back as one sentence."""

    def use():
        with pytest.raises(StateError, match="a reason is needed"):
            control.operate(tmp_path, "halt", "")

    _serve(tmp_path, use)


def test_no_daemon_is_said_plainly(tmp_path):
    """Asking where nobody answers names the socket."""
    with pytest.raises(StateError, match="no daemon answers"):
        control.status(tmp_path)


def test_the_public_port_tells_and_takes_no_orders(tmp_path, unused_port):
    """Over TCP there are health, readiness and status; orders are not found."""

    async def go():
        stop = await http.serve(
            _Subject(), host="127.0.0.1", port=unused_port, control=tmp_path / "control.sock"
        )
        root = f"http://127.0.0.1:{unused_port}"
        try:
            async with aiohttp.ClientSession() as session:
                replies = {}
                for path in ("/healthz", "/readyz", "/status"):
                    async with session.get(root + path) as reply:
                        replies[path] = (reply.status, await reply.json())
                async with session.post(root + "/operate/halt") as reply:
                    replies["operate"] = reply.status
                return replies
        finally:
            await stop()

    replies = asyncio.run(go())
    assert replies["/healthz"] == (200, {"ok": True, "problem": ""})
    assert replies["/readyz"][0] == 503
    assert replies["/status"][1]["state"] == "PAUSED"
    assert replies["operate"] == 404


def test_a_port_in_use_is_explained(tmp_path, unused_port):
    """The message names the setting and the port."""

    async def go():
        stop = await http.serve(_Subject(), host="127.0.0.1", port=unused_port, control=tmp_path / "a.sock")
        try:
            with pytest.raises(StateError, match=f"service.http_port = {unused_port}"):
                await http.serve(_Subject(), host="127.0.0.1", port=unused_port, control=tmp_path / "b.sock")
        finally:
            await stop()

    asyncio.run(go())


def test_nonsense_is_answered_and_not_logged(tmp_path, unused_port, caplog):
    """What is no HTTP, or no JSON object, is the client's fault: an answer, and no traceback in the log."""

    def told(connection, request):
        with connection:
            connection.settimeout(5.0)
            connection.sendall(request)
            return connection.recv(4096).decode()

    def use():
        tcp = told(socket.create_connection(("127.0.0.1", unused_port)), b"\x16\x03\x01\x02\r\n\r\n")
        with pytest.raises(StateError, match="write a JSON object"):
            control._ask(tmp_path, "POST", "/operate/halt", ["lunch"])
        return tcp

    async def go():
        stop = await http.serve(
            _Subject(), host="127.0.0.1", port=unused_port, control=tmp_path / "control.sock"
        )
        try:
            return await asyncio.to_thread(use)
        finally:
            await stop()

    assert "400 Bad Request" in asyncio.run(go())
    assert caplog.text == ""


def test_a_daemon_that_fails_to_answer_is_said_plainly(tmp_path, monkeypatch):
    """An internal error of the daemon is a message where it was asked, not a traceback."""
    monkeypatch.setattr(_Subject, "status", lambda _: 1 / 0)

    def use():
        with pytest.raises(StateError, match="failed to answer"):
            control.status(tmp_path)

    _serve(tmp_path, use)
