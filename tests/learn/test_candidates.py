"""The 112 candidates: names, meaning, and that none of them sees ahead."""

import numpy as np
import pytest

from asmm_daemon.backtest.days import days
from asmm_daemon.backtest.result import STEP, Result
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.core.book import new_book
from asmm_daemon.core.market import new_market, on_rows
from asmm_daemon.core.params import to_record
from asmm_daemon.errors import ConfigError, TapeError
from asmm_daemon.learn.candidates import NAMES, TABLE, collect, lagged, private
from asmm_daemon.tape.columns import gap_row
from asmm_daemon.tape.load import open_source
from asmm_daemon.tape.window import first_message, fold
from tests.backtest.markets import S, setup, synthetic

KEPT_BY_THE_PAPER = [
    *(f"{name}_{lag}" for name in ("ask_price", "bid_price", "spread") for lag in (0, 4, 8)),
    *(f"ask_qty_{lag}" for lag in range(4)),
    *(f"bid_qty_{lag}" for lag in range(3)),
    *("high_4", "low_0", "last_close_price_4", "microprice_0", "microprice_8", "midprice_8"),
]


@pytest.fixture(scope="module")
def market():
    """(info, timeline) of 40 made-up minutes."""
    return synthetic(40)


@pytest.fixture(scope="module")
def found(market):
    """Its candidates."""
    info, tape = market
    return collect(setup(info), info, tape)


def column(found, name):
    return found.x[:, NAMES.index(name)]


def assert_whole(found):
    """112 finite columns of which no two are the same and none is constant."""
    assert found.x.shape == (found.up.size, 112)
    assert np.isfinite(found.x).all()
    assert np.ptp(found.x, axis=0).min() > 0
    assert len({found.x[:, j].tobytes() for j in range(112)}) == 112


def test_there_are_112_names():
    """Distinct, defined, and the 22 that the paper kept are among them."""
    assert len(NAMES) == len(set(NAMES)) == 112
    assert all(row.definition and row.unit for row in TABLE)
    assert len(KEPT_BY_THE_PAPER) == 22
    assert set(KEPT_BY_THE_PAPER) <= set(NAMES)


def test_a_made_up_market_fills_every_column(found):
    """Finite, distinct, both directions, every 5 s but for what is counted: the first minutes."""
    assert_whole(found)
    assert 0.2 < found.up.mean() < 0.8
    assert set(np.unique(found.start_ns % (5 * S))) == {0}
    assert (found.end_ns - found.start_ns == 10 * S).all()
    assert abs(found.up.size + found.unready + found.unknown + found.unchanged - 40 * 12) <= 1
    assert found.unready * 5 <= 7 * 60 + 60


def test_an_hour_of_a_real_market_fills_every_column(shared_data):
    """StandX: gaps every half minute, and still 112 distinct finite columns."""
    hour = 1_767_661_200 * S  # 2026-01-06 01:00 UTC
    source = open_source(shared_data / "standx-btc")
    day = next(iter(days(source, start_ns=hour, end_ns=hour + 3600 * S)))
    found = collect(setup(day.info), day.info, timeline(day.rows), begin_ns=day.begin_ns)
    assert_whole(found)
    assert found.up.size > 200
    assert found.unknown > 50


def test_the_label_is_where_the_mid_goes(market, found):
    """The mid at both ends of a label, from a market that was fed up to there."""
    info, tape = market
    params = to_record(setup(info).spec.quote, setup(info).spec.instrument)
    state = new_market()
    mids, row = [], 0
    times = np.unique(np.concatenate([found.start_ns[:40], found.end_ns[:40]]))
    for t_ns in times:
        stop = int(np.searchsorted(tape.local_ns, t_ns, side="right"))
        on_rows(state, params, tape.rows[row : tape.ends[stop - 1]])
        row = int(tape.ends[stop - 1])
        mids.append(float(state.market["mid"][0]))
    at = dict(zip(times, mids, strict=True))
    for start, end, up in zip(found.start_ns[:40], found.end_ns[:40], found.up[:40], strict=True):
        assert up == (at[end] > at[start])


def test_lags_are_earlier_samples(found):
    """A column at lag 8 is that at lag 0 forty seconds before; a closed minute moves on by one."""
    at = {int(t): i for i, t in enumerate(found.start_ns)}
    checked = 0
    for t_ns, i in at.items():
        for indicator, lag in (("bid_price", 8), ("imbalance", 3), ("inventory", 4), ("score", 1)):
            j = at.get(t_ns - lag * 5 * S)
            if j is not None:
                assert column(found, f"{indicator}_{lag}")[i] == column(found, f"{indicator}_0")[j]
                checked += 1
        j = at.get(t_ns - 60 * S)
        if j is not None:
            assert column(found, "high_3")[i] == column(found, "high_2")[j]
    assert checked > 500


