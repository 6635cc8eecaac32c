"""API keys of the embedded exchange and the signatures made with them."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass(slots=True)
class ApiKey:
    """A key: what it may do and whose account it opens. `label` is its name in the venue log."""

    key: str
    secret: str = field(repr=False)
    account: str = "main"
    label: str = "main"
    can_trade: bool = True
    can_withdraw: bool = False
    ip_bound: bool = True
    revoked: bool = False

    def sign(self, payload: str | bytes) -> str:
        """HMAC-SHA256 of the payload in hexadecimal, as all four products use."""
        data = payload if isinstance(payload, bytes) else payload.encode()
        return hmac.new(self.secret.encode(), data, hashlib.sha256).hexdigest()

    def signed(self, payload: str | bytes, signature: str) -> bool:
        """Whether `signature` is this key's, compared in constant time, in either letter case."""
        given = signature.lower().encode("utf-8", "replace")
        return hmac.compare_digest(self.sign(payload).encode(), given)


class KeyRing:
    """All keys that the exchange knows."""

    def __init__(self, keys: Iterable[ApiKey]) -> None:
        self._keys = {key.key: key for key in keys}

    def get(self, key: str | None) -> ApiKey | None:
        """A key in force; None when it is unknown or revoked."""
        found = self._keys.get(key) if key is not None else None
        return None if found is None or found.revoked else found

    def add(self, key: ApiKey) -> None:
        """Makes a key known."""
        self._keys[key.key] = key

    def label(self, key: str | None) -> str | None:
        """The name under which a key may be logged; None when it is unknown."""
        found = self._keys.get(key) if key is not None else None
        return found.label if found else None

    def all(self) -> list[ApiKey]:
        """Every key, revoked ones too."""
        return list(self._keys.values())


def fresh(timestamp_ms: int, recv_window_ms: int, now_ms: int, ahead_ms: int = 1000) -> bool:
    """Whether a timestamp lies in its window: at most `ahead_ms` early, not older than the window."""
    return now_ms - recv_window_ms <= timestamp_ms < now_ms + ahead_ms
