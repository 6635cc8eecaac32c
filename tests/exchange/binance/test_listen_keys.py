"""Listen keys on the venue clock."""

from asmm_daemon.exchange.binance.listen_keys import LIFE_NS, ListenKeys


def test_one_key_an_account_for_an_hour():
    """Starting again returns the key and renews it; it ends an hour after the last renewal."""
    keys = ListenKeys()
    key = keys.start("main", 0)
    assert keys.start("main", 1000) == key
    assert keys.next_ns() == 1000 + LIFE_NS
    assert keys.extend("main", 2000) == key
    assert keys.expire(1000 + LIFE_NS) == []
    assert keys.expire(2000 + LIFE_NS) == [(key, "main")]
    assert keys.account(key) is None
    assert keys.extend("main", 0) is None


def test_accounts_have_their_own_keys():
    """Another account's key cannot be extended or closed."""
    keys = ListenKeys()
    mine, theirs = keys.start("a", 0), keys.start("b", 0)
    assert mine != theirs
    assert keys.close("a", theirs) is None
    assert keys.close("a", mine) == mine
    assert keys.account(theirs) == "b"
