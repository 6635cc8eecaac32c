"""What `asmm status` and the terminal's screen show of a market."""

import io

from rich.console import Console

from asmm_daemon.service import control, screen
from asmm_daemon.service.plain import plain, short
from tests.core.bench import Bench


def _bench():
    bench = Bench()
    bench.accept(bench.ready())
    return bench


def test_status_lines_name_quotes_and_inventory():
    """State, market, limit and every working order stand in a few short lines."""
    lines = list(control.render(plain(_bench().engine.view()), as_json=False, explain=False))
    assert lines[0].startswith("ACTIVE  equity 100000  drawdown 0.00%")
    assert "inventory 0 of 0.824  PnL net 0 " in lines[1]
    assert "bid 0.050 @ 59976.4  live" in lines[2]


def test_explained_quotes_are_in_currency():
    """A person reads prices and quantities, not ticks, lots and code numbers."""
    text = "\n".join(control.render(plain(_bench().engine.view()), as_json=False, explain=True))
    assert "decided by fixed on state, 0." in text
    assert "bid level 0: 0.050 @ 59976.4, place" in text
    assert "    half_spread        24.0002\n" in text
    assert "    clamps  " not in text


def test_a_market_without_a_book_is_shown():
    """Nothing known yet: dashes, and what is waited for."""
    bench = Bench()
    bench.watch()
    text = "\n".join(control.render(plain(bench.engine.view()), as_json=False, explain=True))
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
