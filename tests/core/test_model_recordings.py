"""The quoting model on slices of real recordings."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from asmm_daemon.core.decision import Missing, decide, new_decision, new_inventory
from asmm_daemon.core.features import FEATURE_NAMES, N_STATE, features
from asmm_daemon.core.market import new_market, on_rows
from asmm_daemon.core.params import QuoteParams, to_record
from asmm_daemon.tape.load import open_source
from asmm_daemon.units import NS_PER_S, Instrument, Lots

CYCLE_NS = 5 * NS_PER_S


class Replay:
    """A tape looped with a cycle every five seconds, as a backtest does."""

    def __init__(self, path: Path, hours: float, instrument: Instrument) -> None:
        source = open_source(path)
        info = source.info
        self.instrument = replace(instrument, tick=info.tick, lot=info.lot, min_notional=info.min_notional)
        quote = QuoteParams(order_size=100.0, size_in_quote=True, max_inventory=1e5, max_order=1e4)
        self.params = to_record(quote, self.instrument)
        self.state = new_market()
        self.inventory = new_inventory()
        self.inventory["lots"] = 20_000 / float(info.lot) if self.instrument.is_spot else 0.0
        self.features: list[np.ndarray] = []
        self.decisions: list[np.ndarray] = []
        next_ns = end_ns = 0
        for tape in source:
            rows = tape.rows
            ends = np.flatnonzero(rows["last"]) + 1
            times = rows["local_ns"][ends - 1]
            if not end_ns:
                next_ns, end_ns = int(times[0]) + CYCLE_NS, int(times[0]) + round(hours * 3600 * NS_PER_S)
            start = 0
            while next_ns <= min(int(times[-1]), end_ns):
                n = int(np.searchsorted(times, next_ns))
                stop = int(ends[n - 1]) if n else 0
                on_rows(self.state, self.params, rows[start:stop])
                start = max(start, stop)
                self._cycle(next_ns)
                next_ns += CYCLE_NS
            on_rows(self.state, self.params, rows[start:])
            if int(times[-1]) >= end_ns:
                break

    def _cycle(self, t_ns: int) -> None:
        out, decision = np.zeros(N_STATE), new_decision()
        features(self.state, self.params, self.inventory, t_ns, out)
        decide(self.state, self.params, self.inventory, 0.1, 0.0, t_ns, decision)
        self.features.append(out)
        self.decisions.append(decision)

    def column(self, name: str) -> np.ndarray:
        """A number of every decision that quoted."""
        made = np.concatenate(self.decisions)
        return made[name][(made["missing"] & ~int(Missing.KAPPA)) == 0]


def instrument(*, spot: bool) -> Instrument:
    """What the loaders do not know of a market; its grid comes from the tape."""
    product = "binance" if spot else "binanceusdm"
    one = Decimal(1)
    return Instrument(
        "X", product, "B", "Q", one, one, one, Lots(1), Lots(10**12), Decimal(0), Decimal("0.0005")
    )


@pytest.fixture(scope="module")
def nexo(shared_data: Path) -> Replay:
    return Replay(shared_data / "binance-raw" / "nexousdt-spot", 3.0, instrument(spot=True))


@pytest.fixture(scope="module")
def btc_usdm(shared_data: Path) -> Replay:
    return Replay(shared_data / "binance-raw" / "btcusdt-usdm", 0.15, instrument(spot=False))


@pytest.fixture(scope="module")
def btc_standx(shared_data: Path) -> Replay:
    return Replay(shared_data / "standx-btc", 2.0, instrument(spot=False))


@pytest.fixture(params=["nexo", "btc_usdm", "btc_standx"])
def replay(request: pytest.FixtureRequest) -> Replay:
    return request.getfixturevalue(request.param)


def test_quotes_nearly_always(replay: Replay) -> None:
    """Once σ is known, every cycle with a known book quotes both sides."""
    made = np.concatenate(replay.decisions)[20:]
    known = made[(made["missing"] & int(Missing.BOOK)) == 0]
    assert known.size > 0.75 * made.size
    assert ((known["missing"] & ~int(Missing.KAPPA)) == 0).mean() > 0.99
    quoted = known[(known["missing"] & ~int(Missing.KAPPA)) == 0]
    assert (quoted["bid_qty"][:, 0] > 0).all()
    assert (quoted["ask_qty"][:, 0] > 0).all()
    assert (quoted["bid_price"][:, 0] < quoted["ask_price"][:, 0]).all()


def test_features_are_finite_and_alive(replay: Replay) -> None:
    """No feature is NaN, and all but the inventory's (and a spread of one tick) vary."""
    seen = np.array(replay.features[30:])
    assert np.isfinite(seen).all()
    alive = seen.std(axis=0) > 0
    flat = {name for name, varies in zip(FEATURE_NAMES, alive, strict=True) if not varies}
    inventory = {"inventory", "inventory_fraction", "target_distance", "inventory_rate", "unrealised_pnl"}
    assert flat <= inventory | {"spread"}


def test_sigma_on_the_tapes(nexo: Replay, btc_usdm: Replay, btc_standx: Replay) -> None:
    """σ is a few dollars per √s on BTC and about 0.00015 on NEXO."""
    assert 1.0 < np.median(btc_usdm.column("sigma")) < 6.0
    assert 1.0 < np.median(btc_standx.column("sigma")) < 5.0
    assert 0.00005 < np.median(nexo.column("sigma")) < 0.0004


def test_tau_on_the_tapes(nexo: Replay, btc_usdm: Replay, btc_standx: Replay) -> None:
    """τ is tens of seconds and not at a bound, so that four γ are four behaviours."""
    assert 10.0 < np.median(btc_usdm.column("tau")) < 40.0
    assert 5.0 < np.median(btc_standx.column("tau")) < 30.0
    assert 20.0 < np.median(nexo.column("tau")) < 60.0


def test_half_spread_over_kappa_on_the_tapes(replay: Replay) -> None:
    """At γ = 0.1 the half-spread is about 1.05/κ where current and slow estimates agree."""
    ratio = replay.column("half_spread_model") * replay.column("kappa")
    assert np.median(ratio) == pytest.approx(1.05, abs=0.08)


def test_a_tape_replays_to_the_byte(shared_data: Path, btc_usdm: Replay) -> None:
    """The same recording gives the same features, decisions and state again."""
    again = Replay(shared_data / "binance-raw" / "btcusdt-usdm", 0.15, instrument(spot=False))
    assert np.array(again.features).tobytes() == np.array(btc_usdm.features).tobytes()
    assert np.concatenate(again.decisions).tobytes() == np.concatenate(btc_usdm.decisions).tobytes()
    for a, b in zip(
        (*again.state.book, *again.state[1:]), (*btc_usdm.state.book, *btc_usdm.state[1:]), strict=True
    ):
        assert a.tobytes() == b.tobytes()
