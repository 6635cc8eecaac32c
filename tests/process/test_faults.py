"""The real daemon under faults, on every product, judged by the venue's own log.

Two sessions a product run side by side: one at speed 1, whose faults are those whose reaction times are
promised, and a faster one for faults whose outcome counts. Each is a script of faults; every test then
looks at one of them. With `-s` the table of what happened is printed.
"""

import os
from decimal import Decimal

import pytest
from fault_scripts import LONG, LONG_SPEED, QUICK, RETRY_AFTER_S, run_once

from asmm_daemon.service.audit import audit, compare_fills, compare_intents
from asmm_daemon.service.audit_limits import AccountLimits, MarketLimits, audit_limits, compare_stop
from asmm_daemon.service.audit_timing import Allowed, audit_timing
from asmm_daemon.service.journal import read
from asmm_daemon.units import PRODUCTS

pytestmark = pytest.mark.timeout(400)
AGAIN_S = 60.0
BOOKED_S = 10.0
PULLED_S = {"gap in depth": 2.0, "private stream expired": 2.0}
SPEEDS = (1, LONG_SPEED)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """Runs all sessions once, however many workers share the tests; prints the table."""
    base = tmp_path_factory.getbasetemp()
    made = run_once((base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "faults")
    print(f"\n{made.table()}")  # noqa: T201  (shown with -s: the table is a result)
    return made


def _has_deadman(product):
    return product != "binance"


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("fault", QUICK)
def test_reactions_are_in_time(bundle, product, fault):
    """At speed 1: quotes are pulled as soon as promised, and are back within a minute."""
    outcome = bundle.get(product, 1).outcomes[fault]
    assert outcome.again_s <= AGAIN_S
    if fault in PULLED_S:
        assert outcome.pulled_s is not None
        assert outcome.pulled_s <= PULLED_S[fault]
    if fault == "REST down 40 s":
        assert outcome.pulled_s is not None
        assert outcome.pulled_s <= (31.0 if _has_deadman(product) else 42.0)


@pytest.mark.parametrize("product", PRODUCTS)
def test_an_order_whose_answer_was_lost_is_found_again(bundle, product):
    """5xx after the venue took the order: UNKNOWN, asked about, never sent again."""
    session = bundle.get(product, 1)
    outcome = session.outcomes["5xx after accept"]
    until_ns = outcome.since_ns + 5 * 10**9
    lost = {
        line["req"]
        for line in session.watch.lines
        if line["ev"] == "response" and not line["delivered"] and outcome.since_ns <= line["t_ns"] <= until_ns
    }
    (accept,) = [line for line in session.watch.lines if line["ev"] == "accept" and line["req"] in lost]
    states = [data["state"] for key, _, data in session.rows("order") if key == accept["cid"]]
    assert "unknown_new" in states
    assert states[-1] != "unknown_new"


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("fault", LONG)
def test_quotes_return_and_executions_are_booked(bundle, product, fault):
    """After each fault both sides rest within a minute; what was executed stood in the ledger in time."""
    _, _, again_s, booked_s = bundle.get(product, LONG_SPEED).outcomes[fault].shown()
    assert again_s is not None
    assert again_s <= AGAIN_S
    if fault != "SIGKILL" and booked_s is not None:
        assert booked_s <= BOOKED_S


@pytest.mark.parametrize("product", PRODUCTS)
def test_a_kill_with_orders_and_inventory_is_survived(bundle, product):
    """SIGKILL while quoting: the next start finds orders, executions and inventory."""
    session = bundle.get(product, LONG_SPEED)
    assert any(session.killed_with)
    assert session.killed_inventory != 0
    assert session.summary["reconciled"]


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("speed", SPEEDS)
def test_every_invariant_holds(bundle, product, speed):
    """S2 to S12 by the venue's log, S6 and S7 by the journal beside it, S16 at the end."""
    session = bundle.get(product, speed)
    lines = session.watch.lines
    assert session.exit_code == 0
    report = audit(lines)
    intents = {key: wall for key, wall, _ in session.rows("intent")}
    late = 0.5 * speed
    allowed = Allowed(
        pull_s=max(1.0, late),
        back_s=max(2.0, late),
        notice_s=late,
        retry_after_s=RETRY_AFTER_S if product.startswith("binance") else None,
        deadman=_has_deadman(product),
    )
    violations = [
        *report.violations,
        *compare_fills(report, read(session.journal)),
        *compare_intents(lines, intents),
        *audit_timing(lines, allowed),
        *audit_limits(lines, AccountLimits(Decimal(100_000)), {"BTCUSDT": _limits(session)}),
        *compare_stop(lines, session.stopped_wall_ns, 10.0),
    ]
    assert violations == []


@pytest.mark.parametrize("product", PRODUCTS)
@pytest.mark.parametrize("speed", SPEEDS)
def test_nothing_is_left_and_the_ledger_is_the_account(bundle, product, speed):
    """The session's end: zero open by the venue's log, nothing in doubt, no difference."""
    session = bundle.get(product, speed)
    assert session.watch.resting == {}
    summary = session.summary
    assert (summary["open_orders"], summary["unknown_orders"]) == (0, 0)
    assert summary["reconciled"], summary["differences"]


def _limits(session):
    spot = session.product in ("binance", "bybit-spot")
    opening = Decimal(session.rows("opening")[0][2]["qty"])
    maximum = Decimal("0.5")
    return MarketLimits(maximum, opening=opening, spot=spot, held=maximum / 2 if spot else Decimal(0))
