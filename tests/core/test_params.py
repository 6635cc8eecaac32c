import math
from dataclasses import fields

import numpy as np

from asmm_daemon.core.params import PARAMS, Model, QuoteParams, TauMode, to_record


def test_every_knob_reaches_the_record(btc) -> None:
    """Each field of QuoteParams is in PARAMS under its own name, with its value."""
    quote = QuoteParams(model=Model.GLFT, tau_mode=TauMode.SESSION, gamma=0.7, levels=3, size_in_quote=True)
    one = to_record(quote, btc)[0]
    for field in fields(QuoteParams):
        value = getattr(quote, field.name)
        np.testing.assert_equal(one[field.name], value)
    assert math.isnan(one["inventory_target"])


def test_instrument_reaches_the_record(btc, btc_spot) -> None:
    """Grid, minimums and fees come from the venue."""
    one = to_record(QuoteParams(), btc)[0]
    assert (one["tick"], one["lot"], one["min_notional"]) == (0.1, 0.001, 5.0)
    assert (one["min_qty_lots"], one["max_qty_lots"]) == (1, 1_000_000)
    assert (one["maker_fee"], one["taker_fee"], one["spot"]) == (0.0, 0.0005, False)
    assert to_record(QuoteParams(), btc_spot)[0]["spot"]


def test_the_guides_limits_are_the_defaults() -> None:
    """Inventory 1.0, single order 0.1, exposure 50,000."""
    quote = QuoteParams()
    assert (quote.max_inventory, quote.max_order, quote.max_exposure) == (1.0, 0.1, 50_000.0)
    assert PARAMS.names is not None
