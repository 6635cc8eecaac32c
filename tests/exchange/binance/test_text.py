"""Decimals, parameters and ids as the wire writes and reads them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asmm_daemon.exchange.binance.decimals import Scale, fixed, places, plain
from asmm_daemon.exchange.binance.errors import ApiError
from asmm_daemon.exchange.binance.ids import first_id, last_id, snapshot_id
from asmm_daemon.exchange.binance.params import Params

STEPS = ["0.01", "0.1", "0.001", "1", "0.00000001", "0.05", "10", "0.5"]


@given(st.sampled_from(STEPS), st.integers(-(10**12), 10**12))
def test_scale_writes_exact_multiples(step, count):
    """The text of a count is the count times the step, in fixed places."""
    unit = Decimal(step)
    text = Scale(unit, 8).text(count)
    assert Decimal(text) == unit * count
    assert len(text.partition(".")[2]) == 8
    assert "E" not in text


@pytest.mark.parametrize(
    ("step", "count", "digits", "text"), [("0.1", 639439, 2, "63943.90"), ("1", 5, 0, "5")]
)
def test_scale_examples(step, count, digits, text):
    """Prices as recorded from the venue."""
    assert Scale(Decimal(step), digits).text(count) == text


def test_scale_refuses_too_few_places():
    """A step that the places cannot write is an error, not a rounding."""
    with pytest.raises(ValueError, match=r"0\.001"):
        Scale(Decimal("0.001"), 2)


def test_plain_and_fixed():
    """Sums without trailing zeros; amounts cut, never rounded up."""
    assert plain(Decimal("12.500")) == "12.5"
    assert plain(Decimal("0E-8")) == "0"
    assert plain(Decimal("1E+3")) == "1000"
    assert fixed(Decimal("1.999999999"), 8) == "1.99999999"
    assert places(Decimal("0.050")) == 2


@given(st.integers(1, 10**9), st.integers(0, 100), st.booleans())
def test_a_snapshot_joins_the_next_event(update, width, spot):
    """The event that follows a snapshot always spans its id, by each product's own rule."""
    snapshot = snapshot_id(update, spot=spot)
    first, last = first_id(update + 1, spot=spot), last_id(update + 1 + width, spot=spot)
    joint = snapshot + 1 if spot else snapshot
    assert first <= joint <= last
    before = last_id(update, spot=spot)
    assert before <= snapshot if spot else before < snapshot
    assert first == before + 1


def test_parameters_and_their_refusals():
    """Missing, empty and malformed parameters give the venue's codes."""
    params = Params({"a": "1.5", "b": "", "c": "x", "n": "7", "t": "TRUE"})
    assert params.decimal("a") == Decimal("1.5")
    assert params.integer("n") == 7
    assert params.flag("t")
    assert params.optional("none") is None
    for read, code in (
        (lambda: params.text("none"), -1102),
        (lambda: params.text("b"), -1105),
        (lambda: params.decimal("c"), -1100),
        (lambda: params.integer("a"), -1100),
        (lambda: params.flag("c"), -1130),
        (lambda: params.only(["a", "b"]), -1104),
    ):
        with pytest.raises(ApiError) as refused:
            read()
        assert refused.value.code == code
