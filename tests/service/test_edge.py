"""The expected edge of a fill, and the refusal of quotes that lose."""

from decimal import Decimal

import pytest

from asmm_daemon import config
from asmm_daemon.errors import ConfigError
from asmm_daemon.service import edge
from tests.core.bench import instrument

LOSING = '[account]\ncapital = 100000\n{}[quoting]\nfee_in_spread = false\n[[market]]\nsymbol = "BTCUSDT"\n'


def _settings(tmp_path, mode, account=""):
    path = tmp_path / "config.toml"
    path.write_text(f'mode = "{mode}"\nstate_dir = "{tmp_path}"\n' + LOSING.format(account))
    return config.load(path)


def test_the_edge_is_the_half_spread_less_the_fee(tmp_path):
    """With the fee in the spread a fill earns the model's own part; without it, the fee less."""
    settings = _settings(tmp_path, "demo")
    (found,) = edge.expected(settings, [instrument()])
    assert found.fee_bps == pytest.approx(2.0)
    assert found.bps == pytest.approx(0.53 - 2.0, abs=0.01)
    (rebated,) = edge.expected(settings, [instrument(maker=Decimal("-0.0001"))])
    assert rebated.bps == pytest.approx(0.53 + 1.0, abs=0.01)


def test_live_refuses_quotes_that_do_not_cover_the_fee(tmp_path):
    """A losing market is named; a rebate, another mode, or the owner's word lets it pass."""
    with pytest.raises(ConfigError, match=r"BTCUSDT: a fill would lose 1\.47 bps"):
        edge.refuse_losing(_settings(tmp_path, "live"), [instrument()])
    edge.refuse_losing(_settings(tmp_path, "live"), [instrument(maker=Decimal(0))])
    edge.refuse_losing(_settings(tmp_path, "testnet"), [instrument()])
    edge.refuse_losing(_settings(tmp_path, "live", "accept_negative_expectation = true\n"), [instrument()])
