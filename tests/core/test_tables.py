from dataclasses import replace
from decimal import Decimal

import pytest

from asmm_daemon.core.params import Model, QuoteParams, TauMode, to_record
from asmm_daemon.core.tables import quote_table


def test_four_gammas_are_four_behaviours(btc) -> None:
    """Half-spreads of 1.00, 1.05, 1.11 and 1.61 over κ; skew reaches them at q = 50, 5, 2.8 and 0.9."""
    table = quote_table(to_record(QuoteParams(), btc), price=95_000.0, kappa=1 / 12, sigma=4.0)
    assert table.tau == pytest.approx(18.0)
    assert [round(row.over_kappa, 2) for row in table.rows] == [1.01, 1.05, 1.11, 1.61]
    assert [row.crossing_q for row in table.rows] == pytest.approx([50, 5.27, 2.78, 0.9], rel=0.01)
    assert [row.skew_ticks for row in table.rows] == pytest.approx([2.4, 24, 48, 216])
    assert table.warnings == ()


def test_fee_is_in_the_half_spread_but_not_over_kappa(btc) -> None:
    """The column over κ is the model's own part."""
    paid = replace(btc, maker=Decimal("0.0002"))
    table = quote_table(
        to_record(QuoteParams(min_edge_bps=1.0), paid), price=95_000.0, kappa=1 / 12, sigma=4.0
    )
    assert table.rows[1].half_spread == pytest.approx(12 * 1.0531 + 19 + 9.5, rel=1e-4)
    assert table.rows[1].over_kappa == pytest.approx(1.0531, rel=1e-4)


def test_warns_where_two_actions_round_to_the_same_quotes(btc) -> None:
    """On a coarse grid different γ cannot be told apart, and the warning names them."""
    coarse = replace(btc, tick=Decimal(10))
    table = quote_table(to_record(QuoteParams(), coarse), price=95_000.0, kappa=1 / 12, sigma=4.0)
    assert table.warnings
    assert "γ 0.01 skew 0" in " ".join(table.warnings)


def test_session_and_glft_have_tables_too(btc) -> None:
    """A session quotes with its full length; GLFT with A."""
    session = to_record(QuoteParams(tau_mode=TauMode.SESSION, session_s=300.0), btc)
    assert quote_table(session, price=95_000.0, kappa=1 / 12, sigma=4.0).tau == 300.0
    glft = to_record(QuoteParams(model=Model.GLFT), btc)
    slow, fast = (
        quote_table(glft, price=95_000.0, kappa=1 / 12, sigma=4.0, intensity_a=a).rows[1].skew_per_lot
        for a in (0.1, 0.4)
    )
    assert slow == pytest.approx(2 * fast)


def test_a_model_without_shift_never_crosses(btc) -> None:
    """constant_spread has no crossing inventory."""
    params = to_record(QuoteParams(model=Model.CONSTANT_SPREAD), btc)
    assert quote_table(params, price=95_000.0, kappa=1.0, sigma=1.0).rows[0].crossing_q == float("inf")
