"""The fast engine does what the daemon's own engine does: the same orders, fills and PnL."""

from decimal import Decimal

import numpy as np
import pytest

from asmm_daemon.backtest.core_engine import run_core
from asmm_daemon.backtest.fast.engine import run_fast
from asmm_daemon.backtest.statistics import measure
from asmm_daemon.backtest.timeline import timeline
from asmm_daemon.core import bookkeeper
from asmm_daemon.core.params import Model
from asmm_daemon.core.policy import Action
from asmm_daemon.events import DEPTH
from asmm_daemon.tape.load import load_tape, open_source
from tests.backtest.markets import S, assert_same, setup, synthetic

NEXO = {"order_size": 50.0, "size_in_quote": True, "max_inventory": 8000.0, "max_order": 1000.0}


class Wandering:
    """A policy with a memory, whose actions depend on the features."""

    name = "wandering"
    features_id = "guide22/1"

    def __init__(self):
        self.calls = 0

    def reset(self):
        """Starts over."""
        self.calls = 0

    def act(self, features, t_ns):
        """γ and skew by the count of calls, the inventory and the clock; now and then a bad one."""
        self.calls += 1
        if self.calls % 17 == 0:
            return Action(float("nan"), 0.0, -1)
        gamma = (0.01, 0.1, 0.9)[(self.calls + t_ns // S) % 3]
        return Action(gamma, float(np.clip(-0.1 * features[0], -1, 1)), self.calls % 3)

    def act_batch(self, features):
        """Not asked for here."""
        return np.full(len(features), -1, np.int64)


def both(info, tape, **options):
    """The same set-up through both engines, which must agree; the fast one's result."""
    fast = run_fast(setup(info, **options), info, tape)
    assert_same(fast, run_core(setup(info, **options), info, tape))
    return fast


def moving(tape, at, factor):
    """The same tape with all prices multiplied from a message on."""
    rows = tape.rows.copy()
    begin = tape.ends[at]
    later = rows[begin:]
    later["price"] = np.where(later["kind"] <= 3, (later["price"] * factor).astype(np.int64), later["price"])
    return timeline(rows)


@pytest.fixture(scope="module")
def market():
    return synthetic(12)


@pytest.fixture(scope="module")
def spot():
    return synthetic(12, product="binance")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"latency": (0, 0), "gamma": 0.9, "order_size": 0.05},
        {"latency": (65, 65), "levels": 3, "level_spacing_bps": 1.0, "maker": "0.0001"},
        {"can": "replace", "latency": (30, 5)},
        {"can": "cancel", "gamma": 0.01, "maker": "-0.00005"},
        {"model": Model.GLFT, "skew": 0.3},
        {"model": Model.CONSTANT_SPREAD, "constant_half_spread_bps": 1.0, "order_size": 0.1},
        {"policy": Wandering(), "latency": (5, 40)},
    ],
    ids=["default", "instant", "slow levels", "replace", "cancel", "glft", "constant", "policy"],
)
def test_both_engines_agree_on_a_made_up_market(market, options):
    """Whatever the model, the venue's abilities, the latency and the policy."""
    assert len(both(*market, **options).fills) > 5


def test_both_engines_agree_on_spot(spot):
    """Inventory in [0, max], the target held from the start, equity against holding."""
    result = both(*spot, can="replace", max_inventory=0.2, order_size=0.02)
    assert result.steps["inventory"][-1] != 0


def test_a_spot_maker_that_never_trades_has_earned_nothing(spot):
    """The market moves, the target is held, and neither equity nor the inventory beyond it shows anything."""
    far = {"model": Model.CONSTANT_SPREAD, "constant_half_spread_bps": 190.0}
    result = both(*spot, max_inventory=0.2, order_size=0.02, **far)
    assert not result.fills.size
    assert np.ptp(result.steps["mid"]) > 0
    assert result.steps["target"][-1] > 0
    assert not np.abs(result.steps["equity"]).max() > 1e-9
    assert measure(result).inventory_max_abs == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize(
    ("options", "column", "reached"),
    [
        (
            {"max_inventory": 0.02, "model": Model.CONSTANT_SPREAD, "constant_half_spread_bps": 0.5},
            "limit_s",
            1,
        ),
        ({"limits": {"repeat_fills": 2, "repeat_window_s": 30.0, "repeat_rearm_s": 20.0}}, "volume", 1),
        ({"limits": {"stuck_above": 0.05, "stuck_after_s": 20.0, "reduce_below": 0.02}}, "volume", 1),
        ({"account": {"max_messages_per_s": 1}}, "volume", 1),
        ({"account": {"max_exposure": Decimal(900)}}, "volume", 1),
    ],
    ids=["inventory", "repeated execution", "stuck", "message rate", "exposure"],
)
def test_both_engines_agree_while_a_limit_binds(market, options, column, reached):
    """The switches and the gate act alike."""
    assert both(*market, **options).steps[column].sum() >= reached


def test_both_engines_halt_alike(market):
    """A drawdown ends quoting for good in both."""
    info, tape = market
    result = both(
        info, moving(tape, tape.ends.size // 2, 0.97), account={"capital": Decimal(20)}, order_size=0.1
    )
    after = result.steps["healthy_s"].cumsum() > 0.6 * result.steps["healthy_s"].sum()
    assert np.isnan(result.steps["bid"][after]).all()


def test_both_engines_pause_alike_in_a_flash_crash(market):
    """A move of more than a tenth cancels all for the cool-down."""
    info, tape = market
    result = both(info, moving(tape, tape.ends.size // 2, 0.85), account={"capital": Decimal(10**6)})
    assert np.isnan(result.steps["bid"]).sum() > 12


@pytest.mark.parametrize(
    ("folder", "minutes", "options"),
    [
        ("binance-raw/btcusdt-usdm", 8, {"latency": (3, 3)}),
        ("binance-raw/nexousdt-spot", 45, NEXO),
        ("standx-btc", 12, {"gamma": 0.2, "latency": (20, 20)}),
    ],
    ids=["usdm", "nexo", "standx"],
)
def test_both_engines_agree_on_recordings(shared_data, folder, minutes, options):
    """Real books with silences, gaps and crossings."""
    begin = next(iter(open_source(shared_data / folder))).rows["local_ns"][0]
    tape = load_tape(shared_data / folder, end_ns=int(begin) + minutes * 60 * S)
    result = both(tape.info, timeline(tape.rows), **options)
    assert len(result.fills) > 5


def test_an_engine_that_forgets_a_rule_is_found_out(market, monkeypatch):
    """The comparison can fail: without the post-only refusals' back-off the orders differ."""
    info, tape = market
    options = {"latency": (65, 65)}
    fast = run_fast(setup(info, **options), info, tape)
    assert fast.counts["post_only_rejects"] > 0
    monkeypatch.setattr(bookkeeper, "strike", lambda *_: None)
    with pytest.raises(AssertionError):
        assert_same(fast, run_core(setup(info, **options), info, tape))


def test_rows_without_an_end_are_left_out(market):
    """A message that was cut off is not half applied."""
    rows = market[1].rows[:400].copy()
    rows["last"][-5:] = False
    rows["kind"][-5:] = DEPTH
    whole = timeline(rows)
    assert whole.ends[-1] <= 395
