"""What a person names on the command line, and the messages where it is wrong."""

from decimal import Decimal

import pytest
from typer.testing import CliRunner

from asmm_daemon import config
from asmm_daemon.cli import app
from asmm_daemon.commands import strategies
from asmm_daemon.errors import AsmmError, ConfigError
from tests.backtest.markets import synthetic

runner = CliRunner()


@pytest.fixture(scope="module")
def settings():
    return config.load(config.DEFAULT_PATH)


def test_latencies_are_one_or_two_durations():
    """One for both ways, or each its own."""
    assert strategies.latency("10ms").entry_ns == 10_000_000
    assert strategies.latency("250us,1s").response_ns == 1_000_000_000
    for wrong in ("10", "fast", "1ms,2ms,3ms", "-1ms"):
        with pytest.raises(ConfigError, match="--latency"):
            strategies.latency(wrong)


def test_fees_are_bps_and_may_be_rebates():
    """The taker's is the venue's unless given."""
    assert strategies.fees("-0.5", "binanceusdm") == (Decimal("-0.00005"), Decimal("0.0005"))
    assert strategies.fees("1,4", "binance") == (Decimal("0.0001"), Decimal("0.0004"))
    assert strategies.fees("venue", "binance")[0] == Decimal("0.001")
    for wrong in ("x", "1,2,3", "nan", "1000"):
        with pytest.raises(ConfigError, match="--fees"):
            strategies.fees(wrong, "binance")


def test_moments_are_utc():
    """A date alone is its midnight."""
    assert strategies.moment("--from", "2026-01-06") == 1_767_657_600 * 10**9
    for wrong in ("noon", "0001-01-01", "9999-01-01"):
        with pytest.raises(ConfigError, match=f"--from {wrong}"):
            strategies.moment("--from", wrong)


def test_durations_have_a_unit_and_an_end():
    """Seconds where none is named; more than a year is a slip of the keyboard."""
    assert strategies.seconds("--train", "18h") == 64_800.0
    assert strategies.seconds("--train", "90") == 90.0
    for wrong in ("soon", "-1s", "367d", "9" * 400):
        with pytest.raises(ConfigError, match=f"--train {wrong}"):
            strategies.seconds("--train", wrong)


def test_an_unknown_strategy_is_named(settings):
    """With what there is."""
    info, _ = synthetic(0.1)
    with pytest.raises(ConfigError, match="avellaneda_stoikov"):
        strategies.make_setups(["magic"], settings, info, fee_text="0", latency_text="1ms")
    with pytest.raises(ConfigError, match="given twice"):
        strategies.make_setups(["as", "as"], settings, info, fee_text="0", latency_text="1ms")


def test_an_order_too_small_for_the_market_is_refused(settings):
    """Before a backtest of nothing is run."""
    info, _ = synthetic(0.1)
    small = config.load(config.DEFAULT_PATH, ["quoting.order_size=0.00001"])
    with pytest.raises(ConfigError, match="order_size"):
        strategies.make_setups(["as"], small, info, fee_text="0", latency_text="1ms")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["backtest", "--data", "/nowhere"], "/nowhere: no such file or folder"),
        (["backtest", "--data", "synthetic", "--latency", "2s"], "latency 4 s there and back"),
        (["backtest", "--data", "synthetic", "--strategy", "a.json"], "a.json"),
        (["backtest", "--data", "synthetic", "--hours", "0.02", "--from", "2030-01-01"], "no message"),
        (["backtest", "--data", "synthetic:b-1"], "not a symbol"),
    ],
)
def test_bad_input_is_one_clear_message(arguments, said):
    """An error of ours with the name and the value, never a traceback."""
    outcome = runner.invoke(app, arguments)
    assert outcome.exit_code != 0
    assert isinstance(outcome.exception, AsmmError)
    assert said in str(outcome.exception)


@pytest.mark.parametrize("option", [("--hours", "inf"), ("--hours", "nan"), ("--seed", str(2**32))])
def test_a_number_out_of_range_is_a_usage_error(option):
    """Infinite hours, or a seed that no generator takes."""
    outcome = runner.invoke(app, ["backtest", "--data", "synthetic", *option])
    assert outcome.exit_code == 2
    assert option[0] in outcome.output


def test_a_backtest_prints_its_figures_as_json():
    """One JSON object with the strategies by name."""
    arguments = ["backtest", "--data", "synthetic", "--hours", "0.2", "--fees", "0", "--json", "--jobs", "1"]
    outcome = runner.invoke(app, arguments)
    assert outcome.exit_code == 0, outcome.output
    assert '"config"' in outcome.output
    assert '"sharpe_step"' in outcome.output
