"""What a view says of an engine that quotes nothing, and how its numbers look."""

import pytest

from asmm_daemon.core.params import QuoteParams
from asmm_daemon.core.spec import MarketLimits
from asmm_daemon.events import CycleTick
from tests.core.bench import KNOBS, Bench, D, instrument


def test_limit_is_shown_in_whole_lots():
    """The effective maximum is a quantity of the venue's grid, not a quotient of 28 digits."""
    bench = Bench(limits=MarketLimits(max_inventory=D(1), max_exposure=D(50_000)))
    bench.ready()
    assert bench.market.inventory_limit == D("0.824")


def test_a_quoting_market_lacks_nothing():
    """Nothing is missing while both sides rest."""
    bench = Bench()
    bench.ready()
    assert bench.market.missing == ()


def test_no_proof_of_a_book_is_not_an_age():
    """Before the first message the stale book says that there is no proof yet."""
    bench = Bench()
    bench.watch()
    assert "stale_book: no proof yet" in bench.market.missing


@pytest.mark.parametrize(
    ("order", "held", "expected"),
    [
        ("0.1", "1.0", "takes at least 4.12 NEXO, limits.max_order is 0.1 and the effective maximum"),
        ("10", "1.0", "takes at least 4.12 NEXO, the effective maximum inventory is 1"),
        ("10", "100", ""),
    ],
)
def test_sizes_that_the_venue_never_takes_are_said(order, held, expected):
    """Where no order can reach the venue's minimum, the view names the limits that forbid it."""
    unit = instrument(symbol="NEXOUSDT", base="NEXO", tick=D("0.001"), lot=D("0.01"))
    knobs = QuoteParams(model=KNOBS.model, order_size=0.01, max_order=float(order), max_inventory=float(held))
    bench = Bench(unit=unit, knobs=knobs, limits=MarketLimits(max_order=D(order), max_inventory=D(held)))
    bench.book(1214, 1215)
    bench.watch()
    bench.snapshot()
    bench.watch()
    assert [expected in line for line in bench.market.missing] == [True] * bool(expected)


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        ({"max_order_value": D(4)}, "takes at least 0.001 BTC, limits.max_order_value is 4 USDT"),
        ({"collar_bps": 1.0}, "the pre-trade gate refuses every quote: collar"),
    ],
)
def test_a_gate_that_refuses_every_quote_is_named(limit, expected):
    """A limit that lets no quote pass is told, not shown as silence."""
    bench = Bench(limits=MarketLimits(**limit))
    assert bench.ready() == []
    (why,) = bench.market.missing
    assert expected in why


def test_late_cycles_are_counted_beside_those_left_out():
    """One late cycle that left out three counts once and three times."""
    bench = Bench()
    bench.ready()
    bench.feed(CycleTick(bench.later(), 4, 3))
    bench.feed(CycleTick(bench.later(), 5, 0))
    counts = bench.market.counts
    assert (counts.cycles, counts.cycles_late, counts.cycles_skipped) == (2, 1, 3)
