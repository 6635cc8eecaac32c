"""Perpetuals pay funding in a backtest as on the venue: position × mark × rate at the funding time."""

import numpy as np
import pytest

from asmm_daemon.backtest.chain import merge
from asmm_daemon.backtest.core_engine import run_core
from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.statistics import measure
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.core.params import Model
from asmm_daemon.events import FUNDING, MARK
from asmm_daemon.tape.columns import empty_rows
from tests.backtest.made_results import made_result
from tests.backtest.markets import START_NS, S, assert_same, setup, synthetic

DUE_NS = START_NS + 8 * 3600 * S
KNOBS = {"model": Model.CONSTANT_SPREAD, "constant_half_spread_bps": 1.0, "order_size": 0.05}


def around(product="binanceusdm"):
    """(info, rows) of eight minutes of which the fifth begins at an eighth hour."""
    info, tape = synthetic(8, product=product, start_ns=DUE_NS - 240 * S)
    return info, tape.rows


@pytest.fixture(scope="module")
def market():
    """(info, rows) of the perpetual with its own FUNDING row."""
    return around()


@pytest.fixture(scope="module")
def plain(market):
    """What the set-up makes of it."""
    return both(*market)


def both(info, rows, **options):
    """The same set-up through both engines, which must agree; the fast one's result."""
    tape = timeline(rows)
    fast = run_fast(setup(info, **KNOBS, **options), info, tape)
    assert_same(fast, run_core(setup(info, **KNOBS, **options), info, tape))
    return fast


def funding_row(rate, due_ns, local_ns, kind=FUNDING):
    """One message: a funding rate times 1e8 and when it is applied, or a mark price in ticks."""
    row = empty_rows(1)
    row["exch_ns"], row["local_ns"], row["kind"] = due_ns, local_ns, kind
    row["price"], row["last"] = rate, True
    return row


def before(rows, *added):
    """The rows with messages put in before those of the funding time."""
    at = int(np.searchsorted(rows["local_ns"], DUE_NS + 1))
    return np.concatenate([rows[:at], *added, rows[at:]])


def held_at(result, t_ns):
    """Base currency held after the executions up to a venue time."""
    fills = result.fills[result.fills["t_ns"] <= t_ns]
    return float((fills["side"] * fills["qty"]).sum())


def test_a_position_pays_the_rate_on_its_mark(market):
    """By hand: a mark of 50,000, 3 bps, whatever is held; told apart from realised, fees and volume."""
    info, rows = market
    rows = rows[rows["kind"] != FUNDING]
    mark = funding_row(500_000, DUE_NS - S, DUE_NS - S, MARK)
    rows = before(rows, mark, funding_row(30_000, DUE_NS, DUE_NS + 1))
    result = both(info, rows, maker="0.0001")
    held = held_at(result, DUE_NS)
    assert abs(held) > 0.01
    steps = result.steps
    assert info.tick * 500_000 == 50_000
    assert steps["funding"][-1] == pytest.approx(-held * 50_000 * 0.0003, abs=1e-9)
    assert np.count_nonzero(steps["funding"] == 0.0) == np.count_nonzero(steps["t_ns"] <= DUE_NS)
    nothing = rows.copy()
    nothing["price"][rows["kind"] == FUNDING] = 0
    free = both(info, nothing, maker="0.0001").steps
    for name in ("realised", "fees", "volume", "inventory"):
        assert np.array_equal(free[name], steps[name]), name
    known = np.isfinite(free["equity"])
    assert steps["equity"][known] == pytest.approx((free["equity"] + steps["funding"])[known])


def test_the_made_up_market_pays_at_the_eighth_hour(market, plain):
    """Its own FUNDING row at the mid there: it has no mark."""
    _, rows = market
    (at,) = np.flatnonzero(rows["kind"] == FUNDING)
    assert rows["exch_ns"][at] == DUE_NS
    nearest = plain.steps[np.searchsorted(plain.steps["t_ns"], DUE_NS)]["mid"]
    wanted = -held_at(plain, DUE_NS) * nearest * rows["price"][at] * 1e-8
    assert plain.steps["funding"][-1] == pytest.approx(wanted, rel=1e-3)
    assert plain.steps["funding"][-1] != 0


def test_a_negative_rate_pays_the_other_side(market, plain):
    """The same course with the opposite rate gives the opposite amount."""
    info, rows = market
    opposite = rows.copy()
    opposite["price"][rows["kind"] == FUNDING] *= -1
    assert plain.steps["funding"][-1] == pytest.approx(-both(info, opposite).steps["funding"][-1])


def test_a_funding_time_is_paid_once(market, plain):
    """A recorder that writes the same funding down again changes nothing."""
    info, rows = market
    (at,) = np.flatnonzero(rows["kind"] == FUNDING)
    again = rows[at : at + 1].copy()
    again["local_ns"] = rows["local_ns"][at + 400]
    twice = np.concatenate([rows[: at + 401], again, rows[at + 401 :]])
    assert np.array_equal(plain.steps["funding"], both(info, twice).steps["funding"])


def test_spot_pays_nothing():
    """A FUNDING row in a spot tape is not a payment."""
    info, rows = around("binance")
    rows = before(rows, funding_row(30_000, DUE_NS, DUE_NS))
    assert not both(info, rows, can="replace").steps["funding"].any()


def test_funding_is_a_figure_of_its_own():
    """The total is net; gross is before fees and funding; runs in a row add up."""
    first = made_result([1.0, 5.0], realised=[0.0, 2.0], fees=[0.0, 1.0], funding=[0.0, -0.5])
    second = made_result([2.0], t0=first.steps["t_ns"][-1], realised=[1.0], fees=[0.25], funding=[2.0])
    figures = measure(first, second)
    assert (figures.funding, figures.fees, figures.pnl_net) == (1.5, 1.25, 7.0)
    assert figures.pnl_gross == 7.0 + 1.25 - 1.5
    steps = merge([first, second]).steps
    assert steps["funding"].tolist() == [0.0, -0.5, 1.5]
    assert steps["realised"].tolist() == [0.0, 2.0, 1.0 + 5.0 + 1.0 + 0.5]
