"""Listen keys: one per account, good for an hour, told when they expire."""

import hashlib
from dataclasses import dataclass

from asmm_daemon.units import NS_PER_S

LIFE_NS = 3600 * NS_PER_S


@dataclass(slots=True)
class _Key:
    account: str
    until_ns: int


class ListenKeys:
    """Issues keys and lets them expire on the venue clock."""

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self._issued = 0
        self._keys: dict[str, _Key] = {}

    def start(self, account: str, now_ns: int) -> str:
        """The account's key, a new one where it has none; good for an hour from now."""
        for name, key in self._keys.items():
            if key.account == account:
                key.until_ns = now_ns + LIFE_NS
                return name
        self._issued += 1
        digest = hashlib.sha512(f"{self._seed}/{account}/{self._issued}/{now_ns}".encode()).hexdigest()
        name = digest[:64]
        self._keys[name] = _Key(account, now_ns + LIFE_NS)
        return name

    def extend(self, account: str, now_ns: int, name: str | None = None) -> str | None:
        """Another hour for the account's key (that `name`, when given); None when there is none."""
        for known, key in self._keys.items():
            if key.account == account and name in (None, known):
                key.until_ns = now_ns + LIFE_NS
                return known
        return None

    def close(self, account: str, name: str | None = None) -> str | None:
        """Ends the account's key; None when there is none."""
        for known, key in self._keys.items():
            if key.account == account and name in (None, known):
                del self._keys[known]
                return known
        return None

    def account(self, name: str) -> str | None:
        """Whose key it is; None when it is not in force."""
        key = self._keys.get(name)
        return key.account if key else None

    def next_ns(self) -> int | None:
        """When the next key expires."""
        return min((key.until_ns for key in self._keys.values()), default=None)

    def expire(self, now_ns: int) -> list[tuple[str, str]]:
        """Ends the keys whose time is over; returns (key, account) of each."""
        ended = [(name, key.account) for name, key in self._keys.items() if key.until_ns <= now_ns]
        for name, _ in ended:
            del self._keys[name]
        return ended

    def expire_all(self) -> list[tuple[str, str]]:
        """Ends every key at once; returns (key, account) of each."""
        ended = [(name, key.account) for name, key in self._keys.items()]
        self._keys.clear()
        return ended
