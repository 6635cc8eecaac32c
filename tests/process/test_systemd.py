import contextlib
import time

import pytest
from process_tools import Exchange, wait_for
from systemd_box import Box, Unit, reason_to_skip

SECRET = "canary-s3cr3t-0123456789"
pytestmark = [
    pytest.mark.skipif(bool(reason_to_skip()), reason=reason_to_skip() or "it runs"),
    pytest.mark.timeout(400),  # where no kernel is compiled yet, the first start does it
]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory):
    """One instance in a box of its own, against an exchange outside; it runs on from test to test."""
    folder = tmp_path_factory.mktemp("systemd")
    with contextlib.ExitStack() as stack:
        exchange = Exchange("binanceusdm", folder, "--key", f"KEY:{SECRET}")
        stack.callback(exchange.close)
        box = Box(folder / "box")
        stack.callback(box.close)
        unit = Unit(box, "btc", exchange, SECRET)
        unit.start_quoting(300)
        yield unit


def _first_empty(exchange, after_ns):
    """Machine's time at which nothing rested any more, by the venue's log; zero while something does."""
    resting = set()
    for line in exchange.lines():
        if line["ev"] == "accept":
            resting.add(line["oid"])
        elif line["ev"] == "cancel" or (line["ev"] == "fill" and float(line["left"]) == 0):
            resting.discard(line["oid"])
        if line["wall_ns"] >= after_ns and not resting:
            return line["wall_ns"]
    return 0


def _seconds_until_empty(exchange, after_ns, limit_s):
    empty_ns = wait_for(lambda: _first_empty(exchange, after_ns), limit_s + 15, 0.2)
    return (empty_ns - after_ns) / 1e9


def _end_main_process(daemon, signal_name):
    daemon.start_quoting()
    process = daemon.show("MainPID")
    restarts = int(daemon.show("NRestarts"))
    before_ns = time.time_ns()
    daemon.systemctl("kill", "--kill-whom=main", f"--signal={signal_name}")
    assert _seconds_until_empty(daemon.exchange, before_ns, 15) < 15
    wait_for(lambda: daemon.show("MainPID") not in ("0", process))
    daemon.wait_until_quoting()
    assert int(daemon.show("NRestarts")) == restarts + 1
    assert time.time_ns() - before_ns < 60e9


def test_it_is_ready_and_says_what_it_does(daemon):
    """Type=notify: `systemctl start` returns once it trades; the status line tells state and inventory."""
    daemon.start_quoting()
    assert daemon.show("Type") == "notify"
    assert daemon.show("ActiveState") == "active"
    assert daemon.show("StatusText").startswith("ACTIVE; BTCUSDT ACTIVE ")
    assert daemon.status()["state"] == "ACTIVE"


def test_reload_good_and_bad(daemon):
    """`systemctl reload` swaps a good file in; a bad one changes nothing, is told, and is no end."""
    daemon.start_quoting()
    process = daemon.show("MainPID")
    daemon.configure(gamma="0.5")
    daemon.systemctl("reload")
    wait_for(lambda: daemon.status()["markets"][0]["gamma"] == 0.5, 20, 0.3)
    daemon.configure(gamma="-1")
    daemon.systemctl("reload")
    wait_for(lambda: "reload refused" in daemon.show("StatusText"), 20, 0.3)
    assert "quoting.gamma = -1" in daemon.show("StatusText")
    assert daemon.status()["markets"][0]["gamma"] == 0.5
    daemon.configure()
    daemon.systemctl("reload")
    wait_for(lambda: "reload refused" not in daemon.show("StatusText"), 20, 0.3)
    assert daemon.show("ActiveState") == "active"
    assert daemon.show("MainPID") == process


def test_a_killed_daemon_is_cancelled_for_and_restarted(daemon):
    """SIGKILL: nothing rests within 15 s by the venue's log; it restarts and quotes again."""
    _end_main_process(daemon, "SIGKILL")
    assert "none of our orders is open" in daemon.journal()


def test_a_hung_daemon_is_ended_by_the_watchdog(daemon):
    """SIGSTOP: the watchdog kills it; nothing rests within 15 s, and it quotes again."""
    _end_main_process(daemon, "SIGSTOP")
    assert "Watchdog timeout" in daemon.journal()


def test_a_second_instance_is_refused_and_harms_nobody(daemon):
    """Same account and symbol, another instance: exit 6, and the first one's orders stay."""
    daemon.start_quoting()
    second = Unit(daemon.box, "eth", daemon.exchange, SECRET)
    try:
        assert second.systemctl("start", check=False).returncode != 0
        assert second.show("ExecMainStatus") == "6"
    finally:
        second.systemctl("stop")
    assert "another daemon trades binanceusdm-BTCUSDT" in second.journal()
    assert "left none of our orders open" in second.journal()
    assert daemon.show("StatusText").startswith("ACTIVE")
    daemon.wait_until_quoting(10)


def test_stopping_leaves_nothing_and_a_start_compiles_nothing(daemon):
    """SIGTERM: nothing rests after 10 s, exit 0; the kernels in the cache folder are used as they are."""
    daemon.start_quoting()
    compiled = daemon.box.compiled()
    assert compiled
    before_ns = time.time_ns()
    daemon.systemctl("stop")
    assert _seconds_until_empty(daemon.exchange, before_ns, 10) < 10
    assert daemon.exchange.open_orders() == {}
    assert (daemon.show("Result"), daemon.show("ExecMainStatus")) == ("success", "0")
    daemon.start_quoting()
    assert daemon.box.compiled() == compiled


def test_a_broken_file_hinders_no_cancel_and_is_not_tried_again(daemon):
    """SIGKILL after the file broke: orders go by the settings in force; exit code 2 stays down."""
    daemon.start_quoting()
    daemon.configure(gamma="-1")
    before_ns = time.time_ns()
    try:
        daemon.systemctl("kill", "--kill-whom=main", "--signal=SIGKILL")
        assert _seconds_until_empty(daemon.exchange, before_ns, 15) < 15
        wait_for(lambda: daemon.show("ActiveState") == "failed", 60, 0.3)
        assert daemon.show("ExecMainStatus") == "2"
        assert "quoting.gamma = -1" in daemon.journal()
    finally:
        daemon.configure()
        daemon.systemctl("reset-failed")


def test_the_secret_shows_nowhere(daemon):
    """Keys arrive as credentials: not in files of the daemon, the journal, arguments or environments."""
    daemon.start_quoting()
    process = daemon.show("MainPID")
    credentials = f"/run/credentials/{daemon.name}.service"
    assert daemon.box.run("cat", f"{credentials}/ASMM_API_SECRET").stdout.strip() == SECRET
    assert daemon.box.run("stat", "-c%U %a", credentials).stdout.split()[1] in ("500", "550")
    places = ["/var", "/tmp", f"/proc/{process}/cmdline", f"/proc/{process}/environ"]
    found = daemon.box.run("grep", "-rlas", SECRET, *places, check=False)
    assert found.stdout == ""
    assert SECRET not in daemon.journal()
    shown = daemon.systemctl("show").stdout + daemon.systemctl("status").stdout
    assert SECRET not in shown
    for folder in (daemon.state, "/var/cache/asmm", "/run/asmm"):
        assert daemon.box.run("stat", "-c%U", folder).stdout.strip() == "asmm"
