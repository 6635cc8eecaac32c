"""The learning thread's share of a core, and its silence before a quote cycle."""

import threading
import time

import pytest

from asmm_daemon.learn.online.budget import QUIET_NS, Budget
from asmm_daemon.units import NS_PER_MS, NS_PER_S


class Machine:
    """Clocks and an event whose waiting moves them."""

    def __init__(self):
        self.mono, self.cpu, self.waits = 0, 0, []

    def work(self, ms):
        """Busy for so long."""
        self.mono += ms * NS_PER_MS
        self.cpu += ms * NS_PER_MS

    def wait(self, seconds):
        """Idle for so long."""
        self.waits.append(seconds)
        self.mono += int(seconds * NS_PER_S)
        return False

    def is_set(self):
        """Never asked to stop."""
        return False


def budget(machine, share):
    """On made-up clocks."""
    made = Budget(share, machine, mono=lambda: machine.mono, cpu=lambda: machine.cpu)
    made.begin()
    return made


@pytest.mark.parametrize("share", [0.05, 0.2, 0.8])
def test_the_share_is_kept(share):
    """A thousand pieces of work take as much of the core as they may."""
    machine = Machine()
    made = budget(machine, share)
    for n in range(1000):
        machine.work(1 + n % 3)
        assert made.spend()
    assert made.used_share() == pytest.approx(share, rel=0.02)


def test_idleness_is_not_spent_at_once():
    """After an hour without work the next second is held to the share again."""
    machine = Machine()
    made = budget(machine, 0.1)
    machine.mono += 3600 * NS_PER_S
    made.spend()
    begun, used = machine.mono, machine.cpu
    while machine.mono < begun + NS_PER_S:
        machine.work(1)
        made.spend()
    assert (machine.cpu - used) / (machine.mono - begun) < 0.13


def test_no_work_begins_shortly_before_a_cycle():
    """Nor while a late one is awaited; right after it, work goes on."""
    machine = Machine()
    made = budget(machine, 1.0)
    made.cycle(5.0)
    due = machine.mono + 5 * NS_PER_S
    while machine.mono < due:
        assert machine.mono <= due - QUIET_NS
        machine.work(3)
        made.spend()
    assert machine.mono >= due + NS_PER_S
    made.cycle(5.0)
    before = machine.mono
    made.spend()
    assert machine.mono == before


def test_a_late_cycle_does_not_move_the_next_one():
    """Cycles lie on a grid: after one that came 100 ms late the next is awaited on time."""
    machine = Machine()
    made = budget(machine, 1.0)
    for late_ms in (0, 0, 100):
        machine.mono += 1000 * NS_PER_MS + late_ms * NS_PER_MS
        made.cycle(1.0)
    machine.mono += 895 * NS_PER_MS
    made.spend()
    assert machine.waits


def test_a_real_thread_keeps_its_share():
    """CPU time of the thread over time on the clock, as the system counts both."""
    stop = threading.Event()
    made = Budget(0.2, stop)
    shares = []

    def work():
        made.begin()
        begun, used = time.monotonic(), time.thread_time()
        while made.spend():
            until = time.thread_time() + 0.002
            while time.thread_time() < until:
                pass
        shares.append((time.thread_time() - used) / (time.monotonic() - begun))

    thread = threading.Thread(target=work)
    thread.start()
    time.sleep(1.5)
    stop.set()
    thread.join()
    assert 0 < shares[0] < 0.22
