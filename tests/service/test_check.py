"""What `asmm check` prints."""

from asmm_daemon import config
from asmm_daemon.service import check

TEXT = '[account]\ncapital = 100000\n[[market]]\nsymbol = "BTCUSDT"\n'


def _report(tmp_path, text, price=60_000.0):
    path = tmp_path / "config.toml"
    path.write_text(f'state_dir = "{tmp_path}"\n{text}')
    sample = check.Sample(price, 3.3e-5 * price, 1 / (5e-5 * price), "a test")
    return "\n".join(check.report(config.load(path), sample))


def test_a_market_shows_only_what_it_overrides(tmp_path):
    """The common sections stand once; a market adds what differs from them."""
    text = _report(tmp_path, TEXT + "[market.quoting]\ngamma = 0.3\n")
    assert "  quoting.gamma = 0.1\n" in text
    assert "  market.0.quoting.gamma = 0.3\n" in text
    assert "market.0.quoting.skew" not in text
    assert "  account.asset_prices = {}\n" in text


def test_the_halting_move(tmp_path):
    """15 % of 100,000 is a move of 30 % at an exposure of 50,000."""
    assert "a move of 30.00% against the position is a drawdown of 15% of 100000" in _report(tmp_path, TEXT)


def test_limits_below_the_venues_smallest_order_are_said(tmp_path):
    """On a one-dollar coin the default limits allow no order that a venue takes."""
    text = _report(tmp_path, TEXT, price=1.0)
    assert "limits.max_order allows 0.1 quote currency" in text
    assert "limits.max_inventory allows 1 quote currency" in text
    assert "even a move of 100% would not halt" in text
    assert "nothing would be quoted" not in _report(tmp_path, TEXT)
