import numpy as np
import pytest

from asmm_daemon.core import intensity as flow
from asmm_daemon.core import volatility as vol
from asmm_daemon.core.history import warm_market
from asmm_daemon.events import ROW, TRADE

MINUTE = 60 * 10**9
MID = 1_000_000


def candles(now_ns: int, n: int, sigma: float) -> np.ndarray:
    """A random walk of closes, the newest candle still running."""
    rng = np.random.default_rng(1)
    out = np.zeros((n, 6), np.int64)
    out[:, 0] = (now_ns // MINUTE - np.arange(n)[::-1]) * MINUTE
    out[:, 1:5] = (MID + np.cumsum(rng.normal(0, sigma * np.sqrt(60), n)))[:, None]
    out[:, 5] = 40
    return out


def trades(now_ns: int, n: int, reach: float) -> np.ndarray:
    """Two hundred seconds of taker orders whose reach beyond the touch is geometric."""
    rng = np.random.default_rng(2)
    rows = np.zeros(n, ROW)
    rows["kind"], rows["last"] = TRADE, True
    rows["exch_ns"] = rows["local_ns"] = now_ns - np.sort(rng.integers(0, 200 * 10**9, n))[::-1]
    rows["side"] = rng.choice([-1, 1], n)
    rows["price"] = MID + rows["side"] * (1 + rng.geometric(1 / reach, n))
    rows["qty"] = 5
    return rows


def test_history_makes_the_state_ready(scene) -> None:
    """With candles and trades the first book is enough to quote on."""
    s = scene()
    warm_market(s.state, s.params, candles(s.now_ns, 200, 40.0), trades(s.now_ns, 400, 30.0))
    assert vol.is_ready(s.state.volatility)
    assert vol.slow(s.state.volatility) == pytest.approx(40.0, rel=0.25)
    assert not flow.is_prior(s.state.intensity, s.params)
    assert s.m["typical_qty"] == 5
    assert s.m["candles"] == 64
    s.wait(1.0)
    s.book(MID - 5, MID + 5)
    assert s.decide()
    assert s.d["missing"] == 0


def test_no_history_changes_nothing(scene) -> None:
    """A venue without history leaves a fresh state."""
    s, fresh = scene(), scene()
    warm_market(s.state, s.params, np.zeros((0, 6), np.int64), np.zeros(0, ROW))
    assert s.state.market.tobytes() == fresh.state.market.tobytes()
    assert s.state.volatility.tobytes() == fresh.state.volatility.tobytes()


def test_missing_minutes_are_flat(scene) -> None:
    """A minute that the venue left out takes the close before it."""
    s = scene()
    history = candles(s.now_ns, 10, 40.0)
    warm_market(s.state, s.params, np.delete(history, [4, 5], axis=0), np.zeros(0, ROW))
    minute = int(s.m["minute"])
    assert minute == history[-1, 0] // MINUTE
    closes = [float(s.m["candle_close"][k % 64]) for k in range(minute - 9, minute + 1)]
    expected = history[:, 4].astype(float)
    expected[[4, 5]] = expected[3]
    assert closes == expected.tolist()
    assert s.m["candle_volume"][(minute - 5) % 64] == 0
    assert s.m["candles"] == 10


def test_live_data_is_not_overwritten(scene) -> None:
    """What the streams have taught already stays."""
    s = scene()
    s.walk(MID, 50, 20)
    s.trade(1, MID + 5)
    s.walk(MID, 50, 20)
    before = s.state.volatility.tobytes(), s.state.market.tobytes(), s.state.intensity.tobytes()
    warm_market(s.state, s.params, candles(s.now_ns, 100, 40.0), trades(s.now_ns, 100, 30.0))
    assert before == (s.state.volatility.tobytes(), s.state.market.tobytes(), s.state.intensity.tobytes())
