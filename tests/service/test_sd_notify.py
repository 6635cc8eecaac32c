import socket

from asmm_daemon.service.sd_notify import Notifier


def test_states_reach_the_managers_socket(tmp_path):
    """Each state is one datagram in the protocol's words."""
    path = tmp_path / "notify"
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(path))
    notifier = Notifier(str(path))
    notifier.ready("quoting")
    notifier.reloading()
    notifier.watchdog()
    notifier.stopping("bye")
    got = [manager.recv(200).decode() for _ in range(4)]
    notifier.close()
    manager.close()
    assert got[0] == "READY=1\nSTATUS=quoting"
    assert got[1].startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert got[2] == "WATCHDOG=1"
    assert got[3] == "STOPPING=1\nSTATUS=bye"


def test_outside_systemd_nothing_happens(monkeypatch):
    """Without $NOTIFY_SOCKET every call is silent."""
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notifier = Notifier()
    notifier.ready("x")
    notifier.close()


def test_watchdog_period_is_read(monkeypatch):
    """Systemd's microseconds become seconds."""
    monkeypatch.setenv("WATCHDOG_USEC", "6000000")
    assert Notifier("").watchdog_s == 6.0
