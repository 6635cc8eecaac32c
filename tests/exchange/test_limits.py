"""Request budgets and bans, on the venue clock."""

from asmm_daemon.exchange.limits import Bans, Budget, Limit
from asmm_daemon.units import NS_PER_S


def test_budget_counts_per_scope_and_window():
    """1,200 a minute: full, refused, and empty again in the next minute."""
    budget = Budget(Limit("weight", 1200, 60))
    assert budget.charge("a", 1200, 0).ok
    over = budget.charge("a", 1, 15 * NS_PER_S)
    assert (over.ok, over.used, over.retry_after_s) == (False, 1201, 45.0)
    assert budget.charge("b", 1, 15 * NS_PER_S).used == 1
    assert budget.peek("a", 60 * NS_PER_S).used == 0
    assert budget.charge("a", 5, 60 * NS_PER_S).used == 5


def test_bans_follow_repeated_refusals_and_double():
    """Three refusals in a row ban for two minutes, the next three for four."""
    bans = Bans(strikes=3, ban_s=120)
    assert [bans.refused("a", 0) for _ in range(3)] == [False, False, True]
    assert bans.banned_s("a", 20 * NS_PER_S) == 100
    assert bans.banned_s("a", 121 * NS_PER_S) == 0
    later = 200 * NS_PER_S
    assert [bans.refused("a", later) for _ in range(3)][-1]
    assert bans.banned_s("a", later) == 240


def test_a_request_within_budget_forgives():
    """Refusals must be in a row."""
    bans = Bans(strikes=2)
    assert not bans.refused("a", 0)
    bans.passed("a")
    assert not bans.refused("a", 0)
