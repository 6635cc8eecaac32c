"""Keys, signatures, timestamps."""

import pytest

from asmm_daemon.exchange.keys import ApiKey, KeyRing, fresh


def test_signature_is_the_documented_example():
    """The example of Binance's documentation on signed endpoints."""
    key = ApiKey(
        "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A",
        "NhqPtmdSJYdKjVHjA7PZj4Mge3R5YNiP1e3UZjInClVN65XAbvqqM6A7H5fATj0j",
    )
    payload = (
        "symbol=LTCBTC&side=BUY&type=LIMIT&timeInForce=GTC&quantity=1&price=0.1"
        "&recvWindow=5000&timestamp=1499827319559"
    )
    signature = "c8db56825ae71d6d79447849e617115f4a920fa2acdcab2b053c4b2838bd6b71"
    assert key.signed(payload, signature)
    assert key.signed(payload, signature.upper())
    assert not key.signed(payload + " ", signature)
    assert not key.signed(payload, "é")


def test_secret_does_not_show():
    """A key's repr may reach a log."""
    assert "hush" not in repr(ApiKey("k", "hush"))


def test_revoked_keys_are_unknown_but_have_a_label():
    """The log still names whose key was tried."""
    ring = KeyRing([ApiKey("k", "s", label="l")])
    ring.all()[0].revoked = True
    assert (ring.get("k"), ring.label("k")) == (None, "l")
    assert (ring.get(None), ring.label("other")) == (None, None)


@pytest.mark.parametrize(
    ("age_ms", "good"), [(0, True), (5000, True), (5001, False), (-999, True), (-1000, False)]
)
def test_timestamps_have_a_window(age_ms, good):
    """At most recvWindow old and less than a second early."""
    assert fresh(100_000 - age_ms, 5000, 100_000) is good
