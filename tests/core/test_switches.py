"""The watches behind the switches: thresholds, hysteresis, windows, cool-downs."""

from decimal import Decimal

import pytest

from asmm_daemon.core.channels import Channels
from asmm_daemon.core.switches import (
    BookWatch,
    DrawdownWatch,
    FlashWatch,
    InventoryWatch,
    RepeatWatch,
    StuckWatch,
    range_share,
)
from asmm_daemon.events import Channel

D = Decimal
S = 1_000_000_000


@pytest.mark.parametrize(
    ("inventory", "spot", "share"),
    [
        ("0.95", False, 0.95),
        ("-0.95", False, 0.95),
        ("0.95", True, 0.95),
        ("0.05", True, 0.95),
        ("0.5", True, 0.5),
    ],
)
def test_share_of_the_range(inventory, spot, share):
    """Linear counts |inventory|/max; spot the distance to the nearer end of [0, max]."""
    assert range_share(D(inventory), D(1), spot=spot) == pytest.approx(share)


def test_inventory_reduces_above_ninety_and_ends_below_sixty_percent():
    """The switch holds between its thresholds and does not flutter."""
    watch = InventoryWatch()
    shares = [0.9, 0.91, 0.7, 0.61, 0.6, 0.8, 0.91]
    assert [watch.update(s, 0.9, 0.6) for s in shares] == [False, True, True, True, False, False, True]


def test_stuck_needs_an_uninterrupted_hour():
    """A dip below the threshold starts the hour anew."""
    watch = StuckWatch()
    args = {"above": 0.8, "after_s": 3600, "below": 0.6}
    assert not watch.update(0.85, 0, **args)
    assert not watch.update(0.5, 1800 * S, **args)
    assert not watch.update(0.85, 1801 * S, **args)
    assert not watch.update(0.85, 5400 * S, **args)
    assert watch.update(0.85, 5402 * S, **args)
    assert watch.update(0.7, 5403 * S, **args)
    assert not watch.update(0.5, 5404 * S, **args)


def test_flash_crash_within_a_minute_and_its_cool_down():
    """More than 10 % within 60 s trips, in either direction; afterwards the window starts anew."""
    watch = FlashWatch()
    args = {"limit": 0.1, "window_s": 60, "cooldown_s": 60}
    assert not watch.update(100.0, 0, **args)
    assert not watch.update(109.0, 30 * S, **args)
    assert not watch.update(118.0, 75 * S, **args)
    assert watch.update(130.0, 80 * S, **args)
    assert watch.update(130.0, 139 * S, **args)
    assert not watch.update(130.0, 141 * S, **args)
    assert watch.update(115.0, 150 * S, **args)


def test_a_slow_fall_is_no_flash_crash():
    """The same loss spread over ten minutes does not trip."""
    watch = FlashWatch()
    price = 100.0
    for second in range(600):
        price *= 0.9997
        assert not watch.update(price, second * S, 0.1, 60, 60)


def test_a_silent_book_is_asked_before_it_is_stale():
    """After a second of silence the venue is asked, at most twice a second."""
    watch = BookWatch()
    watch.prove(10 * S)
    asked = [t for t in range(100, 130) if watch.should_ask(t * S // 10, 1.0, 0.5)]
    assert asked == [110, 115, 120, 125]
    watch.prove(13 * S)
    assert watch.age_s(13 * S) == 0
    assert not watch.should_ask(131 * S // 10, 1.0, 0.5)


def test_an_invalid_book_is_timed_from_its_first_sight():
    """Crossed now and then valid again counts nothing."""
    watch = BookWatch()
    watch.see(1 * S, valid=False)
    watch.see(2 * S, valid=False)
    assert watch.invalid_s(3 * S) == 2
    watch.see(3 * S, valid=True)
    assert watch.invalid_s(4 * S) == 0


def test_repeated_execution_takes_a_side_off_until_rearmed():
    """Many same-side orders within w seconds; parts of one order count once; only re-arming ends it (S13)."""
    watch = RepeatWatch()
    assert not watch.executed_order(1, "a", 0, 3, 10)
    assert not watch.executed_order(1, "a", 1 * S, 3, 10)
    assert not watch.executed_order(-1, "b", 2 * S, 3, 10)
    assert not watch.executed_order(1, "c", 3 * S, 3, 10)
    assert watch.executed_order(1, "d", 4 * S, 3, 10)
    assert watch.off_ns == {1: 4 * S}
    assert watch.due(10_000 * S, None) == []
    assert watch.due(70 * S, 60) == [1]
    watch.rearm(1)
    assert not watch.executed_order(1, "e", 71 * S, 3, 10)


def test_executions_outside_the_window_are_forgotten():
    """Slow trading never trips the throttle."""
    watch = RepeatWatch()
    assert not any(watch.executed_order(1, str(k), k * 11 * S, 2, 10) for k in range(50))


def test_drawdown_is_measured_from_the_peak():
    """A profit lost again counts, not the distance from the start."""
    watch = DrawdownWatch()
    for equity in (D(100), D(200), D(169)):
        watch.update(equity, 0, flat=True, soft_limit=0.05, leave_s=3600)
    assert watch.drawdown(D(169)) == pytest.approx(0.155)
    assert watch.soft
    assert watch.worst == pytest.approx(0.155)


def test_soft_drawdown_leaves_after_an_hour_of_being_flat():
    """A soft peak reset lets the daemon quote again; the hard peak stays."""
    watch = DrawdownWatch()
    args = {"soft_limit": 0.05, "leave_s": 3600}
    watch.update(D(100), 0, flat=True, **args)
    watch.update(D(94), 1 * S, flat=False, **args)
    watch.update(D(94), 2 * S, flat=True, **args)
    watch.update(D(94), 1800 * S, flat=False, **args)
    watch.update(D(94), 1801 * S, flat=True, **args)
    watch.update(D(94), 5400 * S, flat=True, **args)
    assert watch.soft
    watch.update(D(94), 5402 * S, flat=True, **args)
    assert not watch.soft
    assert (watch.peak, watch.soft_peak) == (D(100), D(94))


def test_channels_are_judged_by_their_own_silence():
    """Every required channel has its own clock; one that speaks does not cover for another."""
    channels = Channels()
    channels.start(1, 0)
    channels.hear(0, Channel.BOOK, 40 * S)
    channels.hear(None, Channel.REST, 40 * S)
    assert channels.silent(0, 31 * S, 30) == "private silent for 31 s"
    channels.hear(None, Channel.PRIVATE, 41 * S)
    assert channels.silent(0, 42 * S, 30) is None


def test_a_down_channel_concerns_its_market_or_all():
    """A market's book stream breaks that market only; the private stream breaks all."""
    channels = Channels()
    assert channels.turn(0, Channel.BOOK, 0, up=False, reason="reset")
    assert not channels.turn(0, Channel.BOOK, 1, up=False, reason="again")
    assert channels.broken(0, 0, 0) == "book down: reset"
    assert channels.broken(1, 0, 0) is None
    channels.turn(None, Channel.PRIVATE, 0, up=False, reason="expired")
    assert channels.broken(1, 1 * S, 5) is None
    assert channels.broken(1, 6 * S, 5) == "private down: expired"
    assert channels.turn(None, Channel.PRIVATE, 7 * S, up=True, reason="")
    assert channels.broken(1, 8 * S, 5) is None