def test_prices_and_candles_hang_together(found):
    """Bid, ask, mid and spread agree; highs lie above closes, and the statistics are those of the six."""
    bid, ask = column(found, "bid_price_0"), column(found, "ask_price_0")
    assert column(found, "midprice_0") == pytest.approx(0.5 * (bid + ask))
    assert column(found, "spread_0") == pytest.approx(ask - bid, rel=1e-2, abs=1e-6)
    high, low, close = (
        np.column_stack([column(found, f"{n}_{k}") for k in range(6)]) for n in ("high", "low", "close")
    )
    assert (high >= np.maximum(close, 0)).all()
    assert (low <= np.minimum(close, 0)).all()
    assert column(found, "ma") == pytest.approx(close.mean(axis=1))
    assert column(found, "std") == pytest.approx(close.std(axis=1))
    assert column(found, "max") == pytest.approx(high.max(axis=1))
    assert column(found, "min") == pytest.approx(low.min(axis=1))


def test_nothing_sees_ahead(market, found):
    """A tape that ends earlier gives the same samples up to there, to the bit."""
    info, tape = market
    end = int(found.end_ns[200])
    short = collect(setup(info), info, tape, end_ns=end)
    assert short.end_ns[-1] <= end
    assert short.up.size > 190
    assert np.array_equal(short.x, found.x[: short.up.size])
    assert np.array_equal(short.up, found.up[: short.up.size])
    again = collect(setup(info), info, tape)
    assert np.array_equal(again.x, found.x)


def test_a_label_across_a_gap_is_unknown(market, found):
    """A gap of no length, after which the book is as it was: only labels that span it are gone."""
    info, tape = market
    middle = int(np.searchsorted(tape.local_ns, found.start_ns[200] + 2 * S))
    row = int(tape.ends[middle - 1])
    book = new_book()
    fold(book, tape.rows[:row])
    follows = tape.rows[row]
    again = first_message(book, follows)
    gap = gap_row(int(follows["exch_ns"]), int(follows["local_ns"]))
    broken = timeline(np.concatenate([tape.rows[:row], gap, again, tape.rows[row:]]))
    cut_ns = int(follows["local_ns"])
    some = collect(setup(info), info, broken)
    across = (found.start_ns < cut_ns) & (found.end_ns >= cut_ns)
    assert across.sum() == 2
    assert np.array_equal(some.start_ns, found.start_ns[~across])
    assert some.unknown == found.unknown + 2


def test_private_indicators_by_hand(market):
    """Inventory at the mid and the change of realised − fees + min(unrealised, 0), in bps of the capital."""
    info, _ = market
    steps = np.zeros(3, STEP)
    steps["t_ns"] = np.array([10, 20, 30]) * S
    steps["mid"] = 100.0
    steps["inventory"] = [0.0, 2.0, -1.0]
    steps["realised"] = [0.0, 0.0, 5.0]
    steps["fees"] = [0.0, 1.0, 1.0]
    steps["equity"] = [0.0, -4.0, 6.0]  # unrealised 0, −3, 2
    result = Result(info, "test", 10_000.0, 10.0, steps, np.zeros(0))
    told = private(result, np.array([5, 10, 20, 25, 30]) * S)
    assert told[:, 0] == pytest.approx([0, 0, 200, 200, -100])
    assert told[:, 1] == pytest.approx([0, 0, -4, 0, 8])


def test_lagged_columns_lie_side_by_side():
    """Two columns at lags 0 and 2; what came before the first is not known."""
    values = np.array([[1.0, 5.0], [2.0, 6.0], [3.0, 7.0]])
    nan = np.nan
    expected = [[1, nan, 5, nan], [2, nan, 6, nan], [3, 1, 7, 5]]
    np.testing.assert_array_equal(lagged(values, (0, 2)), expected)


@pytest.mark.parametrize(
    ("knobs", "error", "said"),
    [
        ({"step_s": 0.0}, ConfigError, "step = 0 s"),
        ({"horizon_s": -1.0}, ConfigError, "horizon = -1 s"),
        ({"end_ns": 1}, TapeError, "no whole message"),
        ({"horizon_s": 3600.0}, TapeError, "3600 s ahead"),
    ],
)
def test_what_cannot_be_sampled_is_refused(market, knobs, error, said):
    """One message with the value."""
    info, tape = market
    with pytest.raises(error, match=said):
        collect(setup(info), info, tape, **knobs)
