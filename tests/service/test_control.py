"""What `asmm status` and the terminal's screen show of a market."""

import io

import pytest
from rich.console import Console

from asmm_daemon.core.view import LearningView, LessonView
from asmm_daemon.service import control, screen
from asmm_daemon.service.health import Health
from asmm_daemon.service.metrics import Metrics
from asmm_daemon.service.plain import plain, short
from tests.core.bench import Bench


def _bench():
    bench = Bench()
    bench.accept(bench.ready())
    return bench


def _status(view):
    return {**plain(view), "service": {"reload_error": ""}}


def test_status_lines_name_quotes_and_inventory():
    """State, market, limit and every working order stand in a few short lines."""
    lines = list(control.render(_status(_bench().engine.view()), as_json=False, explain=False))
    assert lines[0].startswith("ACTIVE  equity 100000  drawdown 0.00%")
    assert "inventory 0 of 0.824  PnL net 0 " in lines[1]
    assert "bid 0.050 @ 59976.4  live" in lines[2]


def test_explained_quotes_are_in_currency():
    """A person reads prices and quantities, not ticks, lots and code numbers."""
    text = "\n".join(control.render(_status(_bench().engine.view()), as_json=False, explain=True))
    assert "decided by fixed on state, 0." in text
    assert "bid level 0: 0.050 @ 59976.4, place" in text
    assert "    half_spread        24.0002\n" in text
    assert "    clamps  " not in text


def test_a_market_without_a_book_is_shown():
    """Nothing known yet: dashes, and what is waited for."""
    bench = Bench()
    bench.watch()
    text = "\n".join(control.render(_status(bench.engine.view()), as_json=False, explain=True))
    assert "market - / -" in text
    assert "quotes nothing: startup: not reconciled yet, stale_book: no proof yet" in text
    assert "no decision yet" in text


def test_short_decimals():
    """Six places are enough for a person; exponents never appear."""
    assert [short(x) for x in ("100000.000", "0.8154947294790340573793649", "-0.00", "1E+3")] == [
        "100000",
        "0.815495",
        "0",
        "1000",
    ]


def test_screen_fits_a_terminal_of_80_columns():
    """No price is cut short on the usual terminal."""
    stream = io.StringIO()
    Console(file=stream, width=80).print(screen.render(_bench().engine.view()))
    shown = stream.getvalue()
    assert all(text in shown for text in ("59976.4", "60024.6", "60000.5", "0.824", "ACTIVE"))
    assert "…" not in shown


def test_screen_of_a_halt_says_how_to_end_it():
    """Whoever sees HALTED also sees the command that ends it."""
    bench = _bench()
    bench.engine.hold("operator_halt: lunch", bench.t)
    bench.watch()
    stream = io.StringIO()
    Console(file=stream, width=80).print(screen.render(bench.engine.view()))
    assert 'asmm resume --reason "…"' in stream.getvalue()


def test_a_refused_reload_is_shown_until_one_succeeds():
    """Status and screen say that the old settings are in force, and why; then no more."""
    view, why = _bench().engine.view(), "config.toml: quoting.gamma = -1: input should be greater than 0"
    data = _status(view)
    data["service"]["reload_error"] = why
    stream = io.StringIO()
    Console(file=stream, width=120).print(screen.render(view, why))
    for text in ("\n".join(control.render(data, as_json=False, explain=False)), stream.getvalue()):
        assert f"reload refused, the old configuration is in force: {why}" in text
    stream = io.StringIO()
    Console(file=stream, width=120).print(screen.render(view))
    for text in ("\n".join(control.render(_status(view), as_json=False, explain=False)), stream.getvalue()):
        assert "reload" not in text


def _learning(failure=""):
    lesson = LessonView("BTCUSDT", 400, 2880, 3, 1, -1.5, float("nan"), "shadow 2 against 1 USDT per hour")
    return LearningView(0.194, failure, (lesson,))


@pytest.mark.parametrize(
    ("failure", "said"),
    [("", "learning: 19% of a core"), ("OSError: full", "learning: stopped: OSError: full")],
)
def test_status_says_how_learning_goes(failure, said):
    """Its share or why it stopped, and per market what it has come to; nothing where it is off."""
    data = _status(_bench().engine.view())
    data["learning"] = None
    assert "learning" not in "\n".join(control.render(data, as_json=False, explain=False))
    data["learning"] = plain(_learning(failure))
    lines = list(control.render(data, as_json=False, explain=False))
    assert lines[-2] == said
    assert lines[-1] == (
        "  BTCUSDT: 2880 transitions, 400 updates, 3 trials, 1 taken over; shadow 2 against 1 USDT per hour"
    )


def test_metrics_of_learning():
    """Counters and the last trial by market; a number that is not known is left out."""
    health = Health("config")
    health.learning = _learning()
    read = Metrics(health).registry.get_sample_value
    market = {"symbol": "BTCUSDT"}
    assert read("asmm_learning_cpu_ratio") == 0.194
    assert read("asmm_learning_failed") == 0
    assert read("asmm_learning_updates_total", market) == 400
    assert read("asmm_learning_transitions", market) == 2880
    assert read("asmm_learning_swaps_total", market) == 1
    assert read("asmm_learning_result_per_hour", {**market, "model": "running"}) == -1.5
    assert read("asmm_learning_result_per_hour", {**market, "model": "shadow"}) is None
